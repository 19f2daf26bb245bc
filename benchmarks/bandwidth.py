"""The read bandwidth of this machine: the ceiling of every scan over memory."""

from __future__ import annotations

import ctypes
import os
import shlex
import subprocess
import tempfile
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.timing import Times

    from lookalike.core.types import Float32Array

SOURCE = Path(__file__).with_name("read_bandwidth.c")
FLAGS = ("-O3", "-march=native", "-std=c11", "-shared", "-fPIC", "-pthread")
VARIANTS = ("plain", "prefetching")


@cache
def _library() -> ctypes.CDLL:
    """Compile read_bandwidth.c with the system's compiler, and load it."""
    compiler = shlex.split(os.environ.get("CC", "cc"))
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "read_bandwidth.so"
        subprocess.run([*compiler, *FLAGS, str(SOURCE), "-o", str(library)], check=True)
        loaded = ctypes.CDLL(str(library))
    loaded.read_all.restype = ctypes.c_float
    loaded.read_all.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int]
    return loaded


def reads(rows: Float32Array, n_threads: int) -> dict[str, Callable[[], object]]:
    """Return calls that read all of ``rows`` with so many threads, to be timed."""
    read = partial(_library().read_all, rows.ctypes.data, rows.size, n_threads)
    return {
        _name(variant, n_threads): partial(read, number) for number, variant in enumerate(VARIANTS)
    }


def fastest_read(times: Times, n_threads: int) -> str:
    """Return the name of the faster variant: the ceiling."""
    return times.fastest(*(_name(variant, n_threads) for variant in VARIANTS))


def _name(variant: str, n_threads: int) -> str:
    return f"read ({variant}), {n_threads} thread{'s' * (n_threads > 1)}"
