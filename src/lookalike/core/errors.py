"""Every error that Lookalike raises on purpose.

::

    LookalikeError
    ├── ShapeError            (ValueError)        dimensions or array ranks that do not fit
    ├── DtypeError            (TypeError)         something that is not numbers
    ├── NonFiniteError        (ValueError)        a NaN or an infinity in an embedding
    ├── RangeError            (OverflowError)     a value that float32 cannot hold
    ├── MetricError           (ValueError)        an unknown or ambiguous metric name
    ├── ParameterError        (ValueError)        k, radius, linkage ... out of range
    ├── EmptyGroupError       (ValueError)        one number was asked of a group without members
    ├── DegenerateGroupError  (ValueError)        a group without the spread that was asked for
    ├── IdTypeError           (TypeError)         ids that are no ids, or not of the index's type
    ├── DuplicateIdError      (ValueError)        an id that is in the index already, or twice
    ├── UnknownIdError        (KeyError)          an id that is not in the index
    ├── KernelLevelError      (ValueError)        a CPU level unknown or unsupported here
    ├── MissingExtraError     (ImportError)       an optional package is not installed
    ├── PictureError          (ValueError)        a picture that cannot be read
    ├── EncoderError          (ValueError)        an encoder that cannot be loaded or used
    ├── EncoderMismatchError  (ValueError)        a gallery made with another encoder
    ├── GalleryNotFoundError  (FileNotFoundError) a folder that was never indexed
    ├── GalleryBusyError      (BlockingIOError)    another process is changing the gallery
    └── FormatError           (ValueError)        a file that is damaged, foreign or too new

Each also derives from the builtin that a caller would expect, so both
``except LookalikeError`` and ``except ValueError`` work. Every message carries the
offending value and says what to do.
"""

from __future__ import annotations

__all__ = [
    "DegenerateGroupError",
    "DtypeError",
    "DuplicateIdError",
    "EmptyGroupError",
    "EncoderError",
    "EncoderMismatchError",
    "FormatError",
    "GalleryBusyError",
    "GalleryNotFoundError",
    "IdTypeError",
    "KernelLevelError",
    "LookalikeError",
    "MetricError",
    "MissingExtraError",
    "NonFiniteError",
    "ParameterError",
    "PictureError",
    "RangeError",
    "ShapeError",
    "UnknownIdError",
]


class LookalikeError(Exception):
    """The root of every error that Lookalike raises on purpose."""


class ShapeError(LookalikeError, ValueError):
    """Array ranks or dimensions that do not fit each other."""


class DtypeError(LookalikeError, TypeError):
    """Something that does not convert to an array of real numbers."""


class NonFiniteError(LookalikeError, ValueError):
    """An embedding holds a NaN or an infinity."""


class RangeError(LookalikeError, OverflowError):
    """A value or a distance is too large for float32."""


class MetricError(LookalikeError, ValueError):
    """A metric name that is unknown, or that could mean two things."""


class ParameterError(LookalikeError, ValueError):
    """An option (``k``, ``radius``, ``n_threads``, ``linkage`` ...) out of its range."""


class EmptyGroupError(LookalikeError, ValueError):
    """One number was asked of a group that has no members."""


class DegenerateGroupError(LookalikeError, ValueError):
    """A group lacks the spread that the requested statistic needs."""


class IdTypeError(LookalikeError, TypeError):
    """Something that is not an id, or ids of another type than the index holds."""


class DuplicateIdError(LookalikeError, ValueError):
    """An id that is in the index already, or twice among those given."""


class UnknownIdError(LookalikeError, KeyError):
    """An id that is not in the index."""

    # KeyError shows the representation of its argument: a sentence in quotes.
    __str__ = Exception.__str__


class KernelLevelError(LookalikeError, ValueError):
    """A kernel level that is unknown, or that this CPU cannot run."""


class MissingExtraError(LookalikeError, ImportError):
    """An optional package is needed and not installed.

    Parameters
    ----------
    feature : str
        What was asked for, as the subject of a sentence, e.g. ``"reading pictures"``.
    package : str
        The package that is missing.
    extra : str
        The extra of Lookalike that brings it.
    """

    def __init__(self, feature: str, package: str, extra: str) -> None:
        self.feature, self.package, self.extra = feature, package, extra
        super().__init__(
            f"{feature} needs the package {package!r}, which is not installed: "
            f"pip install 'lookalike[{extra}]'"
        )

    def __reduce__(self) -> tuple[type[MissingExtraError], tuple[str, str, str]]:
        # Exceptions pickle by their message; ours takes three arguments.
        return type(self), (self.feature, self.package, self.extra)


class PictureError(LookalikeError, ValueError):
    """A picture that is broken, too large, or not a picture at all."""


class EncoderError(LookalikeError, ValueError):
    """An encoder that cannot be loaded, or that returned something unusable."""


class EncoderMismatchError(LookalikeError, ValueError):
    """A gallery was made with another encoder than the one in use."""


class GalleryNotFoundError(LookalikeError, FileNotFoundError):
    """A folder has no gallery yet."""


class GalleryBusyError(LookalikeError, BlockingIOError):
    """Another process is writing to the gallery."""


class FormatError(LookalikeError, ValueError):
    """A file of ours that is damaged, foreign, or written by a newer version."""
