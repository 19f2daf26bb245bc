"""From the name that a user types to a metric."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from lookalike.core.errors import MetricError
from lookalike.metrics.cosine import COSINE
from lookalike.metrics.euclidean import EUCLIDEAN
from lookalike.metrics.inner_product import INNER_PRODUCT
from lookalike.metrics.manhattan import MANHATTAN
from lookalike.metrics.sqeuclidean import SQEUCLIDEAN

if TYPE_CHECKING:
    from lookalike.metrics.metric import Metric

__all__ = ["METRICS", "resolve"]

METRICS: dict[str, Metric] = {
    metric.name: metric for metric in (COSINE, EUCLIDEAN, SQEUCLIDEAN, MANHATTAN, INNER_PRODUCT)
}
_ALIASES = {"cityblock": MANHATTAN, "l1": MANHATTAN}
_AMBIGUOUS = {
    "l2": "'euclidean' (the root) or 'sqeuclidean' (its square)",
    "ip": "'inner_product' (-q.x, smaller is nearer) or 'cosine' (of normalised embeddings)",
    "dot": "'inner_product' (-q.x, smaller is nearer) or 'cosine' (of normalised embeddings)",
    "angular": "'cosine' (1 - cos) or, of normalised embeddings, 'euclidean' (sqrt(2 - 2 cos))",
}


def resolve(name: object) -> Metric:
    """Return the metric called ``name``.

    Raises
    ------
    MetricError
        The name is unknown, or one that other libraries use for two different things.
    """
    if not isinstance(name, str):
        raise MetricError(f"metric must be a name such as 'cosine', not {name!r}")
    known = METRICS.get(name) or _ALIASES.get(name)
    if known is not None:
        return known
    if name in _AMBIGUOUS:
        raise MetricError(f"metric {name!r} could mean two things: {_AMBIGUOUS[name]}; say which")
    close = difflib.get_close_matches(name, METRICS, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    raise MetricError(f"metric {name!r} is not one of {', '.join(METRICS)}{hint}")
