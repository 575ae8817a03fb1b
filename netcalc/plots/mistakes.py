"""Samples that got a wrong class, with the true one, the answer and its score."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from netcalc.plots.figure import COLOURS, shortened, styled

_TILE = 1.15
"""Inches of an image's longer side."""
_CAPTION = 0.36
"""Inches of the two lines above an image."""
_GAP, _HEAD, _LEAST_WIDTH = 0.12, 0.46, 4.5
_LETTERS_PER_INCH = 13


@dataclass(frozen=True, slots=True)
class Mistake:
    """A sample: its image (height, width, channels) in [0, 1], its class, the answer, and the answer's score."""

    image: NDArray[np.float32]
    true: str
    answer: str
    score: str


def draw_mistakes(mistakes: Sequence[Mistake], title: str) -> Figure:
    """Return the samples side by side; of two channels the first is shown, of four the first three."""
    height, width, _ = mistakes[0].image.shape
    columns = min(len(mistakes), max(4, math.ceil(math.sqrt(1.5 * len(mistakes)))))
    rows = math.ceil(len(mistakes) / columns)
    tall, wide = (_TILE * side / max(height, width) for side in (height, width))
    wide = max(wide, 0.85 * _TILE)  # room for captions
    letters = round(wide * _LETTERS_PER_INCH)
    with styled():
        across, down = columns * (wide + _GAP) + _GAP, rows * (tall + _CAPTION) + _HEAD
        figure = Figure(figsize=(max(across, _LEAST_WIDTH), down))
        across, down = figure.get_size_inches()
        panels = figure.subplots(
            rows, columns, squeeze=False,
            gridspec_kw={
                "left": _GAP / across, "right": columns * (wide + _GAP) / across, "wspace": _GAP / wide,
                "bottom": 0.04 / down, "top": 1 - (_HEAD + _CAPTION - 0.04) / down, "hspace": _CAPTION / tall,
            },
        )  # fmt: skip
        figure.text(_GAP / across, 1 - 0.08 / down, title, va="top", fontsize=10)
        for place, (text, colour) in enumerate((("true class", COLOURS[0]), ("answer and its score", COLOURS[1]))):
            left = (_GAP + 0.85 * place) / across
            figure.text(left, 1 - 0.29 / down, text, va="top", fontsize=7.5, color=colour)
        for panel in panels.flat:
            panel.set_axis_off()
        for panel, mistake in zip(panels.flat, mistakes, strict=False):
            panel.imshow(_shown(mistake.image), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
            room = letters - len(mistake.score) - 2
            answer = f"{shortened(mistake.answer, max(room, 4))}: {mistake.score}"
            for text, colour, points in (
                (shortened(mistake.true, letters), COLOURS[0], 12),
                (answer, COLOURS[1], 2),
            ):
                panel.annotate(
                    text, (0, 1), (0, points), xycoords="axes fraction", textcoords="offset points",
                    fontsize=7.5, color=colour, va="bottom",
                )  # fmt: skip
    return figure


def _shown(image: NDArray[np.float32]) -> NDArray[np.float32]:
    return image[..., :3] if image.shape[2] >= 3 else image[..., 0]
