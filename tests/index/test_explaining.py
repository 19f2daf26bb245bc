"""What ``explain`` says is what a search then does."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import lookalike as la

METRICS: list[Any] = ["cosine", "euclidean", "sqeuclidean", "manhattan", "inner_product"]


@pytest.fixture(scope="module")
def rows() -> Any:
    """Rows along a few directions, around some centres, as embeddings are."""
    rng = np.random.default_rng(11)
    centres = rng.standard_normal((40, 128)) * 2
    directions = rng.standard_normal((12, 128))
    found = centres[rng.integers(0, 40, 12_000)] + rng.standard_normal((12_000, 12)) @ directions
    return (found + 0.1 * rng.standard_normal(found.shape)).astype(np.float32)


@pytest.mark.parametrize("metric", METRICS)
def test_the_plan_names_every_level_and_about_what_it_leaves(metric: Any, rows: Any) -> None:
    index = la.Index(metric)
    index.add(rows)
    index.build()
    text = index.explain()
    assert "certified codes" in text
    shares = [float(share) / 100 for share in re.findall(r"leaves (\S+)%", text)]
    assert len(shares) >= 1
    assert shares == sorted(shares, reverse=True)
    (expected,) = re.findall(r"scored: \S+% of the rows, about (\d+)", text)
    queries = rows[:: len(rows) // 50] + np.float32(0.01)
    results = [index.search(query, 10, n_threads=1) for query in queries]
    for result in results:
        assert result.certified
        assert result.stats.rows_read + result.stats.rows_skipped == len(rows)
        assert result.stats.rows_skipped == sum(result.stats.skipped_by_level)
        assert len(result.stats.skipped_by_level) == len(shares) + 1
        assert result.stats.bytes_read < rows.nbytes / 2
    read = np.median([result.stats.rows_read for result in results])
    assert read <= 10 * (int(expected) + 10)  # the estimate has the right order of size


def test_memory_of_codes_is_within_what_is_promised(rows: Any) -> None:
    for metric in METRICS:
        index = la.Index(metric)
        index.add(rows)
        index.build()
        (size, unit) = re.findall(r"codes (\S+) (KB|MB)", index.explain())[0]
        n_bytes = float(size) * {"KB": 1e3, "MB": 1e6}[unit]
        assert n_bytes <= (0.5 if metric == "manhattan" else 0.4) * rows.nbytes


@pytest.mark.parametrize("kind", ["gaussian", "sphere"])
def test_a_flat_spectrum_is_coded_without_rotation(kind: str) -> None:
    flat = np.random.default_rng(3).standard_normal((6000, 96)).astype(np.float32)
    if kind == "sphere":
        flat /= np.linalg.norm(flat, axis=1, keepdims=True)
    index = la.Index("euclidean")
    index.add(flat)
    index.build()
    assert "96 dimensions as they are" in index.explain()


def test_a_query_for_which_codes_do_not_pay_reads_the_rows(rows: Any) -> None:
    index = la.Index("euclidean")
    index.add(rows)
    index.build()
    far = np.full(128, 1e4, dtype=np.float32)  # all rows are about as far: nothing is excluded
    result = index.search(far, 10)
    assert result.stats.rows_read >= len(rows)
    expected = la.nearest(far, rows, 10, metric="euclidean")
    assert result.ids.tolist() == expected.ids.tolist()
    assert result.distances.tobytes() == expected.distances.tobytes()


@pytest.mark.parametrize("metric", ["cosine", "euclidean", "manhattan"])
def test_a_search_that_bounds_cannot_help_is_given_up_early(metric: Any) -> None:
    rng = np.random.default_rng(8)
    copies = np.repeat(rng.standard_normal((40, 96)).astype(np.float32), 500, axis=0)
    index = la.Index(metric)
    index.add(copies)
    index.build()
    assert "certified codes" in index.explain()
    for query in rng.standard_normal((5, 96)).astype(np.float32):  # unlike every row
        result = index.search(query, 10)
        expected = la.nearest(query, copies, 10, metric=metric)
        assert result.ids.tolist() == expected.ids.tolist()
        assert result.stats.rows_read <= 1.25 * len(copies)
