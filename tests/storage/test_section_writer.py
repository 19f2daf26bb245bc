from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import textwrap
import tracemalloc
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import lookalike as la
from lookalike.storage import ChunkedSection, SectionFile, verify, write_sections

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "file.idx"


def names_beside(path: Path) -> list[str]:
    return sorted(found.name for found in path.parent.iterdir())


def chunks_of(array: np.ndarray, *lengths: int) -> Iterator[np.ndarray]:
    first = 0
    for length in lengths:
        yield array[first : first + length]
        first += length


@pytest.mark.parametrize("lengths", [(100_000,), (1, 99_999), (0, 21_846, 0, 21_845, 56_309, 0)])
def test_chunks_of_any_length_give_the_same_file(path: Path, lengths: tuple[int, ...]) -> None:
    rows = np.random.default_rng(1).random((100_000, 3), dtype=np.float32)
    write_sections(path, "index", {}, {"rows": rows})
    whole = path.read_bytes()
    chunked = ChunkedSection(">f4", rows.shape, chunks_of(rows.astype(">f4"), *lengths))
    write_sections(path, "index", {}, {"rows": chunked})
    assert path.read_bytes() == whole


@pytest.mark.parametrize(
    ("shape", "chunk", "error", "complaint"),
    [
        ((4, 3), np.zeros((3, 3)), la.ShapeError, "have 3 rows together"),
        ((4, 3), np.zeros((5, 3)), la.ShapeError, r"has shape \(5, 3\) after 0 rows"),
        ((4, 3), np.zeros((4, 4)), la.ShapeError, r"has shape \(4, 4\)"),
        ((4, 3), np.zeros(12), la.ShapeError, r"has shape \(12,\)"),
        ((4, 3), np.zeros((4, 3), dtype=np.float32), la.DtypeError, "has dtype float32"),
        ((4, 3), np.zeros((4, 3), dtype=object), la.DtypeError, "has dtype object"),
    ],
)
def test_chunks_that_do_not_join_to_the_section_are_refused_and_nothing_is_saved(
    path: Path, shape: tuple[int, ...], chunk: np.ndarray, error: type[Exception], complaint: str
) -> None:
    with pytest.raises(error, match=f"'rows'.*{complaint}|{complaint}.*"):
        write_sections(path, "index", {}, {"rows": ChunkedSection("f8", shape, [chunk])})
    assert names_beside(path) == []


@pytest.mark.parametrize(
    ("array", "error"),
    [
        (np.float32(1), la.ShapeError),
        (np.zeros((1,) * 9), la.ShapeError),
        (np.zeros(3, dtype=complex), la.DtypeError),
        (np.zeros(3, dtype=np.longdouble), la.DtypeError),
        (np.zeros(3, dtype=object), la.DtypeError),
        (ChunkedSection("S0", (3,), []), la.DtypeError),
        (np.zeros(3, dtype="U2"), la.DtypeError),
        (np.zeros(3, dtype="V2"), la.DtypeError),
        (np.zeros(3, dtype="M8[s]"), la.DtypeError),
        (np.zeros(3, dtype=[("a", "f4")]), la.DtypeError),
        (ChunkedSection("f4", (-1, 3), []), la.ShapeError),
        (ChunkedSection("f4", (0, 1 << 62), []), la.ShapeError),
    ],
)
def test_what_cannot_be_stored_is_refused_by_name(path: Path, array: Any, error: type) -> None:
    with pytest.raises(error, match="section 'odd' has"):
        write_sections(path, "index", {}, {"odd": array})
    assert names_beside(path) == []


@pytest.mark.parametrize("name", ["", "a/b", "../a", "A", "é", "a b", "-a", "a\n", "x" * 65, 3])
def test_names_that_are_not_simple_are_refused(path: Path, name: Any) -> None:
    with pytest.raises(la.ParameterError, match="cannot name a section"):
        write_sections(path, "index", {}, {name: np.zeros(3)})
    with pytest.raises(la.ParameterError, match="cannot name a kind"):
        write_sections(path, name, {}, {})


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        (float("nan"), "not JSON compliant"),
        (np.float32(1), "not JSON serializable"),
        ("x" * (17 << 20), "the header would have .* put what is large in meta into sections"),
    ],
)
def test_meta_that_is_not_json_is_refused(path: Path, value: Any, complaint: str) -> None:
    with pytest.raises(la.ParameterError, match=complaint):
        write_sections(path, "index", {"value": value}, {})
    assert names_beside(path) == []


def test_progress_counts_the_bytes_of_all_sections(path: Path) -> None:
    told: list[tuple[int, int]] = []
    sections: dict[str, np.ndarray] = {
        "a": np.zeros((3 << 20) + 5, dtype=np.uint8),
        "b": np.zeros(0),
        "c": np.zeros(9),
    }
    write_sections(path, "index", {}, sections, progress=lambda *numbers: told.append(numbers))
    total = (3 << 20) + 5 + 72
    assert [whole for _, whole in told] == [total] * len(told)
    done = [part for part, _ in told]
    assert done == sorted(set(done))
    assert done[-1] == total
    assert len(done) >= 4


def test_an_interruption_half_way_leaves_the_old_file(path: Path) -> None:
    write_sections(path, "index", {}, {"rows": np.arange(9)})
    before = path.read_bytes()

    def interrupt(done: int, total: int) -> None:
        if done > total // 2:
            raise KeyboardInterrupt

    rows = np.zeros((4 << 20,), dtype=np.uint8)
    with pytest.raises(KeyboardInterrupt):
        write_sections(path, "index", {}, {"rows": rows}, progress=interrupt)
    assert path.read_bytes() == before
    assert names_beside(path) == [path.name]


KILLED = textwrap.dedent("""
    import sys
    import numpy as np
    from lookalike.storage import ChunkedSection, write_sections

    def chunks():
        for _ in range(3):
            yield np.ones((1 << 20,), dtype=np.uint8)
        print("half way", flush=True)
        sys.stdin.read()
        raise AssertionError("it was not killed")

    write_sections(sys.argv[1], "index", {}, {"rows": ChunkedSection("u1", (4 << 20,), chunks())})
""")


def kill_half_way(path: Path) -> None:
    command = [sys.executable, "-c", KILLED, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"half way\n"
        process.kill()
    assert process.returncode == -signal.SIGKILL


def test_a_killed_writer_leaves_the_old_file_and_the_next_one_cleans_up(path: Path) -> None:
    write_sections(path, "index", {}, {"rows": np.arange(9)})
    before = path.read_bytes()
    for _ in range(2):  # what is left does not add up
        kill_half_way(path)
        assert path.read_bytes() == before
        assert len(names_beside(path)) == 2
    write_sections(path.with_name("other"), "index", {}, {"rows": np.arange(3)})
    assert names_beside(path) == [path.name, "other"]
    verify(path)


def test_files_that_are_being_written_are_left_alone(path: Path) -> None:
    other = path.with_name("other.idx")
    foreign = path.with_name(".lookalike-0.tmp")  # a gallery's, say
    foreign.write_bytes(b"x" * 100)
    os.mkfifo(path.with_name(".lookalike-1.tmp"))
    path.with_name(".lookalike-2.tmp").mkdir()

    def chunks() -> Iterator[np.ndarray]:
        yield np.zeros(5)
        write_sections(other, "index", {}, {"rows": np.zeros(7)})
        yield np.zeros(5)

    write_sections(path, "index", {}, {"rows": ChunkedSection("f8", (10,), chunks())})
    verify(path)
    verify(other)
    assert names_beside(path) == [
        ".lookalike-0.tmp",
        ".lookalike-1.tmp",
        ".lookalike-2.tmp",
        "file.idx",
        "other.idx",
    ]


def test_a_folder_or_a_missing_folder_is_an_error_before_anything_is_written(
    tmp_path: Path,
) -> None:
    def chunks() -> Iterator[np.ndarray]:
        asked.append(True)
        yield np.zeros(1)

    asked: list[bool] = []
    sections = {"rows": ChunkedSection("f8", (1,), chunks())}
    with pytest.raises(IsADirectoryError) as folder:
        write_sections(tmp_path, "index", {}, sections)
    assert folder.value.filename == str(tmp_path)
    with pytest.raises(FileNotFoundError) as missing:
        write_sections(tmp_path / "missing" / "file", "index", {}, sections)
    assert missing.value.filename == str(tmp_path / "missing" / "file")
    assert not asked
    assert list(tmp_path.iterdir()) == []


def test_through_a_link_its_target_is_replaced_and_strings_are_paths(path: Path) -> None:
    folder = path.parent / "elsewhere"
    folder.mkdir()
    target = folder / "target.idx"
    path.symlink_to(target)
    for value in (1.0, 2.0):
        write_sections(str(path), "index", {}, {"rows": np.full(3, value)})
        assert path.is_symlink()
        assert SectionFile.open(str(target), "index").array("rows").tolist() == [value] * 3
    assert len(list(folder.iterdir())) == 1


def test_the_mode_is_that_of_any_new_file(path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_sections(path, "index", {}, {})
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_writing_takes_little_memory(path: Path) -> None:
    n_chunks, chunk_bytes = 48, 1 << 20
    awkward = np.ones((4096, 4096), dtype=np.uint8, order="F")
    wide = np.ones((4 << 20, 4), dtype=np.uint8).T  # one row of it is 4 MiB
    swapped = np.ones(2 << 20, dtype=">f8")

    def chunks() -> Iterator[np.ndarray]:
        for number in range(n_chunks):
            yield np.full(chunk_bytes, number, dtype=np.uint8)

    sections: dict[str, np.ndarray | ChunkedSection] = {
        "made": ChunkedSection("u1", (n_chunks * chunk_bytes,), chunks()),
        "awkward": awkward,
        "wide": wide,
        "swapped": swapped,
    }
    tracemalloc.start()
    try:
        write_sections(path, "index", {}, sections)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        verify(path)
        _, peak_of_verify = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert path.stat().st_size > 90 << 20
    assert peak < 8 << 20
    assert peak_of_verify < 2 << 20
    made = SectionFile.open(path, "index").array("made")
    assert made[::chunk_bytes].tolist() == list(range(n_chunks))
