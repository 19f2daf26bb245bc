"""Files that earlier versions wrote are read, and answer as they did."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lookalike as la

FOLDER = Path(__file__).parent / "golden"
ANSWERS: dict[str, Any] = json.loads((FOLDER / "answers.json").read_text("utf-8"))


@pytest.mark.parametrize("metric", sorted(ANSWERS))
@pytest.mark.parametrize("level", la.kernels.available())
def test_a_file_of_version_1_opens_and_answers_as_it_did(metric: str, level: str) -> None:
    path = FOLDER / f"index-1-{metric}.lookalike"
    la.verify(path)
    index = la.open(path)
    assert index.metric == metric
    assert "certified codes" in index.explain()
    for answer in ANSWERS[metric]:
        with la.kernels.use(level):
            found = index.search(np.array(answer["query"], dtype=np.float32), len(answer["ids"]))
        assert [str(item) for item in found.ids] == answer["ids"]
        np.testing.assert_allclose(found.distances, answer["distances"], rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("metric", sorted(ANSWERS))
def test_what_is_written_now_is_of_the_same_format(metric: str, tmp_path: Path) -> None:
    path = FOLDER / f"index-1-{metric}.lookalike"
    index = la.open(path)
    index.save(tmp_path / "again")
    again = la.open(tmp_path / "again")
    assert again.explain().replace(str(tmp_path / "again"), str(path)) == index.explain()
    assert (tmp_path / "again").stat().st_size == path.stat().st_size
