"""What each layer computes, by plain loops over every tap in float64, with the multiplies counted on the way.

Written from the definitions and from the layers' fields, never from their facts: the oracle places its own windows.
Arrays have a batch first and channels last.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Arrays = Mapping[str, Array]


@dataclass(frozen=True)
class Result:
    """The output, the state a training step leaves ({} if none), and the multiplies of the whole batch."""

    output: Array
    state: Arrays
    multiplies: int = 0


@dataclass(frozen=True)
class Places:
    """Where windows lie along one axis, in elements of the input: negative ones are leading padding."""

    starts: tuple[int, ...]
    taps: tuple[int, ...]
    side: int
    padding: tuple[int, int]

    def holds(self, position: int) -> bool:
        """Tell whether the position is on the input."""
        return 0 <= position < self.side

    def pads(self, position: int) -> bool:
        """Tell whether the position is on the input or the padding, not on what ceil rounding hangs over."""
        return -self.padding[0] <= position < self.side + self.padding[1]


def place(
    side: int,
    *,
    kernel: int,
    stride: int,
    dilation: int = 1,
    padding: str | tuple[int, int] = "valid",
    rounding: str = "floor",
) -> Places:
    """Slide a window from the leading padding on for as long as it fits.

    `same` is the least padding that gives ceil(side / stride) windows, its odd element last. With `ceil`, one more
    window takes what is left over, if it starts on the input or before.
    """
    taps = tuple(range(0, kernel * dilation, dilation))

    def starts(low: int, high: int) -> list[int]:
        return [s for s in range(-low, side + high, stride) if s + taps[-1] < side + high]

    if padding == "same":
        total = next(p for p in itertools.count() if len(starts(p // 2, p - p // 2)) == -(-side // stride))
        padding = (total // 2, total - total // 2)
    elif padding == "valid":
        padding = (0, 0)
    assert isinstance(padding, tuple)
    found = starts(*padding)
    left_over = found[-1] + taps[-1] < side + padding[1] - 1
    if rounding == "ceil" and left_over and found[-1] + stride < side:
        found.append(found[-1] + stride)
    return Places(tuple(found), taps, side, padding)


def places(layer: Any, sides: Sequence[int], **fixed: Any) -> list[Places]:
    """Return the windows along each axis, from a layer's fields."""
    stride = layer.kernel if layer.stride is None else layer.stride
    rank = len(sides)

    def each(value: Any) -> Any:
        return value if isinstance(value, tuple) else (value,) * rank

    padding = [(item, item) if isinstance(item, int) else item for item in each(layer.padding)]
    columns = zip(sides, each(layer.kernel), each(stride), each(fixed.pop("dilation", 1)), padding, strict=True)
    return [place(n, kernel=k, stride=s, dilation=d, padding=p, **fixed) for n, k, s, d, p in columns]


def windows(axes: Sequence[Places]) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Return every window of the product of the axes: its place in the output, its start in the input."""
    at = itertools.product(*(range(len(axis.starts)) for axis in axes))
    starts = itertools.product(*(axis.starts for axis in axes))
    return list(zip(at, starts, strict=True))


def taps(axes: Sequence[Places], start: Sequence[int]) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Return every tap of one window: its place in the kernel, its position in the input."""
    at = itertools.product(*(range(len(axis.taps)) for axis in axes))
    positions = itertools.product(*([s + t for t in axis.taps] for s, axis in zip(start, axes, strict=True)))
    return list(zip(at, positions, strict=True))


def on_input(axes: Sequence[Places], position: Sequence[int]) -> bool:
    """Tell whether a position is on the input along all axes."""
    return all(axis.holds(p) for axis, p in zip(axes, position, strict=True))


def depthwise_conv(layer: Any, params: Arrays, state: Arrays, train: bool, x: Array) -> Result:
    """Output channel c · M + m is Σ over taps of input channel c with filter m."""
    kernel = params["kernel"]
    axes = places(layer, x.shape[1:-1], dilation=layer.dilation)
    filters = x.shape[-1] * layer.multiplier
    y = np.zeros((x.shape[0], *(len(axis.starts) for axis in axes), filters))
    multiplies = 0
    for sample, (out, start), k in itertools.product(range(len(x)), windows(axes), range(filters)):
        for tap, position in taps(axes, start):
            value = x[sample, *position, k // layer.multiplier] if on_input(axes, position) else 0.0
            y[sample, *out, k] += value * kernel[*tap, 0, k]
            multiplies += 1
        if layer.bias:
            y[sample, *out, k] += params["bias"][k]
    return Result(y, {}, multiplies)


def conv_transpose(layer: Any, params: Arrays, state: Arrays, train: bool, x: Array) -> Result:
    """Lay every input times the kernel on a canvas, stride apart; then cut the padding off.

    `same` cuts what a `same` convolution of a map stride times as large would pad, and ends where that map does.
    """
    kernel = params["kernel"]
    rank = x.ndim - 2

    def each(value: Any) -> Any:
        return value if isinstance(value, tuple) else (value,) * rank

    spans, cuts = [], []
    extras = each(layer.output_padding)
    columns = zip(x.shape[1:-1], kernel.shape, each(layer.stride), each(layer.dilation), extras, strict=False)
    for axis, (side, size, stride, dilation, extra) in enumerate(columns):
        span = max(i * stride + t * dilation for i in range(side) for t in range(size)) + 1
        if layer.padding == "same":
            low, _ = place(side * stride, kernel=size, stride=stride, dilation=dilation, padding="same").padding
            span = max(span, low + side * stride)
            cuts.append(slice(low, low + side * stride))
        else:
            pad = 0 if layer.padding == "valid" else each(layer.padding)[axis]
            low, high = (pad, pad) if isinstance(pad, int) else pad
            cuts.append(slice(low, span + extra - high))
        spans.append(span + extra)
    canvas = np.zeros((x.shape[0], *spans, layer.filters))
    reads, makes = x.shape[-1] // layer.groups, layer.filters // layer.groups
    multiplies = 0
    for at, tap in itertools.product(np.ndindex(x.shape), np.ndindex(kernel.shape[:rank])):
        sample, *position, channel = at
        there = [
            i * s + t * d
            for i, s, t, d in zip(position, each(layer.stride), tap, each(layer.dilation), strict=True)
        ]
        group, within = divmod(channel, reads)
        for k in range(group * makes, (group + 1) * makes):
            canvas[sample, *there, k] += x[at] * kernel[*tap, within, k]
            multiplies += 1
    y = canvas[:, *cuts]
    return Result(y + params["bias"] if layer.bias else y, {}, multiplies)


def conv(layer: Any, params: Arrays, state: Arrays, train: bool, x: Array) -> Result:
    """Σ over taps and channels of the group, x·w + b; a tap on padding multiplies a zero."""
    kernel = params["kernel"]
    axes = places(layer, x.shape[1:-1], dilation=layer.dilation)
    reads, makes = x.shape[-1] // layer.groups, layer.filters // layer.groups
    y = np.zeros((x.shape[0], *(len(axis.starts) for axis in axes), layer.filters))
    multiplies = 0
    for sample, (out, start), k in itertools.product(range(len(x)), windows(axes), range(layer.filters)):
        first = k // makes * reads
        for (tap, position), channel in itertools.product(taps(axes, start), range(reads)):
            value = x[sample, *position, first + channel] if on_input(axes, position) else 0.0
            y[sample, *out, k] += value * kernel[*tap, channel, k]
            multiplies += 1
        if layer.bias:
            y[sample, *out, k] += params["bias"][k]
    return Result(y, {}, multiplies)


def dense(layer: Any, params: Arrays, state: Arrays, train: bool, x: Array) -> Result:
    """Σ over the last axis, x·w + b, at each position."""
    y = np.zeros((*x.shape[:-1], layer.units))
    multiplies = 0
    for place, k in itertools.product(np.ndindex(x.shape[:-1]), range(layer.units)):
        for c in range(x.shape[-1]):
            y[*place, k] += x[*place, c] * params["kernel"][c, k]
            multiplies += 1
        if layer.bias:
            y[*place, k] += params["bias"][k]
    return Result(y, {}, multiplies)


def max_pool(layer: Any, params: Arrays, state: Arrays, train: bool, x: Array) -> Result:
    """The largest element of the input under each window."""

    def largest(axes: Sequence[Places], start: Sequence[int], one: Array) -> float:
        return max(one[position] for _, position in taps(axes, start) if on_input(axes, position))

    return _pool(layer, x, largest)


def avg_pool(layer: Any, params: Arrays, state: Arrays, train: bool, x: Array) -> Result:
    """The sum of the input under each window over the number of its taps that count."""

    def mean(axes: Sequence[Places], start: Sequence[int], one: Array) -> float:
        total, count = 0.0, 0
        for _, position in taps(axes, start):
            if on_input(axes, position):
                total += one[position]
                count += 1
            elif layer.count_include_pad and all(a.pads(p) for a, p in zip(axes, position, strict=True)):
                count += 1
        return total / count

    return _pool(layer, x, mean)


def _pool(layer: Any, x: Array, summary: Callable[[Sequence[Places], Sequence[int], Array], float]) -> Result:
    axes = places(layer, x.shape[1:-1], rounding=layer.rounding)
    y = np.zeros((x.shape[0], *(len(axis.starts) for axis in axes), x.shape[-1]))
    for sample, (out, start), c in itertools.product(range(len(x)), windows(axes), range(x.shape[-1])):
        y[sample, *out, c] = summary(axes, start, x[sample, ..., c])
    return Result(y, {})


def stochastic_pool(layer: Any, params: Arrays, state: Arrays, train: bool, x: Array) -> Result:
    """Σ p_r a_(r) over the ranks of the input under each window; training draws and has its own tests."""
    assert not train or layer.alpha == 1

    def mean(axes: Sequence[Places], start: Sequence[int], one: Array) -> float:
        ranked = sorted((one[at] for _, at in taps(axes, start) if on_input(axes, at)), reverse=True)
        chances = [layer.alpha * (1 - layer.alpha) ** r for r in range(len(ranked))]
        return sum(p * value for p, value in zip(chances, ranked, strict=True)) / sum(chances)

    return _pool(layer, x, mean)


def adaptive_avg_pool(layer: Any, params: Arrays, state: Arrays, train: bool, x: Array) -> Result:
    """The mean of every element that a window, its ends rounded outward, touches."""
    sides = x.shape[1:-1]
    size = layer.size if isinstance(layer.size, tuple) else (layer.size,) * len(sides)
    y = np.zeros((x.shape[0], *size, x.shape[-1]))
    for sample, *out, c in np.ndindex(y.shape):
        # Element e spans [e, e + 1), window i of O spans [i, i + 1) · N / O: they touch if they overlap.
        touched = [
            [e for e in range(n) if e * o < (i + 1) * n and (e + 1) * o > i * n]
            for i, n, o in zip(out, sides, size, strict=True)
        ]
        values = [x[sample, *at, c] for at in itertools.product(*touched)]
        y[sample, *out, c] = sum(values) / len(values)
    return Result(y, {})


def global_max_pool(layer: Any, params: Arrays, state: Arrays, train: bool, x: Array) -> Result:
    """The largest element of each channel of each sample."""
    batch, *sides, channels = x.shape
    y = np.array([[max(x[sample, ..., c].flat) for c in range(channels)] for sample in range(batch)])
    return Result(y.reshape(batch, *[1] * len(sides), channels) if layer.keepdims else y, {})


def global_avg_pool(layer: Any, params: Arrays, state: Arrays, train: bool, x: Array) -> Result:
    """The mean of each channel of each sample."""
    batch, *sides, channels = x.shape
    y = np.zeros((batch, channels))
    for sample, c in np.ndindex(y.shape):
        y[sample, c] = sum(x[sample, ..., c].flat) / x[sample, ..., c].size
    return Result(y.reshape(batch, *[1] * len(sides), channels) if layer.keepdims else y, {})


def batch_norm(layer: Any, params: Arrays, state: Arrays, train: bool, x: Array) -> Result:
    """(x − μ) / √(σ² + ε) · γ + β, channel by channel; σ² is the mean of the squared deviations."""
    y = np.zeros(x.shape)
    kept = {name: np.array(values) for name, values in state.items()}
    for c in range(x.shape[-1]):
        values = list(x[..., c].flat)
        mean, variance = state["mean"][c], state["variance"][c]
        if train:
            mean = sum(values) / len(values)
            variance = sum((v - mean) ** 2 for v in values) / len(values)
            kept["mean"][c] += (1 - layer.momentum) * (mean - state["mean"][c])
            kept["variance"][c] += (1 - layer.momentum) * (variance - state["variance"][c])
        scale = params["scale"][c] if layer.scale else 1.0
        shift = params["bias"][c] if layer.shift else 0.0
        for place in np.ndindex(x.shape[:-1]):
            y[*place, c] = (x[*place, c] - mean) / (variance + layer.epsilon) ** 0.5 * scale + shift
    return Result(y, kept if train else {})


def standardize(x: Array, apart: Callable[[tuple[int, ...]], object], epsilon: float) -> Array:
    """(v − μ) / √(σ² + ε), with the statistics of all elements whose places `apart` does not tell apart."""
    shared: dict[object, list[tuple[int, ...]]] = {}
    for place in np.ndindex(x.shape):
        shared.setdefault(apart(place), []).append(place)
    y = np.zeros(x.shape)
    for group in shared.values():
        mean = sum(x[place] for place in group) / len(group)
        variance = sum((x[place] - mean) ** 2 for place in group) / len(group)
        for place in group:
            y[place] = (x[place] - mean) / (variance + epsilon) ** 0.5
    return y


def scale_and_shift(y: Array, layer: Any, params: Arrays, per: Callable[[tuple[int, ...]], Any]) -> Result:
    """γy + β, where `per` tells which γ and β an element has."""
    assert set(params) == {name for name, on in (("scale", layer.scale), ("bias", layer.shift)) if on}
    for place in np.ndindex(y.shape):
        scale = params["scale"][per(place)] if layer.scale else 1.0
        y[place] = y[place] * scale + (params["bias"][per(place)] if layer.shift else 0.0)
    return Result(y, {})


def layer_norm(layer: Any, params: Arrays, state: Arrays, train: bool, x: Array) -> Result:
    """Statistics of a position, γ and β of a channel; or statistics of a sample, γ and β of an element."""
    if layer.axes == "channels":
        y = standardize(x, lambda place: place[:-1], layer.epsilon)
        return scale_and_shift(y, layer, params, lambda place: place[-1])
    return scale_and_shift(standardize(x, lambda p: p[0], layer.epsilon), layer, params, lambda p: p[1:])


def group_norm(layer: Any, params: Arrays, state: Arrays, train: bool, x: Array) -> Result:
    """Statistics of a sample and a group of channels that follow each other."""
    size = x.shape[-1] // layer.groups
    y = standardize(x, lambda place: (place[0], place[-1] // size), layer.epsilon)
    return scale_and_shift(y, layer, params, lambda place: place[-1])


def instance_norm(layer: Any, params: Arrays, state: Arrays, train: bool, x: Array) -> Result:
    """Statistics of a sample and channel."""
    y = standardize(x, lambda place: (place[0], place[-1]), layer.epsilon)
    return scale_and_shift(y, layer, params, lambda place: place[-1])


def rms_norm(layer: Any, params: Arrays, state: Arrays, train: bool, x: Array) -> Result:
    """x over the root of the mean of its squares, along the channels."""
    y = np.zeros(x.shape)
    for place in np.ndindex(x.shape[:-1]):
        root = (sum(v**2 for v in x[place]) / x.shape[-1] + layer.epsilon) ** 0.5
        for c, value in enumerate(x[place]):
            y[*place, c] = value / root * (params["scale"][c] if layer.scale else 1.0)
    return Result(y, {})


def local_response_norm(layer: Any, params: Arrays, state: Arrays, train: bool, x: Array) -> Result:
    """a / (k + α Σ a²)^β over the neighbours; an even window reaches one further down than up."""
    y = np.zeros(x.shape)
    down = layer.size // 2
    for *place, c in np.ndindex(x.shape):
        near = [j for j in range(c - down, c - down + layer.size) if 0 <= j < x.shape[-1]]
        total = sum(x[*place, j] ** 2 for j in near)
        y[*place, c] = x[*place, c] / (layer.k + layer.alpha * total) ** layer.beta
    return Result(y, {})


def layer_scale(layer: Any, params: Arrays, state: Arrays, train: bool, x: Array) -> Result:
    """γx."""
    y = np.zeros(x.shape)
    for place in np.ndindex(x.shape):
        y[place] = x[place] * params["scale"][place[-1]]
    return Result(y, {})


def prelu(layer: Any, params: Arrays, state: Arrays, train: bool, x: Array) -> Result:
    """v, or the slope times v if v is negative."""
    y = np.zeros(x.shape)
    for place in np.ndindex(x.shape):
        slope = params["slope"][0 if layer.shared else place[-1]]
        y[place] = x[place] if x[place] > 0 else slope * x[place]
    return Result(y, {})


def crelu(layer: Any, params: Arrays, state: Arrays, train: bool, x: Array) -> Result:
    """All positive parts, then all negative parts."""
    y = np.zeros((*x.shape[:-1], 2 * x.shape[-1]))
    for place in np.ndindex(x.shape[:-1]):
        y[place] = [max(v, 0.0) for v in x[place]] + [max(-v, 0.0) for v in x[place]]
    return Result(y, {})


def maxout(layer: Any, params: Arrays, state: Arrays, train: bool, x: Array) -> Result:
    """y_j = the largest of channels jK to jK + K − 1."""
    y = np.zeros((*x.shape[:-1], x.shape[-1] // layer.pieces))
    for *place, j in np.ndindex(y.shape):
        y[*place, j] = max(x[*place, j * layer.pieces + i] for i in range(layer.pieces))
    return Result(y, {})


def multiply(layer: Any, params: Arrays, state: Arrays, train: bool, *inputs: Array) -> Result:
    """The product at each place; an input without that place, or without positions, gives the one it has."""
    rank = max(x.ndim for x in inputs)
    sides = [max(x.shape[axis] for x in inputs if x.ndim == rank) for axis in range(rank - 1)]
    y = np.ones((*sides, max(x.shape[-1] for x in inputs)))
    for place in np.ndindex(y.shape):
        for x in inputs:
            own = place if x.ndim == rank else (place[0], place[-1])
            y[place] *= x[tuple(min(i, side - 1) for i, side in zip(own, x.shape, strict=True))]
    return Result(y, {})


def log_softmax(layer: Any, params: Arrays, state: Arrays, train: bool, x: Array) -> Result:
    """The logarithm of softmax, as the largest channel leaves it finite."""
    y = np.zeros(x.shape)
    for place in np.ndindex(x.shape[:-1]):
        largest = max(x[place])
        total = math.log(sum(math.exp(v - largest) for v in x[place]))
        y[place] = [v - largest - total for v in x[place]]
    return Result(y, {})


def softplus(v: float) -> float:
    """log(1 + e^v) for any v."""
    return max(v, 0.0) + math.log1p(math.exp(-abs(v)))


def logistic(v: float) -> float:
    """1 / (1 + e^−v) for any v."""
    return 0.5 + 0.5 * math.tanh(v / 2)


def gelu(layer: Any, params: Arrays, state: Arrays, train: bool, x: Array) -> Result:
    """v times the probability that N(0, 1) is below v, or Hendrycks' approximation of it."""

    def exact(v: float) -> float:
        return v * math.erfc(-v / math.sqrt(2)) / 2

    def approximate(v: float) -> float:
        return v * logistic(2 * math.sqrt(2 / math.pi) * (v + 0.044715 * v**3))

    return Result(np.vectorize({"none": exact, "tanh": approximate}[layer.approximate], otypes=[float])(x), {})


def softmax(layer: Any, params: Arrays, state: Arrays, train: bool, x: Array) -> Result:
    """e^x over its sum along the channels."""
    y = np.zeros(x.shape)
    for place in np.ndindex(x.shape[:-1]):
        powers = [np.e**v for v in x[place]]
        y[place] = [power / sum(powers) for power in powers]
    return Result(y, {})


def flatten(layer: Any, params: Arrays, state: Arrays, train: bool, x: Array) -> Result:
    """The elements of each sample in reading order."""
    return Result(np.array([list(sample.flat) for sample in x]), {})


def reshape(layer: Any, params: Arrays, state: Arrays, train: bool, x: Array) -> Result:
    """The elements of each sample in reading order."""
    known = [length for length in layer.shape if length != -1]
    shape = [x[0].size // int(np.prod(known)) if length == -1 else length for length in layer.shape]
    y = np.zeros((len(x), *shape))
    for sample in range(len(x)):
        for place, value in zip(np.ndindex(*shape), x[sample].flat, strict=True):
            y[sample, *place] = value
    return Result(y, {})


def _ends(value: Any, rank: int) -> list[tuple[int, int]]:
    return [(value, value)] * rank if isinstance(value, int) else list(value)


def pad(layer: Any, params: Arrays, state: Arrays, train: bool, x: Array) -> Result:
    """The border's positions, sent back onto the map where the mode is not constant."""

    def source(position: int, side: int) -> int | None:
        if layer.mode == "edge" or (layer.mode == "reflect" and side == 1):
            return min(max(position, 0), side - 1)
        while layer.mode == "reflect" and not 0 <= position < side:
            position = -position if position < 0 else 2 * (side - 1) - position
        return position if 0 <= position < side else None

    sides, ends = x.shape[1:-1], _ends(layer.padding, x.ndim - 2)
    y = np.full(
        (len(x), *(low + n + high for n, (low, high) in zip(sides, ends, strict=True)), x.shape[-1]), layer.value
    )
    for sample, *out, c in np.ndindex(y.shape):
        at = [source(o - low, n) for o, n, (low, _) in zip(out, sides, ends, strict=True)]
        if None not in at:
            y[sample, *out, c] = x[sample, *at, c]
    return Result(y, {})


def crop(layer: Any, params: Arrays, state: Arrays, train: bool, x: Array) -> Result:
    """The first elements deleted, then the last."""
    for axis, (low, high) in enumerate(_ends(layer.crop, x.ndim - 2), 1):
        x = np.delete(x, [*range(low), *range(x.shape[axis] - high, x.shape[axis])], axis)
    return Result(x, {})


def slice_(layer: Any, params: Arrays, state: Arrays, train: bool, x: Array) -> Result:
    """Python's slice of one axis."""
    names = {2: ["length"], 3: ["height", "width"], 4: ["depth", "height", "width"]}.get(x.ndim - 1, [])
    axis = [*names, "channels"].index(layer.axis) + 1
    kept = list(range(x.shape[axis]))[layer.start : layer.stop : layer.step]
    return Result(np.stack([np.take(x, k, axis) for k in kept], axis), {})


def channel_shuffle(layer: Any, params: Arrays, state: Arrays, train: bool, x: Array) -> Result:
    """One channel from each group in turn."""
    each = x.shape[-1] // layer.groups
    order = [group * each + i for i in range(each) for group in range(layer.groups)]
    return Result(np.stack([x[..., c] for c in order], -1), {})


def upsample(layer: Any, params: Arrays, state: Arrays, train: bool, x: Array) -> Result:
    """Every output from the elements whose centres are nearest, weighted by 1 − distance if bilinear."""
    sides = x.shape[1:-1]
    scale = layer.scale if isinstance(layer.scale, tuple) else (layer.scale,) * len(sides)
    y = np.zeros((len(x), *(n * s for n, s in zip(sides, scale, strict=True)), x.shape[-1]))
    for sample, *out, c in np.ndindex(y.shape):
        at = [(o + 0.5) / s - 0.5 for o, s in zip(out, scale, strict=True)]
        if layer.method == "nearest":
            y[sample, *out, c] = x[sample, *(round(a) for a in at), c]
            continue
        for position in np.ndindex(sides):
            held = [min(max(a, 0), n - 1) for a, n in zip(at, sides, strict=True)]
            weights = [max(0, 1 - abs(p - h)) for p, h in zip(position, held, strict=True)]
            y[sample, *out, c] += np.prod(weights) * x[sample, *position, c]
    return Result(y, {})


def _sigmoid(v: float) -> float:
    return 1 / (1 + np.e**-v)


def _recurrent(
    layer: Any, params: Arrays, x: Array, biases: Mapping[str, str], update: Callable[..., tuple[float, float]]
) -> Result:
    """Walk samples, steps and units; `update` makes a unit's h and c from its products with input and state."""
    gates = params["kernel"].shape[1]
    y = np.zeros((*x.shape[:-1], layer.units))
    multiplies = 0
    for sample in range(len(x)):
        h, c = [0.0] * layer.units, [0.0] * layer.units
        for t in range(x.shape[1]):
            new = []
            for u in range(layer.units):
                sums = {name: [0.0] * gates for name in biases}
                for (name, bias), values in zip(biases.items(), (x[sample, t], h), strict=True):
                    for gate, (j, value) in itertools.product(range(gates), enumerate(values)):
                        sums[name][gate] += value * params[name][j, gate, u]
                        multiplies += 1
                    if bias in params:
                        sums[name] = [total + params[bias][gate, u] for gate, total in enumerate(sums[name])]
                new.append(update(*sums.values(), h[u], c[u]))
            h, c = [state[0] for state in new], [state[1] for state in new]
            y[sample, t] = h
    return Result(y if layer.output == "sequence" else y[:, -1], {}, multiplies)


def lstm(layer: Any, params: Arrays, state: Arrays, train: bool, x: Array) -> Result:
    """Gers et al. 2000, gates i, f, g, o."""

    def update(of_x: Sequence[float], of_h: Sequence[float], h: float, c: float) -> tuple[float, float]:
        i, f, g, o = (a + b for a, b in zip(of_x, of_h, strict=True))
        c = _sigmoid(f) * c + _sigmoid(i) * np.tanh(g)
        return _sigmoid(o) * np.tanh(c), c

    return _recurrent(layer, params, x, {"kernel": "bias", "recurrent_kernel": ""}, update)


def gru(layer: Any, params: Arrays, state: Arrays, train: bool, x: Array) -> Result:
    """Cho et al. 2014, gates r, z, n, r on the finished product."""

    def update(of_x: Sequence[float], of_h: Sequence[float], h: float, c: float) -> tuple[float, float]:
        r, z = _sigmoid(of_x[0] + of_h[0]), _sigmoid(of_x[1] + of_h[1])
        return (1 - z) * np.tanh(of_x[2] + r * of_h[2]) + z * h, c

    return _recurrent(layer, params, x, {"kernel": "bias", "recurrent_kernel": "recurrent_bias"}, update)


def concat(layer: Any, params: Arrays, state: Arrays, train: bool, *inputs: Array) -> Result:
    """The channels of all inputs, one input after the other."""
    y = np.zeros((*inputs[0].shape[:-1], sum(x.shape[-1] for x in inputs)))
    for place in np.ndindex(y.shape[:-1]):
        y[place] = [value for x in inputs for value in x[place]]
    return Result(y, {})


def elementwise(function: Callable[..., float], *fields: str) -> Callable[..., Result]:
    """Return the oracle of a layer that is one function of an element, or of one from each input, and of fields."""

    def oracle(layer: Any, params: Arrays, state: Arrays, train: bool, *inputs: Array) -> Result:
        given = {name: getattr(layer, name) for name in fields}
        return Result(np.vectorize(lambda *values: function(*values, **given), otypes=[float])(*inputs), {})

    return oracle


def dropout(layer: Any, params: Arrays, state: Arrays, train: bool, x: Array) -> Result:
    """Nothing at inference; training is random and has its own tests."""
    assert not train or layer.rate == 0
    return Result(x, {})


ORACLES: dict[str, Callable[..., Result]] = {
    "conv": conv,
    "depthwise_conv": depthwise_conv,
    "conv_transpose": conv_transpose,
    "dense": dense,
    "max_pool": max_pool,
    "avg_pool": avg_pool,
    "stochastic_pool": stochastic_pool,
    "adaptive_avg_pool": adaptive_avg_pool,
    "global_avg_pool": global_avg_pool,
    "global_max_pool": global_max_pool,
    "batch_norm": batch_norm,
    "layer_norm": layer_norm,
    "group_norm": group_norm,
    "instance_norm": instance_norm,
    "rms_norm": rms_norm,
    "local_response_norm": local_response_norm,
    "layer_scale": layer_scale,
    "dropout": dropout,
    "spatial_dropout": dropout,
    "drop_path": dropout,
    "relu": elementwise(lambda v: v if v > 0 else 0.0),
    "tanh": elementwise(lambda v: (np.e**v - np.e**-v) / (np.e**v + np.e**-v)),
    "sigmoid": elementwise(lambda v: 1 / (1 + np.e**-v)),
    "relu6": elementwise(lambda v: min(v, 6.0) if v > 0 else 0.0),
    "leaky_relu": elementwise(lambda v, slope: v if v > 0 else slope * v, "slope"),
    "prelu": prelu,
    "abs": elementwise(lambda v: v if v > 0 else -v),
    "crelu": crelu,
    "maxout": maxout,
    "hard_sigmoid": elementwise(lambda v: min(max(v / 6 + 0.5, 0.0), 1.0)),
    "hard_swish": elementwise(lambda v: v * min(max(v / 6 + 0.5, 0.0), 1.0)),
    "softsign": elementwise(lambda v: v / (1 + abs(v))),
    "elu": elementwise(lambda v, alpha: v if v > 0 else alpha * (math.exp(v) - 1), "alpha"),
    "selu": elementwise(lambda v: 1.05070099 * (v if v > 0 else 1.67326324 * (math.exp(v) - 1))),
    "celu": elementwise(lambda v, alpha: v if v > 0 else alpha * (math.exp(v / alpha) - 1), "alpha"),
    "softplus": elementwise(softplus),
    "silu": elementwise(lambda v: v * logistic(v)),
    "mish": elementwise(lambda v: v * math.tanh(softplus(v))),
    "gelu": gelu,
    "softmax": softmax,
    "log_softmax": log_softmax,
    "lstm": lstm,
    "gru": gru,
    "flatten": flatten,
    "reshape": reshape,
    "pad": pad,
    "crop": crop,
    "slice": slice_,
    "channel_shuffle": channel_shuffle,
    "upsample": upsample,
    "add": elementwise(lambda *values: sum(values)),
    "concat": concat,
    "multiply": multiply,
    "maximum": elementwise(lambda *values: max(values)),
    "average": elementwise(lambda *values: sum(values) / len(values)),
}
"""By kind, with (layer, params, state, train, *inputs)."""
