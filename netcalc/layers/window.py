"""Sliding windows along any number of axes: sizes, padding forms, rounding; shared by convolution and pooling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal, NamedTuple, TypeAlias

from pydantic import BeforeValidator, WithJsonSchema

from netcalc.layers.base import ShapeError, TensorType, WindowAxis
from netcalc.units import plural

MAX_SIZE = 2**31

AXIS_NAMES = {1: ("length",), 2: ("height", "width"), 3: ("depth", "height", "width")}
"""What the spatial axes are called, by their number."""


def _is_count(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= MAX_SIZE


def _sizes(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        raise ValueError(f"should be a whole number, not {value}")
    if (found := _counts(value, 1)) is None:
        raise ValueError("should be a positive integer, or one for each spatial axis")
    return found


def _pixels(value: Any) -> Any:
    if (found := _counts(value, 0)) is None:
        raise ValueError("should be an integer of at least 0, or one for each spatial axis")
    return found


def _counts(value: Any, least: int) -> int | tuple[int, ...] | None:
    items = value if isinstance(value, list | tuple) else [value]
    if not 1 <= len(items) <= 3 or not all(_is_count(item, least) for item in items):
        return None
    return tuple(items) if isinstance(value, list | tuple) else items[0]


def _padding(value: Any) -> Any:
    found = value if value in ("valid", "same") else _both_ends(value)
    if found is None:
        raise ValueError(f"should be valid, same, {_MARGINS}")
    return found


def _margins(value: Any) -> Any:
    if (found := _both_ends(value)) is None:
        raise ValueError(f"should be {_MARGINS}")
    return found


_MARGINS = "an integer, one integer per spatial axis, or [leading, trailing] per spatial axis"


def _both_ends(value: Any) -> int | tuple[tuple[int, int], ...] | None:
    if _is_count(value, 0):
        found: int = value
        return found
    if isinstance(value, list | tuple) and 1 <= len(value) <= 3:
        if all(_is_count(item, 0) for item in value):
            return tuple((item, item) for item in value)
        pairs = [item for item in value if isinstance(item, list | tuple) and len(item) == 2]
        if len(pairs) == len(value) and all(_is_count(side, 0) for pair in pairs for side in pair):
            return tuple((low, high) for low, high in pairs)
    return None


_COUNT = {"type": "integer", "minimum": 1}
_PIXELS = {"type": "integer", "minimum": 0}

Sizes: TypeAlias = Annotated[
    int | tuple[int, ...],
    BeforeValidator(_sizes),
    WithJsonSchema({"anyOf": [_COUNT, {"type": "array", "items": _COUNT, "minItems": 1, "maxItems": 3}]}),
]
"""A positive integer for all spatial axes, or one for each."""

Pixels: TypeAlias = Annotated[
    int | tuple[int, ...],
    BeforeValidator(_pixels),
    WithJsonSchema({"anyOf": [_PIXELS, {"type": "array", "items": _PIXELS, "minItems": 1, "maxItems": 3}]}),
]
"""An integer of at least 0 for all spatial axes, or one for each."""

_BOTH_ENDS: list[dict[str, Any]] = [
    _PIXELS,
    {"type": "array", "items": _PIXELS, "minItems": 1, "maxItems": 3},
    {
        "type": "array",
        "items": {"type": "array", "items": _PIXELS, "minItems": 2, "maxItems": 2},
        "minItems": 1,
        "maxItems": 3,
    },
]

Padding: TypeAlias = Annotated[
    Literal["valid", "same"] | int | tuple[tuple[int, int], ...],
    BeforeValidator(_padding),
    WithJsonSchema({"anyOf": [{"enum": ["valid", "same"]}, *_BOTH_ENDS]}),
]
"""`valid`, `same` (as XLA pads), pixels on every side, or per axis, or [leading, trailing] per axis."""

Margins: TypeAlias = Annotated[
    int | tuple[tuple[int, int], ...], BeforeValidator(_margins), WithJsonSchema({"anyOf": _BOTH_ENDS})
]
"""Pixels at every end of every axis, or per axis, or [leading, trailing] per axis."""

Rounding: TypeAlias = Literal["floor", "ceil"]


class _Room(NamedTuple):
    """An axis on which the kernel does not fit, with the largest kernel that would."""

    axis: int
    size: int
    dilation: int
    padding: tuple[int, int]
    largest: int


def per_axis(value: int | tuple[int, ...], rank: int, field: str) -> tuple[int, ...]:
    """Return one value for each of `rank` spatial axes; raises ShapeError if the number differs."""
    if isinstance(value, int):
        return (value,) * rank
    _check_rank(len(value), rank, field)
    return value


def both_ends(value: int | tuple[tuple[int, int], ...], rank: int, field: str) -> tuple[tuple[int, int], ...]:
    """Return (leading, trailing) for each of `rank` spatial axes; raises ShapeError if the number differs."""
    if isinstance(value, int):
        return ((value, value),) * rank
    _check_rank(len(value), rank, field)
    return value


def _check_rank(given: int, rank: int, field: str) -> None:
    if given != rank:
        raise ShapeError(
            "NC104",
            field,
            f"`{field}` has {plural(given, 'value')} for an input with {rank} spatial axes",
            help=f"give one value, or {rank}",
        )


def windows(
    x: TensorType,
    *,
    kernel: int | tuple[int, ...],
    stride: int | tuple[int, ...],
    padding: Literal["valid", "same"] | int | tuple[tuple[int, int], ...],
    dilation: int | tuple[int, ...] = 1,
    rounding: Rounding = "floor",
) -> tuple[WindowAxis, ...]:
    """Return the window along each spatial axis of x.

    The output side is L = (N + P − E) / S + 1 (eq. 2 of the lecture, E the extent of the dilated kernel),
    rounded as asked. With `ceil`, the last window must start inside the input or its leading padding, as in
    PyTorch. `same` gives L = ceil(N / S) and puts the odd pixel of padding last, as XLA does.

    Raises ShapeError where the kernel is larger than the padded input.
    """
    rank = len(x.sides)
    kernels, strides = per_axis(kernel, rank, "kernel"), per_axis(stride, rank, "stride")
    dilations = per_axis(dilation, rank, "dilation")
    if isinstance(padding, tuple):
        _check_rank(len(padding), rank, "padding")
    axes, too_small = [], []
    for axis, (side, size, step, spread) in enumerate(zip(x.sides, kernels, strides, dilations, strict=True)):
        extent = (size - 1) * spread + 1
        low, high = _pads(padding, axis, side, extent, step)
        room = side + low + high - extent
        if room < 0:
            too_small.append(_Room(axis, size, spread, (low, high), (side + low + high - 1) // spread + 1))
            continue
        output = room // step + 1
        if rounding == "ceil" and room % step and output * step < side + low:
            output += 1
        axes.append(WindowAxis(side, output, size, step, (low, high), spread))
    if too_small:
        raise _too_large(x, min(too_small, key=lambda room: room.largest))
    return tuple(axes)


def _pads(
    padding: Literal["valid", "same"] | int | tuple[tuple[int, int], ...],
    axis: int,
    side: int,
    extent: int,
    stride: int,
) -> tuple[int, int]:
    if padding == "valid":
        return 0, 0
    if padding == "same":
        total = max((-(-side // stride) - 1) * stride + extent - side, 0)
        return total // 2, total - total // 2
    if isinstance(padding, int):
        return padding, padding
    assert isinstance(padding, tuple)
    return padding[axis]


@dataclass(frozen=True, slots=True)
class TransposedAxis:
    """A transposed window along one axis: each input lays `size` taps on the output, `stride` after the one before.

    The padding is what the matching convolution, from output to input, would pad, and what is cut from the output
    here; `trailing` is how much is added at its end.
    """

    input: int
    output: int
    size: int
    stride: int
    padding: tuple[int, int]
    dilation: int
    trailing: int

    @property
    def matching(self) -> WindowAxis:
        """The window of the convolution that takes the output back to the input."""
        return WindowAxis(self.output, self.input, self.size, self.stride, self.padding, self.dilation)

    @property
    def extent(self) -> int:
        """Elements from the first to the last tap."""
        return self.matching.extent


def transposed_windows(
    x: TensorType,
    *,
    kernel: int | tuple[int, ...],
    stride: int | tuple[int, ...],
    padding: Literal["valid", "same"] | int | tuple[tuple[int, int], ...],
    dilation: int | tuple[int, ...],
    output_padding: int | tuple[int, ...],
) -> tuple[TransposedAxis, ...]:
    """Return the transposed window along each spatial axis of x.

    The output side is L = (N − 1) · S − P + E + output_padding, as in PyTorch: a convolution of the same fields
    takes L back to N. `same` gives L = N · S with the padding that a `same` convolution of a map of L would have.

    Raises ShapeError where padding leaves no output, and where output_padding is as large as stride and dilation,
    which is more than a convolution can lose by rounding down.
    """
    rank = len(x.sides)
    kernels, strides = per_axis(kernel, rank, "kernel"), per_axis(stride, rank, "stride")
    dilations, extras = per_axis(dilation, rank, "dilation"), per_axis(output_padding, rank, "output_padding")
    if isinstance(padding, tuple):
        _check_rank(len(padding), rank, "padding")
    if padding == "same" and any(extras):
        raise ShapeError(
            "NC011",
            "output_padding",
            f"`output_padding` ({max(extras)}) should be 0 where `padding` is same, which gives N · stride",
            help="leave `output_padding` out, or give `padding` in pixels",
        )
    axes = []
    for axis, (side, size, step, spread, extra) in enumerate(
        zip(x.sides, kernels, strides, dilations, extras, strict=True)
    ):
        if extra >= max(step, spread):
            raise ShapeError(
                "NC011",
                "output_padding",
                f"`output_padding` ({extra}) should be below the stride ({step}) or the dilation ({spread})",
                help=f"use at most {max(step, spread) - 1}",
            )
        extent = (size - 1) * spread + 1
        low, high = _pads(padding, axis, side * step, extent, step)
        trailing = max(step - extent, 0) if padding == "same" else extra
        output = (side - 1) * step - low - high + extent + trailing
        if output < 1:
            raise ShapeError(
                "NC107",
                "padding",
                f"`padding` ({low} and {high}) leaves nothing of an output of {output + low + high}",
                help=f"cut at most {output + low + high - 1} from both ends together",
            )
        axes.append(TransposedAxis(side, output, size, step, (low, high), spread, trailing))
    return tuple(axes)


def _too_large(x: TensorType, room: _Room) -> ShapeError:
    side, extent = x.sides[room.axis], (room.size - 1) * room.dilation + 1
    name = AXIS_NAMES[len(x.sides)][room.axis]
    dilated = f", dilated to {extent}," if room.dilation > 1 else ""
    padded = f" with {sum(room.padding)} of padding" if sum(room.padding) else ""
    return ShapeError(
        "NC101",
        "kernel",
        f"`kernel` ({room.size}){dilated} is larger than the input's {name} ({side}){padded}",
        help=f"use a kernel of at most {room.largest}, add padding, or shrink the maps less before it",
    )


def valid_taps(axis: WindowAxis, *, padding_counts: bool) -> tuple[int, ...]:
    """Return how many taps of each window fall on the input, or on input and padding (not on ceil's overhang).

    The divisors of average pooling along one axis.
    """
    low, high = axis.padding
    first, last = (-low, axis.input + high) if padding_counts else (0, axis.input)
    counts = []
    for window in range(axis.output):
        start = window * axis.stride - low
        before = min(max(0, -((start - first) // axis.dilation)), axis.size)
        inside = min(max(0, (last - 1 - start) // axis.dilation + 1), axis.size)
        counts.append(max(0, inside - before))
    return tuple(counts)


def taps_on_input(axis: WindowAxis) -> int:
    """Return how many taps of all windows together fall on the input and not on padding, along one axis.

    Tap k of window w reads position w·stride + k·dilation − low. The time does not grow with the sizes.
    """
    low = axis.padding[0]
    return _taps_up_to(axis, axis.input - 1 + low) - _taps_up_to(axis, low - 1)


def _taps_up_to(axis: WindowAxis, end: int) -> int:
    """Return for how many windows w and taps k w·stride + k·dilation is at most `end`."""
    if end < 0:
        return 0
    taps = min(axis.size, end // axis.dilation + 1)
    beyond = end - (axis.output - 1) * axis.stride
    of_all = min(taps, beyond // axis.dilation + 1) if beyond >= 0 else 0
    rest = taps - of_all
    # Tap k is that of (end − k·dilation) // stride + 1 windows; the sum starts at the last tap.
    least = end - (taps - 1) * axis.dilation
    return of_all * axis.output + rest + _floor_sum(rest, axis.stride, axis.dilation, least)


def _floor_sum(count: int, divisor: int, slope: int, start: int) -> int:
    """Return Σ (slope·i + start) // divisor over i < count, in steps like those of Euclid's algorithm."""
    total = 0
    while count > 0:
        total += count * (count - 1) // 2 * (slope // divisor) + count * (start // divisor)
        slope, start = slope % divisor, start % divisor
        count, start = divmod(slope * count + start, divisor)
        divisor, slope = slope, divisor
    return total
