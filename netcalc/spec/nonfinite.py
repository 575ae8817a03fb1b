"""What a training does where a loss or a parameter is not finite."""

from __future__ import annotations

from pydantic import Field

from netcalc.choice import Fields, OneOf
from netcalc.layers.base import PositiveInt


class Abort(Fields):
    """The end of the training, explained."""


class Skip(Fields):
    """Every update waits until its loss and gradients are known to be finite; one that is not changes nothing."""


class Rollback(Fields):
    """The return to the state before an update that is not finite, which is then left out."""

    limit: PositiveInt = Field(
        default=3, description="updates that are left out before the training ends after all"
    )
    every: PositiveInt = Field(
        default=100,
        description="updates after which the state to return to is another; about as many are made again, at most",
    )


class OnNonfinite(OneOf):
    """What to do, with its fields."""

    abort: Abort | None = Field(default=None, description="end and explain")
    skip: Skip | None = Field(
        default=None,
        description="leave out updates whose loss or gradients are not finite, for which all gradients wait",
    )
    rollback: Rollback | None = Field(
        default=None,
        description="return to a copy of the last good state, make what came after it again, and leave out the "
        "update that is not finite",
    )
