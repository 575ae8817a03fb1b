"""Recurrent layers: the input's part of every step in one product, the rest as a scan along the length."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax

from netcalc.compiler.context import Context
from netcalc.compiler.lowering.signature import Arrays
from netcalc.graph import Node
from netcalc.layers.recurrent import Gru, Lstm

Hidden = tuple[jax.Array, ...]


def lower_lstm(
    node: Node, params: Arrays, state: Arrays, /, *inputs: jax.Array, ctx: Context
) -> tuple[jax.Array, Arrays]:
    """i, f, g, o from x_t and h_{t−1}; c_t = f ∘ c_{t−1} + i ∘ g; h_t = o ∘ tanh(c_t)."""
    (x,) = inputs
    layer = node.spec.layer
    assert isinstance(layer, Lstm)

    def step(hidden: Hidden, projected: jax.Array) -> tuple[Hidden, jax.Array]:
        h, c = hidden
        gates = projected + _product(h, params["recurrent_kernel"])
        i, f, o = jax.nn.sigmoid(gates[:, 0]), jax.nn.sigmoid(gates[:, 1]), jax.nn.sigmoid(gates[:, 3])
        c = f * c + i * jnp.tanh(gates[:, 2])
        h = o * jnp.tanh(c)
        return (h, c), h

    return _run(step, layer, params, x, parts=2), {}


def lower_gru(
    node: Node, params: Arrays, state: Arrays, /, *inputs: jax.Array, ctx: Context
) -> tuple[jax.Array, Arrays]:
    """r, z, n from x_t and h_{t−1}, n with its recurrent part reset by r; h_t = (1 − z) ∘ n + z ∘ h_{t−1}."""
    (x,) = inputs
    layer = node.spec.layer
    assert isinstance(layer, Gru)

    def step(hidden: Hidden, projected: jax.Array) -> tuple[Hidden, jax.Array]:
        (h,) = hidden
        recurrent = _product(h, params["recurrent_kernel"])
        if layer.bias:
            recurrent = recurrent + params["recurrent_bias"].astype(h.dtype)
        r = jax.nn.sigmoid(projected[:, 0] + recurrent[:, 0])
        z = jax.nn.sigmoid(projected[:, 1] + recurrent[:, 1])
        n = jnp.tanh(projected[:, 2] + r * recurrent[:, 2])
        h = n + z * (h - n)
        return (h,), h

    return _run(step, layer, params, x, parts=1), {}


def _run(
    step: Callable[[Hidden, jax.Array], tuple[Hidden, jax.Array]],
    layer: Lstm | Gru,
    params: Arrays,
    x: jax.Array,
    *,
    parts: int,
) -> jax.Array:
    """Scan over time from a hidden state of zeros, with so many parts of (batch, units) each."""
    projected = _product(x, params["kernel"])
    if layer.bias:
        projected = projected + params["bias"].astype(x.dtype)
    start = (jnp.zeros((x.shape[0], layer.units), projected.dtype),) * parts
    hidden, outputs = lax.scan(step, start, jnp.moveaxis(projected, 1, 0))
    return hidden[0] if layer.output == "last" else jnp.moveaxis(outputs, 0, 1)


def _product(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Return x (..., inputs) times a kernel (inputs, gates, units): (..., gates, units)."""
    return jnp.tensordot(x, kernel.astype(x.dtype), axes=1)
