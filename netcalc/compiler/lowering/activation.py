"""Activations."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp

from netcalc.compiler.context import Context
from netcalc.compiler.lowering.signature import Arrays, Lowering
from netcalc.graph import Node


def elementwise(function: Callable[[jax.Array], jax.Array]) -> Lowering:
    """Return the lowering of a layer that is one JAX function of its input."""

    def lower(
        node: Node, params: Arrays, state: Arrays, /, *inputs: jax.Array, ctx: Context
    ) -> tuple[jax.Array, Arrays]:
        (x,) = inputs
        return function(x), {}

    return lower


lower_relu = elementwise(jax.nn.relu)
lower_tanh = elementwise(jnp.tanh)
lower_sigmoid = elementwise(jax.nn.sigmoid)
lower_softmax = elementwise(jax.nn.softmax)
