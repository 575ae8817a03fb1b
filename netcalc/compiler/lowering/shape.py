"""Arrangement of elements."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from netcalc.compiler.context import Context
from netcalc.compiler.lowering.signature import Arrays
from netcalc.graph import Node
from netcalc.layers.base import TensorType
from netcalc.layers.shape import ChannelShuffle, Pad, Slice, Upsample
from netcalc.layers.window import per_axis


def lower_flatten(
    node: Node, params: Arrays, state: Arrays, /, *inputs: jax.Array, ctx: Context
) -> tuple[jax.Array, Arrays]:
    """All axes of a sample as one, in reading order."""
    (x,) = inputs
    return jnp.reshape(x, (x.shape[0], -1)), {}


def lower_reshape(
    node: Node, params: Arrays, state: Arrays, /, *inputs: jax.Array, ctx: Context
) -> tuple[jax.Array, Arrays]:
    """The same elements in reading order."""
    (x,) = inputs
    return jnp.reshape(x, (x.shape[0], *node.known.output.shape)), {}


def lower_pad(
    node: Node, params: Arrays, state: Arrays, /, *inputs: jax.Array, ctx: Context
) -> tuple[jax.Array, Arrays]:
    """A border around the spatial axes."""
    (x,) = inputs
    layer = node.spec.layer
    assert isinstance(layer, Pad)
    widths = ((0, 0), *(axis.padding for axis in node.known.window), (0, 0))
    if layer.mode == "constant":
        return jnp.pad(x, widths, constant_values=layer.value), {}
    return jnp.pad(x, widths, mode=layer.mode), {}


def lower_crop(
    node: Node, params: Arrays, state: Arrays, /, *inputs: jax.Array, ctx: Context
) -> tuple[jax.Array, Arrays]:
    """The elements between those that are cut."""
    (x,) = inputs
    inner = (slice(-axis.padding[0], axis.input + axis.padding[1]) for axis in node.known.window)
    return x[(slice(None), *inner)], {}


def lower_slice(
    node: Node, params: Arrays, state: Arrays, /, *inputs: jax.Array, ctx: Context
) -> tuple[jax.Array, Arrays]:
    """Every step-th element of one axis, from start to before stop."""
    (x,) = inputs
    layer = node.spec.layer
    assert isinstance(layer, Slice)
    axis = 1 + layer.position(TensorType(x.shape[1:]))
    return lax.slice_in_dim(x, *layer.bounds(x.shape[axis]), stride=layer.step, axis=axis), {}


def lower_channel_shuffle(
    node: Node, params: Arrays, state: Arrays, /, *inputs: jax.Array, ctx: Context
) -> tuple[jax.Array, Arrays]:
    """The channels as a matrix with a row per group, transposed."""
    (x,) = inputs
    layer = node.spec.layer
    assert isinstance(layer, ChannelShuffle)
    rows = jnp.reshape(x, (*x.shape[:-1], layer.groups, -1))
    return jnp.reshape(jnp.swapaxes(rows, -1, -2), x.shape), {}


def lower_upsample(
    node: Node, params: Arrays, state: Arrays, /, *inputs: jax.Array, ctx: Context
) -> tuple[jax.Array, Arrays]:
    """Each axis in turn: its elements repeated, or weighted between the two nearest centres."""
    (x,) = inputs
    layer = node.spec.layer
    assert isinstance(layer, Upsample)
    for axis, scale in enumerate(per_axis(layer.scale, x.ndim - 2, "scale"), start=1):
        x = jnp.repeat(x, scale, axis) if layer.method == "nearest" else _linear(x, scale, axis)
    return x, {}


def _linear(x: jax.Array, scale: int, axis: int) -> jax.Array:
    """Sample an axis at (o + ½) / scale − ½; not a matrix product, which the analysis would have to count."""
    side = x.shape[axis]
    at = np.clip((np.arange(side * scale) + 0.5) / scale - 0.5, 0, side - 1)
    low = np.floor(at).astype(int)
    weight = np.expand_dims(at - low, [i for i in range(x.ndim) if i != axis]).astype(x.dtype)
    left, right = jnp.take(x, low, axis), jnp.take(x, np.minimum(low + 1, side - 1), axis)
    return left + weight * (right - left)
