"""The `budgets:` section: limits that `netcalc check` holds a network to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from netcalc.choice import Fields
from netcalc.layers.base import PositiveInt
from netcalc.spec.training import Precision, Remat
from netcalc.units import parse_bytes, parse_count, parse_percent, parse_seconds

Level = Literal["error", "warn", "off"]
During = Literal["training", "inference"]

MAX_GLOBS = 200
"""Globs of nodes in one set of budgets: each is held against every node."""

_QUANTITY = WithJsonSchema({"anyOf": [{"type": "number", "minimum": 0}, {"type": "string"}]})

Count = Annotated[int, BeforeValidator(parse_count), _QUANTITY]
Size = Annotated[int, BeforeValidator(parse_bytes), _QUANTITY]
Duration = Annotated[float, BeforeValidator(parse_seconds), _QUANTITY]


def _percent(value: str) -> str:
    parse_percent(value)
    return value


Percent = Annotated[str, AfterValidator(_percent), Field(pattern="%$")]
"""A share such as `2%`, as it is written."""


def _or_percent(value: object) -> object:
    return value if isinstance(value, str) and value.rstrip().endswith("%") else parse_bytes(value)


SizeOrPercent = Annotated[int | Percent, BeforeValidator(_or_percent), _QUANTITY]


class Budget(Fields):
    """A limit on a figure."""

    principal: ClassVar[str | None] = "max"

    max_increase: Percent | None = Field(
        default=None, description="how much more than the baseline's is allowed, such as 2%"
    )
    level: Level = Field(default="error", description="what a miss is: error, warn, or off")

    @model_validator(mode="after")
    def _has_limit(self) -> Budget:
        limits = [name for name in type(self).model_fields if name in ("max", "min", "max_increase")]
        if all(getattr(self, name) is None for name in limits):
            raise ValueError(f"needs a limit: {' or '.join(f'`{name}`' for name in limits)}")
        return self


class CountBudget(Budget):
    """A limit on a count."""

    max: Count | None = Field(default=None, description="largest value allowed, such as 62000, 62k or 1.5M")


class SizeBudget(Budget):
    """A limit on a size in bytes."""

    max: Size | None = Field(default=None, description="largest size allowed, such as 100MB or 95.4MiB")


class MemoryBudget(Budget):
    """A limit on memory as `netcalc analyze` estimates it, of the whole step at a batch."""

    max: SizeOrPercent | None = Field(
        default=None, description="largest size allowed, such as 14GB, or a share of the device's memory: 90%"
    )
    device: str | None = Field(default=None, description="a device as `netcalc devices` names it")
    batch: PositiveInt | None = Field(default=None, description="samples in a batch; the spec's by default")
    optimizer: str | None = Field(default=None, description="the spec's by default")
    precision: Precision | None = Field(default=None, description="the spec's by default")
    remat: Remat | None = Field(default=None, description="the spec's by default")
    during: During = Field(default="training", description="a training step, or inference of a batch")

    @model_validator(mode="after")
    def _share_of_a_device(self) -> MemoryBudget:
        if isinstance(self.max, str) and self.device is None:
            raise ValueError("a share of the memory needs a `device`")
        return self


class TimeBudget(Budget):
    """A limit on the least time by the roofline, for a batch."""

    max: Duration | None = Field(default=None, description="longest time allowed, such as 50ms")
    device: str = Field(description="a device as `netcalc devices` names it")
    batch: PositiveInt | None = Field(default=None, description="samples in a batch; the spec's by default")
    precision: Precision | None = Field(default=None, description="the spec's by default")
    during: During = Field(default="training", description="a training step, or inference of a batch")


class ReachBudget(Fields):
    """A limit on the receptive field of the last maps, in positions of the input."""

    principal: ClassVar[str | None] = "min"

    min: PositiveInt = Field(description="smallest side allowed")
    level: Level = Field(default="error", description="what a miss is: error, warn, or off")


class NodeBudgets(Fields):
    """Limits on what the nodes of a glob sum to."""

    params: CountBudget | None = Field(default=None, description="trainable and frozen parameters")
    macs: CountBudget | None = Field(default=None, description="forward MACs for one sample")
    flops: CountBudget | None = Field(default=None, description="forward FLOPs for one sample")
    training_flops: CountBudget | None = Field(
        default=None, description="FLOPs of forward and backward for one sample"
    )
    activation_bytes: SizeBudget | None = Field(
        default=None, description="outputs of nodes for one sample, in float32"
    )

    def items(self) -> Iterator[tuple[str, Any]]:
        """Return the limits that are given, by their figures."""
        return ((name, getattr(self, name)) for name in type(self).model_fields if getattr(self, name) is not None)


class Budgets(NodeBudgets):
    """Limits on a network's totals, and on those of some of its nodes."""

    memory: MemoryBudget | None = Field(default=None, description="memory at a batch, on a device or not")
    time: TimeBudget | None = Field(default=None, description="least time on a device, by the roofline")
    depth: CountBudget | None = Field(
        default=None, description="layers with weights on the longest path from input to output"
    )
    receptive_field: ReachBudget | None = Field(
        default=None, description="receptive field of the last maps before positions are lost"
    )
    file_size: SizeBudget | None = Field(
        default=None, description="the model's file: parameters and state in float32"
    )
    nodes: Annotated[Mapping[str, NodeBudgets], Field(max_length=MAX_GLOBS)] | None = Field(
        default=None, description="limits on the nodes of a glob, such as `stage4.*`"
    )
    baseline: str | None = Field(
        default=None, description="a spec that `max_increase` compares with, relative to this file"
    )

    def limits(self) -> Iterator[tuple[str, str, Any]]:
        """Return every limit on a figure, its scope (a glob of nodes, empty for all) and its figure."""
        for name, value in self.items():
            if isinstance(value, Budget | ReachBudget):
                yield "", name, value
        for scope, budgets in (self.nodes or {}).items():
            for name, value in budgets.items():
                yield scope, name, value


def measured(budget: Budget | ReachBudget) -> tuple[object, ...]:
    """Return what tells how a budget's figure is measured: its fields but for the limits."""
    fields = budget.model_dump(exclude={"max", "min", "max_increase", "level"})
    return tuple(sorted(fields.items()))


def increased(old: float, by: str) -> Fraction:
    """Return the most that is allowed where `old` may grow by a share such as `2%`."""
    return Fraction(old) * (1 + parse_percent(by))
