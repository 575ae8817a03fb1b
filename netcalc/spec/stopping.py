"""Which checkpoint is the best one, and when a training has gone on for long enough."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal, get_args

from pydantic import Field, NonNegativeFloat

from netcalc.choice import Fields
from netcalc.layers.base import PositiveInt

Metric = Literal[
    "test_accuracy", "test_loss", "train_accuracy", "train_loss", "validation_accuracy", "validation_loss"
]
Mode = Literal["max", "min"]

METRICS: tuple[Metric, ...] = get_args(Metric)
"""What is recorded of a model, by the names in a run's metrics."""

BETTER: Mapping[Metric, Mode] = {name: "min" if name.endswith("loss") else "max" for name in METRICS}
"""Whether the largest value of a metric is the best, or the smallest."""


class Watched(Fields):
    """A metric, and which of its values are better."""

    principal: ClassVar[str | None] = "metric"

    metric: Metric = Field(default="test_accuracy", description=f"{', '.join(METRICS[:-1])} or {METRICS[-1]}")
    mode: Mode | None = Field(
        default=None, description="whether max or min is better; by default max of an accuracy, min of a loss"
    )

    @property
    def better(self) -> Mode:
        """Whether the largest value is the best, or the smallest."""
        return self.mode or BETTER[self.metric]


class EarlyStopping(Watched):
    """The end of a training that does not get better."""

    metric: Metric = Field(default="test_loss", description=f"{', '.join(METRICS[:-1])} or {METRICS[-1]}")
    patience: PositiveInt = Field(default=5, description="values in a row that are not better before training ends")
    min_delta: NonNegativeFloat = Field(default=0.0, description="by how much a value has to be better to count")
