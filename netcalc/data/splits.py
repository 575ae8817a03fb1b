"""Training, validation and test samples: a division that keeps every class in its share, or one at random."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from netcalc.data.samples import Split

_AT_A_TIME = 256
"""Samples whose labels are counted at a time: masks may be decoded for it."""

DEFAULT_SHARES = (0.8, 0.0, 0.2)


def stratified(labels: NDArray[np.int32], shares: Sequence[float], seed: int) -> list[NDArray[np.int64]]:
    """Return the indices of each part, in rising order: a pure function of its arguments.

    Of every class each part gets its share, rounded down or up; what is left over of a class goes to the parts
    that fell short the most so far, so that the parts as a whole keep their shares too.
    """
    total = sum(map(_exact, shares))
    exact = [_exact(share) / total for share in shares]
    parts: list[list[NDArray[np.int64]]] = [[] for _ in shares]
    short = [Fraction(0)] * len(shares)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        members = np.random.Generator(np.random.PCG64([seed, int(label)])).permutation(members)
        due = [share * len(members) for share in exact]
        counts = [int(number) for number in due]
        rounded_down = [part for part, number in enumerate(due) if number > counts[part]]
        short = [lack + number - count for lack, number, count in zip(short, due, counts, strict=True)]
        rounded_down.sort(key=lambda part: -short[part])
        for part in rounded_down[: len(members) - sum(counts)]:
            counts[part] += 1
            short[part] -= 1
        for gathered, chosen in zip(parts, np.split(members, np.cumsum(counts)[:-1]), strict=True):
            gathered.append(chosen)
    return [np.sort(np.concatenate(chosen)) for chosen in parts]


def class_counts(split: Split, classes: int, ignored: int | None = None) -> tuple[int, ...]:
    """Return how many samples of each class there are, of masks how many pixels, without those that are ignored."""
    counts = np.zeros(classes, np.int64)
    for start in range(0, split.samples, _AT_A_TIME):
        labels = np.asarray(split.labels[np.arange(start, min(start + _AT_A_TIME, split.samples))]).ravel()
        counts += np.bincount(labels[labels < classes], minlength=classes)
    if ignored is not None and ignored < classes:
        counts[ignored] = 0
    return tuple(counts.tolist())


def at_random(samples: int, shares: Sequence[float], seed: int) -> list[NDArray[np.int64]]:
    """Return the indices of each part, in rising order, drawn without regard to what samples are."""
    return stratified(np.zeros(samples, np.int32), shares, seed)


def _exact(share: float) -> Fraction:
    """Return the decimal number that was written: 0.1 is a tenth, though the nearest float is not."""
    return Fraction(repr(share))
