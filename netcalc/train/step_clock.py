"""The time of an update, measured without slowing it: the device is waited for a few times a second at most."""

from __future__ import annotations

import math
import statistics
import time
from collections import deque
from collections.abc import Callable

from netcalc.train.metrics import Metrics
from netcalc.train.outcome import Reporter
from netcalc.train.post_mortem import PostMortem
from netcalc.train.records import EpochRecord

WINDOW_SECONDS = 0.25
_WINDOWS = 4096
"""The last ones are kept, so that memory stays flat however long a training is."""


class StepClock:
    """A Reporter that measures and passes on what it sees to another.

    An update is handed to the device before the one before it is done, so only what many of them take together can
    be told. Each window is such a mean, the fetching of batches in it. Left out are windows with an evaluation, and
    the first update of each number of samples, which is compiled.

    A window ends when it is thought to have taken long enough by the device's own time: the host may hand out a
    hundred updates while the device computes one, and then a signal would have to wait for all of them.
    """

    def __init__(self, reporter: Reporter, images_per_epoch: int) -> None:
        self.reporter, self.images_per_epoch = reporter, images_per_epoch
        self.windows: deque[float] = deque(maxlen=_WINDOWS)
        self.began: float | None = None
        self.steps = self.measured_steps = self.done = 0
        self.update_seconds = math.inf  # of the last window; the first one is a single update
        self.compiled: set[int] = set()

    def step(self, epoch: int, done: int, running: Callable[[], Metrics]) -> None:
        """Count an update, and close the window if it is long enough or the epoch is over."""
        samples, self.done = done - self.done, done
        if self.began is None or samples not in self.compiled:
            running()
            self.compiled.add(samples)
            self.began, self.steps = time.perf_counter(), 0
        else:
            self.steps += 1
            seconds = max(time.perf_counter() - self.began, self.steps * self.update_seconds)
            if seconds >= WINDOW_SECONDS or done >= self.images_per_epoch:
                running()
                self._close()
        self.reporter.step(epoch, done, running)

    def epoch(self, record: EpochRecord) -> None:
        """Leave out what was under way: the test split was evaluated meanwhile."""
        self.began = None
        if self.done >= self.images_per_epoch:
            self.done = 0
        self.reporter.epoch(record)

    def returned(self, found: PostMortem | None, count: int) -> None:
        """Leave out what was under way: updates were made again meanwhile."""
        self.began = None
        self.reporter.returned(found, count)

    @property
    def median_seconds(self) -> float | None:
        """The median time of an update, None where too few were made to tell."""
        return statistics.median(self.windows) if self.windows else None

    def _close(self) -> None:
        assert self.began is not None
        now = time.perf_counter()
        self.update_seconds = (now - self.began) / self.steps
        self.windows.append(self.update_seconds)
        self.measured_steps += self.steps
        self.began, self.steps = now, 0
