"""Make index-1-*.lookalike: saved indexes of version 1, which must open and answer for ever.

Made once, when version 1 was new::

    python tests/index/golden/make_golden.py

The answers beside them come from the naive loop, not from an index.
"""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import numpy as np

import lookalike as la
from lookalike.index.certified import planning

FOLDER = Path(__file__).parent
METRICS: list[Any] = ["cosine", "euclidean", "inner_product", "manhattan"]
N, DIM, N_QUERIES, K = 320, 64, 5, 6


def clustered(rng: np.random.Generator) -> np.ndarray:
    """Return bytes around a few centres, along a few directions, so that codes pay."""
    centres = rng.integers(40, 216, (9, DIM))
    directions = rng.standard_normal((4, DIM)) * 8
    rows = centres[rng.integers(0, 9, N)] + rng.standard_normal((N, 4)) @ directions
    return np.clip(np.rint(rows + rng.standard_normal((N, DIM))), 0, 255).astype(np.uint8)


def ids_for(metric: str) -> Any:
    """Return ids of another kind for each metric."""
    if metric == "cosine":
        return [f"row {number} caf\xe9" for number in range(N)]
    if metric == "euclidean":
        return [uuid.UUID(int=number * 7919) for number in range(N)]
    return list(range(N, 0, -1)) if metric == "manhattan" else None


def main() -> None:
    """Write the files and what they answer."""
    planning._LEAST_GAIN = float("inf")  # codes for so few rows, too
    answers: dict[str, Any] = {}
    for number, metric in enumerate(METRICS):
        rng = np.random.default_rng(number)
        rows = clustered(rng).astype(np.float32)
        rows[17] = rows[3]
        queries = rows[rng.integers(0, N, N_QUERIES)].astype(np.float32) + 0.5
        index = la.Index(metric)
        ids = index.add(rows, ids_for(metric), copy=False)
        index.build()
        index.save(FOLDER / f"index-1-{metric}.lookalike")
        answers[metric] = []
        for query in queries:
            exact = la.distances(query, rows, metric=metric, implementation="naive")
            nearest = (
                np.lexsort((ids, exact))[:K]
                if metric == "manhattan"
                else np.argsort(exact, kind="stable")[:K]
            )
            answers[metric].append(
                {
                    "query": query.tolist(),
                    "ids": [str(item) for item in np.asarray(ids, dtype=object)[nearest]],
                    "distances": [float(value) for value in exact[nearest]],
                }
            )
    (FOLDER / "answers.json").write_text(json.dumps(answers, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
