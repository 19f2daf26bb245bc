"""The same distances by others, each called in the fastest way that it offers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import faiss
import numkong
import numpy as np
import simsimd
from scipy.spatial.distance import cdist
from sklearn.metrics import pairwise_distances

import lookalike as la

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lookalike.core.types import Float32Array, MetricName


@dataclass(frozen=True)
class Peer:
    """Somebody else's distances from one query to all rows.

    Attributes
    ----------
    library, function : str
        Whose, and by which of its functions.
    call : callable
        Takes nothing, returns every distance.
    measures : str
        Our name of what it computes; a similarity counts as its negative.
    """

    library: str
    function: str
    call: Callable[[], object]
    measures: MetricName

    @property
    def name(self) -> str:
        """What it is called in a table."""
        return f"{self.library} {self.function}"


def peers_of(metric: MetricName, query: Float32Array, group: Float32Array) -> list[Peer]:
    """Return those who offer a metric; for euclidean, a squared distance counts too."""
    return {
        "cosine": _cosine,
        "euclidean": _euclidean,
        "inner_product": _inner_product,
        "manhattan": _manhattan,
    }[metric](query, group)


def check_answers(peers: Sequence[Peer], query: Float32Array, group: Float32Array) -> None:
    """Fail unless all peers compute what they are compared for."""
    for peer in peers:
        ours = np.abs(la.distances(query, group, metric=peer.measures))
        theirs = np.abs(np.asarray(peer.call(), dtype=np.float64).reshape(-1))
        # FAISS's pairwise euclidean loses digits to cancellation: compare on the whole's scale.
        np.testing.assert_allclose(theirs, ours, rtol=1e-3, atol=1e-4 * ours.max())


def _cosine(query: Float32Array, group: Float32Array) -> list[Peer]:
    one = query.reshape(1, -1)

    def usual() -> object:
        norms = np.linalg.norm(group, axis=1) * np.linalg.norm(query)
        return 1 - (group @ query) / norms

    return [
        Peer("NumPy", "1 - (group @ q) / norms", usual, "cosine"),
        Peer("SciPy", "cdist cosine", lambda: cdist(one, group, "cosine"), "cosine"),
        Peer(
            "scikit-learn",
            "pairwise_distances cosine",
            lambda: pairwise_distances(one, group, metric="cosine"),
            "cosine",
        ),
        Peer("SimSIMD", "cosine", lambda: simsimd.cosine(query, group), "cosine"),
        Peer("NumKong", "angular", lambda: numkong.angular(query, group), "cosine"),
    ]


def _euclidean(query: Float32Array, group: Float32Array) -> list[Peer]:
    one = query.reshape(1, -1)
    return [
        Peer(
            "NumPy",
            "linalg.norm(group - q)",
            lambda: np.linalg.norm(group - query, axis=1),
            "euclidean",
        ),
        Peer("SciPy", "cdist", lambda: cdist(one, group), "euclidean"),
        Peer(
            "scikit-learn",
            "pairwise_distances",
            lambda: pairwise_distances(one, group),
            "euclidean",
        ),
        Peer(
            "FAISS",
            "pairwise_distances",
            lambda: faiss.pairwise_distances(one, group),
            "sqeuclidean",
        ),
        Peer(
            "FAISS",
            "fvec_L2sqr_ny",
            _faiss_ny(faiss.fvec_L2sqr_ny, query, group),
            "sqeuclidean",
        ),
        Peer("SimSIMD", "euclidean", lambda: simsimd.euclidean(query, group), "euclidean"),
        Peer("SimSIMD", "sqeuclidean", lambda: simsimd.sqeuclidean(query, group), "sqeuclidean"),
        Peer("NumKong", "euclidean", lambda: numkong.euclidean(query, group), "euclidean"),
        Peer("NumKong", "sqeuclidean", lambda: numkong.sqeuclidean(query, group), "sqeuclidean"),
    ]


def _manhattan(query: Float32Array, group: Float32Array) -> list[Peer]:
    one = query.reshape(1, -1)
    return [
        Peer(
            "NumPy",
            "abs(group - q).sum(1)",
            lambda: np.abs(group - query).sum(axis=1),
            "manhattan",
        ),
        Peer("SciPy", "cdist cityblock", lambda: cdist(one, group, "cityblock"), "manhattan"),
        Peer(
            "scikit-learn",
            "pairwise_distances manhattan",
            lambda: pairwise_distances(one, group, metric="manhattan"),
            "manhattan",
        ),
        Peer(
            "FAISS",
            "pairwise_distances L1",
            lambda: faiss.pairwise_distances(one, group, metric=faiss.METRIC_L1),
            "manhattan",
        ),
    ]


def _inner_product(query: Float32Array, group: Float32Array) -> list[Peer]:
    one = query.reshape(1, -1)
    return [
        Peer("NumPy", "group @ q", lambda: group @ query, "inner_product"),
        Peer(
            "FAISS",
            "pairwise_distances IP",
            lambda: faiss.pairwise_distances(one, group, metric=faiss.METRIC_INNER_PRODUCT),
            "inner_product",
        ),
        Peer(
            "FAISS",
            "fvec_inner_products_ny",
            _faiss_ny(faiss.fvec_inner_products_ny, query, group),
            "inner_product",
        ),
        Peer("SimSIMD", "inner", lambda: simsimd.inner(query, group), "inner_product"),
        Peer("NumKong", "dot", lambda: numkong.dot(query, group), "inner_product"),
    ]


def _faiss_ny(
    function: Callable[..., None], query: Float32Array, group: Float32Array
) -> Callable[[], object]:
    """Return a call of one of FAISS's loops over contiguous rows."""

    def call() -> object:
        out = np.empty(len(group), dtype=np.float32)
        pointers = (faiss.swig_ptr(array) for array in (out, query, group))
        function(*pointers, group.shape[1], len(group))
        return out

    return call
