"""What the documentation shows is run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import skimage

ROOT = Path(__file__).parents[2]
PHOTOGRAPHS = Path(skimage.__file__).parent / "data"
LINK = re.compile(r"\]\((?!https?:)([^)#]+)\)")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A working folder with ``photos`` in two groups, and ``query.jpg``."""
    for group, names in {"cats": ["chelsea.png"], "things": ["coffee.png", "coins.png"]}.items():
        (tmp_path / "photos" / group).mkdir(parents=True)
        for name in names:
            shutil.copy(PHOTOGRAPHS / name, tmp_path / "photos" / group)
    shutil.copy(PHOTOGRAPHS / "rocket.jpg", tmp_path / "query.jpg")
    return tmp_path


def run(folder: Path, *arguments: object) -> Any:
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=folder,
        env={**os.environ, "LOOKALIKE_CACHE": str(folder / "cache")},
        capture_output=True,
        text=True,
        check=True,
    )


def test_the_python_of_the_readme_runs(folder: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert len(blocks) == 3
    for block in blocks:
        run(folder, "-c", block)


def test_the_commands_of_the_readme_run(folder: Path) -> None:
    text = (ROOT / "README.md").read_text()
    commands = re.findall(r"^lookalike (.*?)\s*(?:#.*)?$", text, re.MULTILINE)
    assert [command.split()[0] for command in commands] == ["index", "search", "distance", "info"]
    for command in commands:
        assert run(folder, "-m", "lookalike", *command.split()).stdout


def test_the_examples_run(folder: Path) -> None:
    arrays = run(folder, ROOT / "examples" / "arrays.py").stdout
    assert "nearest [('group 1'" in arrays
    own = run(folder, ROOT / "examples" / "own_encoder.py", "photos", "query.jpg").stdout
    assert len(own.splitlines()) == 3


def test_every_link_of_the_documentation_leads_somewhere() -> None:
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
    assert len(pages) >= 5
    for page in pages:
        for target in LINK.findall(page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_docstring_examples_hold() -> None:
    modules = [path for path in (ROOT / "src").rglob("*.py") if ">>>" in path.read_text()]
    assert modules
    run(ROOT, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--doctest-modules", *modules)
