"""The command line as a subprocess, and a folder of real pictures that it has indexed once."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import warnings
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Protocol

import pillow_heif
import pytest
import skimage
from PIL import Image

from lookalike.cli import main

Outcome = subprocess.CompletedProcess[str]

PHOTOGRAPHS = Path(skimage.__file__).parent / "data"
ODD_NAMES = {
    "chelsea.png": "ünïcode ☃.png",
    "coffee.png": "two  spaces.png",
    "cell.png": os.fsdecode(b"latin-\xe9.png"),
}


class Lookalike(Protocol):
    """Runs ``lookalike`` with some arguments; keywords are environment variables."""

    def __call__(
        self, *arguments: str | Path, cwd: Path | None = None, **environment: str
    ) -> Outcome: ...


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment with a cache of its own, and nothing of Lookalike's set beside it."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("LOOKALIKE_")}
    cache = tmp_path_factory.mktemp("cache")
    return {**kept, "LOOKALIKE_CACHE": str(cache), "COLUMNS": "80"}


@pytest.fixture(scope="session")
def lookalike(environment: dict[str, str]) -> Lookalike:
    def run(*arguments: str | Path, cwd: Path | None = None, **more: str) -> Outcome:
        return subprocess.run(
            [sys.executable, "-m", "lookalike", *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            cwd=cwd,
            env=environment | more,
            check=False,
        )

    return run


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> Lookalike:
    """The same without a process of its own: for long lists of cases that differ in little."""
    # The command line replaces it for good.
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)

    def run(*arguments: str | Path, cwd: Path | None = None, **more: str) -> Outcome:
        said = [str(argument) for argument in arguments]
        out, err = io.StringIO(), io.StringIO()
        with monkeypatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            patch.setattr(sys, "argv", ["lookalike", *said])
            patch.chdir(cwd or Path.cwd())
            for key, value in (environment | more).items():
                patch.setenv(key, value)
            with pytest.raises(SystemExit) as end:
                main()
        assert isinstance(end.value.code, int)
        return Outcome(said, end.value.code, out.getvalue(), err.getvalue())

    return run


@pytest.fixture(scope="session")
def photographs() -> Path:
    return PHOTOGRAPHS


@pytest.fixture(scope="session")
def outside() -> Path:
    """A photograph that is not in the gallery."""
    return PHOTOGRAPHS / "coins.png"


def make_pictures(folder: Path) -> None:
    """Copy photographs into groups; with odd names, odd formats, and files that are broken."""
    groups = {
        "textures": ("brick.png", "grass.png", "gravel.png"),
        "people": ("astronaut.png", "camera.png"),
        ".": ("moon.png",),
    }
    for group, names in groups.items():
        (folder / group).mkdir(parents=True, exist_ok=True)
        for name in names:
            shutil.copy(PHOTOGRAPHS / name, folder / group / name)
    odd = folder / "odd names"
    odd.mkdir()
    for name, odd_name in ODD_NAMES.items():
        shutil.copy(PHOTOGRAPHS / name, odd / odd_name)
    frames = [Image.open(PHOTOGRAPHS / name).resize((120, 90)) for name in ("page.png", "text.png")]
    frames[0].save(odd / "animated.gif", save_all=True, append_images=frames[1:])
    rocket = Image.open(PHOTOGRAPHS / "rocket.jpg")
    heif = pillow_heif.from_pillow(rocket)
    heif.save(odd / "rocket.heic", quality=80)
    sound = (PHOTOGRAPHS / "rocket.jpg").read_bytes()
    (folder / "truncated.jpg").write_bytes(sound[: len(sound) // 2])
    (folder / "text.jpg").write_text("hello")
    (folder / "notes.txt").write_text("not a picture, and not called one")


@pytest.fixture(scope="session")
def gallery(tmp_path_factory: pytest.TempPathFactory, lookalike: Lookalike) -> Path:
    """A folder of pictures, indexed; not to be changed."""
    folder = tmp_path_factory.mktemp("gallery") / "pictures"
    make_pictures(folder)
    assert lookalike("index", folder).returncode == 0
    return folder


@pytest.fixture
def own_gallery(gallery: Path, tmp_path: Path) -> Path:
    """A copy of the indexed folder, to be changed."""
    return shutil.copytree(gallery, tmp_path / "pictures")


@pytest.fixture
def same_cache(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets the library, called from the test, use the encoder that the command line uses."""
    monkeypatch.setenv("LOOKALIKE_CACHE", environment["LOOKALIKE_CACHE"])
