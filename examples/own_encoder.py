"""A gallery with an encoder of your own: here, how the colours are spread over a picture."""

import sys

import numpy as np
from PIL import Image

import lookalike as la
from lookalike.images import CallableEncoder


def colour_layout(pictures: list[Image.Image]) -> np.ndarray:
    """Return the mean colours of a 6 x 6 grid, shape (n, 108)."""
    grids = [picture.resize((6, 6), Image.Resampling.BOX) for picture in pictures]
    return np.stack([np.asarray(grid, dtype=np.float32).ravel() for grid in grids])


folder, query = sys.argv[1:]
encoder = CallableEncoder(colour_layout, name="colour-layout", version="1", min_side=64)
gallery = la.Gallery.open(folder, encoder=encoder)
gallery.sync(progress=True)
paths, distances = gallery.search(query, k=5, metric="manhattan")
for path, distance in zip(paths, distances, strict=True):
    print(f"{distance:9.1f}  {path}")
