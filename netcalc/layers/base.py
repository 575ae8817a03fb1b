"""What every layer says about itself: types, parameters, state, kernels, window."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from netcalc.choice import Fields
from netcalc.layers.initializer import Initializer

PositiveInt = Annotated[int, Field(strict=True, gt=0, le=2**31)]
Flag = Annotated[bool, Field(strict=True)]


@dataclass(frozen=True, slots=True)
class TensorType:
    """Shape of one sample, channels last and without batch, and its dtype."""

    shape: tuple[int, ...]
    dtype: str = "float32"

    @property
    def size(self) -> int:
        """Number of elements of one sample."""
        return math.prod(self.shape)

    @property
    def channels(self) -> int:
        """Length of the last axis."""
        return self.shape[-1]

    @property
    def sides(self) -> tuple[int, ...]:
        """Lengths of the spatial axes."""
        return self.shape[:-1]


@dataclass(frozen=True, slots=True)
class ParamSpec:
    """A parameter to allocate: its shape, what each axis means, and how it starts.

    `role` decides what regularisation applies to; fan_in and fan_out scale the initialiser. A parameter with an
    axis "g" holds one map for each gate of a recurrent layer: each is drawn on its own, from `gate_inits` where
    gates differ.
    """

    shape: tuple[int, ...]
    axes: str  # "hwio", "io", "igo", "o": the order that torch and ONNX layouts are derived from
    role: Literal["weight", "bias", "scale", "slope"]
    init: Initializer
    fan_in: int = 0
    fan_out: int = 0
    dtype: str = "float32"
    gate_inits: tuple[Initializer, ...] = ()

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True)
class StateSpec:
    """A value that training updates without a gradient: its shape and the constant it starts at."""

    shape: tuple[int, ...]
    start: float
    dtype: str = "float32"

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True)
class Kernel:
    """One operation of the compiled layer, for one sample, as cost analyses see it.

    `saves` tells what the backward pass of a kernel reads beside the gradient: its input, its output, or
    something of its own such as a mask or the index of a window's largest tap, of `saved_bytes`. A convolution
    or matrix product always keeps its input. A kernel with `statistics`, or with `batch_statistics` over a
    whole batch, takes so many sums of its input before it maps each element, and reads its input again in the
    backward pass. `writes` is the number of elements it gives where that is not the node's output, `weights`
    the number of weights it multiplies by where those are not all of the node's.

    `macs` counts multiplies of convolutions and matrix products, `padding_macs` how many of them fall on padding;
    `flops` the elementwise work beside them; `transcendentals` how many of those flops are exp, tanh and the like,
    each counted as one. All are forward at inference. `training_flops` is the elementwise work of the forward pass
    in training where it differs, `backward_flops` that of the backward pass where it is not as much as forward.
    """

    kind: Literal["conv", "gemm", "reduce", "window", "elementwise", "move", "scan"]
    macs: int = 0
    flops: int = 0
    transcendentals: int = 0
    padding_macs: int = 0
    saves: Literal["nothing", "input", "output", "own"] = "nothing"
    saved_bytes: int = 0
    statistics: int = 0
    batch_statistics: int = 0
    writes: int | None = None
    weights: int | None = None
    groups: int = 1
    training_flops: int | None = None
    backward_flops: int | None = None

    @property
    def forward_training_flops(self) -> int:
        """Elementwise FLOPs of the forward pass in training."""
        return self.flops if self.training_flops is None else self.training_flops


@dataclass(frozen=True, slots=True)
class WindowAxis:
    """A sliding window along one axis: `output` windows of `size` taps, `stride` apart.

    The padding is what the padding form asks for. `unused` is how many elements at the end of the padded
    axis no window reads; it is negative where ceil rounding lets the last window hang over.
    """

    input: int
    output: int
    size: int
    stride: int
    padding: tuple[int, int]
    dilation: int

    @property
    def extent(self) -> int:
        """Elements from the first to the last tap."""
        return (self.size - 1) * self.dilation + 1

    @property
    def unused(self) -> int:
        """Elements at the end of the padded axis that no window reads."""
        return self.input + sum(self.padding) - ((self.output - 1) * self.stride + self.extent)


_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Inferred:
    """All that is known of a layer once its inputs are.

    `reach` tells which positions of the input an output sees: those of its `window` (its own, where there is
    none), `all` of them, or `unknown` where positions are rearranged.
    """

    output: TensorType
    params: Mapping[str, ParamSpec] = field(default_factory=lambda: _NOTHING)
    state: Mapping[str, StateSpec] = field(default_factory=lambda: _NOTHING)
    kernels: tuple[Kernel, ...] = ()
    window: tuple[WindowAxis, ...] = ()
    reach: Literal["window", "all", "unknown"] = "window"


class ShapeError(ValueError):
    """The layer does not fit its input; the graph turns this into a Diagnostic at the field's line."""

    def __init__(self, code: str, field: str, message: str, help: str = "") -> None:
        super().__init__(message)
        self.code, self.field, self.help = code, field, help


class Layer(Fields):
    """A layer's fields, as the spec gives them, and the facts that follow from its inputs."""

    kind: ClassVar[str]
    arity: ClassVar[Literal["one", "many"]] = "one"
    """Whether the layer reads one tensor or merges several."""

    def infer(self, *inputs: TensorType) -> Inferred:
        """Return the facts for inputs of these types; raises ShapeError where they do not fit."""
        raise AssertionError(f"{type(self).__name__} has no shape rule")


def require_divisor(field: str, divisor: int, *divided: tuple[int, str]) -> None:
    """Raise ShapeError, with the nearest divisors, unless the field divides each number, given with its name."""
    common = math.gcd(*(number for number, _ in divided))
    for number, name in divided:
        if number % divisor:
            found = _near(divisor, [d for d in range(1, min(common, 4096) + 1) if common % d == 0])
            raise ShapeError(
                "NC102",
                field,
                f"`{field}` ({divisor}) does not divide the {number} {name}",
                help=f"use {', '.join(found[:-1])} or {found[-1]}" if found[1:] else "use 1",
            )


def _near(wanted: int, divisors: list[int]) -> list[str]:
    """Return the twelve divisors nearest to the wanted one, in order."""
    return [str(d) for d in sorted(sorted(divisors, key=lambda d: abs(d - wanted))[:12])]


def require_spatial(x: TensorType, what: str) -> None:
    """Raise ShapeError unless x has one to three spatial axes before its channels."""
    if not 2 <= len(x.shape) <= 4:
        raise ShapeError(
            "NC100",
            "",
            f"{what} needs 1 to 3 spatial axes and channels, not an input of shape {list(x.shape)}",
            help="put the layer before `flatten`" if len(x.shape) == 1 else "",
        )
