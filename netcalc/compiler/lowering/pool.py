"""Pooling."""

from __future__ import annotations

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from numpy.typing import NDArray

from netcalc.compiler.context import Context
from netcalc.compiler.lowering.indexed_pool import Slide, covering, max_pool_by_index
from netcalc.compiler.lowering.signature import Arrays
from netcalc.graph import Node
from netcalc.layers.base import WindowAxis
from netcalc.layers.pool import INDEXED_TAPS, AdaptiveAvgPool, AvgPool, GlobalAvgPool, GlobalMaxPool, StochasticPool
from netcalc.layers.window import valid_taps


def lower_max_pool(
    node: Node, params: Arrays, state: Arrays, /, *inputs: jax.Array, ctx: Context
) -> tuple[jax.Array, Arrays]:
    """The largest value of each window; padding is −∞."""
    (x,) = inputs
    window = node.known.window
    if ctx.train and ctx.lean and math.prod(axis.size for axis in window) <= INDEXED_TAPS:
        slides = tuple(Slide(axis.input, axis.size, axis.stride, covering(axis)) for axis in window)
        return max_pool_by_index(x, slides), {}
    return _reduce(x, -jnp.inf, lax.max, window), {}


def lower_avg_pool(
    node: Node, params: Arrays, state: Arrays, /, *inputs: jax.Array, ctx: Context
) -> tuple[jax.Array, Arrays]:
    """The sum of each window over the number of its taps that count."""
    (x,) = inputs
    layer, window = node.spec.layer, node.known.window
    assert isinstance(layer, AvgPool)
    counts = [np.array(valid_taps(axis, padding_counts=layer.count_include_pad)) for axis in window]
    sums = _reduce(x, 0.0, lax.add, window)
    if all(len(set(count)) == 1 for count in counts):
        return sums / math.prod(int(count[0]) for count in counts), {}
    divisor = functools.reduce(np.multiply.outer, counts)[..., np.newaxis]
    return sums / divisor.astype(sums.dtype), {}


def lower_global_avg_pool(
    node: Node, params: Arrays, state: Arrays, /, *inputs: jax.Array, ctx: Context
) -> tuple[jax.Array, Arrays]:
    """The mean over all positions."""
    (x,) = inputs
    layer = node.spec.layer
    assert isinstance(layer, GlobalAvgPool)
    return jnp.mean(x, axis=tuple(range(1, x.ndim - 1)), keepdims=layer.keepdims), {}


def lower_global_max_pool(
    node: Node, params: Arrays, state: Arrays, /, *inputs: jax.Array, ctx: Context
) -> tuple[jax.Array, Arrays]:
    """The largest value of all positions."""
    (x,) = inputs
    layer = node.spec.layer
    assert isinstance(layer, GlobalMaxPool)
    return jnp.max(x, axis=tuple(range(1, x.ndim - 1)), keepdims=layer.keepdims), {}


def lower_adaptive_avg_pool(
    node: Node, params: Arrays, state: Arrays, /, *inputs: jax.Array, ctx: Context
) -> tuple[jax.Array, Arrays]:
    """The mean along one axis after the other: window i of O reads ⌊iN/O⌋ to before ⌈(i + 1)N/O⌉ of N."""
    (x,) = inputs
    assert isinstance(node.spec.layer, AdaptiveAvgPool)
    for axis, size in enumerate(node.known.output.sides, start=1):
        index = np.arange(size)
        starts, stops = index * x.shape[axis] // size, -((index + 1) * -x.shape[axis] // size)
        x, seen = _gather(x, axis, starts, stops, taps=int((stops - starts).max()))
        share = (seen / seen.sum(1, keepdims=True)).astype(x.dtype)
        x = jnp.sum(x * share.reshape(*share.shape, *[1] * (x.ndim - axis - 2)), axis + 1)
    return x, {}


def lower_stochastic_pool(
    node: Node, params: Arrays, state: Arrays, /, *inputs: jax.Array, ctx: Context
) -> tuple[jax.Array, Arrays]:
    """p_r ∝ α(1 − α)^(r − 1) over the n ranks of a window: a draw by it in training, the mean by it else."""
    (x,) = inputs
    layer, window = node.spec.layer, node.known.window
    assert isinstance(layer, StochasticPool)
    ranked, counts = _ranked(x, window)
    rank = np.arange(ranked.shape[-2])
    weight = np.where(rank < counts[..., np.newaxis], layer.alpha * (1 - layer.alpha) ** rank, 0.0)
    share = weight / weight.sum(-1, keepdims=True)
    if not ctx.train:
        return jnp.sum(ranked * share[..., np.newaxis].astype(x.dtype), -2), {}
    # Rank r is passed over with probability p_1 + … + p_r, and the last one never.
    passed = np.where(rank < counts[..., np.newaxis] - 1, np.cumsum(share, -1), 1.0)[..., np.newaxis]
    uniform = jax.random.uniform(ctx.key_for(node.name), (*ranked.shape[:-2], 1, ranked.shape[-1]))
    drawn = jnp.sum(uniform >= passed.astype(np.float32), -2, keepdims=True)
    return jnp.take_along_axis(ranked, drawn, -2)[..., 0, :], {}


def _ranked(x: jax.Array, window: tuple[WindowAxis, ...]) -> tuple[jax.Array, NDArray[np.int64]]:
    """Return the input under each window in descending order, and how many elements that is.

    Of shape (batch, outputs..., ranks, channels), zeros after the last rank.
    """
    outputs = [axis.output for axis in window]
    on_input = np.ones((), bool)
    for at, axis in enumerate(window):
        starts = np.arange(axis.output) * axis.stride - axis.padding[0]
        x, seen = _gather(x, 1 + 2 * at, starts, np.full_like(starts, axis.input), taps=axis.size)
        on_input = np.logical_and.outer(on_input, seen)
    # (batch, outputs, taps, outputs, taps, ..., channels) with the outputs first, taps in reading order.
    first, second = range(0, 2 * len(window), 2), range(1, 2 * len(window), 2)
    x = jnp.transpose(x, (0, *(1 + i for i in first), *(1 + i for i in second), x.ndim - 1))
    x = jnp.reshape(x, (x.shape[0], *outputs, -1, x.shape[-1]))
    on_input = np.transpose(on_input, (*first, *second)).reshape(*outputs, -1)
    counts = on_input.sum(-1)
    order = jnp.argsort(jnp.where(on_input[..., np.newaxis], -x, jnp.inf), axis=-2, stable=True)
    ranked = jnp.take_along_axis(x, order, -2)
    return jnp.where((np.arange(x.shape[-2]) < counts[..., np.newaxis])[..., np.newaxis], ranked, 0), counts


def _gather(
    x: jax.Array, axis: int, starts: NDArray[np.int64], stops: NDArray[np.int64], *, taps: int
) -> tuple[jax.Array, NDArray[np.bool_]]:
    """Return x with an axis replaced by (windows, taps), and which taps lie on it, before the stop."""
    positions = starts[:, np.newaxis] + np.arange(taps)
    seen = (positions >= 0) & (positions < stops[:, np.newaxis])
    return jnp.take(x, np.clip(positions, 0, x.shape[axis] - 1), axis, mode="clip"), seen


def _reduce(x: jax.Array, start: float, operation: object, window: tuple[WindowAxis, ...]) -> jax.Array:
    result: jax.Array = lax.reduce_window(
        x,
        start,
        operation,  # type: ignore[arg-type]
        window_dimensions=(1, *(axis.size for axis in window), 1),
        window_strides=(1, *(axis.stride for axis in window), 1),
        padding=((0, 0), *map(covering, window), (0, 0)),
    )
    return result
