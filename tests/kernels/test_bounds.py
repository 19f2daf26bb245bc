"""docs/accuracy.md and docs/certificate.md against the engine."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lookalike.kernels import _compiled

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "accuracy.md").read_text(encoding="utf-8")
CERTIFICATE = (ROOT / "docs" / "certificate.md").read_text(encoding="utf-8")
UNIT = 2.0**-24


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
    unit = UNIT
    for dim in (*range(1, 200), 768, 1536, 10**5):
        additions = -(-dim // 32) - 1 + 5  # the first addition of a lane is to zero
        roundings = additions + 3  # of a squared difference: twice the difference, and the square
        needed = roundings * unit / (1 - roundings * unit)
        assert 2 * needed <= _compiled.scan_gamma(dim) * (1 + 1e-3)
        cosine = 2 * (additions + 1) * unit + 2 * unit  # dot and norms; float32 of at most 2
        assert cosine <= _compiled.scan_gamma(dim)


def test_the_page_shows_the_constants_of_the_certificate() -> None:
    shown = re.findall(r"^\| `([A-Z_]+)` \| (?:(\d+) \* )?2\^-(\d+) \|", CERTIFICATE, re.MULTILINE)
    values = {name: float(factor or 1) * 2.0 ** -int(power) for name, factor, power in shown}
    assert len(values) == 8
    assert values == {name: getattr(_compiled, name) for name in values}


def test_the_slack_of_bounds_from_codes_covers_what_kernels_are_held_to() -> None:
    source = (ROOT / "tests/kernels/compare/survivors.hpp").read_text(encoding="utf-8")
    assert "constexpr double kRoundings = engine::kCodeRoundings;" in source
    operations = (
        10  # of a line: a product each for term, dot and tail, two for the curve, five sums
    )
    assert operations * UNIT <= _compiled.CODE_ROUNDINGS
    assert 22 * (_compiled.CODE_ROUNDINGS + 4 * UNIT) <= _compiled.BOUND_SLACK
    assert 3 * _compiled.CODE_ROUNDINGS <= _compiled.SUM_SLACK


def test_products_of_codes_and_of_steps_fit_their_types() -> None:
    largest = 8100 * 127 * 2048
    assert largest + 128 * 128 * 2048 < 2**31  # with the last bits of a query's code split off
    assert _compiled.SMALLEST_STEP**2 >= 2.0**-126


@pytest.mark.parametrize(("page", "fewest"), [(PAGE, 8), (CERTIFICATE, 12)])
def test_the_page_names_tests_that_exist(page: str, fewest: int) -> None:
    named = re.findall(r"`(test_\w+)`", page)
    assert len(named) >= fewest
    files = {
        path: (ROOT / path).read_text(encoding="utf-8")
        for path in re.findall(r"`(tests/\S+\.py)`", page)
    }
    for name in named:
        assert any(f"def {name}(" in text for text in files.values()), name
