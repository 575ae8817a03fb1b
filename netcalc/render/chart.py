"""Curves as braille characters, two dots wide and four high: a chart of a few lines of text."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise

Points = Sequence[tuple[float, float]]
"""(x, y) in rising order of x; a y that is not finite is a gap."""

Cell = tuple[str, int]
"""A character, and the curve that is seen there: its number, or −1 where there is none."""

_DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
"""Bits of the dots of a character, by column and row."""

BLANK = "\u2800"


def braille_chart(
    curves: Sequence[Points], columns: int, rows: int
) -> tuple[list[list[Cell]], float, float] | None:
    """Return rows of cells, and the values at the bottom and the top; None where no value is finite.

    Where curves meet in a cell their dots are joined, and the later curve is seen.
    """
    finite = [(x, y) for points in curves for x, y in points if math.isfinite(y)]
    if not finite:
        return None
    left, right = min(x for x, _ in finite), max(x for x, _ in finite)
    bottom, top = min(y for _, y in finite), max(y for _, y in finite)
    bits = [[0] * columns for _ in range(rows)]
    owners = [[-1] * columns for _ in range(rows)]
    for number, points in enumerate(curves):
        placed = [
            (_scaled(x, left, right, 2 * columns - 1), _scaled(y, top, bottom, 4 * rows - 1))
            if math.isfinite(y)
            else None
            for x, y in points
        ]
        for x, y in _dots(placed):
            bits[y // 4][x // 2] |= _DOTS[x % 2][y % 4]
            owners[y // 4][x // 2] = number
    cells = [
        [(chr(0x2800 + found), owner) for found, owner in zip(*row, strict=True)]
        for row in zip(bits, owners, strict=True)
    ]
    return cells, bottom, top


def _scaled(value: float, first: float, last: float, most: int) -> int:
    """Return a place from 0, of `first`, to `most`, of `last`; the middle where those are the same."""
    if first == last:
        return most // 2
    # Halved, since a difference of two finite values need not be one.
    return round((value / 2 - first / 2) / (last / 2 - first / 2) * most)


def _dots(points: Sequence[tuple[int, int] | None]) -> Iterator[tuple[int, int]]:
    """Yield the dots of a line through points; None parts it."""
    for point in points:
        if point is not None:
            yield point
    for one, other in pairwise(points):
        if one is None or other is None:
            continue
        (x, y), (end_x, end_y) = one, other
        length = max(end_x - x, abs(end_y - y), 1)
        for step in range(1, length):
            yield x + round((end_x - x) * step / length), y + round((end_y - y) * step / length)
