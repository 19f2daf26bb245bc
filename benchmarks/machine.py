"""What a figure was measured on: the machine, the versions, the commit."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import lookalike as la

PACKAGES = (
    "lookalike",
    "numpy",
    "scipy",
    "scikit-learn",
    "faiss-cpu",
    "hnswlib",
    "simsimd",
    "numkong",
)


def describe() -> dict[str, object]:
    """Return the machine, software and settings, ready for JSON."""
    return {
        "cpu": _cpu_name(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None,
        "caches": _caches(),
        "load_at_start": round(os.getloadavg()[0], 2),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "kernel_level": la.kernels.active(),
        "versions": {name: _version(name) for name in PACKAGES},
        "commit": _commit(),
        "environment": {
            name: os.environ[name]
            for name in sorted(os.environ)
            if name.startswith(("OPENBLAS_", "OMP_", "MKL_", "LOOKALIKE_"))
        },
    }


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _caches() -> dict[str, str]:
    """Return the size of each cache of the first core, where Linux tells."""
    found = {}
    for folder in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        try:
            level, kind, size = (
                (folder / name).read_text("utf-8").strip() for name in ("level", "type", "size")
            )
        except OSError:
            continue
        found[f"L{level} {kind.lower()}"] = size
    return found


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"


def _commit() -> str:
    """Return the commit, with a plus sign where the working tree differs from it."""
    folder = Path(__file__).parent
    try:
        name, changes = (
            subprocess.run(
                ["git", *arguments], cwd=folder, capture_output=True, text=True, check=True
            ).stdout.strip()
            for arguments in (
                ("rev-parse", "HEAD"),
                ("status", "--porcelain", "--untracked-files=no"),
            )
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return name + ("+" if changes else "")
