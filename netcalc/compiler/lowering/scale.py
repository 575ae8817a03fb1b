"""Trained factors."""

from __future__ import annotations

import jax

from netcalc.compiler.context import Context
from netcalc.compiler.lowering.signature import Arrays
from netcalc.graph import Node


def lower_layer_scale(
    node: Node, params: Arrays, state: Arrays, /, *inputs: jax.Array, ctx: Context
) -> tuple[jax.Array, Arrays]:
    """γx, channel by channel."""
    (x,) = inputs
    return x * params["scale"].astype(x.dtype), {}
