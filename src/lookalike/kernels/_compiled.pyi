"""
The compiled kernels and scans. Private: use lookalike.kernels and lookalike.
"""

from collections.abc import Sequence
from typing import Annotated

import numpy
from numpy.typing import NDArray


def level_names() -> list[str]: ...

def is_usable(arg: str, /) -> bool: ...

def scan_gamma(dim: int) -> float: ...

def score_all(level: str, metric: int, queries: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu', writable=False)], group: Annotated[NDArray, dict(shape=(None, None), device='cpu', writable=False)], out: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu')], n_threads: int) -> tuple[int, int]: ...

def find_nearest(level: str, metric: int, queries: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu', writable=False)], group: Annotated[NDArray, dict(shape=(None, None), device='cpu', writable=False)], ids: Annotated[NDArray[numpy.int64], dict(shape=(None, None), order='C', device='cpu')], distances: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu')], n_threads: int) -> tuple[int, int]: ...

def find_within(level: str, metric: int, queries: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu', writable=False)], group: Annotated[NDArray, dict(shape=(None, None), device='cpu', writable=False)], radius: float, n_threads: int) -> tuple[tuple[int, int], list[tuple[bytes, bytes]]]: ...

class Segment:
    """Rows with or without codes, ready to be searched."""

    def __init__(self, rows: Annotated[NDArray, dict(shape=(None, None), device='cpu', writable=False)], metric: int, keys: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)] | None, codes: dict | None, rows_guard: tuple[Annotated[NDArray[numpy.uint32], dict(shape=(None,), order='C', device='cpu', writable=False)], Annotated[NDArray[numpy.uint8], dict(shape=(None,), order='C', device='cpu')]] | None = None, level_guards: Sequence[tuple[Annotated[NDArray[numpy.uint32], dict(shape=(None,), order='C', device='cpu', writable=False)], Annotated[NDArray[numpy.uint8], dict(shape=(None,), order='C', device='cpu')]]] | None = None) -> None: ...

    def nearest(self, level: str, queries: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu', writable=False)], rows: Annotated[NDArray[numpy.int64], dict(shape=(None, None), order='C', device='cpu')], distances: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu')], allowed: Annotated[NDArray[numpy.uint8], dict(shape=(None,), order='C', device='cpu', writable=False)] | None, limits: Annotated[NDArray[numpy.float32], dict(shape=(None,), order='C', device='cpu', writable=False)] | None, n_threads: int) -> tuple[int, bool, int, int, list[int]]: ...

    def lower_bounds(self, level: str, query: Annotated[NDArray[numpy.float32], dict(shape=(None,), order='C', device='cpu', writable=False)], code_level: int) -> list[float]: ...

    def within(self, level: str, queries: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu', writable=False)], radius: float, allowed: Annotated[NDArray[numpy.uint8], dict(shape=(None,), order='C', device='cpu', writable=False)] | None, n_threads: int) -> tuple[tuple[int, bool, int, int, list[int]], list[tuple[bytes, bytes]]]: ...

CHUNK_ROWS: int = 64

BLOCK_ROWS: int = 16

LINE_CODES: int = 56

PROJECT_STEP: int = 64

LINE_BYTES: int = 64

GUARDED_BYTES: int = 65536

ERROR_SPLIT: float = 0.0625

TAIL_SPLIT: float = 1.0

CODE_ROUNDINGS: float = 5.960464477539062e-07

BOUND_SLACK: float = 3.0517578125e-05

SUM_SLACK: float = 1.9073486328125e-06

SUM_LOSS: float = 9.094947017729282e-13

PRODUCT_LOSS: float = 9.313225746154785e-10

SMALLEST_STEP: float = 8.673617379884035e-19

def return_free_memory() -> None: ...

def crc32(arg: Annotated[NDArray[numpy.uint8], dict(shape=(None,), order='C', device='cpu', writable=False)], /) -> int: ...

def encode_values(metric: int, values: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='C', device='cpu', writable=False)], norms2: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], first: int, n: int, levels: Sequence[tuple[Annotated[NDArray[numpy.uint8], dict(shape=(None,), order='C', device='cpu')], int, int, int, float, float]], centres: Annotated[NDArray[numpy.uint8], dict(shape=(None,), order='C', device='cpu')], radii: Annotated[NDArray[numpy.float32], dict(shape=(None,), order='C', device='cpu')], lowest_tails: Annotated[NDArray[numpy.float32], dict(shape=(None,), order='C', device='cpu')], highest_tails: Annotated[NDArray[numpy.float32], dict(shape=(None,), order='C', device='cpu')], epsilon: float, kappa: float, n_threads: int) -> list[float]: ...

def encode_sums(rows: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu', writable=False)], first: int, n: int, unit: float, levels: Sequence[tuple[Annotated[NDArray[numpy.uint8], dict(shape=(None,), order='C', device='cpu')], int, int, int, int, float, Annotated[NDArray[numpy.float32], dict(shape=(None,), order='C', device='cpu', writable=False)]]], centres: Annotated[NDArray[numpy.uint8], dict(shape=(None,), order='C', device='cpu')], radii: Annotated[NDArray[numpy.float32], dict(shape=(None,), order='C', device='cpu')], n_threads: int) -> None: ...
