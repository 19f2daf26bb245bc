"""``GalleryView``: pictures and their embeddings, to be searched but not changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lookalike.core.errors import EncoderMismatchError, FormatError, GalleryNotFoundError
from lookalike.core.options import as_k
from lookalike.groups import rank_groups
from lookalike.images.default_encoder import default_encoder
from lookalike.images.query import read_query
from lookalike.images.results import Matches
from lookalike.scan import nearest, within
from lookalike.storage import GalleryStore, Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lookalike.core.results import Neighbors
    from lookalike.core.types import Float32Array, MetricName
    from lookalike.groups.linkage import LinkageName
    from lookalike.images.encoders import Encoder
    from lookalike.images.query import Picture, Query
    from lookalike.storage import Catalogue, CatalogueEntry, EncoderIdentity

__all__ = ["GalleryView", "state_of"]


class _Probe(NamedTuple):
    """A query: its embedding, and the pictures of a snapshot that it is itself."""

    snapshot: Snapshot
    embedding: Float32Array
    itself: frozenset[int]

    @property
    def group(self) -> Float32Array:
        """The embeddings of the snapshot; of none, the dimension is the query's."""
        group = self.snapshot.embeddings
        return group if len(group) else np.empty((0, self.embedding.size), dtype=np.float32)


class GalleryView:
    """A :class:`lookalike.Gallery`, or a part of one, for reading.

    It answers as the gallery was when it was opened, whatever other processes do to it
    meanwhile. A copy, in this process or another, opens the files again: as they are then.
    """

    def __init__(
        self,
        folder: Path,
        state: Snapshot | FormatError,
        encoder: Encoder | None,
        max_pixels: int,
        prefix: str = "",
    ) -> None:
        self._folder = folder
        self._store = GalleryStore(folder)
        self._state = state
        self._encoder = encoder
        self._max_pixels = max_pixels
        self._prefix = prefix  # of the paths, where this is a part

    def __reduce__(self) -> tuple[object, ...]:
        kept = frozenset(self.paths)
        return _reopened, (self._folder, self._encoder, self._max_pixels, self._prefix, kept)

    def __repr__(self) -> str:
        is_sound = isinstance(self._state, Snapshot)
        size = f"{len(self)} pictures" if is_sound else "damaged"
        return f"<{type(self).__name__} {str(self._folder / self._prefix)!r}: {size}>"

    def __len__(self) -> int:
        return len(self._catalogue.entries)

    @property
    def folder(self) -> Path:
        """The folder of pictures, as given to :meth:`open`."""
        return self._folder

    @property
    def is_indexed(self) -> bool:
        """Whether :meth:`sync` has ever run to an end, or been interrupted, here."""
        return self._store.exists()

    @property
    def paths(self) -> tuple[str, ...]:
        """The pictures, relative to the folder, in the order of :attr:`embeddings`."""
        return tuple(entry.path for entry in self._catalogue.entries)

    @property
    def dim(self) -> int:
        """The dimension of the embeddings; 0 while there are none."""
        return self._catalogue.dim

    @property
    def encoder_identity(self) -> EncoderIdentity | None:
        """Name, version and hash of what made the embeddings; None while there are none."""
        return self._catalogue.encoder

    @property
    def unreadable(self) -> tuple[tuple[str, str], ...]:
        """Path and reason of each file that the last :meth:`sync` could not read."""
        return self._catalogue.unreadable

    @property
    def embeddings(self) -> Float32Array:
        """The embeddings, read-only, of shape (n, dim).

        Raises
        ------
        FormatError
            The file that holds them is missing or damaged.
        """
        return self._snapshot.embeddings

    def search(
        self,
        picture: Picture,
        /,
        k: int = 10,
        *,
        metric: MetricName = "cosine",
        exclude_self: bool = False,
        n_threads: int | None = None,
    ) -> Matches:
        """Return the ``k`` pictures nearest to ``picture``, exactly.

        Parameters
        ----------
        picture : path, bytes, PIL.Image.Image, or array of shape (dim,)
            A file, its content, an opened picture, or an embedding.
        k : int, default 10
            At least 1; the answer is shorter where the gallery is smaller.
        metric : str, default "cosine"
            As in :func:`lookalike.distances`.
        exclude_self : bool, default False
            Leave out the query itself: the picture at its path, or, where the query is
            not one of the gallery's files, every picture with its content.
        n_threads : int, optional
            Every core unless given.

        Returns
        -------
        Matches

        Raises
        ------
        GalleryNotFoundError
            The folder was never indexed.
        PictureError
            The query cannot be read.
        EncoderMismatchError
            The gallery was made with another encoder.
        """
        wanted = as_k(k)
        probe = self._probe(picture, exclude_self=exclude_self)
        found = nearest(
            probe.embedding,
            probe.group,
            wanted + len(probe.itself),
            metric=metric,
            n_threads=n_threads,
        )
        return self._matches(found, probe, wanted)

    def within(
        self,
        picture: Picture,
        /,
        radius: float,
        *,
        metric: MetricName = "cosine",
        exclude_self: bool = False,
        n_threads: int | None = None,
    ) -> Matches:
        """Return every picture at most ``radius`` from ``picture``, nearest first.

        Parameters
        ----------
        picture, metric, exclude_self, n_threads
            As in :meth:`search`.
        radius : float
            Inclusive.

        Returns
        -------
        Matches

        Raises
        ------
        LookalikeError
            As in :meth:`search`.
        """
        probe = self._probe(picture, exclude_self=exclude_self)
        found = within(probe.embedding, probe.group, radius, metric=metric, n_threads=n_threads)
        return self._matches(found, probe, len(probe.group))

    def below(self, subfolder: str, /) -> GalleryView:
        """Return the part of this gallery that lies in a sub-folder, for reading.

        Parameters
        ----------
        subfolder : str
            Relative to the folder, with ``/`` between its parts.

        Returns
        -------
        GalleryView
            Possibly empty. Its :meth:`groups` are the sub-folders of the sub-folder.
        """
        inside = subfolder.strip("/")
        prefix = f"{self._prefix}{inside}/" if inside else self._prefix
        return self._part(self._snapshot, prefix, lambda entry: entry.path.startswith(prefix))

    def without(self, picture: Picture, /) -> GalleryView:
        """Return this gallery without a picture, for reading.

        What ``exclude_self`` leaves out of a search is left out here.

        Raises
        ------
        PictureError
            It cannot be read.
        """
        snapshot = self._snapshot
        rows = self._rows_of_itself(read_query(picture), snapshot.catalogue)
        itself = {snapshot.catalogue.entries[row].path for row in rows}
        return self._part(snapshot, self._prefix, lambda entry: entry.path not in itself)

    def groups(self) -> dict[str, Float32Array]:
        """Return the embeddings of each sub-folder, with all that is below it, by name.

        Pictures that lie in the folder itself belong to no group.
        """
        snapshot = self._snapshot
        rows = self._group_rows(snapshot.catalogue)
        return {name: snapshot.embeddings[members] for name, members in rows.items()}

    def rank_groups(
        self,
        picture: Picture,
        /,
        *,
        linkage: LinkageName = "nearest",
        metric: MetricName | None = None,
        k: int | None = None,
        exclude_self: bool = False,
    ) -> list[tuple[str, float]]:
        """Rank the sub-folders by their distance to ``picture`` as groups.

        Parameters
        ----------
        picture, exclude_self
            As in :meth:`search`; a sub-folder with nothing left is left out.
        linkage, metric, k
            As in :func:`lookalike.group_distance`.

        Returns
        -------
        list of (str, float)
            Nearest first.

        Raises
        ------
        LookalikeError
            As in :meth:`search` and :func:`lookalike.group_distance`.
        """
        probe = self._probe(picture, exclude_self=exclude_self)
        group_rows = self._group_rows(probe.snapshot.catalogue)
        groups = {
            name: probe.snapshot.embeddings[kept]
            for name, rows in group_rows.items()
            if (kept := [row for row in rows if row not in probe.itself])
        }
        return rank_groups(probe.embedding, groups, linkage=linkage, metric=metric, k=k)

    def embed(self, picture: Picture, /) -> Float32Array:
        """Return the embedding of a picture, shape (dim,).

        A picture of the gallery, known by its content, is not encoded again.

        Raises
        ------
        PictureError
            It cannot be read.
        EncoderMismatchError
            The gallery was made with another encoder.
        """
        return self._embed(read_query(picture), self._snapshot)

    @property
    def _snapshot(self) -> Snapshot:
        # Read it once for each answer: a sync in another thread replaces it.
        state = self._state
        if isinstance(state, FormatError):
            raise state.with_traceback(None)
        return state

    @property
    def _catalogue(self) -> Catalogue:
        return self._snapshot.catalogue

    def _part(
        self, snapshot: Snapshot, prefix: str, is_kept: Callable[[CatalogueEntry], bool]
    ) -> GalleryView:
        part = snapshot.part(is_kept)
        return GalleryView(self._folder, part, self._encoder, self._max_pixels, prefix)

    def _probe(self, picture: Picture, *, exclude_self: bool) -> _Probe:
        if not self.is_indexed:
            raise GalleryNotFoundError(
                f"{self._folder} is not indexed yet: call sync(), or run lookalike index"
            )
        snapshot = self._snapshot
        query = read_query(picture)
        itself = self._rows_of_itself(query, snapshot.catalogue) if exclude_self else []
        return _Probe(snapshot, self._embed(query, snapshot), frozenset(itself))

    def _embed(self, query: Query, snapshot: Snapshot) -> Float32Array:
        if query.embedding is not None:
            return query.embedding
        made_with = snapshot.catalogue.encoder
        # The default encoder is not loaded only to be compared: a stored embedding serves.
        if self._encoder is None or self._encoder.identity == made_with:
            rows = _rows_with(query.content_hash, snapshot.catalogue)
            if rows:
                return np.array(snapshot.embeddings[rows[0]])
        encoder = self._ready_encoder()
        if made_with not in {None, encoder.identity}:
            raise EncoderMismatchError(
                f"{self._folder} was indexed with {made_with}, and the query would be encoded "
                f"with {encoder.identity}: open the gallery with that encoder, or rebuild it"
            )
        embeddings = encoder.encode([query.pixels(encoder.min_side, self._max_pixels)])
        return embeddings.reshape(-1)

    def _ready_encoder(self) -> Encoder:
        if self._encoder is None:
            self._encoder = default_encoder()
        return self._encoder

    def _rows_of_itself(self, query: Query, catalogue: Catalogue) -> list[int]:
        if query.path is not None:
            folder = self._folder.resolve()
            # The gallery names links to files by their own names, and follows none to folders.
            named = query.path.parent.resolve() / query.path.name
            for target in (named, query.path.resolve()):
                if target.is_relative_to(folder):
                    path = target.relative_to(folder).as_posix()
                    entries = enumerate(catalogue.entries)
                    at_path = [row for row, item in entries if item.path == path]
                    if at_path:
                        return at_path
        return _rows_with(query.content_hash, catalogue)

    def _group_rows(self, catalogue: Catalogue) -> dict[str, list[int]]:
        groups: dict[str, list[int]] = {}
        for row, entry in enumerate(catalogue.entries):
            name, slash, _ = entry.path.removeprefix(self._prefix).partition("/")
            if slash:
                groups.setdefault(name, []).append(row)
        return groups

    def _matches(self, found: Neighbors, probe: _Probe, k: int) -> Matches:
        entries = probe.snapshot.catalogue.entries
        kept = [place for place, row in enumerate(found.ids) if row not in probe.itself][:k]
        return Matches(
            paths=tuple(self._folder / entries[found.ids[place]].path for place in kept),
            distances=found.distances[kept],
            certified=found.certified,
            plan=found.plan,
            stats=found.stats,
        )


def state_of(store: GalleryStore) -> Snapshot | FormatError:
    """Return the gallery as it is now, or what is wrong with it, to be raised when needed."""
    try:
        return store.read_snapshot()
    except FormatError as error:
        return error


def _reopened(
    folder: Path, encoder: Encoder | None, max_pixels: int, prefix: str, kept: frozenset[str]
) -> GalleryView:
    """Open the part of a gallery that holds the paths ``kept``."""
    state = state_of(GalleryStore(folder))
    if isinstance(state, Snapshot):
        state = state.part(lambda entry: entry.path in kept)
    return GalleryView(folder, state, encoder, max_pixels, prefix)


def _rows_with(content: str | None, catalogue: Catalogue) -> list[int]:
    if content is None:
        return []
    return [row for row, item in enumerate(catalogue.entries) if item.content == content]
