"""Merges of several tensors."""

from __future__ import annotations

import functools
import operator

import jax
import jax.numpy as jnp

from netcalc.compiler.context import Context
from netcalc.compiler.lowering.signature import Arrays
from netcalc.graph import Node


def lower_add(
    node: Node, params: Arrays, state: Arrays, /, *inputs: jax.Array, ctx: Context
) -> tuple[jax.Array, Arrays]:
    """Elementwise sum."""
    return functools.reduce(operator.add, inputs), {}


def lower_concat(
    node: Node, params: Arrays, state: Arrays, /, *inputs: jax.Array, ctx: Context
) -> tuple[jax.Array, Arrays]:
    """Concatenation along the channels."""
    return jnp.concatenate(inputs, axis=-1), {}
