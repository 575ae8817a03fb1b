"""Normalisation."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field, PositiveFloat

from netcalc.layers.base import Flag, Inferred, Kernel, Layer, ParamSpec, StateSpec, TensorType
from netcalc.layers.initializer import initializer


class BatchNorm(Layer):
    """Batch normalisation (Ioffe & Szegedy 2015) of each channel over batch and positions.

    Biased variance in training and in the running average; `momentum` is the decay of that average.
    """

    kind: ClassVar[str] = "batch_norm"

    momentum: Annotated[float, Field(ge=0, le=1)] = Field(
        default=0.9, description="share of the running average that a step keeps"
    )
    epsilon: PositiveFloat = Field(default=1e-5, description="added to the variance")
    scale: Flag = Field(default=True, description="multiply by a trained γ per channel")
    shift: Flag = Field(default=True, description="add a trained β per channel")

    def infer(self, *inputs: TensorType) -> Inferred:
        """Scale and shift are parameters, mean and variance state; 2 FLOPs per element at inference."""
        (x,) = inputs
        channels = (x.channels,)
        params = {}
        if self.scale:
            params["scale"] = ParamSpec(channels, "o", "scale", initializer("ones"))
        if self.shift:
            params["bias"] = ParamSpec(channels, "o", "bias", initializer("zeros"))
        state = {"mean": StateSpec(channels, 0.0), "variance": StateSpec(channels, 1.0)}
        return Inferred(TensorType(x.shape), params, state, kernels=(Kernel("elementwise", flops=2 * x.size),))
