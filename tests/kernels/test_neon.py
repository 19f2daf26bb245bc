"""Every slot of every kernel level against plain references, here and on emulated 64-bit Arm.

``compare/`` is a program: the main CMakeLists.txt builds it with the flags of the levels.
"""

from __future__ import annotations

import fcntl
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import pytest

from lookalike import kernels

ROOT = Path(__file__).parents[2]
CROSS = "aarch64-linux-gnu"
ARM64 = [
    "-DCMAKE_SYSTEM_NAME=Linux",
    "-DCMAKE_SYSTEM_PROCESSOR=aarch64",
    f"-DCMAKE_CXX_COMPILER={CROSS}-g++",
    "-DCMAKE_EXE_LINKER_FLAGS=-static",  # so that the emulator needs no libraries of that CPU
]
WITH_DOT_PRODUCT, WITHOUT_DOT_PRODUCT = "max", "cortex-a72"


Test = TypeVar("Test", bound=Callable[..., None])

needs_cmake = pytest.mark.system("cmake", "cmake")
needs_make = pytest.mark.system("make", "make")
needs_compiler = pytest.mark.system("c++", "g++")
needs_cross_compiler = pytest.mark.system("aarch64-linux-gnu-g++", "g++-aarch64-linux-gnu")
needs_cross_nm = pytest.mark.system("aarch64-linux-gnu-nm", "binutils-aarch64-linux-gnu")
needs_emulator = pytest.mark.system("qemu-aarch64", "qemu-user")


def on_this_machine(test: Test) -> Test:
    for mark in (needs_cmake, needs_make, needs_compiler):
        test = mark(test)
    return test


def on_arm64(test: Test) -> Test:
    for mark in (needs_cmake, needs_make, needs_cross_compiler, needs_emulator):
        test = mark(test)
    return test


def run(*command: object, **environment: str) -> Any:
    return subprocess.run(
        list(map(str, command)),
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


def build(factory: pytest.TempPathFactory, name: str, *options: str) -> Path:
    """Build the programs, once for all workers of a run; return where they are."""
    is_worker = "PYTEST_XDIST_WORKER" in os.environ  # whose own folder is one below the run's
    folder = (factory.getbasetemp().parent if is_worker else factory.getbasetemp()) / name
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for command in (
            ["cmake", "-S", ROOT, "-B", folder, "-DLOOKALIKE_COMPARE_LEVELS=ON", *options],
            ["cmake", "--build", folder, "--parallel", "2"],
        ):
            ended = run(*command)
            assert ended.returncode == 0, ended.stdout + ended.stderr
    return folder / "tests" / "kernels" / "compare"


@pytest.fixture(scope="module")
def native(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory, "native")


@pytest.fixture(scope="module")
def arm64(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory, "arm64", *ARM64)


@dataclass(frozen=True)
class Compared:
    """Names of levels that ran and did not, and the digests of the bits they must share."""

    ran: list[str]
    not_usable: list[str]
    digests: set[str]


@cache
def compare(*command: str | Path) -> Compared:
    ended = run(*command)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    ran = re.findall(r"^(\w+): 0 of (\d+) differ, digest (\w+)$", ended.stdout, re.MULTILINE)
    not_usable = re.findall(r"^(\w+): this CPU cannot run it$", ended.stdout, re.MULTILINE)
    assert len(ran) + len(not_usable) == len(ended.stdout.splitlines())
    assert all(int(count) > 10**5 for _, count, _ in ran)
    return Compared([name for name, _, _ in ran], not_usable, {digest for _, _, digest in ran})


@on_this_machine
def test_every_level_of_this_machine_agrees_with_the_references(native: Path) -> None:
    compared = compare(native / "compare_levels")
    assert compared.ran == list(kernels.available())
    assert len(compared.digests) == 1


@on_arm64
def test_every_level_of_arm64_agrees_with_the_references(arm64: Path) -> None:
    compared = compare("qemu-aarch64", "-cpu", WITH_DOT_PRODUCT, arm64 / "compare_levels")
    assert compared.ran == ["scalar", "neon", "neon_dotprod"]
    assert len(compared.digests) == 1


@on_arm64
def test_a_cpu_without_the_dot_product_is_not_asked_for_it(arm64: Path) -> None:
    compared = compare("qemu-aarch64", "-cpu", WITHOUT_DOT_PRODUCT, arm64 / "compare_levels")
    assert compared.ran == ["scalar", "neon"]
    assert compared.not_usable == ["neon_dotprod"]


@on_this_machine
@on_arm64
def test_arm64_and_this_machine_give_the_same_bits(native: Path, arm64: Path) -> None:
    here = compare(native / "compare_levels")
    there = compare("qemu-aarch64", "-cpu", WITH_DOT_PRODUCT, arm64 / "compare_levels")
    assert len(here.digests | there.digests) == 1


@on_this_machine
def test_flush_to_zero_is_off_during_a_scan_and_restored_after_it(native: Path) -> None:
    assert run(native / "check_rounding").returncode == 0


@on_arm64
def test_flush_to_zero_is_off_during_a_scan_on_arm64_too(arm64: Path) -> None:
    assert run("qemu-aarch64", arm64 / "check_rounding").returncode == 0


@on_arm64
@needs_cross_nm
def test_each_level_of_arm64_exports_its_table_and_nothing_that_could_leak(arm64: Path) -> None:
    objects = sorted(arm64.parents[2].glob("CMakeFiles/level_*.dir/**/*.o"))
    assert [path.name.split(".")[0] for path in objects] == ["neon", "neon_dotprod", "scalar"]
    tool = ROOT / "tools" / "check_kernel_objects.py"
    ended = run(sys.executable, tool, *objects, NM=f"{CROSS}-nm")
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith("3 kernel objects: one exported symbol each")
