"""The `input:` section: shapes and element types of what a network reads."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from netcalc.choice import LIST_AS_TUPLE, Fields
from netcalc.layers.base import PositiveInt


class InputFields(Fields):
    """One input: the shape of a sample, channels last, and its dtype."""

    principal: ClassVar[str | None] = "shape"

    shape: Annotated[
        tuple[PositiveInt, ...],
        LIST_AS_TUPLE,
        Field(min_length=1, max_length=4),
    ] = Field(description="[height, width, channels], [length, channels] or [depth, height, width, channels]")
    dtype: Literal["float32", "uint8"] = Field(default="float32", description="type of the elements")
