"""Dense layers."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from netcalc.compiler.context import Context
from netcalc.compiler.lowering.signature import Arrays
from netcalc.graph import Node


def lower_dense(
    node: Node, params: Arrays, state: Arrays, /, *inputs: jax.Array, ctx: Context
) -> tuple[jax.Array, Arrays]:
    """y = xW + b over the last axis."""
    (x,) = inputs
    y = jnp.matmul(x, params["kernel"].astype(x.dtype))
    return (y + params["bias"].astype(y.dtype) if "bias" in params else y), {}
