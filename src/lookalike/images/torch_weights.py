"""Reading a PyTorch state dict without PyTorch.

The weights of the default encoder come in PyTorch's *legacy* file format: three small
pickles (a magic number, a protocol version, facts about the machine), then the pickle of
an ordered dict of tensors, then the keys of the storages, then each storage as an int64
count and raw little-endian values.

Unpickling can run any code, so this reader resolves only the four names that such a file
needs and refuses everything else.
"""

from __future__ import annotations

import pickle
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import numpy as np

from lookalike.core.errors import FormatError

if TYPE_CHECKING:
    from pathlib import Path

    from lookalike.core.types import NumberArray

__all__ = ["read_state_dict"]

_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001
_STORAGES: dict[str, np.dtype[Any]] = {
    "FloatStorage": np.dtype("<f4"),
    "LongStorage": np.dtype("<i8"),
}
_LARGEST_STORAGE = 1 << 28  # values; a hostile count must not reserve all memory


class _StorageRef(NamedTuple):
    """A storage as the pickle names it: the values follow later in the file."""

    dtype: np.dtype[Any]
    key: str
    size: int


class _TensorRef(NamedTuple):
    """A tensor as the pickle describes it: a window into a storage."""

    storage: _StorageRef
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]


class _RestrictedUnpickler(pickle.Unpickler):
    """Resolves the names of a state dict of float32 and int64 tensors, and no others."""

    def find_class(self, module: str, name: str) -> Any:  # noqa: ANN401 - what pickle asks
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _tensor_ref
        if module == "torch" and name in _STORAGES:
            return name
        raise pickle.UnpicklingError(f"it refers to {module}.{name}, which no weights need")

    def persistent_load(self, pid: Any) -> _StorageRef:  # noqa: ANN401 - what pickle asks
        match pid:
            case ("storage", str(kind), str(key), _, int(size), _) if kind in _STORAGES:
                return _StorageRef(_STORAGES[kind], key, size)
        raise pickle.UnpicklingError("it refers to a storage of an unknown kind")


def _tensor_ref(
    storage: _StorageRef, offset: int, shape: tuple[int, ...], stride: tuple[int, ...], *_: object
) -> _TensorRef:
    return _TensorRef(storage, offset, shape, stride)


def read_state_dict(path: Path) -> dict[str, NumberArray]:
    """Return the tensors of a legacy PyTorch file by name.

    Parameters
    ----------
    path : Path
        A file that ``torch.save(model.state_dict(), path)`` wrote before PyTorch 1.6, or
        later with ``_use_new_zipfile_serialization=False``.

    Returns
    -------
    dict of str to array
        float32 or int64, in the order of the file.

    Raises
    ------
    FormatError
        It is not such a file, is damaged, or refers to code that weights do not need.
    """
    try:
        with path.open("rb") as file:
            return _read(file)
    except (
        EOFError,
        LookupError,
        TypeError,
        ValueError,
        AttributeError,
        pickle.PickleError,
    ) as error:
        raise FormatError(f"{path} is not a readable file of PyTorch weights: {error}") from error


def _read(file: BinaryIO) -> dict[str, NumberArray]:
    if _load(file) != _MAGIC:
        raise ValueError("it does not start with PyTorch's legacy magic number")
    if _load(file) != _PROTOCOL or not _load(file).get("little_endian"):
        raise ValueError("its protocol is not the little-endian 1001")
    tensors = _load(file)
    keys = _load(file)
    sizes = {ref.storage.key: ref.storage for ref in tensors.values()}
    storages = {key: _read_storage(file, sizes[key]) for key in keys}
    return {name: _tensor(ref, storages[ref.storage.key]) for name, ref in tensors.items()}


def _load(file: BinaryIO) -> Any:  # noqa: ANN401 - what the file holds, checked by the caller
    return _RestrictedUnpickler(file).load()


def _read_storage(file: BinaryIO, expected: _StorageRef) -> NumberArray:
    header = file.read(8)
    count = int.from_bytes(header, "little", signed=True)
    if len(header) < 8 or count != expected.size or not 0 <= count <= _LARGEST_STORAGE:
        raise ValueError(f"storage {expected.key} should hold {expected.size} values, not {count}")
    values = file.read(count * expected.dtype.itemsize)
    return np.frombuffer(values, dtype=expected.dtype, count=count)


def _tensor(ref: _TensorRef, storage: NumberArray) -> NumberArray:
    last = ref.offset + sum((n - 1) * step for n, step in zip(ref.shape, ref.stride, strict=True))
    if ref.offset < 0 or min(ref.stride, default=0) < 0 or not 0 <= last < storage.size:
        raise ValueError(f"a tensor of shape {ref.shape} lies outside its storage")
    item = storage.itemsize
    window = np.ndarray(
        ref.shape, storage.dtype, storage, ref.offset * item, tuple(s * item for s in ref.stride)
    )
    return np.array(window)
