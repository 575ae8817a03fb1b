"""Pooling: windows that summarise without parameters."""

from __future__ import annotations

import math
from typing import ClassVar

from pydantic import Field

from netcalc.layers.base import (
    Flag,
    Inferred,
    Kernel,
    Layer,
    ShapeError,
    TensorType,
    WindowAxis,
    require_spatial,
)
from netcalc.layers.window import Padding, Rounding, Sizes, windows


class _Pool(Layer):
    """The window of max and average pooling."""

    principal: ClassVar[str | None] = "kernel"

    kernel: Sizes = Field(description="side of the window, or one per spatial axis")
    stride: Sizes | None = Field(default=None, description="step between windows; the kernel by default")
    padding: Padding = Field(default="valid", description="border around the input")
    rounding: Rounding = Field(default="floor", description="whether a last partial window counts")

    def infer(self, *inputs: TensorType) -> Inferred:
        """Output sides by eq. 2; k² operations per output."""
        (x,) = inputs
        require_spatial(x, "pooling")
        window = windows(
            x,
            kernel=self.kernel,
            stride=self.kernel if self.stride is None else self.stride,
            padding=self.padding,
            rounding=self.rounding,
        )
        _check_padding(window)
        output = TensorType((*(axis.output for axis in window), x.channels))
        taps = math.prod(axis.size for axis in window)
        return Inferred(output, kernels=(Kernel("window", flops=output.size * taps),), window=window)


class MaxPool(_Pool):
    """The largest value of each window; padding never wins."""

    kind: ClassVar[str] = "max_pool"


class AvgPool(_Pool):
    """The mean of each window."""

    kind: ClassVar[str] = "avg_pool"

    count_include_pad: Flag = Field(default=True, description="whether padding counts as zeros in the mean")


class GlobalAvgPool(Layer):
    """The mean of each channel over all positions."""

    kind: ClassVar[str] = "global_avg_pool"

    keepdims: Flag = Field(default=False, description="keep the spatial axes with length 1")

    def infer(self, *inputs: TensorType) -> Inferred:
        """One output per channel."""
        (x,) = inputs
        require_spatial(x, "global pooling")
        sides = (1,) * len(x.sides) if self.keepdims else ()
        return Inferred(
            TensorType((*sides, x.channels)),
            kernels=(Kernel("reduce", flops=x.size),),
            window=tuple(WindowAxis(side, 1, side, 1, (0, 0), 1) for side in x.sides),
        )


def _check_padding(window: tuple[WindowAxis, ...]) -> None:
    blind = [axis for axis in window if max(axis.padding) >= axis.extent]
    if blind:
        axis = min(blind, key=lambda axis: axis.extent)
        raise ShapeError(
            "NC105",
            "padding",
            f"`padding` ({max(axis.padding)}) leaves windows of {axis.extent} that see no input",
            help=f"pad by at most {axis.extent - 1}",
        )
