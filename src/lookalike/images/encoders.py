"""What turns pictures into embeddings: any ONNX file, any Python callable."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from lookalike.core.errors import EncoderError, MissingExtraError
from lookalike.images.preprocessing import Preprocessing
from lookalike.storage import EncoderIdentity

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike
    from PIL.Image import Image

    from lookalike.core.types import Float32Array
    from lookalike.images.preprocessing import Layout

__all__ = ["CallableEncoder", "Encoder", "OnnxEncoder"]

# Pictures are decoded at no less than this times the side they are scaled to: that moves
# embeddings by a cosine distance of 0.0003 (median; 0.0006 at most), where decoding straight
# to that side moves them by 0.01, and saves as much time (benchmarks/pictures.py).
_OVERSAMPLING = 2


class Encoder(Protocol):
    """What a gallery needs of an encoder; calls may come from several threads at once."""

    @property
    def identity(self) -> EncoderIdentity:
        """Name, version and hash: what makes two embeddings comparable."""

    @property
    def min_side(self) -> int | None:
        """The least short side, in pixels, that a picture may be decoded to; None for all."""

    def encode(self, pictures: list[Image]) -> Float32Array:
        """Return the embeddings, shape (n, dim), of RGB pictures of any size."""


class OnnxEncoder:
    """An ONNX model as an encoder.

    Parameters
    ----------
    model : path or bytes
        A model with one input, for any number of pictures or for one; its first output (or
        ``output``) is the embedding, of shape (n, dim), or (n, dim, 1, 1).
    input_size : int, default 224
        Side of the square of pixels that the model takes.
    resize_side : int, optional
        The short side of a picture is scaled to this before the square is cut out of its
        middle; ``input_size`` * 256 / 224 unless given.
    mean, std : three floats each
        Of red, green and blue for pixels in [0, 1]; ImageNet's unless given.
    layout : {"NCHW", "NHWC"}, default "NCHW"
        Where the model wants the colours.
    name, version : str, optional
        For people; the file name and "1" unless given.
    output : str, optional
        Which output of the model is the embedding.

    Raises
    ------
    EncoderError
        The model cannot be loaded, or has no such output.
    MissingExtraError
        onnxruntime is not installed.

    Notes
    -----
    A call runs on one thread (:class:`lookalike.Gallery` calls from several), so an embedding
    does not depend on the number of threads.
    """

    def __init__(  # noqa: PLR0913 - the facts that a model file does not tell
        self,
        model: str | Path | bytes,
        /,
        *,
        input_size: int = 224,
        resize_side: int | None = None,
        mean: tuple[float, float, float] = (0.485, 0.456, 0.406),
        std: tuple[float, float, float] = (0.229, 0.224, 0.225),
        layout: Layout = "NCHW",
        name: str | None = None,
        version: str = "1",
        output: str | None = None,
    ) -> None:
        side = round(input_size * 256 / 224) if resize_side is None else resize_side
        self.preprocessing = Preprocessing(input_size, side, mean, std, layout)
        if isinstance(model, bytes):
            self._model, stem = model, "model"
        else:
            self._model, stem = _read_model(Path(model)), Path(model).stem
        facts = hashlib.sha256(self._model)
        facts.update(repr((self.preprocessing, output)).encode())
        self.identity = EncoderIdentity(name or stem, version, facts.hexdigest())
        self.min_side: int | None = _OVERSAMPLING * side
        self._output = output
        self._session = _open_session(self._model, self.identity.name)
        inputs = self._session.get_inputs()
        if len(inputs) != 1:
            names = [item.name for item in inputs]
            raise EncoderError(f"{self.identity.name} must have one input, not {names}")
        self._input = inputs[0].name
        # Models are often exported for one picture at a time.
        self._takes_one = list(inputs[0].shape[:1]) == [1]
        outputs = [item.name for item in self._session.get_outputs()]
        if output is not None and output not in outputs:
            raise EncoderError(f"{self.identity.name} has no output {output!r}, only {outputs}")
        self._wanted = output or outputs[0]

    def __getstate__(self) -> dict[str, Any]:
        # The session cannot be copied; a copy opens its own from the model.
        return {name: value for name, value in vars(self).items() if name != "_session"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._session = _open_session(self._model, self.identity.name)

    def encode(self, pictures: list[Image]) -> Float32Array:
        """Return the embeddings of RGB pictures.

        Parameters
        ----------
        pictures : list of PIL.Image.Image
            In mode RGB, of any size.

        Returns
        -------
        float32 array of shape (n, dim)

        Raises
        ------
        EncoderError
            The model fails, or its output is not one finite embedding a picture.
        """
        if self._takes_one and len(pictures) > 1:
            return np.concatenate([self.encode([picture]) for picture in pictures])
        prepared = self.preprocessing(pictures)
        try:
            (found,) = self._session.run([self._wanted], {self._input: prepared})
        except Exception as error:
            # onnxruntime raises classes of its own that share no root.
            raise EncoderError(f"{self.identity.name} failed: {error}") from error
        return _checked(found, len(pictures), self.identity.name)


class CallableEncoder:
    """A Python function as an encoder.

    Parameters
    ----------
    function : callable
        Takes a list of RGB ``PIL.Image.Image`` and returns an array of shape (n, dim).
    name, version : str
        Change the version whenever the function's answers change: galleries rely on it.
    min_side : int, optional
        Pictures may be decoded at reduced scale as long as neither side falls below this;
        full scale unless given.
    is_thread_safe : bool, default False
        Whether the function may be called from several threads at once.
    """

    def __init__(
        self,
        function: Callable[[list[Image]], ArrayLike],
        /,
        *,
        name: str,
        version: str,
        min_side: int | None = None,
        is_thread_safe: bool = False,
    ) -> None:
        self._function = function
        facts = hashlib.sha256(repr((name, version, min_side)).encode())
        self.identity = EncoderIdentity(name, version, facts.hexdigest())
        self.min_side = min_side
        self._lock = None if is_thread_safe else threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_lock": self._lock is not None}  # a lock cannot be copied

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._lock = threading.Lock() if state["_lock"] else None

    def encode(self, pictures: list[Image]) -> Float32Array:
        """Return what the function answers, checked.

        Raises
        ------
        EncoderError
            It is not one finite embedding a picture. What the function itself raises
            passes through.
        """
        if self._lock is None:
            found = self._function(pictures)
        else:
            with self._lock:
                found = self._function(pictures)
        return _checked(found, len(pictures), self.identity.name)


def _read_model(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise EncoderError(f"the model {path} cannot be read: {error.strerror}") from error


def _open_session(model: bytes, name: str) -> Any:  # noqa: ANN401 - onnxruntime is untyped
    try:
        import onnxruntime  # noqa: PLC0415 - slow to import
    except ImportError as error:
        raise MissingExtraError("encoding pictures", "onnxruntime", "images") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        # onnxruntime raises classes of its own that share no root.
        raise EncoderError(f"{name} is not a usable ONNX model: {error}") from error


def _checked(found: ArrayLike, n: int, name: str) -> Float32Array:
    try:
        with np.errstate(over="ignore"):  # what float32 cannot hold is found below
            embeddings = np.ascontiguousarray(found, dtype=np.float32)
    except (TypeError, ValueError, RuntimeError) as error:
        raise EncoderError(f"{name} answered with what is no array of numbers: {error}") from error
    if embeddings.ndim == 4 and embeddings.shape[2:] == (1, 1):
        embeddings = embeddings.reshape(embeddings.shape[:2])
    if embeddings.ndim != 2 or embeddings.shape[0] != n or not embeddings.shape[1]:
        raise EncoderError(
            f"{name} answered {n} pictures with an array of shape {embeddings.shape}; "
            f"({n}, dim) expected"
        )
    if not np.isfinite(embeddings).all():
        raise EncoderError(f"{name} answered with a NaN or an infinity")
    return embeddings
