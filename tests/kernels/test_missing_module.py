"""What a user sees whose installation lacks the compiled module."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lookalike as la


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """Copy the Python files, without the compiled module."""
    source = Path(la.__file__).parent
    shutil.copytree(source, tmp_path / "lookalike", ignore=shutil.ignore_patterns("*.so", "*.pyd"))
    return tmp_path


def import_from(folder: Path) -> Any:
    # -S: an editable installation of this package would be found first.
    paths = [str(folder), str(Path(np.__file__).parents[1])]
    script = f"import sys; sys.path[:0] = {paths!r}; import lookalike; print(lookalike.__file__)"
    return subprocess.run(
        [sys.executable, "-S", "-c", script], capture_output=True, text=True, check=False
    )


def assert_says_what_to_do(ended: Any) -> None:
    assert ended.returncode == 1
    (last,) = ended.stderr.strip().splitlines()[-1:]
    assert last.startswith("ImportError: the compiled module of Lookalike is missing")
    assert platform.python_version() in last
    assert f"{sys.executable} -m pip install --force-reinstall lookalike" in last


def test_a_missing_compiled_module_is_an_import_error_that_says_what_to_do(copied: Path) -> None:
    assert_says_what_to_do(import_from(copied))


def test_a_module_built_for_another_python_is_the_same_error(copied: Path) -> None:
    (copied / "lookalike" / "kernels" / "_compiled.cpython-299-other.so").write_bytes(b"")
    assert_says_what_to_do(import_from(copied))


def test_a_module_that_does_not_load_is_the_same_error_with_its_cause(copied: Path) -> None:
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    (copied / "lookalike" / "kernels" / f"_compiled{suffix}").write_bytes(b"not a library")
    ended = import_from(copied)
    assert_says_what_to_do(ended)
    assert f"_compiled{suffix}" in ended.stderr  # the loader's own words, as the cause


def test_with_its_module_the_copy_imports(copied: Path) -> None:
    compiled = Path(la.kernels._compiled.__file__ or "")
    shutil.copy(compiled, copied / "lookalike" / "kernels")
    ended = import_from(copied)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith(str(copied))
