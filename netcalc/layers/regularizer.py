"""Layers that act in training only."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from netcalc.layers.base import Inferred, Kernel, Layer, TensorType, require_spatial

Rate = Annotated[float, Field(ge=0, lt=1)]
"""A probability to drop; what is kept is divided by one minus it."""


class Dropout(Layer):
    """Drop each unit with probability `rate` and scale the rest by 1 / (1 − rate); identity at inference.

    Srivastava et al. 2014, in the inverted form.
    """

    kind: ClassVar[str] = "dropout"
    principal: ClassVar[str | None] = "rate"

    rate: Rate = Field(default=0.5, description="probability to drop a unit")

    def infer(self, *inputs: TensorType) -> Inferred:
        """Same shape; nothing to do at inference, 2 FLOPs per element in training."""
        (x,) = inputs
        return Inferred(TensorType(x.shape), kernels=_masked(x, self.rate, x.size))


class SpatialDropout(Layer):
    """Drop each whole channel of a sample with probability `rate` and scale the rest; identity at inference.

    Tompson et al. 2015: neighbouring pixels are alike, so that dropping them one by one hides little.
    """

    kind: ClassVar[str] = "spatial_dropout"
    principal: ClassVar[str | None] = "rate"

    rate: Rate = Field(default=0.5, description="probability to drop a channel")

    def infer(self, *inputs: TensorType) -> Inferred:
        """Same shape; nothing to do at inference, 2 FLOPs per element in training."""
        (x,) = inputs
        require_spatial(x, "spatial dropout")
        return Inferred(TensorType(x.shape), kernels=_masked(x, self.rate, x.channels))


class DropPath(Layer):
    """Drop the whole sample with probability `rate` and scale the rest by 1 / (1 − rate); identity at inference.

    Stochastic depth (Huang et al. 2016), one draw per sample: at the end of a residual body it leaves the shortcut
    alone. The paper scales at inference instead of in training, and lets the rate grow with depth.
    """

    kind: ClassVar[str] = "drop_path"
    principal: ClassVar[str | None] = "rate"

    rate: Rate = Field(description="probability to drop a sample")

    def infer(self, *inputs: TensorType) -> Inferred:
        """Same shape; nothing to do at inference, 2 FLOPs per element in training."""
        (x,) = inputs
        return Inferred(TensorType(x.shape), kernels=_masked(x, self.rate, 1))


def _masked(x: TensorType, rate: float, draws: int) -> tuple[Kernel, ...]:
    """Return a kernel that masks and scales each element in training, with so many draws of a byte to keep.

    Drawing the mask is not counted.
    """
    return (Kernel("elementwise", training_flops=2 * x.size, saves="own", saved_bytes=draws),) if rate else ()
