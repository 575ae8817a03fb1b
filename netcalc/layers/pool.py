"""Pooling: windows that summarise without parameters."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Annotated, ClassVar

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
from netcalc.layers.window import Padding, Rounding, Sizes, per_axis, windows

INDEXED_TAPS = 256
"""Taps of a window that one byte can tell apart."""


class _Pool(Layer):
    """A window that slides over the input."""

    principal: ClassVar[str | None] = "kernel"

    kernel: Sizes = Field(description="side of the window, or one per spatial axis")
    stride: Sizes | None = Field(default=None, description="step between windows; the kernel by default")
    padding: Padding = Field(default="valid", description="border around the input")
    rounding: Rounding = Field(default="floor", description="whether a last partial window counts")

    selects: ClassVar[bool] = True
    """Whether training takes one element of a window, so that its gradient goes to that one alone."""

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
        backward = output.size if self.selects else None
        saved = self.saved_bytes(output, taps)
        kernel = Kernel(
            "window",
            flops=output.size * taps,
            backward_flops=backward,
            saves="nothing" if saved == 0 else "own" if saved is not None else "input",
            saved_bytes=saved or 0,
        )
        return Inferred(output, kernels=(kernel,), window=window)

    def saved_bytes(self, output: TensorType, taps: int) -> int | None:
        """Return the bytes a sample that the backward pass reads beside the gradient, None for the input itself."""
        return 0


class MaxPool(_Pool):
    """The largest value of each window; padding never wins."""

    kind: ClassVar[str] = "max_pool"

    def saved_bytes(self, output: TensorType, taps: int) -> int | None:
        """A byte an output: which tap was the largest, as far as a byte tells them apart."""
        return output.size if taps <= INDEXED_TAPS else None


class AvgPool(_Pool):
    """The mean of each window."""

    kind: ClassVar[str] = "avg_pool"
    selects: ClassVar[bool] = False

    count_include_pad: Flag = Field(default=True, description="whether padding counts as zeros in the mean")


class StochasticPool(_Pool):
    """One value of each window by its rank (Shi, Ye & Wu 2016, rank-based stochastic pooling).

    The input elements of a window are ranked in descending order, equal ones in reading order; rank r of n has
    probability p_r = α(1 − α)^(r − 1) / (1 − (1 − α)^n). Training draws one rank for each window and channel,
    inference gives the mean Σ p_r a_(r). α = 1 is max pooling, α → 0 average pooling. Padding has no rank.
    """

    kind: ClassVar[str] = "stochastic_pool"

    alpha: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.5, description="probability α of the first rank, before it is divided by the sum"
    )

    def infer(self, *inputs: TensorType) -> Inferred:
        """Output sides by eq. 2; a multiply and an add for each tap, the ranking is not counted."""
        facts = super().infer(*inputs)
        return replace(facts, kernels=tuple(replace(kernel, flops=2 * kernel.flops) for kernel in facts.kernels))

    def saved_bytes(self, output: TensorType, taps: int) -> int | None:
        """The order of every window and the rank drawn, in 32 bits each."""
        return 4 * (taps + 1) * output.size


class AdaptiveAvgPool(Layer):
    """The mean of each of O windows that cover an axis of N: from ⌊iN/O⌋ to ⌈(i + 1)N/O⌉, as PyTorch.

    Where O does not divide N, neighbouring windows share elements and may differ in size.
    """

    kind: ClassVar[str] = "adaptive_avg_pool"
    principal: ClassVar[str | None] = "size"

    size: Sizes = Field(description="side of the output, or one per spatial axis")

    def infer(self, *inputs: TensorType) -> Inferred:
        """One FLOP for each element of each window; the window is known where O divides N."""
        (x,) = inputs
        require_spatial(x, "pooling")
        size = per_axis(self.size, len(x.sides), "size")
        # Neighbouring windows share one element unless O divides iN, so their sizes sum to N + O − gcd(N, O).
        taps = math.prod(n + o - math.gcd(n, o) for n, o in zip(x.sides, size, strict=True))
        window: tuple[WindowAxis, ...] = ()
        if all(n % o == 0 for n, o in zip(x.sides, size, strict=True)):
            steps = ((n, o, n // o) for n, o in zip(x.sides, size, strict=True))
            window = tuple(WindowAxis(n, o, step, step, (0, 0), 1) for n, o, step in steps)
        return Inferred(
            TensorType((*size, x.channels)),
            kernels=(Kernel("window", flops=taps * x.channels),),
            window=window,
            reach="window" if window else "unknown",
        )


class _GlobalPool(Layer):
    """One window over all positions."""

    keepdims: Flag = Field(default=False, description="keep the spatial axes with length 1")

    selects: ClassVar[bool] = False
    """Whether the output is one element of the input, so that the gradient goes to that one alone."""

    def infer(self, *inputs: TensorType) -> Inferred:
        """One output per channel, one FLOP per input."""
        (x,) = inputs
        require_spatial(x, "global pooling")
        sides = (1,) * len(x.sides) if self.keepdims else ()
        return Inferred(
            TensorType((*sides, x.channels)),
            kernels=(
                Kernel(
                    "reduce",
                    flops=x.size,
                    backward_flops=x.channels if self.selects else None,
                    saves="input" if self.selects else "nothing",
                ),
            ),
            window=tuple(WindowAxis(side, 1, side, 1, (0, 0), 1) for side in x.sides),
        )


class GlobalAvgPool(_GlobalPool):
    """The mean of each channel over all positions."""

    kind: ClassVar[str] = "global_avg_pool"


class GlobalMaxPool(_GlobalPool):
    """The largest value of each channel over all positions."""

    kind: ClassVar[str] = "global_max_pool"
    selects: ClassVar[bool] = True


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
