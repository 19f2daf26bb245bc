"""``Gallery``: the pictures of a folder, and their embeddings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lookalike.core.errors import GalleryNotFoundError
from lookalike.core.options import as_threads
from lookalike.core.progress import as_progress
from lookalike.images.decoding import MAX_PIXELS
from lookalike.images.synchronising import synchronise
from lookalike.images.view import GalleryView, state_of
from lookalike.storage import GalleryStore

if TYPE_CHECKING:
    import os

    from lookalike.core.progress import Progress
    from lookalike.images.encoders import Encoder
    from lookalike.images.results import SyncSummary

__all__ = ["Gallery"]


class Gallery(GalleryView):
    """The pictures of a folder with its sub-folders, ready to be searched.

    Make one with :meth:`open`. The embeddings are kept in ``.lookalike/`` in the folder;
    :meth:`sync` brings them up to date. Everything else reads the gallery as it was when it
    was opened, or after the last :meth:`sync` of this object, whatever other processes do
    to it meanwhile.

    Examples
    --------
    >>> gallery = Gallery.open("photos")              # doctest: +SKIP
    >>> gallery.sync(progress=True)                   # doctest: +SKIP
    >>> paths, distances = gallery.search("query.jpg", k=10)  # doctest: +SKIP
    """

    @classmethod
    def open(
        cls,
        folder: str | os.PathLike[str],
        /,
        *,
        encoder: Encoder | None = None,
        max_pixels: int = MAX_PIXELS,
    ) -> Gallery:
        """Open the gallery of a folder of pictures; call :meth:`sync` if it is new.

        Parameters
        ----------
        folder : path
            Must exist. Nothing is written to it yet.
        encoder : Encoder, optional
            What turns pictures into embeddings; :func:`lookalike.images.default_encoder`
            unless given. It is loaded when first needed.
        max_pixels : int, optional
            Larger pictures are refused.

        Raises
        ------
        GalleryNotFoundError
            There is no such folder.

        Notes
        -----
        A catalogue that is damaged, foreign or of a newer version raises its
        ``FormatError`` when it is first needed, so that ``sync(rebuild=True)`` can
        replace it.
        """
        path = Path(folder)
        if not path.is_dir():
            what = "is not a folder" if path.exists() else "does not exist"
            raise GalleryNotFoundError(f"{path} {what}; give a folder of pictures")
        return cls(path, state_of(GalleryStore(path)), encoder, max_pixels)

    def __reduce__(self) -> tuple[object, ...]:
        return _reopened, (self._folder, self._encoder, self._max_pixels)

    @staticmethod
    def has_index(folder: Path, /) -> bool:
        """Return whether a folder has a gallery of its own."""
        return GalleryStore(folder).exists()

    def sync(
        self, *, progress: Progress = False, rebuild: bool = False, n_threads: int | None = None
    ) -> SyncSummary:
        """Encode what is new or changed, drop what is gone.

        Pictures are known by their content: one that was moved or renamed costs nothing
        but reading it. A file whose size and time are unchanged is not even read. An
        interrupt keeps what was done.

        Parameters
        ----------
        progress : bool or callable, default False
            True draws a line on standard error; a callable gets ``(done, total)``.
        rebuild : bool, default False
            Forget everything and encode all pictures, as after a change of encoder. Once
            the first are published the old ones are gone: after an interrupt, sync without
            ``rebuild`` goes on from there.
        n_threads : int, optional
            Every core unless given.

        Returns
        -------
        SyncSummary
            Files that cannot be read are listed there, never fatal.

        Raises
        ------
        EncoderMismatchError
            The gallery was made with another encoder, and ``rebuild`` is not set.
        FormatError
            The gallery is damaged, and ``rebuild`` is not set.
        GalleryBusyError
            Another process is at it.
        OSError
            The folder cannot be read or written.
        """
        try:
            return synchronise(
                self._store,
                self._folder,
                self._ready_encoder(),
                is_rebuild=rebuild,
                progress=as_progress(progress, "pictures"),
                n_threads=as_threads(n_threads),
                max_pixels=self._max_pixels,
            )
        finally:
            self._state = state_of(self._store)


def _reopened(folder: Path, encoder: Encoder | None, max_pixels: int) -> Gallery:
    return Gallery.open(folder, encoder=encoder, max_pixels=max_pixels)
