"""Pooling."""

from __future__ import annotations

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from netcalc.compiler.context import Context
from netcalc.compiler.lowering.signature import Arrays
from netcalc.graph import Node
from netcalc.layers.base import WindowAxis
from netcalc.layers.pool import AvgPool, GlobalAvgPool
from netcalc.layers.window import valid_taps


def lower_max_pool(
    node: Node, params: Arrays, state: Arrays, /, *inputs: jax.Array, ctx: Context
) -> tuple[jax.Array, Arrays]:
    """The largest value of each window; padding is −∞."""
    (x,) = inputs
    return _reduce(x, -jnp.inf, lax.max, node.known.window), {}


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
    return sums / divisor.astype(np.float32), {}


def lower_global_avg_pool(
    node: Node, params: Arrays, state: Arrays, /, *inputs: jax.Array, ctx: Context
) -> tuple[jax.Array, Arrays]:
    """The mean over all positions."""
    (x,) = inputs
    layer = node.spec.layer
    assert isinstance(layer, GlobalAvgPool)
    return jnp.mean(x, axis=tuple(range(1, x.ndim - 1)), keepdims=layer.keepdims), {}


def _reduce(x: jax.Array, start: float, operation: object, window: tuple[WindowAxis, ...]) -> jax.Array:
    result: jax.Array = lax.reduce_window(
        x,
        start,
        operation,  # type: ignore[arg-type]
        window_dimensions=(1, *(axis.size for axis in window), 1),
        window_strides=(1, *(axis.stride for axis in window), 1),
        padding=((0, 0), *map(_covering, window), (0, 0)),
    )
    return result


def _covering(axis: WindowAxis) -> tuple[int, int]:
    """Return the padding that also holds what ceil rounding lets hang over the end."""
    low, high = axis.padding
    return low, high + max(0, -axis.unused)
