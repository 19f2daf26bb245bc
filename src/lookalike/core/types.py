"""The names of types that signatures share."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "BoolArray",
    "Float32Array",
    "Float64Array",
    "IdArray",
    "ImplementationName",
    "Int64Array",
    "MetricName",
    "NumberArray",
]

BoolArray: TypeAlias = NDArray[np.bool_]
Float32Array: TypeAlias = NDArray[np.float32]
Float64Array: TypeAlias = NDArray[np.float64]
Int64Array: TypeAlias = NDArray[np.int64]
IdArray: TypeAlias = NDArray[np.int64] | NDArray[np.object_]
#: An array of any real dtype, not yet converted to float32.
NumberArray: TypeAlias = NDArray[Any]

MetricName: TypeAlias = Literal[
    "cosine", "euclidean", "inner_product", "manhattan", "sqeuclidean", "cityblock", "l1"
]
ImplementationName: TypeAlias = Literal["compiled", "numpy", "naive"]
