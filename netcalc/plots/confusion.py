"""The confusion matrix: which classes were answered for samples of each class."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray

from netcalc.plots.figure import FAINT, shortened, styled

MOST_CLASSES = 2000
"""Of one picture: with more a cell has less than a pixel."""

_COUNTED = 24
"""Classes up to which cells hold their counts."""
_LABELS = 50
"""Labels along an axis, at most."""
_LABEL_LETTERS = 16


def draw_confusion(counts: NDArray[np.int64], classes: Sequence[str], title: str) -> Figure:
    """Return the matrix of counts (true class, answered class), its rows coloured by shares.

    Colours grow with the square root of the share, so that rare mistakes are seen. A class without samples is grey.
    """
    samples = counts.sum(axis=1, keepdims=True)
    shares = np.where(samples > 0, counts / np.maximum(samples, 1), np.nan)
    number = len(classes)
    side = min(max(0.38 * number, 2.8), 7.5) if number <= 200 else 10.0
    with styled():
        figure = Figure(figsize=(side + 1.9, side + 1.2), layout="constrained")
        panel = figure.subplots()
        colours = mpl.colormaps["Blues"].with_extremes(bad=FAINT)
        drawn = panel.imshow(shares, cmap=colours, norm=PowerNorm(0.5, 0, 1), interpolation="nearest")
        panel.set_title(title, loc="left")
        panel.set_xlabel("answered class")
        panel.set_ylabel("true class")
        _label(panel, classes)
        panel.spines[:].set_visible(True)
        bar = figure.colorbar(
            drawn, ax=panel, shrink=0.8, format=PercentFormatter(1, 0), label="share of the true class"
        )
        bar.set_ticks([0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 1])
        bar.outline.set_visible(False)
        if number <= _COUNTED:
            _write_counts(panel, counts, shares)
    return figure


def _label(panel: Axes, classes: Sequence[str]) -> None:
    """Name every class, or every second, fifth, tenth and so on where there are many."""
    every = next(step for scale in (1, 10, 100, 1000) for step in (scale, 2 * scale, 5 * scale)
                 if len(classes) <= _LABELS * step)  # fmt: skip
    places = range(0, len(classes), every)
    names = [shortened(classes[place], _LABEL_LETTERS) for place in places]
    size = 8 if len(classes) <= 30 else 7
    turned = max(map(len, names)) > 2
    panel.set_xticks(places, names, fontsize=size, rotation=90 if turned else 0)
    panel.set_yticks(places, names, fontsize=size)
    if every == 1:
        panel.tick_params(length=0)


def _write_counts(panel: Axes, counts: NDArray[np.int64], shares: NDArray[np.float64]) -> None:
    longest = len(f"{counts.max():,}")
    size = min(8.0, 26 / max(longest, 2))
    for (row, column), count in np.ndenumerate(counts):
        if count:
            colour = "white" if shares[row, column] > 0.4 else "black"
            panel.text(column, row, f"{count:,}", ha="center", va="center", fontsize=size, color=colour)
