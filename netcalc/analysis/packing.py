"""How many bytes an arena takes that holds buffers which are alive at different times.

XLA lays buffers out before a step runs: the largest first, each into the smallest gap that is free for as long as
it lives (best fit by decreasing size); and again with those that live longest first. It keeps the smaller layout.
What the gaps waste is part of what the step needs.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Interval(NamedTuple):
    """A buffer of so many bytes, alive from one operation to another, both included."""

    start: int
    end: int
    bytes: int


def arena_bytes(intervals: Iterable[Interval], least_bytes: int = 0) -> int:
    """Return the size of the arena: the smaller of two layouts, by decreasing size and by decreasing lifetime.

    `least_bytes` is a size that no layout can go below, where it is known: a layout of that size is the last one.
    """
    found = list(intervals)
    by_size = _best_fit(sorted(found, key=lambda i: (-i.bytes, i.start - i.end, i.start)))
    if by_size <= least_bytes:
        return by_size
    return min(by_size, _best_fit(sorted(found, key=lambda i: (i.start - i.end, -i.bytes, i.start))))


def _best_fit(order: Sequence[Interval]) -> int:
    """Return the size of the arena with intervals laid out in order, each into the smallest gap that is free."""
    placed: list[tuple[int, int, int, int]] = []  # offset, end of it, first and last operation; by offset
    top = 0
    for start, end, size in order:
        best, smallest, free_from = -1, 0, 0
        for offset, stop, first, last in placed:
            if first > end or last < start:
                continue
            gap = offset - free_from
            if gap >= size and (best < 0 or gap < smallest):
                best, smallest = free_from, gap
            if stop > free_from:
                free_from = stop
        if best < 0:
            best = free_from
        entry = (best, best + size, start, end)
        placed.insert(bisect_left(placed, entry), entry)
        top = max(top, best + size)
    return top
