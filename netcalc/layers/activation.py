"""Activations: elementwise, and softmax over channels."""

from __future__ import annotations

from typing import ClassVar

from netcalc.layers.base import Inferred, Kernel, Layer, TensorType


class _Elementwise(Layer):
    """One operation per element; `transcendental` tells whether it is an exp, tanh or the like."""

    transcendental: ClassVar[bool] = False

    def infer(self, *inputs: TensorType) -> Inferred:
        """Same shape; one FLOP per element."""
        (x,) = inputs
        transcendentals = x.size if self.transcendental else 0
        kernel = Kernel("elementwise", flops=x.size, transcendentals=transcendentals)
        return Inferred(TensorType(x.shape), kernels=(kernel,))


class Relu(_Elementwise):
    """max(0, x)."""

    kind: ClassVar[str] = "relu"


class Tanh(_Elementwise):
    """Hyperbolic tangent."""

    kind: ClassVar[str] = "tanh"
    transcendental: ClassVar[bool] = True


class Sigmoid(_Elementwise):
    """Logistic function 1 / (1 + exp(−x))."""

    kind: ClassVar[str] = "sigmoid"
    transcendental: ClassVar[bool] = True


class Softmax(Layer):
    """exp(x) over its sum along the channels."""

    kind: ClassVar[str] = "softmax"

    def infer(self, *inputs: TensorType) -> Inferred:
        """Same shape; exp, sum and division: 3 FLOPs per element, one of them transcendental."""
        (x,) = inputs
        kernel = Kernel("reduce", flops=3 * x.size, transcendentals=x.size)
        return Inferred(TensorType(x.shape), kernels=(kernel,))
