"""The questions that an index answers."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from lookalike.core.arrays import as_queries, as_query, is_plain_query
from lookalike.core.errors import ParameterError
from lookalike.core.options import as_k, as_radius, as_recall, as_threads
from lookalike.core.results import Neighbors, SearchStats
from lookalike.index.compaction import built
from lookalike.index.cost import BadQueryError
from lookalike.index.where import allowed_rows

if TYPE_CHECKING:
    from typing import SupportsFloat, SupportsIndex

    from numpy.typing import ArrayLike

    from lookalike.core.types import Float32Array
    from lookalike.index.cost import Cost
    from lookalike.index.locks import WriterLock
    from lookalike.index.snapshot import Snapshot

__all__ = ["Searching"]

_MOST_COLUMNS = 2**31 - 1


class Searching:
    """What :class:`lookalike.Index` is asked; each call answers from one snapshot."""

    _snapshot: Snapshot
    _lock: WriterLock

    def search(
        self,
        query: ArrayLike,
        k: SupportsIndex = 10,
        *,
        recall: SupportsFloat = 1.0,
        where: object = None,
        n_threads: SupportsIndex | None = None,
    ) -> Neighbors:
        """Return the ``k`` rows nearest to ``query``, exactly.

        Parameters
        ----------
        query : array_like of shape (dim,)
            One embedding, converted to float32.
        k : int, default 10
            At least 1. Where fewer rows are there, or allowed, the answer is shorter.
        recall : float, default 1.0
            In (0, 1]: the share of the answer that must be right. Answered exactly.
        where : array_like of bool of shape (n,), or collection of ids, optional
            Which rows may be returned: a mask in the order of :attr:`Index.ids`, or their
            ids. Of an empty collection, none.
        n_threads : int, optional
            None is every core; the answer does not depend on it.

        Returns
        -------
        Neighbors
            Certified; ties are broken by id.

        Raises
        ------
        ShapeError, DtypeError, NonFiniteError, RangeError
            The query does not fit, or holds something that is not a finite number of
            float32; or the mask is not as long as the index; or a distance is beyond
            float32.
        ParameterError
            ``k``, ``recall``, ``where`` or ``n_threads`` is out of range.
        UnknownIdError, IdTypeError
            ``where`` holds something that is not an id of the index.
        FormatError
            The index is mapped from a file that is damaged.

        Notes
        -----
        Rows that were added since they were last prepared are scanned; when they are
        many, this call prepares them first, as :meth:`Index.build` would.
        """
        wanted, threads = as_k(k), as_threads(n_threads)
        if recall != 1.0:
            as_recall(recall)
        now = self._prepared(threads)
        # Whether it is finite the compiled search sees by itself, where there is a row.
        one = query if now.n_live and is_plain_query(query) else as_query(query, "search_batch")
        if one.shape[0] != now.dim:
            now.require_dim(one.shape[0], "query")
        allowed = None if where is None else allowed_rows(now, where)
        started = time.perf_counter()
        wanted = min(wanted, now.n_live)
        try:
            ids, distances, cost = now.nearest(one.reshape(1, -1), wanted, allowed, threads)
        except BadQueryError:
            as_query(query, "search_batch")  # raises, and says what is wrong
            raise
        its_ids, its_distances = ids[0], distances[0]
        if where is not None:
            n_found = np.count_nonzero(its_distances < np.inf)
            its_ids, its_distances = its_ids[:n_found], its_distances[:n_found]
        stats = _stats(cost, started)
        return Neighbors(its_ids, its_distances, True, now.plan(), stats, now.version)

    def search_batch(
        self,
        queries: ArrayLike,
        k: SupportsIndex = 10,
        *,
        recall: SupportsFloat = 1.0,
        where: object = None,
        n_threads: SupportsIndex | None = None,
    ) -> Neighbors:
        """Return the ``k`` nearest rows for each query; the bits equal :meth:`search`'s.

        Parameters
        ----------
        queries : array_like of shape (n_queries, dim)
            One embedding a row.
        k, recall, where, n_threads
            As in :meth:`search`.

        Returns
        -------
        Neighbors
            ``ids`` and ``distances`` of shape (n_queries, k), padded with -1 (``None`` for
            strings and UUIDs) and inf.

        Raises
        ------
        LookalikeError
            As in :meth:`search`.
        """
        wanted, threads = as_k(k), as_threads(n_threads)
        if wanted > _MOST_COLUMNS:  # an answer is k columns wide, however small the index
            raise ParameterError(f"k must be at most {_MOST_COLUMNS} for a batch, not {wanted}")
        as_recall(recall)
        many = as_queries(queries)
        now = self._prepared(threads)
        now.require_dim(many.shape[1], "queries")
        allowed = None if where is None else allowed_rows(now, where)
        started = time.perf_counter()
        ids, distances, cost = now.nearest(many, wanted, allowed, threads)
        return Neighbors(ids, distances, True, now.plan(), _stats(cost, started), now.version)

    def within(
        self,
        query: ArrayLike,
        radius: SupportsFloat,
        *,
        where: object = None,
        n_threads: SupportsIndex | None = None,
    ) -> Neighbors:
        """Return every row at most ``radius`` from ``query``, nearest first.

        Parameters
        ----------
        query, where, n_threads
            As in :meth:`search`.
        radius : float
            Rounded to float32; inclusive.

        Returns
        -------
        Neighbors
            As long as there are such rows, possibly empty.

        Raises
        ------
        LookalikeError
            As in :meth:`search`; ParameterError for a NaN radius.
        """
        one = as_query(query, "within_batch").reshape(1, -1)
        (answer,) = self._within(one, "query", radius, where, n_threads)
        return answer

    def within_batch(
        self,
        queries: ArrayLike,
        radius: SupportsFloat,
        *,
        where: object = None,
        n_threads: SupportsIndex | None = None,
    ) -> list[Neighbors]:
        """Return :meth:`within` for each query, as a list.

        Parameters
        ----------
        queries : array_like of shape (n_queries, dim)
            One embedding a row.
        radius, where, n_threads
            As in :meth:`within`.

        Returns
        -------
        list of Neighbors
            One a query, in their order; ``stats`` are those of the whole call.

        Raises
        ------
        LookalikeError
            As in :meth:`within`.
        """
        return self._within(as_queries(queries), "queries", radius, where, n_threads)

    def distances(
        self, query: ArrayLike, *, n_threads: SupportsIndex | None = None
    ) -> Float32Array:
        """Return the distance from ``query`` to every row.

        Parameters
        ----------
        query, n_threads
            As in :meth:`search`.

        Returns
        -------
        float32 array of shape (n,)
            In the order of :attr:`Index.ids`; the bits are those of
            :func:`lookalike.distances`.

        Raises
        ------
        LookalikeError
            As in :meth:`search`.
        """
        threads = as_threads(n_threads)
        one = as_query(query, None)
        now = self._snapshot
        now.require_dim(one.shape[0], "query")
        return now.distances(one, threads)

    def _within(
        self,
        queries: Float32Array,
        name: str,
        radius: SupportsFloat,
        where: object,
        n_threads: SupportsIndex | None,
    ) -> list[Neighbors]:
        with np.errstate(over="ignore"):
            limit = float(np.float32(as_radius(radius)))
        threads = as_threads(n_threads)
        now = self._prepared(threads)
        now.require_dim(queries.shape[1], name)
        allowed = None if where is None else allowed_rows(now, where)
        started = time.perf_counter()
        answers, cost = now.within(queries, limit, allowed, threads)
        stats, plan = _stats(cost, started), now.plan()
        return [Neighbors(ids, found, True, plan, stats, now.version) for ids, found in answers]

    def _prepared(self, n_threads: int) -> Snapshot:
        """Return the snapshot to answer from, prepared where that was left undone."""
        now = self._snapshot
        if now.is_stale and self._lock.acquire(blocking=False):
            # Otherwise somebody is writing: then rows are scanned as they are.
            try:
                now = self._snapshot = built(self._snapshot, n_threads, _silent)
            finally:
                self._lock.release()
        return now


def _stats(cost: Cost, started: float) -> SearchStats:
    rows_read, levels, bytes_read = cost
    seconds = time.perf_counter() - started
    return SearchStats(rows_read, sum(levels), seconds, bytes_read, levels)


def _silent(_done: int, _total: int) -> None:
    """Tell nobody."""
