"""Schedules: by what factor the learning rate is multiplied as training goes on.

A linear warm-up can stand in front of any. What a schedule says of time counts from the end of the warm-up, and its
end is the end of training.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated

from pydantic import Field, NonNegativeFloat, PositiveFloat, model_validator

from netcalc.choice import LIST_AS_TUPLE, Fields, OneOf
from netcalc.layers.base import PositiveInt

Factor = Annotated[float, Field(gt=0, le=1)]
Fraction = Annotated[float, Field(ge=0, le=1)]

_END = "share of the learning rate at the end"


class Schedule(Fields):
    """What every schedule has: a warm-up, whose t-th of W updates has the rate α·t/W."""

    warmup_epochs: NonNegativeFloat | None = Field(
        default=None, description="epochs in which the rate rises linearly, before anything else"
    )
    warmup_steps: Annotated[int, Field(strict=True, ge=0, le=2**31)] | None = Field(
        default=None, description="the same in updates"
    )

    @model_validator(mode="after")
    def _one_warmup(self) -> Schedule:
        _at_most_one(self, "warmup_epochs", "warmup_steps")
        return self


class Constant(Schedule):
    """The rate as it is."""


class _Periodic(Schedule):
    """A schedule with a period, in epochs or in updates."""

    every_epochs: PositiveFloat | None = Field(default=None, description="length of a period in epochs")
    every_steps: PositiveInt | None = Field(default=None, description="the same in updates")

    @model_validator(mode="after")
    def _one_period(self) -> _Periodic:
        _exactly_one(self, "every_epochs", "every_steps")
        return self


class Step(_Periodic):
    """α·f^⌊t/s⌋ after t updates, with a period of s."""

    factor: Factor = Field(default=0.1, description="factor f at the end of each period")


class Multistep(Schedule):
    """α·f^n once n milestones are reached."""

    epochs: Annotated[tuple[PositiveFloat, ...], LIST_AS_TUPLE] | None = Field(
        default=None, description="milestones in epochs"
    )
    steps: Annotated[tuple[PositiveInt, ...], LIST_AS_TUPLE] | None = Field(
        default=None, description="the same in updates"
    )
    factor: Factor = Field(default=0.1, description="factor f at each milestone")

    @model_validator(mode="after")
    def _in_order(self) -> Multistep:
        _exactly_one(self, "epochs", "steps")
        milestones = self.epochs if self.epochs is not None else self.steps
        if not milestones or any(a >= b for a, b in pairwise(milestones)):
            raise ValueError("milestones should be in rising order, at least one")
        return self


class Exponential(_Periodic):
    """α·f^(t/s) after t updates, with a period of s."""

    factor: Factor = Field(default=0.95, description="factor f of each period")


class Inverse(Schedule):
    """α·(1 + γt)^−p after t updates (Caffe's `inv`)."""

    gamma: PositiveFloat = Field(default=1e-4, description="γ, of one update")
    power: PositiveFloat = Field(default=0.75, description="exponent p")


class Polynomial(Schedule):
    """α·(e + (1−e)(1 − t/T)^p) after t of T updates."""

    power: PositiveFloat = Field(default=1.0, description="exponent p; 1 is a straight line")
    end: Fraction = Field(default=0.0, description=_END)


class Sigmoid(Schedule):
    """α/(1 + exp(γ(t − c))) after t updates: Caffe's, whose γ has the other sign."""

    gamma: PositiveFloat = Field(default=0.01, description="steepness γ, of one update")
    center_epochs: PositiveFloat | None = Field(default=None, description="where c the rate is halved, in epochs")
    center_steps: PositiveInt | None = Field(default=None, description="the same in updates")

    @model_validator(mode="after")
    def _one_center(self) -> Sigmoid:
        _exactly_one(self, "center_epochs", "center_steps")
        return self


class Cosine(Schedule):
    """α·(e + (1−e)(1 + cos(πt/T))/2) after t of T updates (Loshchilov & Hutter 2017, without restarts)."""

    end: Fraction = Field(default=0.0, description=_END)


class OneCycle(Schedule):
    """Up to α and down again, each by half a cosine (Smith & Topin 2018); momentum stays as it is."""

    start: Fraction = Field(default=0.04, description="share of the learning rate at the start")
    end: Fraction = Field(default=4e-6, description=_END)
    peak: Annotated[float, Field(gt=0, lt=1)] = Field(default=0.3, description="when α is reached, as a share of T")


class Sgdr(_Periodic):
    """Half a cosine from α down, again and again, each longer than the one before (Loshchilov & Hutter 2017)."""

    growth: Annotated[int, Field(strict=True, ge=1, le=16)] = Field(
        default=2, description="length of a period over that of the one before"
    )
    end: Fraction = Field(default=0.0, description="share of the learning rate at the end of a period")


class WarmupStableDecay(Schedule):
    """α until the last share d of training, then a straight line down (Hu et al. 2024)."""

    decay: Annotated[float, Field(gt=0, le=1)] = Field(default=0.2, description="share d of training that decays")
    end: Fraction = Field(default=0.0, description=_END)


class Plateau(Schedule):
    """α·f after each time that the mean training loss of an epoch did not fall for so many epochs."""

    factor: Annotated[float, Field(gt=0, lt=1)] = Field(default=0.1, description="factor f")
    patience: PositiveInt = Field(default=10, description="epochs without a lower loss before the rate falls")
    threshold: Annotated[float, Field(gt=0, lt=1)] = Field(
        default=1e-4, description="by what share the loss has to fall to be lower"
    )
    cooldown: Annotated[int, Field(strict=True, ge=0, le=2**31)] = Field(
        default=0, description="epochs after a fall in which none are counted"
    )
    end: Fraction = Field(default=0.0, description="share of the learning rate below which it does not fall")


class ScheduleSpec(OneOf):
    """Which schedule, with its fields."""

    constant: Constant | None = Field(default=None, description="no change, but for a warm-up")
    step: Step | None = Field(default=None, description="a factor every so often")
    multistep: Multistep | None = Field(default=None, description="a factor at each milestone")
    exponential: Exponential | None = Field(default=None, description="exponential decay")
    inverse: Inverse | None = Field(default=None, description="decay by a power of time (Caffe's `inv`)")
    polynomial: Polynomial | None = Field(default=None, description="down to the end of training by a power")
    sigmoid: Sigmoid | None = Field(default=None, description="down by a logistic curve (Caffe's `sigmoid`)")
    cosine: Cosine | None = Field(default=None, description="half a cosine down to the end of training")
    one_cycle: OneCycle | None = Field(default=None, description="up and down once")
    sgdr: Sgdr | None = Field(default=None, description="half cosines with warm restarts")
    warmup_stable_decay: WarmupStableDecay | None = Field(
        default=None, description="constant, then down to the end of training"
    )
    plateau: Plateau | None = Field(default=None, description="down where the training loss stops falling")


FOLLOWS_LENGTH = (Polynomial, Cosine, OneCycle, WarmupStableDecay)
"""Schedules whose rates change with the length of the training."""


def _at_most_one(fields: Fields, *names: str) -> None:
    given = [name for name in names if getattr(fields, name) is not None]
    if len(given) > 1:
        raise ValueError(f"give {' or '.join(f'`{name}`' for name in names)}, not both")


def _exactly_one(fields: Fields, *names: str) -> None:
    _at_most_one(fields, *names)
    if all(getattr(fields, name) is None for name in names):
        raise ValueError(f"give {' or '.join(f'`{name}`' for name in names)}")
