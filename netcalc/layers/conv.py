"""Convolution."""

from __future__ import annotations

import math
from typing import ClassVar

from pydantic import Field

from netcalc.layers.base import (
    Flag,
    Inferred,
    Kernel,
    Layer,
    ParamSpec,
    PositiveInt,
    TensorType,
    require_divisor,
    require_spatial,
)
from netcalc.layers.initializer import Initializer, initializer
from netcalc.layers.window import Padding, Sizes, taps_on_input, windows


class Conv(Layer):
    """Convolution over all spatial axes: logical kernel order HWIO, cross-correlation as in XLA."""

    kind: ClassVar[str] = "conv"

    filters: PositiveInt = Field(description="number of output channels K")
    kernel: Sizes = Field(description="side F of the kernel, or one per spatial axis")
    stride: Sizes = Field(default=1, description="step S between windows, or one per spatial axis")
    dilation: Sizes = Field(default=1, description="spacing between taps of the kernel; 1 is dense")
    groups: PositiveInt = Field(default=1, description="channel groups that do not see each other")
    padding: Padding = Field(default="valid", description="zeros around the input")
    bias: Flag = Field(default=True, description="add one trained offset per filter")
    init: Initializer = Field(
        default_factory=lambda: initializer("glorot_normal"), description="how the kernel starts"
    )
    bias_init: Initializer = Field(default_factory=lambda: initializer("zeros"), description="how the bias starts")

    def infer(self, *inputs: TensorType) -> Inferred:
        """Output sides by eq. 2, K·(taps·C/groups + 1) parameters, one MAC per output and tap."""
        (x,) = inputs
        require_spatial(x, "a convolution")
        self._check_groups(x.channels)
        window = windows(x, kernel=self.kernel, stride=self.stride, padding=self.padding, dilation=self.dilation)
        output = TensorType((*(axis.output for axis in window), self.filters))
        sides = tuple(axis.size for axis in window)
        taps = math.prod(sides)
        fan_in = taps * x.channels // self.groups
        params = {
            "kernel": ParamSpec(
                (*sides, x.channels // self.groups, self.filters),
                axes="dhw"[-len(sides) :] + "io",
                role="weight",
                init=self.init,
                fan_in=fan_in,
                fan_out=taps * self.filters // self.groups,
            )
        }
        macs = output.size * fan_in
        on_input = math.prod(map(taps_on_input, window)) * self.filters * x.channels // self.groups
        kernels = [Kernel("conv", macs=macs, padding_macs=macs - on_input)]
        if self.bias:
            params["bias"] = ParamSpec((self.filters,), "o", "bias", self.bias_init, fan_in, self.filters)
            kernels.append(Kernel("elementwise", flops=output.size))
        return Inferred(output, params, kernels=tuple(kernels), window=window)

    def _check_groups(self, channels: int) -> None:
        common = math.gcd(channels, self.filters)
        require_divisor("groups", self.groups, channels, "input channels", common=common)
        require_divisor("groups", self.groups, self.filters, "filters", common=common)
