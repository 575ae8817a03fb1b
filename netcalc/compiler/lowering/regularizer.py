"""Layers that act in training only."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from netcalc.compiler.context import Context
from netcalc.compiler.lowering.signature import Arrays
from netcalc.graph import Node
from netcalc.layers.regularizer import Dropout


def lower_dropout(
    node: Node, params: Arrays, state: Arrays, /, *inputs: jax.Array, ctx: Context
) -> tuple[jax.Array, Arrays]:
    """Drop with probability p and scale the rest by 1 / (1 − p) in training; identity else."""
    (x,) = inputs
    layer = node.spec.layer
    assert isinstance(layer, Dropout)
    if not ctx.train or layer.rate == 0:
        return x, {}
    keep = jax.random.bernoulli(ctx.key_for(node.name), 1 - layer.rate, x.shape)
    return jnp.where(keep, x / (1 - layer.rate), jnp.zeros_like(x)), {}
