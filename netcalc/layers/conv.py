"""Convolution: dense over channels, one channel at a time, and transposed."""

from __future__ import annotations

import math
from typing import ClassVar, Literal

from pydantic import Field

from netcalc.layers.base import (
    Flag,
    Inferred,
    Kernel,
    Layer,
    ParamSpec,
    PositiveInt,
    TensorType,
    WindowAxis,
    require_divisor,
    require_spatial,
)
from netcalc.layers.initializer import Initializer, initializer
from netcalc.layers.window import Padding, Pixels, Sizes, taps_on_input, transposed_windows, windows


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
        require_divisor("groups", self.groups, (x.channels, "input channels"), (self.filters, "filters"))
        window = windows(x, kernel=self.kernel, stride=self.stride, padding=self.padding, dilation=self.dilation)
        sides = tuple(axis.output for axis in window)
        return _facts(
            self,
            TensorType((*sides, self.filters)),
            tuple(axis.size for axis in window),
            reads=x.channels // self.groups,
            groups=self.groups,
            positions=math.prod(sides),
            taps_inside=math.prod(map(taps_on_input, window)),
            window=window,
        )


class DepthwiseConv(Layer):
    """Convolution of each channel on its own (Chollet 2017, Howard et al. 2017).

    `multiplier` M filters a channel: output channel c · M + m is filter m of input channel c. The kernel is stored
    in the HWIO order of a convolution with as many groups as channels, (kh, kw, 1, C · M).
    """

    kind: ClassVar[str] = "depthwise_conv"
    principal: ClassVar[str | None] = "kernel"

    kernel: Sizes = Field(description="side F of the kernel, or one per spatial axis")
    stride: Sizes = Field(default=1, description="step S between windows, or one per spatial axis")
    dilation: Sizes = Field(default=1, description="spacing between taps of the kernel; 1 is dense")
    padding: Padding = Field(default="valid", description="zeros around the input")
    multiplier: PositiveInt = Field(default=1, description="filters per input channel")
    bias: Flag = Field(default=True, description="add one trained offset per filter")
    init: Initializer = Field(
        default_factory=lambda: initializer("glorot_normal"), description="how the kernel starts"
    )
    bias_init: Initializer = Field(default_factory=lambda: initializer("zeros"), description="how the bias starts")

    def infer(self, *inputs: TensorType) -> Inferred:
        """Output sides by eq. 2, C·M·(taps + 1) parameters, one MAC per output and tap."""
        (x,) = inputs
        require_spatial(x, "a convolution")
        window = windows(x, kernel=self.kernel, stride=self.stride, padding=self.padding, dilation=self.dilation)
        sides = tuple(axis.output for axis in window)
        return _facts(
            self,
            TensorType((*sides, x.channels * self.multiplier)),
            tuple(axis.size for axis in window),
            reads=1,
            groups=x.channels,
            positions=math.prod(sides),
            taps_inside=math.prod(map(taps_on_input, window)),
            window=window,
        )


class ConvTranspose(Layer):
    """Transposed convolution (Zeiler et al. 2010): each input lays its multiple of the kernel on the output.

    The input gradient of a convolution as a layer: `padding` is what that convolution would pad, and is cut from
    the output here, as in PyTorch. The kernel is stored in the order of the forward map, (kh, kw, C / groups,
    filters), tap (0, 0) being the first that an input reaches.
    """

    kind: ClassVar[str] = "conv_transpose"

    filters: PositiveInt = Field(description="number of output channels K")
    kernel: Sizes = Field(description="side F of the kernel, or one per spatial axis")
    stride: Sizes = Field(
        default=1, description="step S between the kernels of neighbouring inputs, or one per spatial axis"
    )
    dilation: Sizes = Field(default=1, description="spacing between taps of the kernel; 1 is dense")
    groups: PositiveInt = Field(default=1, description="channel groups that do not see each other")
    padding: Padding = Field(
        default="valid", description="what the matching convolution would pad, cut from the output"
    )
    output_padding: Pixels = Field(
        default=0, description="elements to add at the end of each axis, below stride or dilation"
    )
    bias: Flag = Field(default=True, description="add one trained offset per filter")
    init: Initializer = Field(
        default_factory=lambda: initializer("glorot_normal"), description="how the kernel starts"
    )
    bias_init: Initializer = Field(default_factory=lambda: initializer("zeros"), description="how the bias starts")

    def infer(self, *inputs: TensorType) -> Inferred:
        """L = (N − 1)·S − P + E + output_padding, K·(taps·C/groups + 1) parameters, one MAC per input and tap.

        `window` stays unknown: it would need a stride below 1.
        """
        (x,) = inputs
        require_spatial(x, "a transposed convolution")
        require_divisor("groups", self.groups, (x.channels, "input channels"), (self.filters, "filters"))
        axes = transposed_windows(
            x,
            kernel=self.kernel,
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            output_padding=self.output_padding,
        )
        return _facts(
            self,
            TensorType((*(axis.output for axis in axes), self.filters)),
            tuple(axis.size for axis in axes),
            reads=x.channels // self.groups,
            groups=self.groups,
            positions=math.prod(x.sides),
            taps_inside=math.prod(taps_on_input(axis.matching) for axis in axes),
            reach="unknown",
        )


def _facts(
    layer: Conv | DepthwiseConv | ConvTranspose,
    output: TensorType,
    sides: tuple[int, ...],
    *,
    reads: int,
    groups: int,
    positions: int,
    taps_inside: int,
    window: tuple[WindowAxis, ...] = (),
    reach: Literal["window", "unknown"] = "window",
) -> Inferred:
    """Return the facts of a kernel of these sides in HWIO order that reads so many channels in each group.

    `positions` is how often each tap multiplies: where the kernel stands on the input, or, transposed, the inputs;
    `taps_inside` how many taps all positions together have on the input, or, transposed, on the output.
    """
    taps, filters = math.prod(sides), output.channels
    params = {
        "kernel": ParamSpec(
            (*sides, reads, filters),
            axes="dhw"[-len(sides) :] + "io",
            role="weight",
            init=layer.init,
            fan_in=taps * reads,
            fan_out=taps * filters // groups,
        )
    }
    macs = positions * taps * reads * filters
    kernels = [Kernel("conv", macs=macs, padding_macs=macs - taps_inside * reads * filters, groups=groups)]
    if layer.bias:
        params["bias"] = ParamSpec((filters,), "o", "bias", layer.bias_init, taps * reads, filters)
        kernels.append(Kernel("elementwise", flops=output.size))
    return Inferred(output, params, kernels=tuple(kernels), window=window, reach=reach)
