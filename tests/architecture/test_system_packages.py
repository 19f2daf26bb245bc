from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TESTS = """
import pytest

@pytest.mark.system("surely-no-such-command", "no-such-package")
def test_that_needs_it():
    pass

@pytest.mark.system("python3", "python3")
def test_that_has_it():
    pass
"""


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    (tmp_path / "conftest.py").write_bytes((ROOT / "tests" / "conftest.py").read_bytes())
    (tmp_path / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_system.py").write_text(TESTS)
    return tmp_path


def run_suite(folder: Path, *, is_required: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"],
        cwd=folder,
        env={**os.environ, "LOOKALIKE_REQUIRE_SYSTEM": is_required},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_test_without_its_system_package_is_skipped_and_counted_aloud(suite: Path) -> None:
    ended = run_suite(suite, is_required="")
    assert ended.returncode == 0
    assert "1 passed, 1 skipped" in ended.stdout
    assert "1 tests were skipped for want of system packages: no-such-package" in ended.stdout


def test_in_continuous_integration_it_fails(suite: Path) -> None:
    ended = run_suite(suite, is_required="1")
    assert ended.returncode == 1
    assert "1 passed, 1 error" in ended.stdout
    assert "no-such-package" in ended.stdout


def test_continuous_integration_turns_these_skips_into_failures() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    assert "LOOKALIKE_REQUIRE_SYSTEM=1 make test" in script


def test_continuous_integration_installs_what_marked_tests_need() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    mark = re.compile(r'pytest\.mark\.system\("([^"]+)", "([^"]+)"\)')
    tests = [path for path in (ROOT / "tests").glob("*/test_*.py") if path != Path(__file__)]
    needed = {pair for path in tests for pair in mark.findall(path.read_text())}
    assert len(needed) >= 7
    for command, package in needed:
        assert f"[{command}]={package}" in script, f"{command}, of {package}"
