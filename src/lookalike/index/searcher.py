"""What the rows of one segment are asked, and who answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from lookalike.index.certified import CertifiedSearcher, encode
from lookalike.kernels import _compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lookalike.core.progress import ProgressCallback
    from lookalike.core.types import BoolArray, Float32Array, Int64Array, NumberArray
    from lookalike.index.cost import Cost
    from lookalike.metrics import Metric
    from lookalike.storage.sections import SectionFile

__all__ = ["Codes", "Searcher", "build_codes", "load_codes", "make_searcher"]


class Searcher(Protocol):
    """Answers queries over rows that never change.

    Rows are known by their number, and ordered by (distance, key), where keys were given
    when it was made. Distances have the bits of :func:`lookalike.distances`. It may be
    asked by many threads at once.

    Every method raises :class:`lookalike.index.cost.BadRowError` where the distance to an
    allowed row is beyond float32, :class:`lookalike.index.cost.BadQueryError` where a query
    is not finite, and FormatError where a block of a mapped file that it
    needs is damaged.
    """

    def nearest(
        self,
        queries: Float32Array,
        k: int,
        *,
        allowed: BoolArray | None,
        limits: Float32Array | None,
        n_threads: int,
    ) -> tuple[Int64Array, Float32Array, Cost]:
        """Return rows and distances of shape (m, k), padded with -1 and inf, and the cost.

        Parameters
        ----------
        queries : float32 array of shape (m, dim)
            C-contiguous.
        k : int
            From 1 to the number of rows.
        allowed : bool array of shape (n,), optional
            False for rows that must not be returned.
        limits : float32 array of shape (m,), optional
            Rows farther than this from their query may be left out.
        n_threads : int
            The most threads to use.
        """

    def within(
        self,
        queries: Float32Array,
        radius: float,
        *,
        allowed: BoolArray | None,
        n_threads: int,
    ) -> tuple[list[tuple[Int64Array, Float32Array]], Cost]:
        """Return, for each query, rows and distances at most ``radius`` away, and the cost."""

    def describe(self) -> str:
        """Return its plan in a few words."""

    def explain(self) -> list[str]:
        """Return its plan in lines: levels, memory, what a query is expected to read."""


@dataclass(frozen=True, slots=True, eq=False)
class Codes:
    """What was prepared for searching rows, besides the rows.

    Attributes
    ----------
    arrays : dict of str to ndarray
        Saved as sections ``codes.<name>``.
    plan : Any
        What JSON can hold; saved beside them.
    """

    arrays: dict[str, NDArray[Any]]
    plan: Any

    @property
    def size_bytes(self) -> int:
        """How much memory or file the arrays take."""
        return sum(array.nbytes for array in self.arrays.values())


def build_codes(
    rows: NumberArray,
    metric: Metric,
    *,
    alive: BoolArray | None,
    n_threads: int,
    progress: ProgressCallback,
) -> Codes | None:
    """Return what searching these rows needs to be fast; None where plain scans are best."""
    made = encode(rows, metric, alive=alive, n_threads=n_threads, progress=progress)
    _compiled.return_free_memory()  # what building used and freed: glibc would keep it
    progress(rows.shape[0], rows.shape[0])
    return None if made is None else Codes(*made)


def load_codes(arrays: dict[str, NDArray[Any]], plan: Any) -> Codes:  # noqa: ANN401 - JSON
    """Return the codes that were saved or pickled as these arrays and this plan."""
    return Codes(arrays, plan)


def make_searcher(
    rows: NumberArray,
    metric: Metric,
    keys: Int64Array | None,
    codes: Codes | None,
    file: SectionFile | None,
) -> Searcher:
    """Return who answers for these rows.

    Parameters
    ----------
    rows : array of shape (n, dim)
        Of any real dtype but bool and long double, and of any strides; never written to.
    metric : Metric
    keys : int64 array of shape (n,), optional
        What breaks ties; None is the number of the row.
    codes : Codes, optional
        What :func:`build_codes` made of these rows.
    file : SectionFile, optional
        Where rows (section ``rows``) and codes (``codes.<name>``) are mapped from: a block
        must be verified before anything of it is used.
    """
    if codes is None:
        return CertifiedSearcher(rows, metric, keys, None, None, file)
    return CertifiedSearcher(rows, metric, keys, codes.arrays, codes.plan, file)
