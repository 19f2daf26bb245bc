from __future__ import annotations

import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

import lookalike as la
from lookalike.storage import GalleryStore

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Lookalike

N_PICTURES, N_UNREADABLE, N_MANY = 11, 2, 90


def summary(lookalike: Lookalike, *arguments: str | Path) -> dict[str, Any]:
    found = lookalike("index", *arguments, "--json")
    assert found.returncode == 0, found.stderr
    facts: dict[str, Any] = json.loads(found.stdout)
    return facts


def counts(facts: dict[str, Any]) -> tuple[int, ...]:
    return tuple(
        facts[what] for what in ("added", "updated", "moved", "removed", "unchanged", "items")
    )


def test_info_tells_what_was_indexed(lookalike: Lookalike, gallery: Path) -> None:
    facts = json.loads(lookalike("info", gallery, "--json").stdout)
    opened = la.Gallery.open(gallery)
    assert facts["items"] == len(opened) == N_PICTURES
    assert facts["dim"] == 1280
    assert facts["encoder"]["name"] == "efficientnet-lite0"
    assert facts["groups"] == {"odd names": 5, "people": 2, "textures": 3}
    assert facts["size_bytes"] == opened.embeddings.nbytes
    assert {item["path"] for item in facts["unreadable"]} == {"text.jpg", "truncated.jpg"}
    shown = lookalike("info", gallery).stdout
    assert all(text in shown for text in ("items", "odd names 5", "truncated.jpg", "lite0"))
    part = json.loads(lookalike("info", "people", "--json", cwd=gallery).stdout)
    assert part["items"] == 2


def test_only_what_changed_is_encoded(lookalike: Lookalike, own_gallery: Path) -> None:
    ask = (lookalike, own_gallery)
    assert counts(summary(*ask)) == (0, 0, 0, 0, N_PICTURES, N_PICTURES)
    (own_gallery / "people").rename(own_gallery / "persons")
    assert counts(summary(*ask)) == (0, 0, 2, 0, N_PICTURES - 2, N_PICTURES)
    shutil.copy(own_gallery / "textures" / "brick.png", own_gallery / "moon.png")
    (own_gallery / "textures" / "grass.png").unlink()
    changed = summary(*ask)
    assert (changed["removed"], changed["items"]) == (1, N_PICTURES - 1)
    assert changed["added"] == 0
    rebuilt = summary(*ask, "--rebuild")
    assert counts(rebuilt) == (N_PICTURES - 1, 0, 0, 0, 0, N_PICTURES - 1)


def test_unreadable_files_are_listed_and_skipped(lookalike: Lookalike, own_gallery: Path) -> None:
    found = lookalike("index", own_gallery)
    assert found.returncode == 0
    assert len(found.stdout.splitlines()) == 1
    assert f"{N_PICTURES} pictures" in found.stdout
    assert f"{N_UNREADABLE} unreadable" in found.stdout
    skipped = [line for line in found.stderr.splitlines() if line.startswith("skipped ")]
    assert len(skipped) == N_UNREADABLE
    assert str(own_gallery / "truncated.jpg") in found.stderr


def test_pictures_over_the_limit_are_skipped_by_name(
    lookalike: Lookalike, tmp_path: Path, photographs: Path
) -> None:
    for name in ("coffee.png", "coins.png"):
        shutil.copy(photographs / name, tmp_path)
    found = lookalike("index", "--max-pixels", "120000", "--json", cwd=tmp_path)
    facts = json.loads(found.stdout)
    assert (facts["folder"], facts["items"]) == (".", 1)
    ((path, reason),) = facts["unreadable"]
    assert path == "coffee.png"
    assert "600 x 400" in reason


def test_a_folder_without_a_readable_picture_is_status_1(
    lookalike: Lookalike, tmp_path: Path
) -> None:
    empty = lookalike("index", tmp_path)
    assert (empty.returncode, empty.stderr) == (1, "")
    assert "0 pictures" in empty.stdout
    (tmp_path / "broken.jpg").write_text("hello")
    broken = lookalike("index", tmp_path, "--json")
    assert (broken.returncode, json.loads(broken.stdout)["items"]) == (1, 0)
    assert "broken.jpg" in broken.stderr
    assert json.loads(lookalike("info", tmp_path, "--json").stdout)["items"] == 0


def test_what_cannot_be_indexed_is_named(
    lookalike: Lookalike, gallery: Path, tmp_path: Path
) -> None:
    (tmp_path / ".lookalike").write_text("in the way")
    for folder in (tmp_path / "missing", gallery / "moon.png", tmp_path):
        found = lookalike("index", folder)
        assert (found.returncode, found.stdout) == (2, "")
        assert str(folder) in found.stderr
        assert "Traceback" not in found.stderr
    unknown = lookalike("info", tmp_path / "missing")
    assert (unknown.returncode, unknown.stdout) == (2, "")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_named(
    lookalike: Lookalike, tmp_path: Path, photographs: Path
) -> None:
    shutil.copy(photographs / "coins.png", tmp_path)
    tmp_path.chmod(0o555)
    found = lookalike("index", tmp_path)
    tmp_path.chmod(0o755)
    assert (found.returncode, found.stdout) == (2, "")
    assert str(tmp_path) in found.stderr


def test_a_second_indexer_is_refused_while_the_first_works(
    lookalike: Lookalike, own_gallery: Path
) -> None:
    with GalleryStore(own_gallery).writing():
        found = lookalike("index", own_gallery)
        assert (found.returncode, found.stdout) == (2, "")
        assert "another process" in found.stderr
        query = own_gallery / "moon.png"
        assert lookalike("search", query, own_gallery, "--paths", "-k1").stdout == f"{query}\n"
    assert lookalike("index", own_gallery).returncode == 0


@pytest.mark.parametrize("setting", ["0", "-1", "many"])
def test_a_number_of_threads_that_is_none_is_refused(
    here: Lookalike, gallery: Path, setting: str
) -> None:
    for arguments in (("search", gallery / "moon.png", gallery), ("index", gallery)):
        found = here(*arguments, LOOKALIKE_THREADS=setting)
        assert (found.returncode, found.stdout) == (2, "")
        assert "LOOKALIKE_THREADS" in found.stderr
    option = here("index", gallery, "--threads", setting)
    assert (option.returncode, option.stdout) == (2, "")
    assert setting in option.stderr


def test_an_encoder_that_cannot_be_cached_is_a_warning_of_one_line(
    lookalike: Lookalike, gallery: Path, outside: Path
) -> None:
    nowhere = str(gallery / "moon.png" / "cache")
    found = lookalike("search", outside, gallery, "-k1", "--paths", LOOKALIKE_CACHE=nowhere)
    assert found.returncode == 0
    assert found.stderr.startswith(f"lookalike: the converted encoder cannot be kept in {nowhere}")
    assert found.stderr.count("\n") == 1


def interrupted_at_first_progress(folder: Path, environment: dict[str, str]) -> tuple[int, str]:
    """Index on a terminal, press Ctrl-C once pictures were counted; status and what was shown."""
    keyboard, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "lookalike", "index", folder, "--threads", "1"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=terminal,
        env={**environment, "TERM": "xterm", "COLUMNS": "100"},
    )
    os.close(terminal)
    shown, is_interrupted = "", False
    while True:
        try:
            read = os.read(keyboard, 4096)
        except OSError:  # Linux: nobody holds the other end any more
            break
        if not read:
            break
        shown += read.decode("utf-8", "replace")
        if not is_interrupted and re.search(rf"[1-9]\d*/{N_MANY}", shown):
            process.send_signal(signal.SIGINT)
            is_interrupted = True
    os.close(keyboard)
    printed, _ = process.communicate()
    assert printed == b""
    return process.returncode, shown


def test_an_interrupt_keeps_what_was_done_and_the_next_run_does_the_rest(
    lookalike: Lookalike, environment: dict[str, str], photographs: Path, tmp_path: Path
) -> None:
    picture = (photographs / "rocket.jpg").read_bytes()
    for number in range(N_MANY):
        # Different contents with the same pixels: bytes after the end of a JPEG are ignored.
        (tmp_path / f"{number:03}.jpg").write_bytes(picture + number.to_bytes(4, "big"))
    status, shown = interrupted_at_first_progress(tmp_path, environment)
    assert (status, "Traceback" in shown) == (130, False)
    assert "lookalike: interrupted (what was done is kept" in shown
    kept = json.loads(lookalike("info", tmp_path, "--json").stdout)["items"]
    assert 0 < kept < N_MANY
    rest = summary(lookalike, tmp_path)
    assert (rest["added"], rest["unchanged"], rest["items"]) == (N_MANY - kept, kept, N_MANY)
