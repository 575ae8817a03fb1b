"""Layers that read several tensors."""

from __future__ import annotations

from typing import ClassVar, Literal

from netcalc.layers.base import Inferred, Kernel, Layer, ShapeError, TensorType
from netcalc.units import format_shape


class Add(Layer):
    """Elementwise sum of tensors of one shape."""

    kind: ClassVar[str] = "add"
    arity: ClassVar[Literal["one", "many"]] = "many"

    def infer(self, *inputs: TensorType) -> Inferred:
        """One FLOP per element and input beyond the first."""
        first, *others = inputs
        if any(x.shape != first.shape for x in others):
            raise ShapeError(
                "NC103",
                "",
                f"cannot add shapes {_shapes(inputs)}",
                help="give the branches equal strides and channels; a residual can get a `shortcut` conv",
            )
        kernel = Kernel("elementwise", flops=first.size * len(others))
        return Inferred(TensorType(first.shape), kernels=(kernel,))


class Concat(Layer):
    """Concatenation along the channels."""

    kind: ClassVar[str] = "concat"
    arity: ClassVar[Literal["one", "many"]] = "many"

    def infer(self, *inputs: TensorType) -> Inferred:
        """Channels add up; all other axes must agree."""
        first, *others = inputs
        if any(x.sides != first.sides for x in others):
            raise ShapeError(
                "NC103",
                "",
                f"cannot concatenate shapes {_shapes(inputs)} along the channels",
                help="give the branches equal strides and padding",
            )
        output = TensorType((*first.sides, sum(x.channels for x in inputs)))
        return Inferred(output, kernels=(Kernel("move"),))


def _shapes(inputs: tuple[TensorType, ...]) -> str:
    return ", ".join(format_shape(x.shape) for x in inputs)
