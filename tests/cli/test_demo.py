from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

if TYPE_CHECKING:
    from tests.cli.conftest import Lookalike

MAKEFILE = Path(__file__).parents[2] / "Makefile"
ASKED = ["--photos", "a b", "--query", "it's $(false) `x`.jpg"]


def sheet_of(stdout: str, folder: Path) -> Path:
    """Return the contact sheet that the last line names, and that alone."""
    last = stdout.splitlines()[-1]
    assert re.fullmatch(r"\S+\.png", last)
    assert not Path(last).is_absolute()
    with Image.open(folder / last) as sheet:
        assert sheet.format == "PNG"
        assert min(sheet.size) > 200
    return folder / last


def test_the_demo_shows_the_main_job_on_ones_own_pictures(
    lookalike: Lookalike, own_gallery: Path, outside: Path, tmp_path: Path
) -> None:
    work = tmp_path / "work here"
    work.mkdir()
    photos = own_gallery.rename(tmp_path / "my photos")
    shown = lookalike("demo", "--photos", photos, "--query", outside, "-k3", cwd=work, COLUMNS="30")
    assert shown.returncode == 0, shown.stderr
    sheet_of(shown.stdout, work)
    wanted = lookalike("search", outside, photos, "-k3").stdout
    ranking = lookalike("distance", outside, photos, "--by", "centroid").stdout
    assert wanted in shown.stdout
    assert ranking in shown.stdout
    assert "truncated.jpg" in shown.stderr


def test_the_first_picture_asks_where_no_query_is_given(
    lookalike: Lookalike, own_gallery: Path, tmp_path: Path
) -> None:
    shown = lookalike("demo", "--photos", own_gallery, cwd=tmp_path)
    assert shown.returncode == 0
    first = own_gallery / "moon.png"
    assert f"nearest to {first}" in shown.stdout
    assert re.search(rf"^ +1 +0\.0000  {re.escape(str(first))}$", shown.stdout, flags=re.MULTILINE)


def test_a_demo_without_pictures_says_so(
    lookalike: Lookalike, gallery: Path, tmp_path: Path
) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "broken.jpg").write_text("hello")
    reasons = {
        ("--photos", tmp_path / "missing"): "does not exist",
        ("--photos", tmp_path / "photos"): "no pictures that can be read",
        ("--photos", gallery, "--query", tmp_path / "missing.jpg"): "missing.jpg does not exist",
    }
    for arguments, reason in reasons.items():
        found = lookalike("demo", *arguments, cwd=tmp_path)
        assert found.returncode == 2
        assert reason in found.stderr
        assert "Traceback" not in found.stderr


def test_the_demo_finds_a_digit_among_its_own_kind(lookalike: Lookalike, tmp_path: Path) -> None:
    shown = lookalike("demo", cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    sheet_of(shown.stdout, tmp_path)
    rows = [line.split() for line in shown.stdout.splitlines() if re.match(r" +\d+ ", line)]
    answers, groups = rows[:10], rows[10:]
    assert [Path(path).parent.name for _, _, path in answers].count("8") > 5
    items = {name: int(count) for *_, count, name in groups}
    assert set(items) == {*"0123456789", "photographs"}
    assert sum(items[digit] for digit in "0123456789") == 1796
    # scikit-learn's last scan, held out, is an 8; no digit looks like a photograph.
    assert (groups[0][-1], groups[-1][-1]) == ("8", "photographs")
    again = lookalike("demo", cwd=tmp_path)
    assert "0 added, 0 updated, 0 moved, 0 removed" in again.stdout


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_make_demo_passes_names_through_as_they_are(tmp_path: Path) -> None:
    script = tmp_path / "lookalike"
    script.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    script.chmod(0o755)
    recipe = _recipe("PHOTOS=a b", "QUERY=it's $$(false) `x`.jpg")
    assert shlex.split(recipe)[:2] == [".venv/bin/lookalike", "demo"]
    shown = subprocess.run(
        [
            *("make", "--no-print-directory", "-f", str(MAKEFILE), "-o", ".stamps/demo", "demo"),
            *(f"BIN={tmp_path}", "PHOTOS=a b", "QUERY=it's $$(false) `x`.jpg"),
        ],
        capture_output=True,
        text=True,
        cwd=MAKEFILE.parent,
        check=True,
    )
    assert shown.stdout.splitlines() == ["demo", *ASKED]


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_make_demo_without_names_asks_for_the_samples() -> None:
    assert _recipe() == ".venv/bin/lookalike demo"


def _recipe(*variables: str) -> str:
    """Return the command that ``make demo`` would end with."""
    shown = subprocess.run(
        ["make", "-n", "--no-print-directory", "-f", MAKEFILE, "demo", *variables],
        capture_output=True,
        text=True,
        cwd=MAKEFILE.parent,
        check=True,
    )
    return shown.stdout.splitlines()[-1].strip()
