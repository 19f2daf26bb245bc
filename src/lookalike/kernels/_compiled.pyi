"""
The compiled kernels and scans. Private: use lookalike.kernels and lookalike.
"""

from typing import Annotated

import numpy
from numpy.typing import NDArray


def level_names() -> list[str]: ...

def is_usable(arg: str, /) -> bool: ...

def scan_gamma(dim: int) -> float: ...

def score_all(level: str, metric: int, queries: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu', writable=False)], group: Annotated[NDArray, dict(shape=(None, None), device='cpu', writable=False)], out: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu')], n_threads: int) -> tuple[int, int]: ...

def find_nearest(level: str, metric: int, queries: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu', writable=False)], group: Annotated[NDArray, dict(shape=(None, None), device='cpu', writable=False)], ids: Annotated[NDArray[numpy.int64], dict(shape=(None, None), order='C', device='cpu')], distances: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu')], n_threads: int) -> tuple[int, int]: ...

def find_within(level: str, metric: int, queries: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu', writable=False)], group: Annotated[NDArray, dict(shape=(None, None), device='cpu', writable=False)], radius: float, n_threads: int) -> tuple[tuple[int, int], list[tuple[bytes, bytes]]]: ...
