"""The weights of the first layer as images."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from netcalc.plots.figure import styled
from netcalc.plots.mosaic import enlarged, mosaic
from netcalc.units import plural

MOST_TILES = 1024
"""Images of one picture."""

_WIDTH, _TILE = 7.0, 1.0
"""Inches of the whole, and of one image at most."""
_SHAPE = 1.5
"""Width of the whole as a multiple of its height, about."""
_LEAST_PIXELS = 24
_MARGIN, _HEAD = 0.06, 0.5


def draw_filters(filters: NDArray[np.float32], title: str) -> Figure:
    """Return filters (filters, height, width, channels) as images, each scaled by its own largest weight.

    Mid-grey is 0, white the largest weight of the filter or its like in size. Three channels are red, green and
    blue of one image; of any other number each is an image of its own, and a row holds whole filters.
    """
    number, height, width, channels = filters.shape
    colour = channels == 3
    parts = 1 if colour else channels
    shown = max(1, min(number, MOST_TILES // parts))
    largest = np.abs(filters[:shown]).max(axis=(1, 2, 3), keepdims=True)
    pixels = 0.5 + 0.5 * np.float64(filters[:shown]) / np.where(largest > 0, largest, 1)
    tiles = pixels if colour else np.stack([_strip(tile) for tile in pixels])
    tiles = enlarged(tiles, _LEAST_PIXELS)
    tall, wide = tiles.shape[1:3]
    columns = max(1, round(math.sqrt(_SHAPE * shown * tall / wide)))
    choice = range(min(columns, shown), min(columns + 3, shown) + 1)
    columns = min(choice, key=lambda width: -shown % width)  # the fullest last row
    image = mosaic(tiles, columns, min(tall, wide) // (8 if parts == 1 else 4))
    inches = min(_WIDTH, columns * parts * _TILE)
    of_them = plural(number, "filter") if shown == number else f"{shown} of {number:,} filters"
    how = "in colour" if colour else "in grey" if parts == 1 else f"as {parts} grey images, one a channel"
    with styled():
        across, down = max(inches, 4.8) + 2 * _MARGIN, inches * image.shape[0] / image.shape[1] + _HEAD + _MARGIN
        figure = Figure(figsize=(across, down))
        place = (_MARGIN / across, _MARGIN / down, inches / across, 1 - (_HEAD + _MARGIN) / down)
        panel = figure.add_axes(place)
        panel.imshow(image, interpolation="nearest", aspect="auto")
        panel.set_axis_off()
        title = f"{title}: {of_them} of {height}×{width}×{channels}"
        scale = f"each {how}, scaled by its own largest weight; mid-grey is 0"
        figure.text(_MARGIN / across, 1 - _MARGIN / down, f"{title}\n{scale}", va="top")
    return figure


def _strip(kernel: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the channels of a kernel (height, width, channels) side by side in grey, white lines between."""
    grey = np.repeat(np.moveaxis(enlarged(kernel[None], _LEAST_PIXELS)[0], 2, 0)[..., None], 3, axis=3)
    return mosaic(grey, len(grey), 1)
