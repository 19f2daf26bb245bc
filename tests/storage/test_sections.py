from __future__ import annotations

import copy
import gc
import pickle
import runpy
import struct
import sys
import threading
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import lookalike as la
from lookalike.storage import BLOCK_BYTES, SectionFile, section_writer, verify, write_sections
from lookalike.storage.section_layout import MAGIC, describe, lay_out, layout_from_json

GOLDEN = Path(__file__).with_name("golden")
DTYPES = ["?", "i1", "u1", "f2", "i2", "u2", "f4", "i4", "u4", "f8", "i8", "u8", "S1", "S7"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "file.idx"


@pytest.fixture(scope="module")
def shared_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sections") / "file.idx"


def save(path: Path, **sections: Any) -> SectionFile:
    """Write the sections, and open the file."""
    write_sections(path, "index", {}, sections)
    return SectionFile.open(path, "index")


def flip(path: Path, place: int) -> None:
    with path.open("r+b") as file:
        file.seek(place)
        (byte,) = file.read(1)
        file.seek(place)
        file.write(bytes([byte ^ 1]))


def place_of(path: Path, content: bytes) -> int:
    """Return where in the file this content, which is there once, begins."""
    whole = path.read_bytes()
    assert whole.count(content) == 1
    return whole.index(content)


@given(
    sections=st.dictionaries(
        st.from_regex(r"[a-z0-9][a-z0-9._-]{0,63}", fullmatch=True),
        hnp.arrays(
            st.builds(
                lambda name, order: np.dtype(order + name),
                st.sampled_from(DTYPES),
                st.sampled_from("<>"),
            ),
            hnp.array_shapes(min_dims=1, max_dims=8, min_side=0, max_side=4),
        ),
        max_size=4,
    ),
    order=st.sampled_from(["as it is", "transposed", "backwards"]),
)
def test_arrays_come_back_with_the_same_bits(
    shared_path: Path, sections: dict[str, np.ndarray], order: str
) -> None:
    if order == "transposed":
        sections = {name: array.T for name, array in sections.items()}
    elif order == "backwards":
        sections = {name: array[::-1] for name, array in sections.items()}
    file = save(shared_path, **sections)
    assert file.names == tuple(sections)
    verify(shared_path)
    for name, array in sections.items():
        expected = array.astype(array.dtype.newbyteorder("<"), order="C")
        read = file.array(name, dtype=array.dtype.newbyteorder("<"), shape=array.shape)
        assert read.dtype == expected.dtype
        assert read.tobytes() == expected.tobytes()
        file.check(name)
        assert file.blocks(name).data.tobytes() == expected.tobytes()


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(meta=st.dictionaries(st.text(), json_values, max_size=4))
def test_meta_comes_back_equal(meta: dict[str, Any]) -> None:
    _, content = lay_out("index", "lookalike", meta, [])
    assert layout_from_json(content).meta == meta


def test_a_header_of_any_length_describes_itself() -> None:
    # The offsets are in the header and depend on its length: also where it crosses a page.
    described = [describe(name, np.dtype("f4"), (500, 3)) for name in ("a", "b")]
    ends = set()
    for length in range(3600, 4200):
        layout, content = lay_out("index", "lookalike", {"x": "y" * length}, described)
        assert layout_from_json(content) == layout
        assert layout.header_end == 40 + len(content)
        assert layout.sections[0].offset == -(-layout.header_end // 4096) * 4096
        ends.add(layout.header_end)
    assert {4095, 4096, 4097} <= ends


def test_the_file_is_what_the_documentation_says(path: Path) -> None:
    content = np.arange(BLOCK_BYTES + 5, dtype=np.uint8)
    save(path, a=np.zeros(3, dtype=np.float32), b=content)
    whole = path.read_bytes()
    magic, version, header_size, size, tables, header = struct.unpack("<16sIIQII", whole[:40])
    assert (magic, version, size) == (MAGIC, 1, len(whole))
    assert header == zlib.crc32(whole[:36] + whole[40 : 40 + header_size])
    assert tables == zlib.crc32(whole[-12:])
    assert whole[8192 : 8192 + len(content)] == content.tobytes()
    blocks = [bytes(12), content.tobytes()[:BLOCK_BYTES], content.tobytes()[BLOCK_BYTES:]]
    assert struct.unpack("<3I", whole[-12:]) == tuple(map(zlib.crc32, blocks))


def test_the_first_golden_file_opens_and_holds_what_it_held(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    golden = GOLDEN / "sections-1.lookalike"
    made = runpy.run_path(str(GOLDEN / "make_golden.py"))
    assert made["golden_bytes"]() == golden.read_bytes()
    verify(golden, "example")
    file = SectionFile.open(golden, "example")
    assert (file.library, file.meta) == (made["LIBRARY"], made["META"])
    assert file.names == tuple(made["SECTIONS"])
    for name, array in made["SECTIONS"].items():
        assert file.array(name, dtype=array.dtype, shape=array.shape).tobytes() == array.tobytes()
    # And version 1 is still written like this; a change of it needs another version.
    monkeypatch.setattr(section_writer, "_library", lambda: made["LIBRARY"])
    write_sections(path, made["KIND"], made["META"], made["SECTIONS"])
    assert path.read_bytes() == golden.read_bytes()


def test_arrays_look_into_the_map_and_cannot_be_written(path: Path) -> None:
    file = save(path, rows=np.arange(6, dtype=np.float32).reshape(2, 3))
    first, second = file.array("rows"), file.array("rows")
    assert np.shares_memory(first, second)
    assert np.shares_memory(first, file.blocks("rows").data)
    assert first.ctypes.data % 4096 == 0
    assert not first.flags.writeable
    with pytest.raises(ValueError, match="WRITEABLE"):
        first.flags.writeable = True
    assert not file.blocks("rows").data.flags.writeable


def test_a_section_that_is_missing_or_something_else_is_refused(path: Path) -> None:
    file = save(path, rows=np.zeros((4, 3), dtype=np.float32))
    assert file.array("rows", dtype=np.float32, shape=(None, 3)).shape == (4, 3)
    with pytest.raises(la.FormatError, match=r"file\.idx is damaged: it has no section 'ids'"):
        file.array("ids")
    for refused in (
        file.blocks,
        file.check,
        file.chunked,
        lambda name: file.check_rows(name, 0, 1),
    ):
        with pytest.raises(la.FormatError, match="no section 'ids'"):
            refused("ids")
    with pytest.raises(la.FormatError, match="section 'rows' holds float32, not int64"):
        file.array("rows", dtype=np.int64)
    for shape in [(4,), (4, 4), (None, None, None), ()]:
        with pytest.raises(la.FormatError, match=r"'rows' has shape \(4, 3\), not"):
            file.array("rows", shape=shape)


def test_blocks_are_verified_when_rows_in_them_are_touched_and_no_others(path: Path) -> None:
    rows = np.arange(5 * BLOCK_BYTES // 12, dtype=np.uint32).repeat(3).reshape(-1, 3)
    file = save(path, rows=rows)  # a row of 12 bytes lies across each end of a block
    verified = file.blocks("rows").verified
    assert verified.tolist() == [0] * 5
    last = len(rows)
    across = BLOCK_BYTES // 12
    for first, count, touched in [
        (0, 0, []),
        (last, 0, []),
        (0, 1, [0]),
        (across - 1, 1, [0]),
        (across, 1, [0, 1]),
        (across + 1, 1, [1]),
        (last - 1, 1, [4]),
        (2 * across, 2 * across, [1, 2, 3]),
        (0, last, [0, 1, 2, 3, 4]),
    ]:
        verified[:] = 0
        file.check_rows("rows", first, count)
        assert np.flatnonzero(verified).tolist() == touched
    for first, count in [(-1, 1), (0, last + 1), (last, 1), (5, -1)]:
        with pytest.raises(la.ParameterError, match="do not exist"):
            file.check_rows("rows", first, count)


def test_only_touched_damage_is_reported_and_verify_reports_all(path: Path) -> None:
    rows = np.random.default_rng(5).integers(0, 256, (9 * 16, 4096), dtype=np.uint8)
    file = save(path, ids=np.arange(7), rows=rows)
    for block in (2, 5, 6, 7):
        flip(path, place_of(path, rows[16 * block].tobytes()) + 77)
    flip(path, place_of(path, np.arange(7).tobytes()))
    file = SectionFile.open(path, "index")
    file.check_rows("rows", 0, 32)
    file.check_rows("rows", 48, 32)
    for _ in range(2):  # a damaged block is never taken for verified
        with pytest.raises(la.FormatError, match=r"damaged: block 2 of section 'rows'; save it"):
            file.check_rows("rows", 32, 1)
    with pytest.raises(la.FormatError, match=r"damaged: blocks 2, 5-7 of section 'rows'; save it"):
        file.check("rows")
    assert file.blocks("rows").verified.tolist() == [1, 1, 0, 1, 1, 0, 0, 0, 1]
    with pytest.raises(la.FormatError, match=r"block 0 of section 'ids', blocks 2, 5-7 of section"):
        verify(path)


def test_blocks_marked_as_verified_are_not_read_again(path: Path) -> None:
    file = save(path, rows=np.arange(3 * BLOCK_BYTES // 8))
    flip(path, place_of(path, np.arange(100).tobytes()))
    file.blocks("rows").verified[0] = 1  # as the compiled engine does
    file.check("rows")
    assert file.blocks("rows").verified.tolist() == [1, 1, 1]


def test_many_damaged_blocks_are_cut_short(path: Path) -> None:
    file = save(path, rows=np.zeros(1))
    message = str(file.damaged("rows", range(0, 2000, 2)))
    assert "blocks 0, 2, 4" in message
    assert "38, and more of section 'rows'" in message
    assert "block 3 of" in str(file.damaged("rows", [3]))


def test_threads_may_verify_the_same_blocks(path: Path) -> None:
    rows = np.random.default_rng(7).random((64, 8192))
    file = save(path, rows=rows)
    barrier = threading.Barrier(8)
    failures: list[BaseException] = []

    def check() -> None:
        barrier.wait()
        try:
            file.check("rows")
        except la.FormatError as error:
            failures.append(error)

    def check_in_threads() -> None:
        threads = [threading.Thread(target=check) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    check_in_threads()
    assert not failures
    assert file.blocks("rows").verified.all()
    flip(path, place_of(path, rows[32].tobytes()))
    file.blocks("rows").verified[:] = 0
    check_in_threads()
    assert len(failures) == 8
    assert not file.blocks("rows").verified.all()


def test_a_mask_with_other_bytes_than_0_and_1_is_damaged(path: Path) -> None:
    file = save(path, alive=np.array([0, 1, 2, 1], dtype=np.uint8).view(np.bool_))
    with pytest.raises(la.FormatError, match="block 0 of section 'alive'"):
        file.check("alive")
    with pytest.raises(la.FormatError, match="block 0 of section 'alive'"):
        verify(path)


def test_a_file_stays_whole_when_its_path_is_replaced_or_removed(path: Path) -> None:
    rows = np.random.default_rng(3).random((50_000, 2))
    file = save(path, rows=rows)
    newer = save(path, rows=rows + 1)
    assert np.array_equal(file.array("rows"), rows)
    path.unlink()
    file.check("rows")
    newer.check("rows")
    assert np.array_equal(newer.array("rows"), rows + 1)


def test_a_file_can_be_saved_over_itself(path: Path) -> None:
    rows = np.random.default_rng(4).random((50_000, 2))
    file = save(path, rows=rows, ids=np.arange(5))
    before = path.read_bytes()
    sections = {name: file.chunked(name) for name in file.names}
    write_sections(path, file.kind, file.meta, sections)
    assert path.read_bytes() == before
    assert file.blocks("rows").verified.all()
    assert np.array_equal(file.array("rows"), rows)


def test_damage_is_not_saved_anew_with_checksums_that_fit(path: Path) -> None:
    rows = np.random.default_rng(4).random((500_000, 1))
    save(path, rows=rows)
    flip(path, place_of(path, rows[-1000:].tobytes()))
    file = SectionFile.open(path, "index")
    before = path.read_bytes()
    with pytest.raises(la.FormatError, match="block 60 of section 'rows'"):
        write_sections(path, "index", {}, {"rows": file.chunked("rows")})
    assert path.read_bytes() == before


@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0), (7, 1), (1, 300_000), (3, 100_000)])
def test_sections_of_any_shape_can_be_copied_in_chunks(path: Path, shape: tuple[int, ...]) -> None:
    file = save(path, rows=np.ones(shape))
    write_sections(path, "index", {}, {"rows": file.chunked("rows")})
    assert np.array_equal(SectionFile.open(path, "index").array("rows"), np.ones(shape))


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_map_goes_with_the_last_array_that_looks_into_it(path: Path) -> None:
    def is_mapped() -> bool:
        return str(path) in Path("/proc/self/maps").read_text(encoding="utf-8")

    file = save(path, rows=np.arange(5))
    array = file.array("rows")[1:]
    del file
    gc.collect()
    assert is_mapped()
    assert array.tolist() == [1, 2, 3, 4]
    del array  # without help from the garbage collector: there are no cycles
    assert not is_mapped()


def test_a_pickle_leads_to_the_same_content_or_is_refused(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(path, rows=np.arange(50_000))
    monkeypatch.chdir(path.parent)
    file = SectionFile.open(path.name, "index")
    monkeypatch.chdir("/")
    pickled = pickle.dumps(file)
    assert len(pickled) < 1000
    assert np.array_equal(pickle.loads(pickled).array("rows"), np.arange(50_000))
    save(path, rows=np.arange(50_000))  # anew, but the same
    assert np.array_equal(pickle.loads(pickled).array("rows"), np.arange(50_000))
    save(path, rows=np.arange(50_000)[::-1])
    with pytest.raises(la.FormatError, match=r"file\.idx was saved anew since it was pickled"):
        pickle.loads(pickled)
    path.unlink()
    with pytest.raises(FileNotFoundError):
        pickle.loads(pickled)


def test_copies_of_a_file_are_the_same_file(path: Path) -> None:
    file = save(path, rows=np.arange(5))
    path.unlink()
    assert copy.copy(file) is file
    assert copy.deepcopy(file) is file
    assert repr(file) == f"<SectionFile {str(path)!r}: index, 1 sections>"


def test_opening_reads_the_header_and_the_tables_alone(path: Path) -> None:
    # 64 GiB, most of them a hole: 4 MiB of tables.
    size = 64 << 30
    layout, content = lay_out("index", "x", {}, [describe("rows", np.dtype("u1"), (size,))])
    tables = bytes(4 * (size // BLOCK_BYTES))
    start = struct.pack("<16sIIQI", MAGIC, 1, len(content), layout.size_bytes, zlib.crc32(tables))
    with path.open("wb") as hole:
        hole.write(start + struct.pack("<I", zlib.crc32(start + content)) + content)
        hole.truncate(layout.size_bytes)
    tracemalloc.start()
    try:
        file = SectionFile.open(path, "index")
        assert file.array("rows")[size - 1] == 0
        with pytest.raises(la.FormatError, match="block 1048575 of section 'rows'"):
            file.check_rows("rows", size - 1, 1)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 20 << 20
