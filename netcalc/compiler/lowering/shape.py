"""Arrangement of elements."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from netcalc.compiler.context import Context
from netcalc.compiler.lowering.signature import Arrays
from netcalc.graph import Node


def lower_flatten(
    node: Node, params: Arrays, state: Arrays, /, *inputs: jax.Array, ctx: Context
) -> tuple[jax.Array, Arrays]:
    """All axes of a sample as one, in reading order."""
    (x,) = inputs
    return jnp.reshape(x, (x.shape[0], -1)), {}
