"""Normalisation."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax

from netcalc.compiler.context import Context
from netcalc.compiler.lowering.signature import Arrays
from netcalc.graph import Node
from netcalc.layers.norm import BatchNorm


def lower_batch_norm(
    node: Node, params: Arrays, state: Arrays, /, *inputs: jax.Array, ctx: Context
) -> tuple[jax.Array, Arrays]:
    """(x − μ) / √(σ² + ε) · γ + β with the batch's μ and σ² in training, the running ones else.

    A frozen node always uses the running ones.
    """
    (x,) = inputs
    layer = node.spec.layer
    assert isinstance(layer, BatchNorm)
    kept: Arrays = {}
    mean, variance = state["mean"], state["variance"]
    if ctx.train and node.spec.trainable:
        axes = tuple(range(x.ndim - 1))
        mean = jnp.mean(x, axes)
        variance = jnp.mean(jnp.square(x - mean), axes)
        batch = lax.stop_gradient({"mean": mean, "variance": variance})
        kept = {name: layer.momentum * state[name] + (1 - layer.momentum) * batch[name] for name in state}
    factor = lax.rsqrt(variance + layer.epsilon)
    if layer.scale:
        factor = factor * params["scale"]
    y = (x - mean) * factor
    return (y + params["bias"] if layer.shift else y), kept
