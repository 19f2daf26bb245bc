"""Scans as citizens of a process: signals, threads, forks, memory, floating-point modes."""

from __future__ import annotations

import ctypes
import mmap
import platform
import signal
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import lookalike as la

if TYPE_CHECKING:
    from collections.abc import Iterator

METRICS: list[Any] = ["cosine", "euclidean", "sqeuclidean", "manhattan", "inner_product"]


def run_script(script: str, tmp_path: Path, timeout_s: int = 60) -> Any:
    """Run a script in a fresh interpreter, from a file, so that it can be spawned again."""
    path = tmp_path / "script.py"
    path.write_text(textwrap.dedent(script))
    return subprocess.run(
        [sys.executable, str(path)], capture_output=True, text=True, timeout=timeout_s, check=False
    )


# Each of these would take minutes: rows that are one row, seen again and again, need no memory.
LONG_SCANS = {
    "distances": (
        "la.distances(np.ones(100_000), np.broadcast_to(np.float32(2), (4_000_000, 100_000)), "
        "metric='manhattan', n_threads=1)"
    ),
    "nearest": (
        "la.nearest(np.ones(64), np.broadcast_to(np.float32(2), (10**11, 64)), n_threads=2)"
    ),
    "nearest_batch of few queries": (
        "la.nearest_batch(np.ones((9, 64)), np.broadcast_to(np.float32(2), (10**11, 64)))"
    ),
    "nearest_batch of many queries and few rows": (
        "la.nearest_batch(np.ones((8_000_000, 1)), np.ones((500, 1)), 1, metric='manhattan', "
        "n_threads=1)"
    ),
    "within": "la.within(np.ones(64), np.broadcast_to(np.float32(2), (10**11, 64)), -1.0)",
    "naive nearest": (
        "la.nearest(np.ones(64), np.broadcast_to(np.float32(2), (10**6, 64)), "
        "implementation='naive')"
    ),
}


@pytest.mark.skipif(sys.platform == "win32", reason="sends a POSIX signal")
@pytest.mark.parametrize("scan", LONG_SCANS.values(), ids=LONG_SCANS.keys())
def test_ctrl_c_ends_a_scan_while_other_threads_run(scan: str, tmp_path: Path) -> None:
    # The thread that sends the signal counts first: it could not if the scan held the GIL.
    script = f"""
        import linecache, os, signal, sys, threading, time
        import numpy as np
        import lookalike as la

        main = threading.get_ident()

        def is_scanning():
            frame = sys._current_frames()[main]
            line = linecache.getline(frame.f_code.co_filename, frame.f_lineno)
            return "_compiled." in line or "metrics" in frame.f_code.co_filename

        def interrupt():
            count = 0
            while count < 100:
                count += is_scanning()
                time.sleep(0.001)
            print("counted", flush=True)
            os.kill(os.getpid(), signal.SIGINT)

        signal.signal(signal.SIGINT, signal.default_int_handler)
        if "naive" not in {scan!r}:
            la.kernels.use("scalar").__enter__()
        threading.Thread(target=interrupt, daemon=True).start()
        {scan}
        print("ended")
    """
    ended = run_script(script, tmp_path, timeout_s=20)
    assert ended.stdout == "counted\n", ended.stderr
    assert "KeyboardInterrupt" in ended.stderr
    assert ended.returncode == -signal.SIGINT


@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="sends a POSIX signal")
def test_a_signal_that_is_handled_does_not_disturb_a_scan(tmp_path: Path) -> None:
    script = """
        import os, signal, threading, time
        import numpy as np
        import lookalike as la

        handled = []
        signal.signal(signal.SIGUSR1, lambda *_: handled.append(1))
        rng = np.random.default_rng(0)
        group = rng.standard_normal((40_000, 32), dtype=np.float32)
        queries = rng.standard_normal((2_000, 32), dtype=np.float32)
        expected = la.nearest_batch(queries, group, 3)
        done = threading.Event()

        def disturb():
            while not done.is_set():
                os.kill(os.getpid(), signal.SIGUSR1)
                time.sleep(0.01)

        thread = threading.Thread(target=disturb)
        thread.start()
        while not handled:
            pass
        for _ in range(3):
            found = la.nearest_batch(queries, group, 3)
            assert found.ids.tobytes() == expected.ids.tobytes()
            assert found.distances.tobytes() == expected.distances.tobytes()
        done.set()
        thread.join()
        print("same")
    """
    ended = run_script(script, tmp_path)
    assert ended.stdout == "same\n", ended.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="forks")
def test_scans_work_after_a_fork_even_one_during_a_scan(tmp_path: Path) -> None:
    script = """
        import os, sys, threading, warnings
        import numpy as np
        import lookalike as la

        warnings.filterwarnings("ignore", ".*fork.*", DeprecationWarning)
        rng = np.random.default_rng(0)
        group = rng.standard_normal((40_000, 64), dtype=np.float32)
        expected = la.nearest_batch(group[:20], group, 5, n_threads=4).distances.tobytes()

        def child_status():
            pid = os.fork()
            if pid == 0:
                found = la.nearest_batch(group[:20], group, 5, n_threads=4)
                os._exit(0 if found.distances.tobytes() == expected else 1)
            return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

        print("after", child_status(), flush=True)
        stop = threading.Event()

        def keep_scanning():
            while not stop.is_set():
                la.nearest_batch(group[:200], group, 5, n_threads=4)

        thread = threading.Thread(target=keep_scanning)
        thread.start()
        print("during", *(child_status() for _ in range(5)), flush=True)
        stop.set()
        thread.join()
    """
    ended = run_script(script, tmp_path)
    assert ended.stdout == "after 0\nduring 0 0 0 0 0\n", ended.stderr


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_pool_of_processes_returns_the_same_answers(method: str, tmp_path: Path) -> None:
    script = f"""
        import multiprocessing, warnings
        import numpy as np
        import lookalike as la

        if __name__ == "__main__":
            warnings.filterwarnings("ignore", ".*fork.*", DeprecationWarning)
            if {method!r} not in multiprocessing.get_all_start_methods():
                raise SystemExit(5)
            group = np.random.default_rng(0).standard_normal((5000, 32), dtype=np.float32)
            here = [la.nearest(query, group, 3) for query in group[:4]]
            with multiprocessing.get_context({method!r}).Pool(2) as pool:
                there = pool.starmap(la.nearest, [(query, group, 3) for query in group[:4]])
            for ours, theirs in zip(here, there, strict=True):
                assert ours.ids.tobytes() == theirs.ids.tobytes()
                assert ours.distances.tobytes() == theirs.distances.tobytes()
            print("same")
    """
    ended = run_script(script, tmp_path)
    if ended.returncode == 5:
        pytest.skip(f"this platform has no start method {method}")
    assert ended.stdout == "same\n", ended.stderr


def test_concurrent_calls_that_share_a_group_agree(rng: np.random.Generator) -> None:
    group = rng.standard_normal((20_000, 33)).astype(np.float32)
    queries = group[:12] + np.float32(0.5)
    options: Any = {"metric": "euclidean", "n_threads": 2}

    def everything(_: int) -> Any:
        batch = la.nearest_batch(queries, group, 7, **options)
        single = la.nearest(queries[3], group, 7, **options)
        inside = la.within(queries[3], group, 9.0, **options)
        every = la.distances(queries[3], group, **options)
        return [a.tobytes() for a in (*batch, *single, *inside, every)]

    expected = everything(0)
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(everything, range(24)):
            assert found == expected


def test_a_forced_level_is_forced_in_its_thread_only() -> None:
    before = la.kernels.active()  # the suite may run with LOOKALIKE_KERNELS set
    other = next(level for level in la.kernels.available() if level != before)
    with la.kernels.use(other), ThreadPoolExecutor(1) as pool:
        assert la.kernels.active() == other
        assert pool.submit(la.kernels.active).result() == before


# Memory ----------------------------------------------------------------------------------

PEAK_MEMORY = """
    import numpy as np
    import lookalike as la

    def peak_bytes():
        with open("/proc/self/status") as status:
            (line,) = [line for line in status if line.startswith("VmHWM:")]
        return int(line.split()[1]) << 10

    rng = np.random.default_rng(0)
    la.nearest_batch(np.ones((9, 2)), np.ones((99, 2)))
"""
needs_proc = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="reads the peak from /proc, which is missing"
)


@needs_proc
@pytest.mark.parametrize("metric", ["cosine", "manhattan"])
def test_a_batch_never_holds_the_full_matrix(metric: str, tmp_path: Path) -> None:
    script = textwrap.dedent(PEAK_MEMORY) + textwrap.dedent(f"""
        group = rng.standard_normal((60_000, 16), dtype=np.float32)
        queries = rng.standard_normal((3_000, 16), dtype=np.float32)
        before = peak_bytes()
        found = la.nearest_batch(queries, group, 10, metric={metric!r}, n_threads=4)
        print(peak_bytes() - before)
    """)
    ended = run_script(script, tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert int(ended.stdout) < 64 << 20  # the matrix would take 720 MB


@needs_proc
@pytest.mark.parametrize("dtype", ["f2", "u1", "f8"])
def test_a_group_of_another_dtype_is_never_converted_whole(dtype: str, tmp_path: Path) -> None:
    script = textwrap.dedent(PEAK_MEMORY) + textwrap.dedent(f"""
        group = np.full((200 * 10**6 // 512 // np.dtype({dtype!r}).itemsize, 512), 7, {dtype!r})
        group[:, ::5] = 3
        before = peak_bytes()
        la.distances(group[1], group, n_threads=4)
        la.nearest(group[1], group[::2], n_threads=4)
        la.nearest_batch(group[:8], group, n_threads=4)
        la.within(group[1], group, -1.0, n_threads=4)
        la.group_distance(group[1], group, linkage="centroid", n_threads=4)
        print(peak_bytes() - before)
    """)
    ended = run_script(script, tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert int(ended.stdout) < 64 << 20  # the group takes 200 MB


# Floating-point modes --------------------------------------------------------------------

FLUSH_TO_ZERO = 0x1F80 | 0x8000 | 0x0040  # the default, FTZ and DAZ


@contextmanager
def denormals_flushed() -> Iterator[None]:
    """Set this thread's MXCSR as libraries built with -ffast-math do."""
    if platform.machine() not in ("x86_64", "AMD64") or sys.platform == "win32":
        pytest.skip("sets the MXCSR register of x86-64 by the System V calling convention")
    try:
        page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    except OSError:
        pytest.skip("this system grants no executable memory")
    page.write(b"\x0f\xae\x17\xc3")  # ldmxcsr [rdi]; ret
    start = ctypes.addressof(ctypes.c_char.from_buffer(page))
    load = ctypes.CFUNCTYPE(None, ctypes.POINTER(ctypes.c_uint32))(start)
    load(ctypes.byref(ctypes.c_uint32(FLUSH_TO_ZERO)))
    try:
        yield
    finally:
        load(ctypes.byref(ctypes.c_uint32(0x1F80)))


@pytest.mark.parametrize("level", la.kernels.available())
@pytest.mark.parametrize("metric", METRICS)
def test_a_caller_that_flushes_denormals_gets_the_same_bits(
    rng: np.random.Generator, metric: Any, level: str
) -> None:
    group = (rng.standard_normal((300, 40)) * 1e-41).astype(np.float32)
    group[::2] = rng.standard_normal((150, 40))
    queries = group[:12].copy()

    def everything() -> Any:
        batch = la.nearest_batch(queries, group, 9, metric=metric)
        inside = la.within_batch(queries, group, 1.0, metric=metric)
        single = la.nearest(queries[1], group, 9, metric=metric)
        every = la.pairwise(queries, group, metric=metric)
        many = (*batch, *single, *(a for found in inside for a in found), every)
        return [array.tobytes() for array in many]

    with la.kernels.use(level):
        expected = everything()
        with denormals_flushed():
            # The mode is on: the smallest denormal is zero now.
            is_flushed = not (np.array([1], dtype=np.uint32).view(np.float32) * 1).any()
            found = everything()
    assert is_flushed
    assert found == expected
