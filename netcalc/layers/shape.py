"""Layers that only arrange elements."""

from __future__ import annotations

import math
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from netcalc.layers.base import (
    Inferred,
    Kernel,
    Layer,
    PositiveInt,
    ShapeError,
    TensorType,
    WindowAxis,
    require_divisor,
    require_spatial,
)
from netcalc.layers.window import AXIS_NAMES, MAX_SIZE, Margins, Sizes, both_ends, per_axis
from netcalc.units import format_shape, plural


class Flatten(Layer):
    """All axes of a sample as one, in reading order with channels last."""

    kind: ClassVar[str] = "flatten"

    def infer(self, *inputs: TensorType) -> Inferred:
        """One axis with every element."""
        (x,) = inputs
        return Inferred(TensorType((x.size,)), reach="all")


def _shape(value: Any) -> Any:
    def is_length(item: object) -> bool:
        return isinstance(item, int) and not isinstance(item, bool) and (item == -1 or 1 <= item <= MAX_SIZE)

    if not isinstance(value, list | tuple) or not 1 <= len(value) <= 4 or not all(map(is_length, value)):
        raise ValueError("should be a list of 1 to 4 positive integers, one of which may be -1")
    if value.count(-1) > 1:
        raise ValueError("should hold -1 only once")
    return tuple(value)


class Reshape(Layer):
    """The elements of a sample in reading order, with channels last, under another shape."""

    kind: ClassVar[str] = "reshape"
    principal: ClassVar[str | None] = "shape"

    shape: Annotated[
        tuple[int, ...],
        BeforeValidator(_shape),
        WithJsonSchema(
            {"type": "array", "items": {"type": "integer", "minimum": -1}, "minItems": 1, "maxItems": 4}
        ),
    ] = Field(description="shape of a sample, channels last; -1 is the length that is left")

    def infer(self, *inputs: TensorType) -> Inferred:
        """The shape asked for, -1 replaced by what keeps the number of elements."""
        (x,) = inputs
        given = math.prod(length for length in self.shape if length != -1)
        fits = x.size % given == 0 if -1 in self.shape else x.size == given
        if not fits:
            raise ShapeError(
                "NC106",
                "shape",
                f"`shape` {list(self.shape)} does not hold the {x.size:,} elements of {format_shape(x.shape)}",
                help=f"its lengths should multiply to {x.size:,}; one of them may be -1, the length that is left",
            )
        shape = tuple(x.size // given if length == -1 else length for length in self.shape)
        return Inferred(TensorType(shape), reach="unknown")


class Pad(Layer):
    """A border around the spatial axes: a constant, the map mirrored at its edge pixels, or the edge repeated."""

    kind: ClassVar[str] = "pad"
    principal: ClassVar[str | None] = "padding"

    padding: Margins = Field(description="width of the border, per axis or [leading, trailing] per axis as well")
    mode: Literal["constant", "reflect", "edge"] = Field(default="constant", description="what the border holds")
    value: float = Field(default=0.0, description="the value of a constant border")

    def infer(self, *inputs: TensorType) -> Inferred:
        """Every spatial axis longer by its border; a window of one element that reads the border as padding."""
        (x,) = inputs
        require_spatial(x, "padding")
        if self.mode != "constant" and self.value != 0:
            raise ShapeError(
                "NC011",
                "value",
                f"`value` ({self.value:g}) should be left out where `mode` is {self.mode}",
                help="`value` is what a `constant` border holds",
            )
        margins = both_ends(self.padding, len(x.sides), "padding")
        window = tuple(
            WindowAxis(side, side + low + high, 1, 1, (low, high), 1)
            for side, (low, high) in zip(x.sides, margins, strict=True)
        )
        output = TensorType((*(axis.output for axis in window), x.channels))
        # Backward, the gradients of copies on the border are added to those of their elements.
        copies = output.size - x.size if self.mode != "constant" else 0
        return Inferred(output, kernels=(Kernel("move", backward_flops=copies),), window=window)


class Crop(Layer):
    """The spatial axes without their first and last elements."""

    kind: ClassVar[str] = "crop"
    principal: ClassVar[str | None] = "crop"

    crop: Margins = Field(description="elements to cut, per axis or [leading, trailing] per axis as well")

    def infer(self, *inputs: TensorType) -> Inferred:
        """Every spatial axis shorter by what is cut: negative padding."""
        (x,) = inputs
        require_spatial(x, "a crop")
        margins = both_ends(self.crop, len(x.sides), "crop")
        for name, side, (low, high) in zip(AXIS_NAMES[len(x.sides)], x.sides, margins, strict=True):
            if low + high >= side:
                raise ShapeError(
                    "NC107",
                    "crop",
                    f"`crop` ({low} and {high}) leaves nothing of the input's {name} ({side})",
                    help=f"cut at most {side - 1} from both ends together",
                )
        window = tuple(
            WindowAxis(side, side - low - high, 1, 1, (-low, -high), 1)
            for side, (low, high) in zip(x.sides, margins, strict=True)
        )
        output = TensorType((*(axis.output for axis in window), x.channels))
        return Inferred(output, kernels=(Kernel("move"),), window=window)


_Index = Annotated[int, Field(strict=True, ge=-MAX_SIZE, le=MAX_SIZE)]


class Slice(Layer):
    """Elements `start` to `stop`, exclusive, of one axis; negative ones count from its end, as in Python.

    Unlike Python's, a slice that reaches beyond the axis is an error.
    """

    kind: ClassVar[str] = "slice"

    start: _Index = Field(default=0, description="first element")
    stop: _Index | None = Field(default=None, description="element to stop before; the end by default")
    step: PositiveInt = Field(default=1, description="distance between elements")
    axis: Literal["channels", "length", "depth", "height", "width"] = Field(
        default="channels", description="the axis to slice"
    )

    def infer(self, *inputs: TensorType) -> Inferred:
        """⌈(stop − start) / step⌉ elements along the axis."""
        (x,) = inputs
        at = self.position(x)
        start, stop = self.bounds(x.shape[at])
        length = -(-(stop - start) // self.step)
        output = TensorType((*x.shape[:at], length, *x.shape[at + 1 :]))
        reach: Literal["window", "unknown"] = "window" if self.axis == "channels" else "unknown"
        return Inferred(output, kernels=(Kernel("move"),), reach=reach)

    def position(self, x: TensorType) -> int:
        """Return which axis of x is meant; raises ShapeError where x has none of that name."""
        names = (*AXIS_NAMES.get(len(x.sides), ()), "channels")
        if self.axis not in names:
            raise ShapeError(
                "NC100",
                "axis",
                f"an input of shape {list(x.shape)} has no `axis` {self.axis}",
                help=f"its axes: {', '.join(names)}",
            )
        return len(x.sides) if self.axis == "channels" else names.index(self.axis)

    def bounds(self, length: int) -> tuple[int, int]:
        """Return start and stop as positions on an axis of this length; raises ShapeError where they are not."""
        start = self.start + length if self.start < 0 else self.start
        stop = length if self.stop is None else self.stop + length if self.stop < 0 else self.stop
        size = plural(length, "element")
        for field, given, found in (("start", self.start, start), ("stop", self.stop, stop)):
            if not 0 <= found <= length:
                raise ShapeError(
                    "NC107",
                    field,
                    f"`{field}` ({given}) lies beyond the {size} of the {self.axis}",
                    help=f"use {-length} to {length}",
                )
        if start >= stop:
            raise ShapeError(
                "NC107",
                "start" if self.stop is None else "stop",
                f"`start` ({start}) to `stop` ({stop}) leaves nothing of the {size} of the {self.axis}",
                help="`stop` is exclusive, and lies after `start`",
            )
        return start, stop


class ChannelShuffle(Layer):
    """The channels of G groups dealt out in turn (ShuffleNet, Zhang et al. 2018).

    Channel i of group g, g · C/G + i, becomes channel i · G + g.
    """

    kind: ClassVar[str] = "channel_shuffle"
    principal: ClassVar[str | None] = "groups"

    groups: PositiveInt = Field(description="number of groups G that the channels come in")

    def infer(self, *inputs: TensorType) -> Inferred:
        """Same shape."""
        (x,) = inputs
        require_divisor("groups", self.groups, (x.channels, "input channels"))
        return Inferred(TensorType(x.shape), kernels=(Kernel("move"),))


class Upsample(Layer):
    """Every spatial axis `scale` times as long, without parameters; pixels are areas, sampled at their centres.

    `nearest` repeats each element. `bilinear` is linear along each axis, whatever their number: output o lies at
    input (o + ½) / scale − ½, held at the edges (PyTorch's align_corners=False).
    """

    kind: ClassVar[str] = "upsample"
    principal: ClassVar[str | None] = "scale"

    scale: Sizes = Field(description="factor for all spatial axes, or one for each")
    method: Literal["nearest", "bilinear"] = Field(
        default="nearest", description="how to fill between the elements"
    )

    def infer(self, *inputs: TensorType) -> Inferred:
        """Bilinear: a multiply and an add for each of the 2^d neighbours of an output. `window` stays unknown."""
        (x,) = inputs
        require_spatial(x, "upsampling")
        scale = per_axis(self.scale, len(x.sides), "scale")
        output = TensorType((*(n * s for n, s in zip(x.sides, scale, strict=True)), x.channels))
        # Backward, the gradients of an element's copies add up.
        kernel = Kernel("move", backward_flops=output.size)
        if self.method == "bilinear":
            kernel = Kernel("elementwise", flops=2 * 2 ** len(scale) * output.size)
        return Inferred(output, kernels=(kernel,), reach="unknown")
