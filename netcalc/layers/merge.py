"""Layers that read several tensors."""

from __future__ import annotations

import math
from typing import ClassVar, Literal

from netcalc.layers.base import Inferred, Kernel, Layer, ShapeError, TensorType
from netcalc.units import format_shape


class _Equal(Layer):
    """A merge of tensors of one shape, element by element."""

    arity: ClassVar[Literal["one", "many"]] = "many"
    verb: ClassVar[str]
    """What the merge does to shapes, as its error says it."""
    saves: ClassVar[Literal["nothing", "input"]] = "nothing"

    def infer(self, *inputs: TensorType) -> Inferred:
        """The shape of every input."""
        first, *others = inputs
        if any(x.shape != first.shape for x in others):
            raise ShapeError(
                "NC103",
                "",
                f"cannot {self.verb} shapes {_shapes(inputs)}",
                help="give the branches equal strides and channels; a residual can get a `shortcut` conv",
            )
        kernel = Kernel("elementwise", flops=first.size * self._operations(len(inputs)), saves=self.saves)
        return Inferred(TensorType(first.shape), kernels=(kernel,))

    def _operations(self, inputs: int) -> int:
        """Return the FLOPs per element: one for each input beyond the first."""
        return inputs - 1


class Add(_Equal):
    """Elementwise sum of tensors of one shape."""

    kind: ClassVar[str] = "add"
    verb: ClassVar[str] = "add"


class Average(_Equal):
    """Elementwise mean of tensors of one shape."""

    kind: ClassVar[str] = "average"
    verb: ClassVar[str] = "average"

    def _operations(self, inputs: int) -> int:
        """Return the FLOPs per element: the sum's and a division."""
        return inputs


class Maximum(_Equal):
    """Elementwise maximum of tensors of one shape."""

    kind: ClassVar[str] = "maximum"
    saves: ClassVar[Literal["nothing", "input"]] = "input"
    verb: ClassVar[str] = "take the maximum of"


class Multiply(Layer):
    """Elementwise product, where an axis of length 1 and a vector of channels stretch over the others' positions.

    The gate of squeeze-and-excitation (Hu et al. 2018) is a map times a vector: (H, W, C) · (C) or · (1, 1, C);
    a spatial gate is (H, W, C) · (H, W, 1).
    """

    kind: ClassVar[str] = "multiply"
    arity: ClassVar[Literal["one", "many"]] = "many"

    def infer(self, *inputs: TensorType) -> Inferred:
        """The broadcast shape; one FLOP per output element and input beyond the first."""
        rank = max(len(x.shape) for x in inputs)
        shapes = [(*[1] * (rank - 1), x.channels) if len(x.shape) == 1 else x.shape for x in inputs]
        if any(len(shape) != rank for shape in shapes) or not _stretch(shapes):
            raise ShapeError(
                "NC103",
                "",
                f"cannot multiply shapes {_shapes(inputs)}",
                help="give them equal axes or axes of length 1; a vector of channels multiplies a map of any sides",
            )
        output = TensorType(tuple(map(max, zip(*shapes, strict=True))))
        flops = output.size * (len(inputs) - 1)
        # Backward, each input's gradient is the product of all others with the output's, summed where it stretched.
        stretched = sum(math.prod(shape) != output.size for shape in shapes)
        backward = len(inputs) * flops + stretched * output.size
        kernel = Kernel("elementwise", flops=flops, backward_flops=backward, saves="input")
        return Inferred(output, kernels=(kernel,))


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


def _stretch(shapes: list[tuple[int, ...]]) -> bool:
    """Tell whether each axis has one length beside 1."""
    return all(len({*axis} - {1}) <= 1 for axis in zip(*shapes, strict=True))


def _shapes(inputs: tuple[TensorType, ...]) -> str:
    return ", ".join(format_shape(x.shape) for x in inputs)
