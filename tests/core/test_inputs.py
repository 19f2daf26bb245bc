"""Whatever users hold gives the bits of its float32 array, or an error that says what is wrong."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy import sparse

import lookalike as la

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DIM = 37
IMPLEMENTATIONS: list[Any] = ["compiled", "numpy", "naive"]


def assert_same_answers(query: Any, group: Any, plain_query: Any, plain_group: Any) -> None:
    """Compare with the answers over C-contiguous float32 arrays, bit for bit."""
    same_query = np.array(plain_query, dtype=np.float32)
    same_group = np.array(plain_group, dtype=np.float32, order="C")
    for metric in ("cosine", "euclidean", "manhattan"):
        found = la.distances(query, group, metric=metric)
        expected = la.distances(same_query, same_group, metric=metric)
        assert found.dtype == np.float32
        assert found.tobytes() == expected.tobytes()
    ids, distances = la.nearest(query, group, 5)
    expected_ids, expected_distances = la.nearest(same_query, same_group, 5)
    assert ids.tolist() == expected_ids.tolist()
    assert distances.tobytes() == expected_distances.tobytes()


@pytest.fixture
def group(rng: np.random.Generator) -> Any:
    return rng.standard_normal((29, DIM)).astype(np.float32)


@pytest.fixture
def query(rng: np.random.Generator) -> Any:
    return rng.standard_normal(DIM).astype(np.float32)


@pytest.mark.parametrize("of", [list, tuple, lambda array: [list(row) for row in array]])
def test_sequences_are_read_as_their_array(query: Any, group: Any, of: Callable[..., Any]) -> None:
    assert_same_answers(query.tolist(), of(group), query, group)


@pytest.mark.parametrize("dtype", ["?", *"bBhHiIlLqQ", "e", "f", "d", "g"])
@pytest.mark.parametrize("byte_order", ["<", ">"])
def test_every_real_dtype_in_either_byte_order(
    rng: np.random.Generator, dtype: str, byte_order: Any
) -> None:
    kind = np.dtype(dtype).newbyteorder(byte_order)
    values = rng.standard_normal((29, DIM)) * 50
    group = (np.abs(values) if kind.kind in "bu" else values).astype(kind)
    assert_same_answers(group[3], group, group[3], group)


def test_the_largest_integers_are_read_without_wrapping() -> None:
    for dtype in (np.int64, np.uint64, np.int8, np.uint8):
        limits = np.iinfo(dtype)
        group = np.array([[limits.min, 1], [limits.max, 1]], dtype=dtype)
        assert_same_answers(group[1], group, group[1], group)


def test_long_double_is_rounded_once_not_by_way_of_float64() -> None:
    # One float32 unit, half a unit, and a bit that float64 cannot hold: rounds up, while
    # by way of float64 it would be a tie, and round down to even.
    value = np.longdouble(1) + np.longdouble(2) ** -24 + np.longdouble(2) ** -60
    if value == np.float64(value):
        pytest.skip("this platform's long double is no wider than float64")
    group = np.array([[value, 0.0]], dtype=np.longdouble)
    expected = [[np.nextafter(np.float32(1), np.float32(2)), np.float32(0)]]
    assert_same_answers(group[0], group, expected[0], expected)


def test_float64_is_rounded_to_the_nearest_float32(rng: np.random.Generator) -> None:
    group = rng.standard_normal((64, DIM))
    assert_same_answers(group[5], group, group[5], group)


@pytest.mark.parametrize(
    "arranged",
    [
        pytest.param(np.asfortranarray, id="fortran"),
        pytest.param(lambda a: a.T.copy().T, id="transposed"),
        pytest.param(lambda a: a[::-1], id="rows-reversed"),
        pytest.param(lambda a: a[:, ::-1], id="columns-reversed"),
        pytest.param(lambda a: a[::3, ::2], id="strided"),
        pytest.param(lambda a: a[:, 1:], id="narrowed"),
        pytest.param(lambda a: a[:1], id="one-row"),
        pytest.param(lambda a: a[:, :1], id="one-column"),
        pytest.param(lambda a: np.broadcast_to(a[2], a.shape), id="row-broadcast"),
        pytest.param(lambda a: np.broadcast_to(a[:, :1], a.shape), id="column-broadcast"),
    ],
)
@pytest.mark.parametrize("dtype", ["f4", "f2", "f8", "i2", "u1"])
def test_any_view_is_read_as_its_copy(
    rng: np.random.Generator, arranged: Callable[[Any], Any], dtype: str
) -> None:
    view = arranged(rng.integers(0, 90, (30, DIM)).astype(dtype))
    assert_same_answers(view[0], view, view[0], view)
    assert la.nearest_batch(view, view, 3).ids.shape == (view.shape[0], 3)


@pytest.mark.parametrize("dtype", ["f4", "f2", "f8", "i4", ">f4"])
@pytest.mark.parametrize("shift", [1, 2, 3])
def test_unaligned_arrays_are_read(rng: np.random.Generator, dtype: str, shift: int) -> None:
    plain = rng.integers(-40, 40, (12, DIM)).astype(dtype)
    memory = np.zeros(plain.nbytes + shift, dtype=np.uint8)
    view = memory[shift:].view(dtype).reshape(plain.shape)
    view[...] = plain
    assert_same_answers(view[1], view, plain[1], plain)


def test_a_field_of_a_packed_record_is_read(rng: np.random.Generator) -> None:
    records = np.zeros(14, dtype=[("tag", "u1"), ("embedding", "f4", (DIM,))])
    records["embedding"] = rng.standard_normal((14, DIM))
    group = records["embedding"]
    assert group.strides[0] % 4 != 0
    assert_same_answers(group[2], group, group[2], group)


def test_memory_maps_and_read_only_arrays_are_read(tmp_path: Path, query: Any, group: Any) -> None:
    np.save(tmp_path / "group.npy", group)
    assert_same_answers(query, np.load(tmp_path / "group.npy", mmap_mode="r"), query, group)
    group.flags.writeable = False
    assert_same_answers(query, group, query, group)


class OnlyDLPack:
    """What a library without NumPy support offers: DLPack and nothing else."""

    def __init__(self, array: Any) -> None:
        self._array = array

    def __dlpack__(self, **options: Any) -> Any:
        return self._array.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        device: tuple[int, int] = self._array.__dlpack_device__()
        return device


class OnOtherDevice(OnlyDLPack):
    def __dlpack_device__(self) -> tuple[int, int]:
        return (2, 0)  # CUDA

    def __dlpack__(self, **_: Any) -> Any:
        raise BufferError("cannot export from the device")


@pytest.mark.parametrize("dtype", ["f4", "f2", "f8", "i4", "u1"])
def test_dlpack_alone_is_enough(rng: np.random.Generator, dtype: str) -> None:
    group = rng.integers(0, 50, (21, DIM)).astype(dtype)
    assert_same_answers(OnlyDLPack(group[4]), OnlyDLPack(group), group[4], group)
    strided = group[::2, ::-1]
    assert_same_answers(OnlyDLPack(strided[0]), OnlyDLPack(strided), strided[0], strided)


def test_dlpack_of_another_device_is_refused_by_name(query: Any, group: Any) -> None:
    with pytest.raises(la.DtypeError, match="group does not convert"):
        la.distances(query, OnOtherDevice(group))  # type: ignore[arg-type]


def test_torch_tensors_are_read(query: Any, group: Any) -> None:
    torch = pytest.importorskip("torch")
    assert_same_answers(torch.tensor(query), torch.tensor(group), query, group)
    needs_grad = torch.tensor(group, requires_grad=True)
    with pytest.raises(la.DtypeError, match="group does not convert"):
        la.distances(query, needs_grad)


def test_pandas_frames_and_series_are_read(query: Any, group: Any) -> None:
    assert_same_answers(pd.Series(query), pd.DataFrame(group), query, group)
    mixed = pd.DataFrame(group[:, :2].astype(np.float64)).assign(whole=range(29))
    assert_same_answers([1, 2, 3], mixed, [1, 2, 3], mixed.to_numpy())


def test_a_pandas_column_of_arrays_or_lists_is_read(query: Any, group: Any) -> None:
    frame = pd.DataFrame({"name": range(29), "embedding": list(group)})
    assert_same_answers(frame["embedding"][7], frame["embedding"], group[7], group)
    lists = pd.Series(group.tolist())
    assert_same_answers(query, lists, query, group)


def fixed_size_list(group: Any) -> Any:
    return pa.FixedSizeListArray.from_arrays(pa.array(group.ravel()), group.shape[1])


@pytest.mark.parametrize("dtype", ["f4", "f2", "f8", "i4", "u1"])
def test_arrow_fixed_size_lists_are_read(rng: np.random.Generator, dtype: str) -> None:
    group = rng.integers(0, 50, (29, DIM)).astype(dtype)
    assert_same_answers(group[4], fixed_size_list(group), group[4], group)


def test_a_sliced_arrow_array_is_its_own_rows_only(query: Any, group: Any) -> None:
    whole = fixed_size_list(group)
    assert_same_answers(query, whole.slice(5, 9), query, group[5:14])
    assert_same_answers(query, whole.slice(5).slice(3, 8), query, group[8:16])
    assert la.distances(query, whole.slice(4, 0)).shape == (0,)


def test_arrow_chunks_are_read_in_order(query: Any, group: Any) -> None:
    whole = fixed_size_list(group)
    for cuts in ([29], [10, 29], [3, 3, 17, 29]):
        starts = [0, *cuts[:-1]]
        chunks = [whole.slice(a, b - a) for a, b in zip(starts, cuts, strict=True)]
        assert_same_answers(query, pa.chunked_array(chunks), query, group)
    column = pa.table({"embedding": whole})["embedding"]
    assert_same_answers(column[6], column, group[6], group)


def test_arrow_without_chunks_is_an_empty_group(query: Any, group: Any) -> None:
    nothing = pa.chunked_array([], type=fixed_size_list(group).type)
    assert la.distances(query, nothing).shape == (0,)
    with pytest.raises(la.ShapeError, match="query has dim 3 but group has dim 37"):
        la.distances([1, 2, 3], nothing)


@pytest.mark.parametrize(
    "values",
    [
        pytest.param([None, [1.0, 2.0]], id="null-row-first"),
        pytest.param([[1.0, 2.0], None], id="null-row-last"),
        pytest.param([[1.0, 2.0], [3.0, None]], id="null-value"),
    ],
)
def test_arrow_nulls_are_refused_wherever_they_are(values: Any) -> None:
    column = pa.array(values, type=pa.list_(pa.float32(), 2))
    for held in (column, pa.chunked_array([column.slice(0, 1), column.slice(1, 1)])):
        with pytest.raises(la.NonFiniteError, match="group holds nulls; drop or fill"):
            la.distances([1, 2], held)
    ragged_type = pa.array(values)  # a list of any length: NumPy sees None or NaN
    with pytest.raises((la.DtypeError, la.NonFiniteError), match=r"None|NaN"):
        la.distances([1, 2], ragged_type)


def test_a_null_outside_an_arrow_slice_does_not_matter() -> None:
    column = pa.array([None, [1.0, 2.0], [3.0, 4.0]], type=pa.list_(pa.float32(), 2))
    assert_same_answers([1, 2], column.slice(1), [1, 2], [[1, 2], [3, 4]])
    with pytest.raises(la.NonFiniteError, match="query holds nulls"):
        la.distances(column[0], column.slice(1))


# What is refused -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bad", "error", "message"),
    [
        pytest.param([1j, 2], la.DtypeError, "complex128.*only real numbers", id="complex"),
        pytest.param(["a", "b"], la.DtypeError, "<U1", id="strings"),
        pytest.param("ab", la.DtypeError, "<U2", id="a-string"),
        pytest.param(b"ab", la.DtypeError, "S2", id="bytes"),
        pytest.param(None, la.DtypeError, "NoneType", id="None"),
        pytest.param([1, None], la.DtypeError, "None", id="a-None"),
        pytest.param(np.array([1, "2"], dtype=object), la.DtypeError, "'2'", id="digits"),
        pytest.param([object(), 1], la.DtypeError, "not a number", id="objects"),
        pytest.param({1, 2}, la.DtypeError, "set", id="a-set"),
        pytest.param((n for n in (1, 2)), la.DtypeError, "generator", id="a-generator"),
        pytest.param(sparse.csr_matrix([[1, 2]]), la.DtypeError, "csr_matrix", id="sparse"),
        pytest.param(np.array(["2020"], dtype="M8[Y]"), la.DtypeError, "datetime64", id="dates"),
        pytest.param(np.zeros(2, dtype="f4,f4"), la.DtypeError, "dtype", id="records"),
        pytest.param(
            np.ma.masked_equal([1.0, 2.0], 2.0), la.NonFiniteError, "masked values", id="masked"
        ),
    ],
)
def test_what_is_not_real_numbers_is_refused_by_name(bad: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=f"^query .*{message}"):
        la.distances(bad, [[1, 2]])
    with pytest.raises(error, match=f"^group .*{message}"):
        la.distances([1, 2], bad)
    with pytest.raises(error, match=f"^queries .*{message}"):
        la.nearest_batch(bad, [[1, 2]])


def test_a_masked_array_without_masked_values_is_read() -> None:
    group = np.ma.masked_equal([[1.0, 2.0], [3.0, 5.0]], 9.0)
    assert_same_answers([1, 2], group, [1, 2], group.data)


@pytest.mark.parametrize(
    "ragged",
    [
        [[1, 2], [3]],
        [np.zeros(2), np.zeros(3)],
        pd.Series([np.zeros(2), np.zeros(3)]),
        pa.array([[1.0, 2.0], [3.0]]),
        np.array([1, np.zeros(2)], dtype=object),
    ],
    ids=["lists", "arrays", "pandas", "arrow", "objects"],
)
def test_ragged_rows_are_refused(ragged: Any) -> None:
    with pytest.raises(la.ShapeError, match="group is ragged: its rows differ in length"):
        la.distances([1, 2], ragged)


def test_ranks_that_do_not_fit_are_named() -> None:
    group = np.zeros((4, 3))
    for query in (np.float32(1), np.zeros((1, 1, 3))):
        with pytest.raises(la.ShapeError, match=re.escape(f"query has shape {query.shape}")):
            la.distances(query, group)
        with pytest.raises(la.ShapeError, match=re.escape(f"group has shape {query.shape}")):
            la.distances([1, 2, 3], query)
        with pytest.raises(la.ShapeError, match=re.escape(f"queries has shape {query.shape}")):
            la.pairwise(query, group)
    with pytest.raises(la.ShapeError, match=r"group\[np\.newaxis\]"):
        la.distances([1, 2, 3], [1, 2, 3])
    with pytest.raises(la.ShapeError, match=r"queries\[np\.newaxis\]"):
        la.nearest_batch([1, 2, 3], group)


@pytest.mark.parametrize(
    ("function", "arguments", "batch_function"),
    [
        (la.distances, (), r"pairwise\(\)"),
        (la.nearest, (), r"nearest_batch\(\)"),
        (la.within, (1.0,), r"within_batch\(\)"),
        (la.group_distance, (), "call once for each"),
    ],
)
def test_several_queries_where_one_is_meant_are_pointed_to_the_batch_function(
    function: Callable[..., Any], arguments: Any, batch_function: str
) -> None:
    with pytest.raises(la.ShapeError, match=rf"\(2, 3\).*{batch_function}"):
        function(np.zeros((2, 3)), np.zeros((4, 3)), *arguments)


def test_an_embedding_needs_at_least_one_value() -> None:
    with pytest.raises(la.ShapeError, match="query has dim 0"):
        la.distances([], [[1]])
    with pytest.raises(la.ShapeError, match="group has dim 0"):
        la.distances([1], np.empty((3, 0)))
    with pytest.raises(la.ShapeError, match="queries has dim 0"):
        la.pairwise(np.empty((3, 0)), np.empty((3, 0)))


def test_dimensions_that_differ_are_both_named() -> None:
    for call in (la.distances, la.nearest):
        with pytest.raises(la.ShapeError, match="query has dim 3 but group has dim 4"):
            call([1, 2, 3], np.zeros((2, 4)))
    for batch_call in (la.pairwise, la.nearest_batch):
        with pytest.raises(la.ShapeError, match="dim 3 but group has dim 4"):
            batch_call([[1, 2, 3]], np.empty((0, 4)))


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "g"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("row", [0, 1, 199])
@pytest.mark.parametrize("layout", ["C", "F", "strided"])
def test_a_bad_value_is_named_by_first_row_and_count(
    rng: np.random.Generator, dtype: str, bad: float, row: int, layout: str
) -> None:
    wide = rng.standard_normal((200, 2 * DIM)).astype(dtype)
    group = {"C": wide[:, :DIM].copy(), "F": np.asfortranarray(wide), "strided": wide[:, ::2]}[
        layout
    ]
    bad_rows = sorted({row, 199})
    group[bad_rows, 5] = bad
    told = rf"first in row {row}, in {len(bad_rows)} of 200 rows"
    query = np.ones(group.shape[1])
    for implementation in IMPLEMENTATIONS[:2]:
        with pytest.raises(la.NonFiniteError, match=f"^group .*{told}"):
            la.distances(query, group, implementation=implementation)
        with pytest.raises(la.NonFiniteError, match=f"^group .*{told}"):
            la.nearest(query, group, 3, implementation=implementation)
    for metric in ("cosine", "euclidean", "manhattan", "inner_product"):
        many = np.ones((8, group.shape[1]))
        with pytest.raises(la.NonFiniteError, match=f"^group .*{told}"):
            la.nearest_batch(many, group, 3, metric=metric)
        with pytest.raises(la.NonFiniteError, match=f"^group .*{told}"):
            la.within_batch(many, group, 1.0, metric=metric)
    with pytest.raises(la.NonFiniteError, match=f"^queries .*{told}"):
        la.nearest_batch(group, np.ones((3, group.shape[1])))
    with pytest.raises(la.NonFiniteError, match=r"^query .*row 0, in 1 of 1 rows"):
        la.distances(group[row], np.ones((3, group.shape[1])))


@pytest.mark.parametrize("dtype", ["f8", "g"])
@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_a_value_beyond_float32_is_a_range_error(dtype: str, implementation: Any) -> None:
    group = np.ones((30, 3), dtype=dtype)
    group[[17, 20], 1] = 1e39
    with pytest.raises(la.RangeError, match=r"group .*first in row 17, in 2 of 30 rows; rescale"):
        la.distances([1, 2, 3], group, implementation=implementation)
    with pytest.raises(la.RangeError, match=r"query .*row 0"):
        la.distances(group[17], [[1, 2, 3]], implementation=implementation)
    with pytest.raises(la.RangeError, match=r"queries .*row 17"):
        la.nearest_batch(group, [[1, 2, 3]], implementation=implementation)
    group[25, 0] = np.nan  # a NaN is told first, wherever it is
    with pytest.raises(la.NonFiniteError, match=r"group .*first in row 25, in 1 of 30 rows"):
        la.distances([1, 2, 3], group, implementation=implementation)


def test_out_is_written_and_returned(query: Any, group: Any) -> None:
    out = np.full(29, np.nan, dtype=np.float32)
    assert la.distances(query, group, out=out) is out
    assert out.tobytes() == la.distances(query, group).tobytes()
    many = np.full((5, 29), np.nan, dtype=np.float32)
    assert la.pairwise(group[:5], group, out=many) is many
    assert many.tobytes() == la.pairwise(group[:5], group).tobytes()


@pytest.mark.parametrize(
    ("out", "error", "message"),
    [
        ([0.0] * 4, la.DtypeError, "not a list"),
        (np.empty(4), la.ShapeError, r"float32 of shape \(4,\); it is float64"),
        (np.empty(4, dtype=">f4"), la.ShapeError, ">f4"),
        (np.empty(5, dtype="f4"), la.ShapeError, r"shape \(5,\)"),
        (np.empty((1, 4), dtype="f4"), la.ShapeError, r"shape \(1, 4\)"),
        (np.empty(8, dtype="f4")[::2], la.ShapeError, "C-contiguous"),
        (np.empty(17, dtype="u1")[1:].view("f4"), la.ShapeError, "aligned"),
        (np.broadcast_to(np.float32(0), 4), la.ShapeError, "writable"),
    ],
    ids=["list", "float64", "big-endian", "length", "rank", "strided", "unaligned", "read-only"],
)
def test_an_out_that_does_not_fit_is_refused(out: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        la.distances([1, 2, 3], np.zeros((4, 3)), out=out)


def test_an_out_that_overlaps_an_input_is_refused() -> None:
    group = np.ones((4, 4), dtype=np.float32)
    with pytest.raises(la.ShapeError, match="out overlaps an input"):
        la.distances([1, 2, 3, 4], group, out=group[0])
    with pytest.raises(la.ShapeError, match="out overlaps an input"):
        la.distances(group[0], np.ones((4, 4)), out=group[0])


def test_inputs_are_never_written_to(query: Any, group: Any) -> None:
    before = query.tobytes(), group.tobytes()
    la.distances(query, group)
    la.nearest_batch(group, group, 3)
    la.within(query, group, 0.5)
    assert (query.tobytes(), group.tobytes()) == before
