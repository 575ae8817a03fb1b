"""Which checkpoint is the best one, and when a training has gone on for long enough."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, NonNegativeFloat

from netcalc.choice import Fields
from netcalc.layers.base import PositiveInt
from netcalc.spec.metrics import METRICS, Metric, Mode, measure_of

_NAMES = f"{', '.join(METRICS[:-1])} or {METRICS[-1]}"


class Watched(Fields):
    """A metric, and which of its values are better."""

    principal: ClassVar[str | None] = "metric"

    metric: Metric = Field(default="test_accuracy", description=_NAMES)
    mode: Mode | None = Field(
        default=None,
        description="whether max or min is better; by default max of a share, min of a loss or an error",
    )

    @property
    def better(self) -> Mode:
        """Whether the largest value is the best, or the smallest."""
        return self.mode or measure_of(self.metric).better


class EarlyStopping(Watched):
    """The end of a training that does not get better."""

    metric: Metric = Field(default="test_loss", description=_NAMES)
    patience: PositiveInt = Field(default=5, description="values in a row that are not better before training ends")
    min_delta: NonNegativeFloat = Field(default=0.0, description="by how much a value has to be better to count")
