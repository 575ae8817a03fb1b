"""Normalisation.

FLOPs per element: a sum, a square and a sum of squares for statistics of the input itself; a multiply and an add to
apply them, γ and β folded in where both are the same for all positions of a channel. The root and the
divisions that a statistic takes are not counted.
"""

from __future__ import annotations

import math
from typing import Annotated, ClassVar, Literal

from pydantic import Field, PositiveFloat

from netcalc.layers.base import (
    Flag,
    Inferred,
    Kernel,
    Layer,
    ParamSpec,
    PositiveInt,
    StateSpec,
    TensorType,
    require_divisor,
    require_spatial,
)
from netcalc.layers.initializer import initializer

_STATISTICS = 3  # sum, square, sum of squares
_APPLICATION = 2  # multiply, add


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
        """Scale and shift are parameters, mean and variance state; 2 FLOPs per element, 5 in training."""
        (x,) = inputs
        channels = (x.channels,)
        state = {"mean": StateSpec(channels, 0.0), "variance": StateSpec(channels, 1.0)}
        return Inferred(
            TensorType(x.shape),
            _scale_and_shift(channels, "o", self.scale, self.shift),
            state,
            kernels=(
                Kernel(
                    "elementwise",
                    flops=_APPLICATION * x.size,
                    training_flops=(_STATISTICS + _APPLICATION) * x.size,
                    saves="input",
                    batch_statistics=2 * x.channels,
                ),
            ),
        )


class LayerNorm(Layer):
    """Layer normalisation (Ba et al. 2016) of each sample: over the channels at each position, or over everything.

    Biased variance. `axes: channels` is the form of Transformers and ConvNeXt, with γ and β per channel. `all` is
    the paper's, and torch's over a whole map, with γ and β per element. With statistics over everything but γ and β
    per channel it is `group_norm: 1`.
    """

    kind: ClassVar[str] = "layer_norm"

    axes: Literal["channels", "all"] = Field(
        default="channels", description="what mean and variance are taken over: the channels, or all axes"
    )
    epsilon: PositiveFloat = Field(default=1e-5, description="added to the variance")
    scale: Flag = Field(default=True, description="multiply by a trained γ per channel, or per element")
    shift: Flag = Field(default=True, description="add a trained β per channel, or per element")

    def infer(self, *inputs: TensorType) -> Inferred:
        """5 FLOPs per element, and one for each of γ and β."""
        (x,) = inputs
        shape = (x.channels,) if self.axes == "channels" else x.shape
        layout = "dhw"[4 - len(shape) :] + "o"
        flops = _STATISTICS + _APPLICATION + self.scale + self.shift
        return Inferred(
            TensorType(x.shape),
            _scale_and_shift(shape, layout, self.scale, self.shift),
            kernels=(
                Kernel("reduce", flops=flops * x.size, saves="input", statistics=2 * (x.size // math.prod(shape))),
            ),
        )


class GroupNorm(Layer):
    """Group normalisation (Wu & He 2018) of each sample over positions and a group of consecutive channels.

    Biased variance; γ and β are per channel. One group normalises over everything, as many groups as channels are
    `instance_norm`.
    """

    kind: ClassVar[str] = "group_norm"
    principal: ClassVar[str | None] = "groups"

    groups: PositiveInt = Field(default=32, description="number of groups that share a mean and a variance")
    epsilon: PositiveFloat = Field(default=1e-5, description="added to the variance")
    scale: Flag = Field(default=True, description="multiply by a trained γ per channel")
    shift: Flag = Field(default=True, description="add a trained β per channel")

    def infer(self, *inputs: TensorType) -> Inferred:
        """5 FLOPs per element."""
        (x,) = inputs
        require_divisor("groups", self.groups, (x.channels, "input channels"))
        return Inferred(
            TensorType(x.shape),
            _scale_and_shift((x.channels,), "o", self.scale, self.shift),
            kernels=(_by_sample(x, 2 * self.groups),),
        )


class InstanceNorm(Layer):
    """Instance normalisation (Ulyanov et al. 2016) of each channel of each sample over its positions.

    Biased variance, the sample's own in training and at inference. As in torch, γ and β are off unless asked for.
    """

    kind: ClassVar[str] = "instance_norm"

    epsilon: PositiveFloat = Field(default=1e-5, description="added to the variance")
    scale: Flag = Field(default=False, description="multiply by a trained γ per channel")
    shift: Flag = Field(default=False, description="add a trained β per channel")

    def infer(self, *inputs: TensorType) -> Inferred:
        """5 FLOPs per element."""
        (x,) = inputs
        require_spatial(x, "instance normalisation")
        return Inferred(
            TensorType(x.shape),
            _scale_and_shift((x.channels,), "o", self.scale, self.shift),
            kernels=(_by_sample(x, 2 * x.channels),),
        )


class RmsNorm(Layer):
    """x / √(mean of x² + ε) · γ over the channels at each position (Zhang & Sennrich 2019): no mean, no shift."""

    kind: ClassVar[str] = "rms_norm"

    epsilon: PositiveFloat = Field(default=1e-5, description="added to the mean square")
    scale: Flag = Field(default=True, description="multiply by a trained γ per channel")

    def infer(self, *inputs: TensorType) -> Inferred:
        """Square, sum, multiply: 3 FLOPs per element, and one for γ."""
        (x,) = inputs
        return Inferred(
            TensorType(x.shape),
            _scale_and_shift((x.channels,), "o", self.scale, False),
            kernels=(
                Kernel("reduce", flops=(3 + self.scale) * x.size, saves="input", statistics=x.size // x.channels),
            ),
        )


class LocalResponseNorm(Layer):
    """x_i / (k + α Σ x_j²)^β over n neighbouring channels at each position (Krizhevsky et al. 2012, section 3.3).

    The window of channel i runs from i − ⌊n/2⌋ to i + ⌊(n − 1)/2⌋, cut where the channels end. torch and Caffe
    divide α by n: their `alpha` is n times this one.
    """

    kind: ClassVar[str] = "local_response_norm"
    principal: ClassVar[str | None] = "size"

    size: PositiveInt = Field(
        default=5, description="number n of neighbouring channels, the channel itself included"
    )
    alpha: PositiveFloat = Field(default=1e-4, description="factor α of the sum of squares, not divided by n")
    beta: PositiveFloat = Field(default=0.75, description="exponent β")
    k: PositiveFloat = Field(default=2.0, description="offset k of the sum")

    def infer(self, *inputs: TensorType) -> Inferred:
        """n + 5 FLOPs per element: square, window, factor, offset, power (a transcendental), product."""
        (x,) = inputs
        kernels = (
            Kernel("window", flops=self.size * x.size, saves="input"),
            Kernel("elementwise", flops=5 * x.size, transcendentals=x.size, saves="input"),
        )
        return Inferred(TensorType(x.shape), kernels=kernels)


def _by_sample(x: TensorType, statistics: int) -> Kernel:
    """Return the kernel of a norm that takes its mean and variance of each sample alone."""
    return Kernel("reduce", flops=(_STATISTICS + _APPLICATION) * x.size, saves="input", statistics=statistics)


def _scale_and_shift(shape: tuple[int, ...], axes: str, scale: bool, shift: bool) -> dict[str, ParamSpec]:
    params = {}
    if scale:
        params["scale"] = ParamSpec(shape, axes, "scale", initializer("ones"))
    if shift:
        params["bias"] = ParamSpec(shape, axes, "bias", initializer("zeros"))
    return params
