"""``Index``: a group of embeddings with ids, prepared for many queries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from lookalike.core.errors import IdTypeError
from lookalike.core.options import as_dim, as_k, as_recall, as_threads
from lookalike.core.progress import Progress, as_progress
from lookalike.index.changes import added, removed, upserted
from lookalike.index.compaction import built
from lookalike.index.explain import explained
from lookalike.index.ids import as_ids, as_one_id, kind_of_type
from lookalike.index.locks import WriterLock
from lookalike.index.searching import Searching
from lookalike.index.snapshot import Snapshot
from lookalike.metrics import resolve

if TYPE_CHECKING:
    import os
    from typing import SupportsFloat, SupportsIndex

    from numpy.typing import ArrayLike

    from lookalike.core.types import Float32Array, IdArray, MetricName

__all__ = ["Index", "open_index", "verify_index"]


class Index(Searching):
    """Embeddings with ids, to be searched often: exactly, and without reading them all.

    Rows may be added, replaced and removed at any time, also while other threads search:
    each call answers from one version of the index. Everything survives pickle, deepcopy
    and fork; a deepcopy shares the memory of rows, which never change.

    Parameters
    ----------
    metric : {"cosine", "euclidean", "inner_product", "manhattan", "sqeuclidean"}
        As in :func:`lookalike.distances`.
    dim : int, optional
        The dimension of the embeddings; learned from the first ones by default.

    Raises
    ------
    MetricError, ParameterError
        An argument is none of those above.

    Notes
    -----
    Ids are integers of 64 bits, strings or ``uuid.UUID``; one index holds one type.
    Equally near rows are ordered by id: integers by value, strings by code point, UUIDs
    by their value as an integer. So the order of adding does not show in an answer.

    Examples
    --------
    >>> index = Index("euclidean")
    >>> index.add([[0, 0], [3, 4], [6, 8]], ["a", "b", "c"]).tolist()
    ['a', 'b', 'c']
    >>> ids, distances = index.search([0, 0], k=2)
    >>> ids.tolist(), distances.tolist()
    (['a', 'b'], [0.0, 5.0])
    """

    def __init__(self, metric: MetricName = "cosine", *, dim: SupportsIndex | None = None) -> None:
        self._snapshot = Snapshot(resolve(metric), None if dim is None else as_dim(dim))
        self._lock = WriterLock()

    # What is in it ------------------------------------------------------------------------

    @property
    def metric(self) -> str:
        """The name of the metric."""
        return self._snapshot.metric.name

    @property
    def dim(self) -> int | None:
        """The dimension; None until it is known."""
        return self._snapshot.dim

    @property
    def version(self) -> int:
        """How many times the index has changed, or was prepared anew."""
        return self._snapshot.version

    @property
    def ids(self) -> IdArray:
        """The ids in the order of adding; what was replaced is at its end. Read-only."""
        return self._snapshot.ids()

    def __len__(self) -> int:
        return self._snapshot.n_live

    def __contains__(self, identity: object) -> bool:
        now = self._snapshot
        try:
            one = as_one_id(identity)
        except IdTypeError:  # it has more than 64 bits
            return False
        if one is None or kind_of_type(type(one)) != now.id_kind:
            return False
        return bool(now.find(as_ids([one])[1])[0] >= 0)

    def __repr__(self) -> str:
        now = self._snapshot
        dead = now.n_slots - now.n_live
        removed_rows = f" ({dead} removed)" if dead else ""
        return (
            f"<Index of {now.n_live} rows{removed_rows}: {now.metric.name}, "
            f"dim {now.dim or 'not known yet'}, {now.id_kind or 'any'} ids, version {now.version}>"
        )

    def get(self, ids: object) -> Float32Array:
        """Return embeddings by id.

        Parameters
        ----------
        ids : id or collection of ids
            Also several times the same.

        Returns
        -------
        float32 array of shape (dim,) for one id, (m, dim) for several
            A copy.

        Raises
        ------
        UnknownIdError
            An id is not in the index (it is also a KeyError).
        IdTypeError
            Something is no id, or of another type than the index holds.
        FormatError
            The embedding is mapped from a file that is damaged.
        """
        now, one = self._snapshot, as_one_id(ids)
        found = now.read(now.require(*as_ids(ids if one is None else [one])))
        return found if one is None else found[0]

    def explain(self, k: SupportsIndex = 10, recall: SupportsFloat = 1.0) -> str:
        """Return how a search is answered, the memory of each part, and the expected cost."""
        return explained(self._snapshot, as_k(k), as_recall(recall))

    # Changing it --------------------------------------------------------------------------

    def add(self, vectors: ArrayLike, ids: object = None, *, copy: bool = True) -> IdArray:
        """Add embeddings; all of them or, after an error, none.

        Parameters
        ----------
        vectors : array_like of shape (n, dim)
            One embedding a row; ``n`` may be 0. Converted to float32.
        ids : sequence of ids, optional
            One for each row. By default integers that count up from the largest there
            ever was, plus one: an automatic id is never used again.
        copy : bool, default True
            False keeps the caller's array, of any number type and also memory-mapped, in
            place of a copy. Its content must not be changed any more.

        Returns
        -------
        int64 or object array of shape (n,)
            The ids of the rows.

        Raises
        ------
        DuplicateIdError
            An id is in the index already, or given twice.
        IdTypeError
            Something is no id, or of another type than the index holds.
        ShapeError, DtypeError
            The embeddings do not fit, or are not real numbers; or there are more or fewer
            ids than rows.
        NonFiniteError, RangeError
            A row holds a NaN, an infinity or a value beyond float32; it is named.
        ParameterError
            ``copy=False`` with something that has to be converted.

        Notes
        -----
        Cost: that of reading the rows once, and of copying them.
        """
        with self._lock:
            self._snapshot, given = added(self._snapshot, vectors, ids, is_copied=copy)
        return given

    def upsert(self, vectors: ArrayLike, ids: object) -> None:
        """Add embeddings, or replace those whose ids are there already.

        Parameters
        ----------
        vectors : array_like of shape (n, dim)
        ids : sequence of ids
            One for each row; of the same id given twice the last row counts.

        Raises
        ------
        LookalikeError
            As in :meth:`add`, but that an id may be there; nothing is changed then.
        """
        with self._lock:
            self._snapshot = upserted(self._snapshot, vectors, ids)

    def remove(self, ids: object) -> None:
        """Remove embeddings by id; all of them or, after an error, none.

        Parameters
        ----------
        ids : id or collection of ids

        Raises
        ------
        UnknownIdError
            An id is not in the index (it is also a KeyError).
        IdTypeError
            Something is no id, or of another type than the index holds.
        """
        one = as_one_id(ids)
        kind, its_ids = as_ids(ids if one is None else [one])
        with self._lock:
            self._snapshot = removed(self._snapshot, kind, its_ids)

    def build(self, *, progress: Progress = False, n_threads: SupportsIndex | None = None) -> Self:
        """Prepare the rows for searching now, rather than at the first search.

        Parameters
        ----------
        progress : bool or callable, default False
            True for a line on standard error; or called with rows done and in total. It
            must not change the index.
        n_threads : int, optional
            None is every core.

        Returns
        -------
        Index
            Itself. Where there is nothing to prepare the version stays the same.
        """
        threads, tell = as_threads(n_threads), as_progress(progress, "rows prepared")
        with self._lock:
            self._snapshot = built(self._snapshot, threads, tell)
        return self

    # Keeping it ---------------------------------------------------------------------------

    def save(self, path: str | os.PathLike[str], *, progress: Progress = False) -> None:
        """Write the index to one file, prepared for searching; see :func:`lookalike.open`.

        Parameters
        ----------
        path : path_like
            Replaced when everything is written; the index may be mapped from it.
        progress : bool or callable, default False
            True for a line on standard error; or called with bytes done and in total.

        Raises
        ------
        OSError
            The folder cannot be written, or the disk is full; ``path`` is as it was.
        FormatError
            The index is mapped from a file that is damaged.
        """
        from lookalike.index.persistence import save  # noqa: PLC0415 - few need it

        self.build()
        save(self._snapshot, path, as_threads(None), progress)

    def __getstate__(self) -> dict[str, Any]:
        from lookalike.index.copying import to_state  # noqa: PLC0415 - few need it

        return to_state(self._snapshot)

    def __setstate__(self, state: dict[str, Any]) -> None:
        from lookalike.index.copying import from_state  # noqa: PLC0415 - few need it

        self._snapshot, self._lock = from_state(state), WriterLock()

    def __copy__(self) -> Self:
        from lookalike.index.copying import independent  # noqa: PLC0415 - few need it

        other = type(self).__new__(type(self))
        other.__dict__.update(self.__dict__)
        other.__dict__.update(_snapshot=independent(self._snapshot), _lock=WriterLock())
        return other

    def __deepcopy__(self, _memo: object) -> Self:
        return self.__copy__()


def open_index(path: str | os.PathLike[str]) -> Index:
    """Open an index that :meth:`Index.save` wrote, as ``lookalike.open``.

    Parameters
    ----------
    path : path_like

    Returns
    -------
    Index
        Its embeddings stay in the file, mapped, and are verified when they are first
        used. What is added later goes to memory; :meth:`Index.save` writes it.

    Raises
    ------
    OSError
        There is no such file, or it cannot be read.
    FormatError
        The file is foreign, truncated, damaged or newer: one sentence says which.

    Notes
    -----
    Cost: that of reading the ids.
    """
    from lookalike.index.persistence import load  # noqa: PLC0415 - few need it

    index = Index()
    index._snapshot = load(path)  # noqa: SLF001 - the other half of save
    return index


def verify_index(path: str | os.PathLike[str]) -> None:
    """Read the file of an index to its end and check every bit of it, as ``lookalike.verify``.

    Parameters
    ----------
    path : path_like
        Nothing is changed.

    Raises
    ------
    OSError
        There is no such file, or it cannot be read.
    FormatError
        The file is foreign, truncated, newer or damaged: the message names the file, and
        every section and block that is.
    """
    from lookalike.index.persistence import verify  # noqa: PLC0415 - few need it

    verify(path)
