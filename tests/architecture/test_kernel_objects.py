from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lookalike import kernels

ROOT = Path(__file__).parents[2]
TOOL = ROOT / "tools" / "check_kernel_objects.py"

needs_nm = pytest.mark.system("nm", "binutils")
needs_compiler = pytest.mark.system("c++", "g++")


def run_tool(*arguments: object, **environment: str) -> Any:
    return subprocess.run(
        [sys.executable, str(TOOL), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


def compiled(folder: Path, source: str) -> Path:
    (folder / "crafted.cpp").write_text(source, encoding="utf-8")
    built = folder / "crafted.o"
    subprocess.run(["c++", "-std=c++20", "-c", folder / "crafted.cpp", "-o", built], check=True)
    return built


@needs_nm
def test_each_level_exports_its_table_and_nothing_that_could_leak() -> None:
    built = list(ROOT.glob("build/*/CMakeFiles/level_*.dir/**/*.o"))
    if not built:
        pytest.skip("no build folder in this checkout: the package is installed from a wheel")
    assert {path.name.split(".")[0] for path in built} >= set(kernels.levels())
    ended = run_tool()
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith(f"{len(built)} kernel objects: one exported symbol each")


@needs_nm
@needs_compiler
@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        pytest.param("int one() { return 1; } int two() { return 2; }", "exports 2", id="two"),
        pytest.param("static int one() { return 1; }", "exports 0 symbols", id="none"),
        pytest.param(
            "inline int leak() { return 1; } int table() { return leak(); }", "leak", id="inline"
        ),
        pytest.param(
            "template <class T> T leak(T x) { return x; } int table() { return leak(1); }",
            "leak",
            id="template",
        ),
        pytest.param(
            "inline int leak = 1; int* table() { return &leak; }", "leak", id="inline-variable"
        ),
        pytest.param(
            'extern "C" __attribute__((weak)) int leak(); int table() { return leak(); }',
            "leak is weak",
            id="weak-reference",
        ),
        pytest.param(
            "#include <vector>\nstd::size_t table() { return std::vector<int>(3).size(); }",
            "vector",
            id="stl",
        ),
    ],
)
def test_an_object_that_could_leak_is_refused_with_the_symbol(
    tmp_path: Path, source: str, complaint: str
) -> None:
    ended = run_tool(compiled(tmp_path, source))
    assert ended.returncode == 1
    assert complaint in ended.stderr
    assert "crafted.o" in ended.stderr


@needs_nm
@needs_compiler
def test_an_object_with_one_exported_table_is_accepted(tmp_path: Path) -> None:
    source = """
        extern "C" void* memcpy(void*, const void*, unsigned long);
        namespace { int hidden(int x) { return x + 1; } }
        extern int (*const kTable)(int);
        int (*const kTable)(int) = &hidden;
    """
    ended = run_tool(compiled(tmp_path, source))
    assert ended.returncode == 0, ended.stderr


def test_what_cannot_be_checked_is_not_called_well(tmp_path: Path) -> None:
    missing = run_tool(tmp_path / "missing.o")
    assert missing.returncode == 2
    assert missing.stderr
    no_nm = run_tool(tmp_path / "missing.o", NM=str(tmp_path / "no-nm"))
    assert no_nm.returncode == 2
    assert "no-nm" in no_nm.stderr
