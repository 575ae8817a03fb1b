"""Layers that act in training only."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from netcalc.compiler.context import Context
from netcalc.compiler.lowering.signature import Arrays
from netcalc.graph import Node
from netcalc.layers.regularizer import Dropout, DropPath, SpatialDropout


def lower_dropout(
    node: Node, params: Arrays, state: Arrays, /, *inputs: jax.Array, ctx: Context
) -> tuple[jax.Array, Arrays]:
    """Drop with probability p and scale the rest by 1 / (1 − p) in training; identity else."""
    (x,) = inputs
    layer = node.spec.layer
    assert isinstance(layer, Dropout)
    return _drop(node, x, layer.rate, x.shape, ctx), {}


def lower_spatial_dropout(
    node: Node, params: Arrays, state: Arrays, /, *inputs: jax.Array, ctx: Context
) -> tuple[jax.Array, Arrays]:
    """Dropout with one draw per sample and channel."""
    (x,) = inputs
    layer = node.spec.layer
    assert isinstance(layer, SpatialDropout)
    return _drop(node, x, layer.rate, (x.shape[0], *[1] * (x.ndim - 2), x.shape[-1]), ctx), {}


def lower_drop_path(
    node: Node, params: Arrays, state: Arrays, /, *inputs: jax.Array, ctx: Context
) -> tuple[jax.Array, Arrays]:
    """Dropout with one draw per sample."""
    (x,) = inputs
    layer = node.spec.layer
    assert isinstance(layer, DropPath)
    return _drop(node, x, layer.rate, (x.shape[0], *[1] * (x.ndim - 1)), ctx), {}


def _drop(node: Node, x: jax.Array, rate: float, draws: tuple[int, ...], ctx: Context) -> jax.Array:
    """Drop what shares a draw together; `draws` is x's shape with 1 for the axes that share."""
    if not ctx.train or rate == 0:
        return x
    keep = jax.random.bernoulli(ctx.key_for(node.name), 1 - rate, draws)
    return jnp.where(keep, x / (1 - rate), jnp.zeros_like(x))
