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


def lower_average(
    node: Node, params: Arrays, state: Arrays, /, *inputs: jax.Array, ctx: Context
) -> tuple[jax.Array, Arrays]:
    """Elementwise mean."""
    return functools.reduce(operator.add, inputs) / len(inputs), {}


def lower_maximum(
    node: Node, params: Arrays, state: Arrays, /, *inputs: jax.Array, ctx: Context
) -> tuple[jax.Array, Arrays]:
    """Elementwise maximum."""
    return functools.reduce(jnp.maximum, inputs), {}


def lower_multiply(
    node: Node, params: Arrays, state: Arrays, /, *inputs: jax.Array, ctx: Context
) -> tuple[jax.Array, Arrays]:
    """Elementwise product; a vector of channels gets axes of length 1 after the batch."""
    rank = max(x.ndim for x in inputs)
    maps = [jnp.reshape(x, (x.shape[0], *[1] * (rank - x.ndim), *x.shape[1:])) for x in inputs]
    return functools.reduce(operator.mul, maps), {}


def lower_concat(
    node: Node, params: Arrays, state: Arrays, /, *inputs: jax.Array, ctx: Context
) -> tuple[jax.Array, Arrays]:
    """Concatenation along the channels."""
    return jnp.concatenate(inputs, axis=-1), {}
