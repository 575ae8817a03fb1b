"""Layers that act in training only."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from netcalc.layers.base import Inferred, Layer, TensorType


class Dropout(Layer):
    """Drop each unit with probability `rate` and scale the rest by 1 / (1 − rate); identity at inference.

    Srivastava et al. 2014, in the inverted form.
    """

    kind: ClassVar[str] = "dropout"
    principal: ClassVar[str | None] = "rate"

    rate: Annotated[float, Field(ge=0, lt=1)] = Field(default=0.5, description="probability to drop a unit")

    def infer(self, *inputs: TensorType) -> Inferred:
        """Same shape, nothing to do at inference."""
        (x,) = inputs
        return Inferred(TensorType(x.shape))
