"""Activations: elementwise ones, maxout over pieces, and softmax over channels.

Their FLOPs: 1 for each exp, log, tanh, erf or logistic function in the formula (a transcendental), 1 for each
piecewise-linear map, 1 for each product or quotient of two functions of x. Constant factors and offsets are part of
the map they belong to.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, PositiveFloat

from netcalc.layers.base import Flag, Inferred, Kernel, Layer, ParamSpec, PositiveInt, TensorType, require_divisor
from netcalc.layers.initializer import constant


class _Elementwise(Layer):
    """A function of each element; a piecewise-linear one unless the class says otherwise."""

    flops: ClassVar[int] = 1
    """FLOPs per element, transcendentals among them."""
    transcendentals: ClassVar[int] = 0
    """How many exp, log, tanh, erf and the like are computed per element."""
    saves: ClassVar[Literal["input", "output"]] = "input"
    """What its derivative is a function of."""

    def infer(self, *inputs: TensorType) -> Inferred:
        """Same shape; a fixed number of FLOPs per element."""
        (x,) = inputs
        return Inferred(
            TensorType(x.shape), kernels=(_per_element(x, self.flops, self.transcendentals, self.saves),)
        )


class Relu(_Elementwise):
    """max(0, x)."""

    kind: ClassVar[str] = "relu"
    saves: ClassVar[Literal["input", "output"]] = "output"


class Relu6(_Elementwise):
    """min(max(0, x), 6) (Krizhevsky 2010; MobileNet-v2)."""

    kind: ClassVar[str] = "relu6"


class LeakyRelu(_Elementwise):
    """x where x ≥ 0, αx elsewhere (Maas et al. 2013); α = −1 is the absolute value."""

    kind: ClassVar[str] = "leaky_relu"
    principal: ClassVar[str | None] = "slope"

    slope: float = Field(default=0.01, description="factor α for negative inputs")


class Prelu(Layer):
    """x where x ≥ 0, αx elsewhere, with a trained α (He et al. 2015)."""

    kind: ClassVar[str] = "prelu"

    shared: Flag = Field(default=False, description="one slope for the whole layer instead of one per channel")
    init: float = Field(default=0.25, description="where the slopes start")

    def infer(self, *inputs: TensorType) -> Inferred:
        """Same shape; a slope per channel, or one; one FLOP per element."""
        (x,) = inputs
        slope = ParamSpec((1 if self.shared else x.channels,), "o", "slope", constant(self.init))
        return Inferred(TensorType(x.shape), {"slope": slope}, kernels=(_per_element(x, 1),))


class Abs(_Elementwise):
    """|x|, the absolute-value rectification of Jarrett et al. 2009."""

    kind: ClassVar[str] = "abs"


class Crelu(Layer):
    """max(0, x) and max(0, −x), one after the other along the channels (Shang et al. 2016)."""

    kind: ClassVar[str] = "crelu"

    def infer(self, *inputs: TensorType) -> Inferred:
        """Twice the channels; one FLOP per output element."""
        (x,) = inputs
        output = TensorType((*x.sides, 2 * x.channels))
        return Inferred(output, kernels=(_per_element(output, 1),))


class Maxout(Layer):
    """The largest of K linear pieces (Goodfellow et al. 2013): y_j = max over channels j·K … j·K + K − 1.

    The pieces are what a convolution or dense layer before it computes: give that layer K times the filters or
    units. Training can make of them any convex function of K linear pieces: ReLU is the pair (0, w), leaky ReLU
    with α < 1 the pair (w, αw), the absolute value the pair (w, −w).
    """

    kind: ClassVar[str] = "maxout"
    principal: ClassVar[str | None] = "pieces"

    pieces: PositiveInt = Field(description="number K of consecutive channels that the maximum is taken over")

    def infer(self, *inputs: TensorType) -> Inferred:
        """One K-th of the channels; K FLOPs per output, as in a max pool of K elements."""
        (x,) = inputs
        require_divisor("pieces", self.pieces, (x.channels, "input channels"))
        output = TensorType((*x.sides, x.channels // self.pieces))
        # Backward, the gradient of an output goes to one of its pieces.
        kernel = Kernel("reduce", flops=x.size, backward_flops=output.size, saves="input")
        return Inferred(output, kernels=(kernel,))


class HardSigmoid(_Elementwise):
    """min(max(0, x + 3), 6) / 6: the piecewise-linear logistic function of MobileNet-v3 and torch.

    Keras before version 3 and ONNX use a slope of 0.2 instead of 1/6.
    """

    kind: ClassVar[str] = "hard_sigmoid"


class HardSwish(_Elementwise):
    """x · hard_sigmoid(x) (Howard et al. 2019, MobileNet-v3)."""

    kind: ClassVar[str] = "hard_swish"
    flops: ClassVar[int] = 2


class Softsign(_Elementwise):
    """x / (1 + |x|) (Bergstra et al. 2009)."""

    kind: ClassVar[str] = "softsign"
    flops: ClassVar[int] = 2


class Tanh(_Elementwise):
    """Hyperbolic tangent."""

    kind: ClassVar[str] = "tanh"
    saves: ClassVar[Literal["input", "output"]] = "output"
    transcendentals: ClassVar[int] = 1


class Sigmoid(_Elementwise):
    """Logistic function 1 / (1 + exp(−x))."""

    kind: ClassVar[str] = "sigmoid"
    saves: ClassVar[Literal["input", "output"]] = "output"
    transcendentals: ClassVar[int] = 1


class Elu(_Elementwise):
    """x where x > 0, α(exp(x) − 1) elsewhere (Clevert et al. 2016)."""

    kind: ClassVar[str] = "elu"
    principal: ClassVar[str | None] = "alpha"
    transcendentals: ClassVar[int] = 1

    alpha: PositiveFloat = Field(default=1.0, description="−α is the limit for large negative inputs")


class Selu(_Elementwise):
    """λx where x > 0, λα(exp(x) − 1) elsewhere (Klambauer et al. 2017).

    λ ≈ 1.0507 and α ≈ 1.6733 are such that inputs of N(0, 1) give outputs of mean 0 and variance 1.
    """

    kind: ClassVar[str] = "selu"
    transcendentals: ClassVar[int] = 1


class Celu(_Elementwise):
    """x where x > 0, α(exp(x/α) − 1) elsewhere: an ELU without a kink for any α (Barron 2017)."""

    kind: ClassVar[str] = "celu"
    principal: ClassVar[str | None] = "alpha"
    transcendentals: ClassVar[int] = 1

    alpha: PositiveFloat = Field(default=1.0, description="−α is the limit for large negative inputs")


class Softplus(_Elementwise):
    """log(1 + exp(x)) (Dugas et al. 2001), without overflow for any x."""

    kind: ClassVar[str] = "softplus"
    flops: ClassVar[int] = 2
    transcendentals: ClassVar[int] = 2


class Silu(_Elementwise):
    """x · σ(x), also known as swish (Hendrycks & Gimpel 2016; Ramachandran et al. 2017)."""

    kind: ClassVar[str] = "silu"
    flops: ClassVar[int] = 2
    transcendentals: ClassVar[int] = 1


class Mish(_Elementwise):
    """x · tanh(softplus(x)) (Misra 2019)."""

    kind: ClassVar[str] = "mish"
    flops: ClassVar[int] = 4
    transcendentals: ClassVar[int] = 3


class Gelu(Layer):
    """x · Φ(x), Φ the distribution function of N(0, 1) (Hendrycks & Gimpel 2016).

    `approximate: none` is x/2 · (1 + erf(x/√2)); `tanh` is x/2 · (1 + tanh(√(2/π) · x · (1 + 0.044715x²))).
    """

    kind: ClassVar[str] = "gelu"
    principal: ClassVar[str | None] = "approximate"

    approximate: Literal["none", "tanh"] = Field(
        default="none", description="the exact form by erf, or the one by tanh that GPT-2 uses"
    )

    def infer(self, *inputs: TensorType) -> Inferred:
        """Same shape; erf and a product, or x², two more products and tanh."""
        (x,) = inputs
        flops = 2 if self.approximate == "none" else 4
        return Inferred(TensorType(x.shape), kernels=(_per_element(x, flops, 1),))


class Softmax(Layer):
    """exp(x) over its sum along the channels."""

    kind: ClassVar[str] = "softmax"

    def infer(self, *inputs: TensorType) -> Inferred:
        """Same shape; exp, sum and division: 3 FLOPs per element, one of them transcendental."""
        (x,) = inputs
        kernel = Kernel("reduce", flops=3 * x.size, transcendentals=x.size, saves="output")
        return Inferred(TensorType(x.shape), kernels=(kernel,))


class LogSoftmax(Layer):
    """x − log Σ exp(x) along the channels, without overflow for any x."""

    kind: ClassVar[str] = "log_softmax"

    def infer(self, *inputs: TensorType) -> Inferred:
        """Same shape; exp, sum and subtraction for each element, a logarithm for each position."""
        (x,) = inputs
        positions = x.size // x.channels
        kernel = Kernel("reduce", flops=3 * x.size + positions, transcendentals=x.size + positions, saves="output")
        return Inferred(TensorType(x.shape), kernels=(kernel,))


def _per_element(
    x: TensorType, flops: int, transcendentals: int = 0, saves: Literal["input", "output"] = "input"
) -> Kernel:
    return Kernel("elementwise", flops=flops * x.size, transcendentals=transcendentals * x.size, saves=saves)
