"""Turning what users hold into arrays that the kernels read.

Queries become float32 here. Groups keep their dtype: the compiled scans read any NumPy
number type in place, block by block, so that a float16 or uint8 group is never copied to
float32 as a whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np

from lookalike.core.errors import DtypeError, NonFiniteError, RangeError, ShapeError

if TYPE_CHECKING:
    from lookalike.core.types import Float32Array, NumberArray

__all__ = [
    "as_group",
    "as_numbers",
    "as_out",
    "as_queries",
    "as_query",
    "as_rows",
    "check_rows",
    "is_plain_query",
    "to_float32",
]

_CHUNK_BYTES = 8 << 20


def as_numbers(value: object, name: str) -> NumberArray:
    """Return ``value`` as an array of real numbers in native byte order, not yet checked.

    Parameters
    ----------
    value : array_like
        Lists, NumPy arrays and memmaps, anything with ``__array__`` or DLPack (torch on
        the CPU), pandas frames, Arrow fixed-size lists, sequences of equal-length arrays.
    name : str
        What to call it in an error message.

    Returns
    -------
    ndarray
        A view where NumPy can make one, a copy otherwise.

    Raises
    ------
    DtypeError
        It does not convert to real numbers.
    ShapeError
        It is ragged.
    NonFiniteError
        It holds Arrow nulls or masked values.
    """
    if isinstance(value, np.ndarray) and np.any(getattr(value, "mask", False)):
        raise NonFiniteError(f"{name} holds masked values; drop or fill them first")
    array = _from_arrow(value, name)
    if array is None:
        array = _from_numpy(value, name)
    if array.dtype == object:
        array = _from_objects(array, name)
    kind = array.dtype.kind
    if kind not in "biuf":
        hint = " (only real numbers have a distance)" if kind == "c" else ""
        raise DtypeError(f"{name} has dtype {array.dtype}, which is not real numbers{hint}")
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    return array


def _from_arrow(value: Any, name: str) -> NumberArray | None:  # noqa: ANN401 - duck-typed
    """Return the rows of an Arrow fixed-size list (or the values of one), else None."""
    dim = getattr(getattr(value, "type", None), "list_size", None)
    if dim is None:
        return None
    if hasattr(value, "as_py"):  # a scalar: one row
        return _without_nulls(name, value.values)
    rows = [  # of a slice, flatten() gives the values of its rows only
        _without_nulls(name, chunk, chunk.flatten()).reshape(len(chunk), dim)
        for chunk in getattr(value, "chunks", [value])
    ]
    if len(rows) == 1:
        return rows[0]
    return np.concatenate(rows) if rows else np.empty((0, dim), dtype=np.float32)


def _without_nulls(name: str, *levels: Any) -> NumberArray:  # noqa: ANN401 - duck-typed
    """Return the innermost of an Arrow array's levels, once none of them holds a null."""
    if any(level is None or level.null_count for level in levels):
        raise NonFiniteError(f"{name} holds nulls; drop or fill them first")
    return np.asarray(levels[-1])


def _from_numpy(value: Any, name: str) -> NumberArray:  # noqa: ANN401 - duck-typed
    try:
        if hasattr(value, "__dlpack__") and not hasattr(value, "__array__"):
            return np.from_dlpack(value)
        return np.asarray(value)
    except ValueError as error:
        if "inhomogeneous" in str(error):
            raise ShapeError(f"{name} is ragged: its rows differ in length") from error
        raise DtypeError(f"{name} does not convert to an array: {error}") from error
    except (TypeError, RuntimeError, BufferError) as error:
        raise DtypeError(f"{name} does not convert to an array: {error}") from error


def _from_objects(array: NumberArray, name: str) -> NumberArray:
    """Convert an object array: of numbers, or (a pandas column) of equal-length arrays."""
    if array.ndim == 0:
        raise DtypeError(f"{name} is a {type(array.item()).__name__}, not an array of numbers")
    for item in array.flat:
        if item is None or isinstance(item, (str, bytes)):  # NumPy would make numbers of them
            raise DtypeError(f"{name} holds {item!r}, which is not a number")
    try:
        if array.ndim == 1 and array.size and np.ndim(array[0]) > 0:
            return np.stack([as_numbers(item, name) for item in array])
        return array.astype(np.float64)
    except ValueError as error:
        if "same shape" in str(error) or "sequence" in str(error):
            raise ShapeError(f"{name} is ragged: its rows differ in length") from error
        raise DtypeError(f"{name} holds something that is not a number: {error}") from error
    except TypeError as error:
        raise DtypeError(f"{name} holds something that is not a number: {error}") from error


def _is_plain(value: object, ndim: int) -> TypeGuard[Float32Array]:
    """Tell what the scans read as it is, with as little code as can be.

    A scan of a large group pushes the interpreter out of the caches: every line that runs
    before the next one waits for memory. Deciding here rather than step by step takes a
    one-query scan from 0.3 ms over the memory's own time to 0.1 ms.
    """
    return (
        type(value) is np.ndarray
        and value.ndim == ndim
        and value.dtype == np.float32
        and value.flags.c_contiguous
        and value.flags.aligned
        and value.size > 0
    )


def is_plain_query(query: object) -> TypeGuard[Float32Array]:
    """Tell whether a query can be read as it is, but for values that are not finite.

    For callers whose compiled code looks at every value anyway and reports those.
    """
    return _is_plain(query, 1)


def as_query(query: object, batch_function: str | None) -> Float32Array:
    """Return one embedding as C-contiguous float32 of shape (dim,).

    Parameters
    ----------
    query : array_like of shape (dim,)
        One embedding.
    batch_function : str or None
        The function to name when several embeddings are given, where there is one.

    Raises
    ------
    ShapeError
        ``query`` is not one embedding.
    DtypeError, NonFiniteError, RangeError
        As :func:`as_numbers` and :func:`to_float32`.
    """
    if _is_plain(query, 1) and np.isfinite(query).all():
        return query
    array = as_numbers(query, "query")
    if array.ndim == 2:
        instead = f"at once call {batch_function}()" if batch_function else "call once for each"
        raise ShapeError(
            f"query has shape {array.shape}, but one embedding of shape (dim,) is expected; "
            f"for several queries {instead}"
        )
    if array.ndim != 1:
        raise ShapeError(f"query has shape {array.shape}; one embedding of shape (dim,) expected")
    _require_dim(array.shape[0], "query")
    return to_float32(array[np.newaxis], "query").reshape(-1)


def as_queries(queries: object) -> Float32Array:
    """Return embeddings as C-contiguous float32 of shape (n_queries, dim).

    Raises
    ------
    ShapeError
        ``queries`` is not 2-D.
    DtypeError, NonFiniteError, RangeError
        As :func:`as_numbers` and :func:`to_float32`.
    """
    array = as_rows(queries, "queries")
    return to_float32(array, "queries")


def as_group(group: object, dim: int) -> NumberArray:
    """Return the rows of a group, of any real dtype, without converting them.

    Parameters
    ----------
    group : array_like of shape (n, dim)
        An empty sequence is an empty group of any dimension.
    dim : int
        The dimension of the query.

    Returns
    -------
    ndarray of shape (n, dim)
        Aligned, in native byte order, with strides that are multiples of the item size;
        C-contiguous input is returned as it is; long double, which the scans do not
        read, becomes float32.

    Raises
    ------
    ShapeError
        ``group`` is not 2-D, or its dimension differs from the query's.
    DtypeError, NonFiniteError, RangeError
        As :func:`as_numbers`, and for long double :func:`to_float32`.
    """
    if _is_plain(group, 2) and group.shape[1] == dim:
        return group
    array = as_rows(group, "group", empty_dim=dim)
    if array.shape[1] != dim:
        raise ShapeError(f"query has dim {dim} but group has dim {array.shape[1]}")
    if array.itemsize > 8:
        return to_float32(array, "group")
    if not array.flags.aligned or any(stride % array.itemsize for stride in array.strides):
        array = np.array(array, order="C", copy=True)
    return array


def as_rows(value: object, name: str, empty_dim: int | None = None) -> NumberArray:
    """Return rows of shape (n, dim), of any real dtype, neither converted nor checked.

    Parameters
    ----------
    value : array_like of shape (n, dim)
        As in :func:`as_numbers`.
    name : str
        What to call it in an error message.
    empty_dim : int, optional
        The dimension of an empty sequence, which says none itself.

    Raises
    ------
    ShapeError
        It is not 2-D, or its dimension is 0.
    DtypeError, NonFiniteError
        As :func:`as_numbers`.
    """
    array = as_numbers(value, name)
    if empty_dim is not None and array.shape == (0,):
        return np.empty((0, empty_dim), dtype=np.float32)
    if array.ndim == 1:
        raise ShapeError(
            f"{name} has shape {array.shape}, but rows of shape (n, dim) are expected; "
            f"for a single embedding pass {name}[np.newaxis]"
        )
    if array.ndim != 2:
        raise ShapeError(f"{name} has shape {array.shape}; rows of shape (n, dim) expected")
    _require_dim(array.shape[1], name)
    return array


def _require_dim(dim: int, name: str) -> None:
    if dim == 0:
        raise ShapeError(f"{name} has dim 0; an embedding needs at least one value")


def as_out(out: object, shape: tuple[int, ...], *inputs: NumberArray) -> Float32Array:
    """Return the array to write into: ``out`` when it fits, a new one when it is None.

    Raises
    ------
    DtypeError
        ``out`` is not a NumPy array.
    ShapeError
        ``out`` has another shape or dtype, is not C-contiguous or writable, or overlaps
        an input.
    """
    if out is None:
        return np.empty(shape, dtype=np.float32)
    if not isinstance(out, np.ndarray):
        raise DtypeError(f"out must be a NumPy array to write into, not a {type(out).__name__}")
    if out.dtype != np.float32 or out.shape != shape:
        raise ShapeError(
            f"out must be float32 of shape {shape}; it is {out.dtype} of shape {out.shape}"
        )
    if not (out.flags.c_contiguous and out.flags.writeable and out.flags.aligned):
        raise ShapeError("out must be C-contiguous, aligned and writable")
    if any(np.may_share_memory(out, array) for array in inputs):
        raise ShapeError("out overlaps an input; the scan would read what it has just written")
    return out


def to_float32(array: NumberArray, name: str) -> Float32Array:
    """Return rows as checked, C-contiguous float32, without a copy where they are that.

    Raises
    ------
    NonFiniteError
        A row holds a NaN or an infinity.
    RangeError
        A finite value is beyond the range of float32.
    """
    with np.errstate(over="ignore"):
        converted = np.ascontiguousarray(array, dtype=np.float32)
    check_rows(array, name)
    return converted


def check_rows(rows: NumberArray, name: str) -> None:
    """Raise if a row holds a NaN, an infinity, or a value that float32 cannot hold.

    The message names the first bad row and how many there are. Reads the rows in chunks,
    so it needs little memory.

    Parameters
    ----------
    rows : array of shape (n, dim)
        Of any real dtype.
    name : str
        What to call it in an error message.

    Raises
    ------
    NonFiniteError, RangeError
        As above; a row with a NaN or an infinity is reported first.
    """
    if rows.dtype.kind != "f":
        return  # every integer of up to 64 bits is finite in float32
    step = max(1, _CHUNK_BYTES // max(1, rows.shape[1] * rows.itemsize))
    non_finite, too_large = _BadRows(), _BadRows()
    for start in range(0, rows.shape[0], step):
        chunk = rows[start : start + step]
        finite = np.isfinite(chunk)
        non_finite.collect(np.logical_not(finite.all(axis=1)), start)
        if rows.itemsize > 4:
            with np.errstate(over="ignore"):
                fits = np.isfinite(chunk.astype(np.float32))
            too_large.collect(np.any(finite & ~fits, axis=1), start)
    if non_finite.count:
        raise NonFiniteError(
            f"{name} holds a NaN or an infinity: first in row {non_finite.first}, "
            f"in {non_finite.count} of {rows.shape[0]} rows; remove or replace them"
        )
    if too_large.count:
        raise RangeError(
            f"{name} holds a value beyond the range of float32: first in row {too_large.first}, "
            f"in {too_large.count} of {rows.shape[0]} rows; rescale the embeddings"
        )


class _BadRows:
    """Counts rows that fail a check and remembers the first."""

    def __init__(self) -> None:
        self.count = 0
        self.first = -1

    def collect(self, is_bad: NumberArray, start: int) -> None:
        found = int(np.count_nonzero(is_bad))
        if found and not self.count:
            self.first = start + int(np.argmax(is_bad))
        self.count += found
