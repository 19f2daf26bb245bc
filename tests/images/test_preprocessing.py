from __future__ import annotations

import tracemalloc
from dataclasses import fields, replace

import numpy as np
import pytest
from PIL import Image

import lookalike as la
from lookalike.images import Preprocessing

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
USUAL = Preprocessing(224, 256, MEAN, STD)


@pytest.mark.parametrize("size", [(300, 451), (451, 300), (256, 256), (80, 60), (1600, 257)])
def test_the_square_is_that_of_resizing_whole_and_cropping(
    photograph: Image.Image, size: tuple[int, int]
) -> None:
    picture = photograph.resize(size)
    short = min(size)
    whole = picture.resize(
        (size[0] * 256 // short, size[1] * 256 // short), Image.Resampling.BICUBIC
    )
    left, top = round((whole.width - 224) / 2), round((whole.height - 224) / 2)
    expected = np.asarray(whole.crop((left, top, left + 224, top + 224)))
    assert np.array_equal(np.asarray(USUAL.crop(picture)), expected)


def test_values_are_normalised_in_each_colour(photograph: Image.Image) -> None:
    found = USUAL([photograph])
    square = np.asarray(USUAL.crop(photograph)).astype(np.float64) / 255
    expected = ((square - MEAN) / STD).transpose(2, 0, 1)
    assert found.dtype == np.float32
    assert np.abs(found[0] - expected).max() < 1e-5


def test_layouts_hold_the_same_values(photograph: Image.Image) -> None:
    pictures = [photograph, photograph.rotate(180)]
    first = USUAL(pictures)
    last = replace(USUAL, layout="NHWC")(pictures)
    assert first.shape == (2, 3, 224, 224)
    assert last.shape == (2, 224, 224, 3)
    assert np.array_equal(first, last.transpose(0, 3, 1, 2))
    assert first.flags.c_contiguous


def test_a_picture_does_not_depend_on_its_batch(photograph: Image.Image) -> None:
    turned = photograph.rotate(180)
    assert np.array_equal(USUAL([photograph, turned])[1], USUAL([turned])[0])
    assert USUAL([]).shape == (0, 3, 224, 224)


def test_a_very_long_picture_takes_little_memory() -> None:
    for size in ((1, 60_000), (60_000, 1)):
        picture = Image.new("RGB", size, "red")
        tracemalloc.start()
        try:
            square = USUAL.crop(picture)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert square.getcolors() == [(224 * 224, (255, 0, 0))]
        assert peak < 1 << 20


def test_the_middle_of_a_very_long_picture_counts() -> None:
    picture = Image.new("RGB", (1000, 10), "red")
    picture.paste((0, 0, 255), (490, 0, 510, 10))
    assert USUAL.crop(picture).getcolors() == [(224 * 224, (0, 0, 255))]


@pytest.mark.parametrize(
    "changes",
    [
        {"input_size": 0},
        {"input_size": -1},
        {"resize_side": 223},
        {"std": (0.1, 0.0, 0.1)},
        {"std": (0.1, -1.0, 0.1)},
        {"std": (0.1, float("nan"), 0.1)},
        {"mean": (0.1, float("inf"), 0.1)},
        {"mean": (0.1, float("nan"), 0.1)},
        {"mean": (0.5,)},
        {"std": ()},
        {"mean": (123.675, 116.28, 103.53)},
        {"std": (58.395, 57.12, 57.375)},
        {"layout": "nchw"},
    ],
)
def test_settings_that_cannot_be_meant_are_refused(changes: dict[str, object]) -> None:
    settings = {item.name: getattr(USUAL, item.name) for item in fields(USUAL)}
    with pytest.raises(la.EncoderError):
        Preprocessing(**(settings | changes))


def test_every_setting_tells_two_preprocessings_apart() -> None:
    others = [
        replace(USUAL, input_size=200),
        replace(USUAL, resize_side=257),
        replace(USUAL, mean=(0.5, 0.5, 0.5)),
        replace(USUAL, std=(0.5, 0.5, 0.5)),
        replace(USUAL, layout="NHWC"),
    ]
    assert len({repr(item) for item in (USUAL, *others)}) == 6  # the encoder's hash covers it
