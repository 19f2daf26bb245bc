from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

import lookalike as la

if TYPE_CHECKING:
    from tests.cli.conftest import Lookalike

OPTIONS = {
    "index": ("FOLDER", "--rebuild", "--max-pixels", "--threads", "--json"),
    "search": (
        *("IMAGE", "FOLDER", "-k", "--within", "--metric", "-m", "--exclude-self"),
        *("--json", "--paths", "--sheet"),
    ),
    "distance": ("IMAGE", "FOLDER...", "--metric", "-m", "--by", "--exclude-self", "--json"),
    "info": ("FOLDER", "--json"),
    "demo": ("--photos", "--query", "-k"),
}


def test_help_names_the_commands_and_the_exit_statuses(lookalike: Lookalike) -> None:
    shown = lookalike("--help")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert all(command in shown.stdout for command in OPTIONS)
    text = " ".join(shown.stdout.split())
    assert "1 nothing found, 2 bad usage or bad input, 3 a damaged gallery, 130" in text
    assert lookalike("-h").stdout == shown.stdout


@pytest.mark.parametrize("command", OPTIONS)
def test_help_of_a_command_mentions_each_of_its_options(here: Lookalike, command: str) -> None:
    shown = here(command, "-h")
    assert (shown.returncode, shown.stderr) == (0, "")
    missing = [name for name in (*OPTIONS[command], "--help") if name not in shown.stdout]
    assert missing == []


def test_without_arguments_help_goes_to_standard_error(lookalike: Lookalike) -> None:
    shown = lookalike()
    assert (shown.returncode, shown.stdout) == (2, "")
    assert "Usage: lookalike" in shown.stderr


def test_the_version_is_that_of_the_library(lookalike: Lookalike) -> None:
    assert lookalike("--version").stdout == f"lookalike {la.__version__}\n"


def test_the_installed_script_is_the_module(environment: dict[str, str]) -> None:
    script = Path(sys.executable).with_name("lookalike")
    if not script.exists():
        pytest.skip("the package is not installed beside this Python")
    shown = subprocess.run([script, "--version"], capture_output=True, env=environment, check=True)
    assert shown.stdout.decode() == f"lookalike {la.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("serch",), ("serch", "lookalike --help")),
        (("search",), ("IMAGE", "lookalike search --help")),
        (("search", "a.jpg", ".", "extra"), ("extra",)),
        (("search", "a.jpg", "--frobnicate"), ("--frobnicate",)),
        (("search", "a.jpg", "-k", "0"), ("-k", "0 is not a whole number of at least 1")),
        (("search", "a.jpg", "-k", "-3"), ("-k", "-3")),
        (("search", "a.jpg", "-k", "2.5"), ("-k", "2.5")),
        (("search", "a.jpg", "-k"), ("-k",)),
        (("search", "a.jpg", "-m", "l2"), ("'l2'", "'euclidean'", "'sqeuclidean'")),
        (("search", "a.jpg", "-m", "cosin"), ("'cosin'", "did you mean 'cosine'")),
        (("index", "--max-pixels", "0"), ("--max-pixels", "0")),
    ],
)
def test_bad_usage_is_one_sentence_on_standard_error(
    here: Lookalike, arguments: tuple[str, ...], words: tuple[str, ...]
) -> None:
    shown = here(*arguments, COLUMNS="30")
    assert (shown.returncode, shown.stdout, shown.stderr.count("\n")) == (2, "", 1)
    assert shown.stderr.startswith("lookalike: ")
    assert all(word in shown.stderr for word in words)


def test_without_typer_the_pip_line_is_told(environment: dict[str, str]) -> None:
    script = "import sys; sys.modules['typer'] = None; from lookalike.cli import main; main()"
    shown = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=environment, check=False
    )
    assert (shown.returncode, shown.stdout, shown.stderr.count("\n")) == (2, "", 1)
    assert "pip install 'lookalike[cli]'" in shown.stderr


@pytest.fixture
def rows(tmp_path: Path, rng: np.random.Generator) -> Path:
    np.save(tmp_path / "rows.npy", rng.standard_normal((20_000, 2)))
    np.save(tmp_path / "query.npy", np.ones(2))
    return tmp_path


def shell(
    arguments: str, folder: Path, environment: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", "-c", f'"{sys.executable}" -m lookalike {arguments}'],
        capture_output=True,
        text=True,
        cwd=folder,
        env=environment,
        check=False,
    )


def test_a_reader_that_stops_early_is_no_failure(rows: Path, environment: dict[str, str]) -> None:
    ask = "search query.npy rows.npy -k 20000; echo status $? >&2; } | head -n 1"
    shown = subprocess.run(
        ["/bin/sh", "-c", f'{{ "{sys.executable}" -m lookalike {ask}'],
        capture_output=True,
        text=True,
        cwd=rows,
        env=environment,
        check=True,
    )
    assert shown.stdout.split() == ["rank", "distance", "row"]
    assert shown.stderr == "status 0\n"


def test_closed_streams_swallow_what_is_written(rows: Path, environment: dict[str, str]) -> None:
    ask = "search query.npy rows.npy"
    for closed, status in ((">&-", 0), ("2>&-", 0), ("<&-", 0), ("--within -1 2>&-", 1)):
        shown = shell(f"{ask} {closed}", rows, environment)
        assert (shown.returncode, shown.stderr) == (status, "")
    assert shell("search missing.jpg 2>&- >&-", rows, environment).returncode == 2
    assert shell("--help >&-", rows, environment).returncode == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device here")
@pytest.mark.parametrize("arguments", ["search query.npy rows.npy", "--help", "--version"])
def test_output_that_cannot_be_written_is_a_failure(
    rows: Path, environment: dict[str, str], arguments: str
) -> None:
    shown = shell(f"{arguments} >/dev/full", rows, environment)
    assert (shown.returncode, shown.stderr.count("\n")) == (2, 1)
    assert os.strerror(28) in shown.stderr
