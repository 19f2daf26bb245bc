"""No file, however it was damaged or made up, is read wrongly or brings the process down."""

from __future__ import annotations

import json
import os
import re
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lookalike as la
from lookalike.storage import BLOCK_BYTES, SectionFile, verify, write_sections
from lookalike.storage.section_layout import HEADER_LIMIT_BYTES, MAGIC, PREAMBLE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

IDS = np.arange(-2, 5)
ROWS = np.random.default_rng(11).random((7, 3), dtype=np.float32)
SECTIONS: dict[str, np.ndarray] = {"ids": IDS, "rows": ROWS, "none": np.zeros((0, 2))}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "file.idx"
    write_sections(path, "index", {"dim": 3}, SECTIONS)
    return path


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("damage") / "file.idx"
    write_sections(path, "index", {"dim": 3}, SECTIONS)
    return path


def header_of(content: bytes) -> dict[str, Any]:
    header_size = PREAMBLE.unpack_from(content)[2]
    document: dict[str, Any] = json.loads(content[PREAMBLE.size : PREAMBLE.size + header_size])
    return document


def forged(content: bytes, header: bytes, *, size: int | None = None) -> bytes:
    """Return the file with another header, all of whose checksums fit."""
    _, version, _, old_size, tables_crc32, _ = PREAMBLE.unpack_from(content)
    fields = (MAGIC, version, len(header), old_size if size is None else size, tables_crc32)
    crc32 = zlib.crc32(header, zlib.crc32(PREAMBLE.pack(*fields, 0)[:-4]))
    beginning = PREAMBLE.pack(*fields, crc32) + header
    return beginning.ljust(4096, b"\0") + content[4096:]


def refusal(path: Path) -> str:
    """Return why a file is refused, by both ways into it."""
    with pytest.raises(la.FormatError, match=re.escape(path.name)) as opened:
        SectionFile.open(path, "index")
    with pytest.raises(la.FormatError) as verified:
        verify(path)
    assert str(verified.value) == str(opened.value)
    message = str(opened.value)
    assert "\n" not in message
    assert len(message) < len(str(path)) + 300
    return message


def test_every_truncated_file_is_refused_and_says_so(path: Path) -> None:
    for length in reversed(range(1, path.stat().st_size)):
        os.truncate(path, length)
        with pytest.raises(la.FormatError, match=r"file\.idx is truncated: .*; save it again, or"):
            SectionFile.open(path, "index")
        if length % 50 == 0:
            assert "is truncated" in refusal(path)
    os.truncate(path, 0)
    assert "file.idx is empty; save it again, or restore it from a copy" in refusal(path)


def test_every_longer_file_is_refused(path: Path) -> None:
    size = path.stat().st_size
    for more in (b"\0", b"\n", bytes(4096)):
        with path.open("ab") as file:
            file.write(more)
        assert f"bytes instead of {size}" in refusal(path)
        os.truncate(path, size)


def test_every_flipped_bit_of_the_header_and_the_tables_is_found_at_opening(path: Path) -> None:
    content = path.read_bytes()
    header_end = PREAMBLE.size + PREAMBLE.unpack_from(content)[2]
    places = [*range(header_end), *range(header_end, 4096, 61), *range(12288, len(content))]
    assert len(content) == 12296
    with path.open("r+b", buffering=0) as file:
        for place in places:
            for bit in range(8):
                os.pwrite(file.fileno(), bytes([content[place] ^ 1 << bit]), place)
                with pytest.raises(la.FormatError, match=r"file\.idx"):
                    SectionFile.open(path, "index")
            os.pwrite(file.fileno(), content[place : place + 1], place)
    verify(path)


def test_a_flipped_bit_in_any_byte_is_found_by_verify_and_those_of_sections_by_check(
    path: Path,
) -> None:
    content = path.read_bytes()
    extents = {"ids": range(4096, 4096 + IDS.nbytes), "rows": range(8192, 8192 + ROWS.nbytes)}
    with path.open("r+b", buffering=0) as file:
        for place in range(len(content)):
            os.pwrite(file.fileno(), bytes([content[place] ^ 1 << place % 8]), place)
            with pytest.raises(la.FormatError, match=r"file\.idx"):
                verify(path)
            for name, extent in extents.items():
                if place in extent:
                    damaged = SectionFile.open(path, "index")
                    with pytest.raises(la.FormatError, match=f"block 0 of section '{name}'"):
                        damaged.check_rows(name, 3, 1)
            os.pwrite(file.fileno(), content[place : place + 1], place)
    verify(path)


def test_a_flipped_bit_is_found_wherever_it_lies_in_a_large_section(
    path: Path, rng: np.random.Generator
) -> None:
    rows = rng.random((400_000,), dtype=np.float32)
    write_sections(path, "index", {}, {"rows": rows})
    content = path.read_bytes()
    edges = [0, BLOCK_BYTES - 1, BLOCK_BYTES, 24 * BLOCK_BYTES, rows.nbytes - 1]
    with path.open("r+b", buffering=0) as file:
        for offset in [*edges, *rng.integers(0, rows.nbytes, 40).tolist()]:
            place = 4096 + offset
            os.pwrite(file.fileno(), bytes([content[place] ^ 1 << place % 8]), place)
            with pytest.raises(la.FormatError, match=f"block {offset // BLOCK_BYTES} of section"):
                SectionFile.open(path, "index").check_rows("rows", offset // 4, 1)
            with pytest.raises(la.FormatError, match=f"block {offset // BLOCK_BYTES} of section"):
                verify(path)
            os.pwrite(file.fileno(), content[place : place + 1], place)
    verify(path)


def test_padding_that_is_not_zero_is_found_and_named(path: Path) -> None:
    with path.open("r+b", buffering=0) as file:
        os.pwrite(file.fileno(), b"\1", 4096 + IDS.nbytes)
        SectionFile.open(path, "index").check("ids")  # padding changes no answer
        with pytest.raises(la.FormatError, match="damaged: the padding after section 'ids'; save"):
            verify(path)
        os.pwrite(file.fileno(), b"\1", 4095)
    assert "the padding after its header is not zero" in refusal(path)


@pytest.mark.parametrize(
    "content",
    [b"hello", b"\x93NUMPY\x01\x00", b"PK\x03\x04", bytes(5000), b"\x93LOOKALIKE\n", b"\n"],
)
def test_foreign_files_are_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    assert refusal(path) == f"{path} is not a file that Lookalike saved; give the path of one"


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content.replace(b"\r\n", b"\n"),
        lambda content: content.replace(b"\n", b"\r\n"),
    ],
)
def test_a_transfer_as_text_is_recognised(path: Path, damage: Callable[[bytes], bytes]) -> None:
    path.write_bytes(damage(path.read_bytes()))
    assert "ends of lines were changed, as by a transfer as text" in refusal(path)


@pytest.mark.parametrize("version", [0, 2, 2**32 - 1])
def test_another_version_is_refused_and_says_so(path: Path, version: int) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:16] + version.to_bytes(4, "little") + content[20:])
    assert f"has version {version}, and this Lookalike reads version 1: install" in refusal(path)


def test_a_file_of_another_kind_is_refused_and_verified_all_the_same(path: Path) -> None:
    with pytest.raises(la.FormatError, match="holds 'index' where 'gallery' is expected"):
        SectionFile.open(path, "gallery")
    with pytest.raises(la.FormatError, match="holds 'index' where 'gallery' is expected"):
        verify(path, "gallery")
    verify(path)
    verify(path, "index")


def test_what_is_no_file_is_refused_at_once(tmp_path: Path) -> None:
    for read in (verify, lambda path: SectionFile.open(path, "index")):
        with pytest.raises(FileNotFoundError) as missing:
            read(tmp_path / "missing")
        assert missing.value.filename == str(tmp_path / "missing")
        with pytest.raises(IsADirectoryError):
            read(tmp_path)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert "is a pipe or a device; copy what it gives into a file" in refusal(pipe)


ABSENT: Any = object()


def edited(document: dict[str, Any], where: tuple[Any, ...], value: Any) -> bytes:
    """Return the header with one value replaced or, when it is ABSENT, removed."""
    place: Any = document
    for key in where[:-1]:
        place = place[key]
    if value is ABSENT:
        del place[where[-1]]
    else:
        place[where[-1]] = value
    return json.dumps(document).encode("ascii")


HOSTILE_INTEGERS = (-1, 0, 1, 4097, 12288, 1 << 40, (1 << 63) - 1, 1 << 64, -(1 << 64), 10**1000)
OTHER_TYPES: tuple[Any, ...] = (None, True, "1", [], {}, [4096], 0.5, ABSENT)


@pytest.mark.parametrize("key", ["offset", "size_bytes", "checksums_offset"])
def test_hostile_places_are_refused(path: Path, key: str) -> None:
    content = path.read_bytes()
    for value in (*HOSTILE_INTEGERS, *OTHER_TYPES):
        if value == header_of(content)["sections"][1][key]:
            continue
        header = edited(header_of(content), ("sections", 1, key), value)
        path.write_bytes(forged(content, header))
        assert key in refusal(path)


def test_hostile_shapes_are_refused(path: Path) -> None:
    content = path.read_bytes()
    lengths = [[length, 3] for length in HOSTILE_INTEGERS]
    many = (
        [7] * 9,
        [3, 8],
        [21, 2],
        [7.0, 3],
        [True, 21],
        ["7", "3"],
        [[7], [3]],
        21,
        "73",
        [1] * 5000,
    )
    for shape in (*lengths, *many, *OTHER_TYPES, [0, 1 << 62], [1 << 62, 0], [1 << 33, 1 << 33]):
        header = edited(header_of(content), ("sections", 1, "shape"), shape)
        path.write_bytes(forged(content, header))
        refusal(path)


@pytest.mark.parametrize(
    "dtype",
    [
        *("|O", "O", "<O8", "|V4", "<f16", "<c8", "<U1", "<M8[s]", ">f4", "f4", "=f4", "float32"),
        *("<f4,<f4", "(2,)<f2", "<i3", "|S", "|S0", "|S4,", "|S-4", "|S100000", "|S\u0661"),
        *("<f4\n", "", "os", ["<f4"], [["a", "<f4"]], {"names": ["a"], "formats": ["O"]}),
        *(None, 4, True, ABSENT),
    ],
)
def test_dtypes_that_are_not_listed_are_refused(path: Path, dtype: Any) -> None:
    content = path.read_bytes()
    header = edited(header_of(content), ("sections", 1, "dtype"), dtype)
    path.write_bytes(forged(content, header))
    assert "dtype" in refusal(path)


@pytest.mark.parametrize(
    "name", ["", "../ids", "/ids", "A", "a b", "ids\x00", "x" * 65, "y" * 3000, "é", "ids\n"]
)
def test_names_that_are_not_simple_are_refused(path: Path, name: str) -> None:
    content = path.read_bytes()
    for where in (("sections", 1, "name"), ("kind",)):
        path.write_bytes(forged(content, edited(header_of(content), where, name)))
        assert "cannot name a" in refusal(path)


def test_a_name_that_is_taken_is_refused(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(forged(content, edited(header_of(content), ("sections", 1, "name"), "ids")))
    assert "several sections are called 'ids'" in refusal(path)


@pytest.mark.parametrize("key", ["kind", "library", "meta", "sections"])
def test_a_header_without_its_parts_is_refused(path: Path, key: str) -> None:
    content = path.read_bytes()
    for value in OTHER_TYPES:
        if isinstance(value, type(header_of(content)[key])):
            continue
        path.write_bytes(forged(content, edited(header_of(content), (key,), value)))
        assert re.search("damaged: (in its header, |its header lacks )", refusal(path))


@pytest.mark.parametrize(
    "header",
    [b"", b"null", b"[]", b"3", b"{", b'"\xff"', b"\xff\xfe{\x00", b"1" * 5000, b"NaN"]
    + [
        b'{"kind":"index","library":"","sections":[],"meta":{"x":%s}}' % deep
        for deep in (b"Infinity", b"1" * 5000, b"[" * 100_000 + b"]" * 100_000, b'{"":' * 50_000)
    ],
)
def test_headers_that_are_no_headers_are_refused(path: Path, header: bytes) -> None:
    content = path.read_bytes()
    forgery = forged(content, header)
    path.write_bytes(forged(content, header, size=len(forgery)))
    assert re.search("damaged: (in its header, |its header lacks |.*too deeply)", refusal(path))


def test_a_header_may_say_more_than_is_known(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(forged(content, edited(header_of(content), ("later",), [1])))
    verify(path)
    assert np.array_equal(SectionFile.open(path, "index").array("rows"), ROWS)


def test_a_header_of_gigabytes_is_refused_before_it_is_read(path: Path) -> None:
    content = path.read_bytes()
    for size in (HEADER_LIMIT_BYTES + 1, 2**32 - 1):
        path.write_bytes(content[:20] + size.to_bytes(4, "little") + content[24:])
        assert f"its header would have {size} bytes" in refusal(path)


def test_a_size_that_is_not_where_the_sections_end_is_refused(path: Path) -> None:
    content = path.read_bytes()
    header = json.dumps(header_of(content)).encode()
    for size in (len(content) - 4, len(content) + 4, len(content) + 4096):
        path.write_bytes(forged(content, header, size=size).ljust(size, b"\0")[:size])
        assert f"sections end at {len(content)} and not at {size}" in refusal(path)


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from([0, 2, 3, 7, 84, 4096, 8192, 12288, 12292, "ids", "<f4", "|O", "|S4", "<i8"]),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
some_place = st.tuples(st.just("sections"), st.integers(0, 2)) | st.tuples(
    st.just("sections"),
    st.integers(0, 2),
    st.sampled_from(["name", "dtype", "shape", "offset", "size_bytes", "checksums_offset"]),
)


def read_all(path: Path) -> None:
    """Open a file and read every value, if it lets us."""
    try:
        file = SectionFile.open(path, "index")
    except la.FormatError:
        return
    for name in file.names:
        array = file.array(name)
        assert array.nbytes <= file.size_bytes
        assert len(array.tobytes()) == array.nbytes
        assert file.blocks(name).crc32.size == -(-array.nbytes // BLOCK_BYTES)
        try:
            file.check(name)
        except la.FormatError as error:
            assert "block" in str(error)  # noqa: PT017 - either outcome is right


@given(changes=st.lists(st.tuples(some_place, anything), min_size=1, max_size=4))
def test_made_up_headers_are_refused_or_read_within_the_file(
    whole: Path, changes: list[tuple[tuple[Any, ...], Any]]
) -> None:
    content = whole.read_bytes()
    header = json.dumps(header_of(content)).encode()
    for where, value in changes:
        document = json.loads(header)
        if isinstance(document["sections"][where[1]], dict) or len(where) == 2:
            header = edited(document, where, value)
    forgery = whole.with_name("forged.idx")
    forgery.write_bytes(forged(content, header))
    read_all(forgery)


@given(place=st.integers(0, 12_300), noise=st.binary(min_size=1, max_size=100))
def test_noise_is_refused_or_read_within_the_file(whole: Path, place: int, noise: bytes) -> None:
    content = bytearray(whole.read_bytes())
    content[place : place + len(noise)] = noise
    noisy = whole.with_name("noisy.idx")
    noisy.write_bytes(content)
    read_all(noisy)
    if content != whole.read_bytes():
        with pytest.raises(la.FormatError, match=r"noisy\.idx"):
            verify(noisy)
