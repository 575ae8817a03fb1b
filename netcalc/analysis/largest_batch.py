"""The largest batch up to which every batch fits, from a few values of the memory that a batch takes.

Memory grows with the batch but for steps down, where a larger batch is scheduled in another way or packed with
smaller gaps. So the batch below the first that is too large is not found by bisection alone: what lies between two
known batches has to be bounded. While schedule and packing stay the same, the bytes that depend on the batch are a
sum of buffers of x · batch + y bytes with x, y ≥ 0. Such a sum never falls, and per sample it never grows. Where at
most one step lies between two known batches l < h, a batch b between them takes no more than h does, if it stands
behind the step, or than b/l times what l does, if it stands before it. Intervals that this does not clear are
divided. The nearer the limit is, the smaller are the steps that matter and the more of them there are, so known
batches may differ by no larger a part of themselves than is free of the limit.

Two steps in one interval could still hide a batch that is too large, just below the one that is found: memory that
falls by a part of itself has to grow by as much again first. So the batches right below it are tried one by one.
"""

from __future__ import annotations

from collections.abc import Callable

MOST = 2**20
"""The largest batch that is looked for."""

_GROWTH = 16
"""From one first probe to the next."""

_STEP = 20
"""Part of the limit that makes up for any step where it is free: the largest steps of `configs/` are a twentieth of
the memory."""


_TRIED_PART = 32
"""Part of the batch found within which smaller ones are tried: the steps of `configs/` hide at most that."""

_TRIED = 8
"""As many as are tried at least; from twice as many on they lie evenly apart. Steps grow rarer as the batch grows:
they are where the constant parts of two sums of buffers make up for their different growth."""

_TRIED_OF_SMALL = 24
"""As many as are tried below 64: constant parts weigh most there, and one order gives way to another at a batch
that takes a third more than its neighbours."""


def largest_batch(bytes_of: Callable[[int], int], limit_bytes: int, most: int = MOST) -> int:
    """Return the largest batch, at most `most`, such that it and every smaller one takes no more than the limit.

    `bytes_of` gives the bytes of a batch that depend on its size; it is called again for batches that are known
    already, so it should remember. Returns 0 where not even one sample fits.
    """
    if bytes_of(1) > limit_bytes:
        return 0
    below = 1
    while below < most:
        above = min(_GROWTH * below, most)
        too_large = _first_above(bytes_of, limit_bytes, below, above)
        if too_large is not None:
            return _confirmed(bytes_of, limit_bytes, too_large - 1)
        below = above
    return most


def _confirmed(bytes_of: Callable[[int], int], limit: int, found: int) -> int:
    """Return the batch that was found, or a smaller one where one right below it is too large."""
    window = max(found // _TRIED_PART, _TRIED, min(_TRIED_OF_SMALL, 64 * _TRIED_OF_SMALL // max(found, 1)))
    for batch in range(found - 1, max(found - window, 1) - 1, -max(found // _TRIED_PART // _TRIED, 1)):
        if bytes_of(batch) > limit:
            found = batch - 1
    return found


def _first_above(bytes_of: Callable[[int], int], limit: int, low: int, high: int) -> int | None:
    """Return the first batch after `low`, which fits, up to `high` that is above the limit; None for none."""
    ends = [high]
    crossings = 0
    while ends:
        high = ends[-1]
        is_above = bytes_of(high) > limit
        if is_above and high - low == 1:
            return high
        if is_above:
            ends.append(_between(bytes_of, limit, low, high, halve=crossings % 3 == 2))
            crossings += 1
        elif (nearer := _nearer(bytes_of, limit, low, high)) is not None:
            ends.append(nearer)
        else:
            low = ends.pop()
    return None


def _between(bytes_of: Callable[[int], int], limit: int, low: int, high: int, *, halve: bool) -> int:
    """Return a batch near to where the limit between two ends is crossed.

    The line between them leads there in one or two steps as long as memory is close to one. The middle of every
    third interval makes sure that they soon get small in any case.
    """
    if halve:
        return (low + high) // 2
    below, above = bytes_of(low), bytes_of(high)
    return min(max(low + (limit - below) * (high - low) // (above - below), low + 1), high - 1)


def _nearer(bytes_of: Callable[[int], int], limit: int, low: int, high: int) -> int | None:
    """Return a batch to know between two that fit; None where no batch between them can be too large.

    There may be one where the two are too far apart so close to the limit, and where before a step the batch below
    `high` would take more.
    """
    if high - low == 1:
        return None
    free = limit - bytes_of(high)
    if free * _STEP < limit and (high - low) * limit > free * high:
        return max(high - max(free * high // limit, 1), low + 1)
    return (low + high) // 2 if bytes_of(low) * (high - 1) > limit * low else None
