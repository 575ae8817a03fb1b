"""The `budgets:` section: limits that `netcalc check` holds a network to."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import BeforeValidator, Field, WithJsonSchema

from netcalc.choice import Fields
from netcalc.units import parse_count

Count = Annotated[
    int,
    BeforeValidator(parse_count),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string"}]}),
]


class CountBudget(Fields):
    """A limit on a count."""

    principal: ClassVar[str | None] = "max"
    max: Count = Field(description="largest value allowed, such as 62000, 62k or 1.5M")


class Budgets(Fields):
    """Limits on a network's totals."""

    params: CountBudget | None = Field(default=None, description="trainable and frozen parameters")
    macs: CountBudget | None = Field(default=None, description="forward MACs for one sample")
