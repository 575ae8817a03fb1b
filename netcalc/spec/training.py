"""The `train:` section: data, loss, optimizer, schedule and run length."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, NonNegativeFloat, PositiveFloat, WithJsonSchema, model_validator

from netcalc.choice import LIST_AS_TUPLE, Fields
from netcalc.layers.base import Flag, PositiveInt
from netcalc.spec.augment import Augmentation
from netcalc.spec.data import AnyData
from netcalc.spec.intervals import StepsOrEpochs, StepsOrTime
from netcalc.spec.losses import LossSpec
from netcalc.spec.nonfinite import OnNonfinite
from netcalc.spec.optimizers import OptimizerSpec
from netcalc.spec.schedules import ScheduleSpec
from netcalc.spec.stopping import EarlyStopping, Watched
from netcalc.units import parse_seconds

EPOCHS = 10
"""Passes over the training set where a spec says neither `epochs` nor `steps`."""

Precision = Literal["float32", "bfloat16", "mixed"]
Time = Annotated[
    PositiveFloat,
    BeforeValidator(parse_seconds),
    WithJsonSchema({"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"type": "string"}]}),
]
Remat = Literal["none", "conv_outputs"]


class Clip(Fields):
    """A bound on gradients: on the norm of all of them together, or on each element."""

    norm: PositiveFloat | None = Field(
        default=None,
        description="scale all gradients together where their norm is above this (Pascanu et al. 2013)",
    )
    value: PositiveFloat | None = Field(default=None, description="cut each element to ± this")

    @model_validator(mode="after")
    def _one_bound(self) -> Clip:
        if (self.norm is None) == (self.value is None):
            raise ValueError("give `norm` or `value`, one of them")
        return self


class Regularization(Fields):
    """Terms of the loss that keep parameters small: λ/2 ΣW² and λ/2 Σ|W| (equations 5 and 6 of the notes)."""

    l2: NonNegativeFloat = Field(default=0.0, description="λ of λ/2 ΣW²")
    l1: NonNegativeFloat = Field(default=0.0, description="λ of λ/2 Σ|W|")
    all: Flag = Field(
        default=False,
        description="whether biases, scales, shifts and slopes are in the sums too; else weights alone",
    )


class UpdateSpec(Fields):
    """What one update computes, whatever the data: the loss, the optimizer, and how memory is spent."""

    batch_size: PositiveInt = Field(default=32, description="samples that are on the device together")
    accumulate: PositiveInt = Field(
        default=1, description="batches in one update: their gradients are summed before anything changes"
    )
    loss: LossSpec = Field(
        default_factory=lambda: LossSpec.model_validate("cross_entropy"),
        description="what an update makes smaller, at every output that `losses` does not name",
    )
    losses: dict[str, LossSpec] = Field(
        default_factory=dict,
        description="the losses of outputs by their names, auxiliary heads among them; their sum is made smaller",
    )
    optimizer: OptimizerSpec = Field(
        default_factory=lambda: OptimizerSpec.model_validate("adam"),
        description="how gradients change parameters",
    )
    schedule: ScheduleSpec | None = Field(
        default=None, description="how the learning rate changes as training goes on; constant by default"
    )
    regularization: Regularization | None = Field(
        default=None, description="terms of the loss that keep parameters small; none by default"
    )
    clip: Clip | None = Field(default=None, description="a bound on the gradients, before the optimizer")
    ema: Annotated[float, Field(ge=0, lt=1)] | None = Field(
        default=None,
        description="evaluate a moving average of the parameters that keeps this share of itself an update",
    )
    precision: Precision = Field(
        default="float32",
        description="float32; mixed: layers compute in bfloat16, parameters stay in float32; "
        "bfloat16: parameters too. The optimizer's values are float32 always",
    )
    remat: Remat = Field(
        default="none",
        description="what the backward pass computes anew instead of keeping: none; "
        "conv_outputs: all but the outputs of convolutions, dense and recurrent layers and pools",
    )
    on_nonfinite: OnNonfinite = Field(
        default_factory=lambda: OnNonfinite.model_validate("abort"),
        description="what to do where a loss or a parameter is NaN or infinite",
    )
    seed: Annotated[int, Field(strict=True, ge=0, lt=2**31)] = Field(
        default=0, description="start of every random choice: initial values, data order, dropout"
    )

    def loss_of(self, output: str) -> LossSpec:
        """Return the loss of an output of the network."""
        return self.losses.get(output, self.loss)

    @property
    def accumulates(self) -> bool:
        """Whether an update sums the gradients of several batches: `gd` does, over the whole training set."""
        return self.accumulate > 1 or self.optimizer.kind == "gd"

    @model_validator(mode="after")
    def _gd_takes_all(self) -> UpdateSpec:
        if self.optimizer.kind == "gd" and self.accumulate > 1:
            raise ValueError("`gd` makes an update of the whole training set; leave `accumulate` out")
        return self


class ScheduleSpan(Fields):
    """The updates that the time of a schedule spans, where they are not the whole training."""

    start: Annotated[int, Field(strict=True, ge=0, le=2**31)] = Field(
        default=0, description="updates before the schedule begins"
    )
    steps: PositiveInt = Field(description="updates from its beginning to its end")


class TrainingSpec(UpdateSpec):
    """Everything that `netcalc train` needs beside the network."""

    data: AnyData = Field(description="the data set and its preprocessing")
    augment: Annotated[tuple[Augmentation, ...], LIST_AS_TUPLE] = Field(
        default=(), description="random changes of training images, in order, each drawn anew every time"
    )
    epochs: PositiveInt | None = Field(
        default=None, description=f"passes over the training set; {EPOCHS} by default"
    )
    steps: PositiveInt | None = Field(default=None, description="updates to make, instead of epochs")
    schedule_span: ScheduleSpan | None = Field(
        default=None, description="the updates that the schedule spans; all by default. `--schedule` sets it"
    )
    validate_every: StepsOrEpochs = Field(
        default="1 epoch", description="how often the test split is evaluated, such as 2 epochs or 500 steps"
    )
    best: Watched | None = Field(
        default=None,
        description="what the best checkpoint has: test_accuracy by default, of masks test_mean_iou, of values "
        "test_loss",
    )
    early_stopping: EarlyStopping | None = Field(
        default=None, description="when to end a training that does not get better; never by default"
    )
    max_time: Time | None = Field(
        default=None, description="end after this time, such as 30min or 2h, however many updates are missing"
    )
    checkpoint_every: StepsOrTime | None = Field(
        default=None, description="save within epochs too, such as 500 steps or 10min; at their ends by default"
    )
    keep_checkpoints: PositiveInt = Field(
        default=2, description="how many of the last checkpoints stay, beside the best one"
    )

    @model_validator(mode="after")
    def _one_length(self) -> TrainingSpec:
        if self.epochs is not None and self.steps is not None:
            raise ValueError("give `epochs` or `steps`, not both")
        return self

    def samples_per_update(self, samples: int) -> int:
        """Return how many of so many training samples one update has, at most; `gd` has them all."""
        return samples if self.optimizer.kind == "gd" else self.batch_size * self.accumulate

    def steps_per_epoch(self, samples: int) -> int:
        """Return the updates of one pass over so many training samples."""
        return -(-samples // self.samples_per_update(samples))
