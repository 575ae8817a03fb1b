"""What all pictures share: their style, and files that are the same for the same data.

Figures are made and written without pyplot: no state, no display, no window.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

__all__ = ["COLOURS", "FAINT", "INK", "Figure", "Format", "picture", "shortened", "styled"]

Format = Literal["png", "svg"]

COLOURS: Sequence[str] = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Colours that are told apart with any colour vision (Okabe and Ito 2008); yellow is too faint on white."""

INK, FAINT = "#262626", "#d0d0d0"

_DPI = 150
_STYLE: Any = {
    "axes.axisbelow": True,
    "axes.edgecolor": "#808080",
    "axes.grid": False,
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 10,
    "figure.facecolor": "white",
    "figure.titlesize": 11,
    "font.family": "DejaVu Sans",  # which Matplotlib brings along
    "font.size": 9,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "savefig.dpi": _DPI,
    "svg.hashsalt": "netcalc",
    "text.color": INK,
    "text.parse_math": False,  # a `$` in the name of a class is a dollar
    "xtick.color": INK,
    "ytick.color": INK,
}


@contextmanager
def styled() -> Iterator[None]:
    """Draw and write in the style of all pictures, whatever a matplotlibrc of the user says."""
    # Near the largest of floats, what lies beyond the end of an axis is infinite.
    with mpl.rc_context(), warnings.catch_warnings(), np.errstate(over="ignore"):
        # A letter that the font does not have is drawn as a box.
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)
        yield


def picture(figure: Figure, format: Format) -> bytes:
    """Return a figure as a file: the same figure gives the same bytes with one version of Matplotlib."""
    stream = io.BytesIO()
    metadata = {"Date": None} if format == "svg" else None
    with styled():
        figure.savefig(stream, format=format, backend="svg" if format == "svg" else "agg", metadata=metadata)
    return stream.getvalue()


def shortened(text: str, most: int) -> str:
    """Return a text of at most so many letters, unprintable ones replaced."""
    clean = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
    return clean if len(clean) <= most else clean[: most - 1] + "…"
