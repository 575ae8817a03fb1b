"""Recurrent layers: one cell along the length of a sequence."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from netcalc.layers.base import (
    Flag,
    Inferred,
    Kernel,
    Layer,
    ParamSpec,
    PositiveInt,
    ShapeError,
    TensorType,
)
from netcalc.layers.initializer import Initializer, InitializerChoice, initializer


class Lstm(Layer):
    """Long short-term memory (Hochreiter & Schmidhuber 1997) with a forget gate (Gers et al. 2000).

        i, f, o = σ(W x_t + U h_{t−1} + b)    g = tanh(W x_t + U h_{t−1} + b)    each gate with its own W, U, b
        c_t = f ∘ c_{t−1} + i ∘ g             h_t = o ∘ tanh(c_t)                h_0 = c_0 = 0

    Gates are stored in the order i, f, g, o, on an axis of their own: `kernel` (inputs, 4, units),
    `recurrent_kernel` (units, 4, units), `bias` (4, units), one bias for both products as in Keras.
    """

    kind: ClassVar[str] = "lstm"
    principal: ClassVar[str | None] = "units"

    units: PositiveInt = Field(description="length u of the hidden state")
    output: Literal["sequence", "last"] = Field(
        default="sequence", description="the hidden state of every step, or of the last one alone"
    )
    bias: Flag = Field(default=True, description="add a trained offset to every gate")
    init: Initializer = Field(
        default_factory=lambda: initializer("glorot_normal"), description="how the input kernel of each gate starts"
    )
    recurrent_init: Initializer = Field(
        default_factory=lambda: initializer("orthogonal"),
        description="how the recurrent kernel of each gate starts",
    )
    bias_init: Initializer = Field(
        default_factory=lambda: initializer("zeros"), description="how the biases start, the forget gate's aside"
    )
    forget_bias: float = Field(
        default=1.0, description="what the forget gate's bias starts at; 1 lets the cell remember at first"
    )

    def infer(self, *inputs: TensorType) -> Inferred:
        """4·(u·(u + C) + u) parameters, 4·u·(u + C) MACs for each step; at a step, 4u to add up the two products,
        5u transcendentals, 4u to combine them, and 4u for the biases.
        """
        x = _sequence(*inputs)
        params = _kernels(x, self.units, gates=4, init=self.init, recurrent_init=self.recurrent_init)
        if self.bias:
            forget = InitializerChoice.model_validate({"constant": {"value": self.forget_bias}})
            params["bias"] = ParamSpec(
                (4, self.units),
                axes="go",
                role="bias",
                init=self.bias_init,
                fan_in=x.channels,
                fan_out=self.units,
                gate_inits=(self.bias_init, forget, self.bias_init, self.bias_init),
            )
        steps = x.shape[0] * self.units
        recurrence = Kernel(
            "scan",
            macs=steps * 4 * self.units,
            flops=13 * steps,
            transcendentals=5 * steps,
            saves="own",
            saved_bytes=4 * 8 * steps,
            weights=params["recurrent_kernel"].size,
        )
        product = Kernel("gemm", macs=steps * 4 * x.channels, writes=4 * steps, weights=params["kernel"].size)
        kernels = [product, recurrence]
        if self.bias:
            kernels.append(Kernel("elementwise", flops=4 * steps))
        return Inferred(_output(x, self.units, self.output), params, kernels=tuple(kernels), reach="all")


class Gru(Layer):
    """Gated recurrent unit (Cho et al. 2014), the reset gate after the product as in cuDNN, PyTorch and Keras.

        r, z = σ(W x_t + b + U h_{t−1} + b')    n = tanh(W x_t + b + r ∘ (U h_{t−1} + b'))
        h_t = (1 − z) ∘ n + z ∘ h_{t−1}         h_0 = 0

    Gates are stored in the order r, z, n, on an axis of their own: `kernel` (inputs, 3, units), `recurrent_kernel`
    (units, 3, units), and two biases (3, units): `bias` b of the input, `recurrent_bias` b' of the recurrence.
    """

    kind: ClassVar[str] = "gru"
    principal: ClassVar[str | None] = "units"

    units: PositiveInt = Field(description="length u of the hidden state")
    output: Literal["sequence", "last"] = Field(
        default="sequence", description="the hidden state of every step, or of the last one alone"
    )
    bias: Flag = Field(default=True, description="add two trained offsets to every gate")
    init: Initializer = Field(
        default_factory=lambda: initializer("glorot_normal"), description="how the input kernel of each gate starts"
    )
    recurrent_init: Initializer = Field(
        default_factory=lambda: initializer("orthogonal"),
        description="how the recurrent kernel of each gate starts",
    )
    bias_init: Initializer = Field(default_factory=lambda: initializer("zeros"), description="how the biases start")

    def infer(self, *inputs: TensorType) -> Inferred:
        """3·(u·(u + C) + 2u) parameters, 3·u·(u + C) MACs for each step; at a step, 3u to add up the two products,
        3u transcendentals, u to reset, 3u to move the state, n + z ∘ (h − n), and 6u for the biases.
        """
        x = _sequence(*inputs)
        params = _kernels(x, self.units, gates=3, init=self.init, recurrent_init=self.recurrent_init)
        if self.bias:
            for name, reads in (("bias", x.channels), ("recurrent_bias", self.units)):
                params[name] = ParamSpec((3, self.units), "go", "bias", self.bias_init, reads, self.units)
        steps = x.shape[0] * self.units
        recurrence = Kernel(
            "scan",
            macs=steps * 3 * self.units,
            flops=10 * steps,
            transcendentals=3 * steps,
            saves="own",
            saved_bytes=4 * 6 * steps,
            weights=params["recurrent_kernel"].size,
        )
        product = Kernel("gemm", macs=steps * 3 * x.channels, writes=3 * steps, weights=params["kernel"].size)
        kernels = [product, recurrence]
        if self.bias:
            kernels.append(Kernel("elementwise", flops=6 * steps))
        return Inferred(_output(x, self.units, self.output), params, kernels=tuple(kernels), reach="all")


def _sequence(x: TensorType) -> TensorType:
    if len(x.shape) != 2:
        raise ShapeError(
            "NC100",
            "",
            f"a recurrent layer reads a sequence of length and channels, not an input of shape {list(x.shape)}",
            help="`reshape: [length, -1]` makes one" if len(x.shape) > 2 else "",
        )
    return x


def _kernels(
    x: TensorType, units: int, *, gates: int, init: Initializer, recurrent_init: Initializer
) -> dict[str, ParamSpec]:
    """Return the two kernels, with the fans of one gate."""
    return {
        "kernel": ParamSpec((x.channels, gates, units), "igo", "weight", init, x.channels, units),
        "recurrent_kernel": ParamSpec((units, gates, units), "igo", "weight", recurrent_init, units, units),
    }


def _output(x: TensorType, units: int, output: Literal["sequence", "last"]) -> TensorType:
    return TensorType((units,) if output == "last" else (x.shape[0], units))
