"""docs/accuracy.md against the engine."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lookalike.kernels import _compiled

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "accuracy.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("dim", [1, 31, 32, 33, 512, 4096, 10**6])
def test_the_stated_bound_is_the_compiled_one(dim: int) -> None:
    assert "g = (dim / 32 + 8) * 2^-23" in PAGE
    assert _compiled.scan_gamma(dim) == (dim / 32 + 8) * 2.0**-23


def test_the_page_shows_the_bound_of_usual_dimensions() -> None:
    shown = re.findall(r"^\| (\d+) \| (\S+) \|$", PAGE, flags=re.MULTILINE)
    assert len(shown) == 5
    for dim, bound in shown:
        assert bound == f"{_compiled.scan_gamma(int(dim)):.2e}"


def test_the_bound_is_at_least_twice_what_the_proof_needs() -> None:
    unit = 2.0**-24
    for dim in (*range(1, 200), 768, 1536, 10**5):
        additions = -(-dim // 32) - 1 + 5  # the first addition of a lane is to zero
        roundings = additions + 3  # of a squared difference: twice the difference, and the square
        needed = roundings * unit / (1 - roundings * unit)
        assert 2 * needed <= _compiled.scan_gamma(dim) * (1 + 1e-3)
        cosine = 2 * (additions + 1) * unit + 2 * unit  # dot and norms; float32 of at most 2
        assert cosine <= _compiled.scan_gamma(dim)


def test_the_page_names_tests_that_exist() -> None:
    named = re.findall(r"`(test_\w+)`", PAGE)
    assert len(named) >= 8
    files = {
        path: (ROOT / path).read_text(encoding="utf-8")
        for path in re.findall(r"`(tests/\S+\.py)`", PAGE)
    }
    for name in named:
        assert any(f"def {name}(" in text for text in files.values()), name
