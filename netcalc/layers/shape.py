"""Layers that only arrange elements."""

from __future__ import annotations

from typing import ClassVar

from netcalc.layers.base import Inferred, Kernel, Layer, TensorType


class Flatten(Layer):
    """All axes of a sample as one, in reading order with channels last."""

    kind: ClassVar[str] = "flatten"

    def infer(self, *inputs: TensorType) -> Inferred:
        """One axis with every element."""
        (x,) = inputs
        return Inferred(TensorType((x.size,)), kernels=(Kernel("move"),), reach="all")
