"""Small images side by side as one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.float64]


def mosaic(images: Pixels, columns: int, gap: int) -> Pixels:
    """Return images (N, height, width, 3) as one, in reading order, with white gaps of so many pixels between."""
    number, height, width, _ = images.shape
    rows = -(-number // columns)
    sheet = np.ones((rows * (height + gap) - gap, columns * (width + gap) - gap, 3))
    for place, image in enumerate(images):
        top, left = place // columns * (height + gap), place % columns * (width + gap)
        sheet[top : top + height, left : left + width] = image
    return sheet


def enlarged(images: Pixels, least: int) -> Pixels:
    """Return images with every pixel repeated, so that their sides have at least so many."""
    times = -(-least // min(images.shape[1:3]))
    return images.repeat(times, axis=1).repeat(times, axis=2)
