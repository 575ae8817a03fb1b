"""The best record of a training, and whether it still gets better: a fold over its records.

Both follow from the records alone, so that a training that goes on knows them from its file of metrics.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from netcalc.spec.stopping import EarlyStopping, Watched
from netcalc.train.records import EpochRecord


@dataclass(frozen=True, slots=True)
class Watch:
    """What the records so far come to.

    `best` is the first with the best value of its metric, None before there is any value. `level` is the value that
    the next ones have to be better than for training not to end early, and `stale` how many were not.
    """

    choice: Watched
    stopping: EarlyStopping | None = None
    best: EpochRecord | None = None
    level: float | None = None
    stale: int = 0

    @property
    def stops(self) -> bool:
        """Whether patience is at its end."""
        return self.stopping is not None and self.stale >= self.stopping.patience

    def seen(self, record: EpochRecord) -> Watch:
        """Return what it comes to with one record more; a record without the metric says nothing."""
        after = self
        value = value_of(record, self.choice)
        if value is not None and (
            self.best is None or _is_better(value, value_of(self.best, self.choice), self.choice)
        ):
            after = replace(after, best=record)
        if self.stopping is None or (value := value_of(record, self.stopping)) is None:
            return after
        if _is_better(value, self.level, self.stopping, self.stopping.min_delta):
            return replace(after, level=value, stale=0)
        return replace(after, stale=self.stale + 1)


def value_of(record: EpochRecord, watched: Watched) -> float | None:
    """Return the metric of a record, None where it was not measured."""
    return record.metrics.get(watched.metric)


def _is_better(value: float, than: float | None, watched: Watched, by: float = 0.0) -> bool:
    """Tell whether a value is better by more than `by`; one that is not finite is better than none."""
    if not math.isfinite(value):
        return False
    if than is None or not math.isfinite(than):
        return True
    return value > than + by if watched.better == "max" else value < than - by
