"""What a training tells others: as it goes on, when it has ended, and when it cannot go on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from netcalc.train.metrics import Metrics
from netcalc.train.post_mortem import PostMortem
from netcalc.train.records import EpochRecord

Ending = Literal["complete", "early_stopping", "max_time", "interrupted"]


class Reporter(Protocol):
    """Who watches a training. `running` reads the epoch's means so far; it waits for the device."""

    def step(self, epoch: int, done: int, running: Callable[[], Metrics]) -> None:
        """`done` samples of this epoch have been handed to the device."""
        ...

    def epoch(self, record: EpochRecord) -> None:
        """An epoch is over, or the test split was evaluated within one."""
        ...

    def returned(self, found: PostMortem | None, count: int) -> None:
        """An update was not finite and is left out, the `count`-th of the training; None: made again, all are."""
        ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a training ended: after how many updates and why, with its last and its best record.

    `signal` is what cut it short, None where nothing did; then `last` may be of an earlier update than `step`.
    `left_out` are the numbers of updates that a rollback left out, those of earlier sessions too.
    """

    step: int
    last: EpochRecord
    best: EpochRecord
    ending: Ending
    signal: int | None = None
    seconds: float = 0.0
    left_out: tuple[int, ...] = ()


class DivergedError(Exception):
    """A training that is not finite any more: what the post-mortem found, and the last good checkpoint's step.

    `left_out` are the numbers of the updates that were left out before, as many as the limit allows.
    """

    def __init__(self, found: PostMortem | None, saved_step: int, left_out: tuple[int, ...] = ()) -> None:
        super().__init__("the training is not finite")
        self.found, self.saved_step, self.left_out = found, saved_step, left_out
