"""Normalisation."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax

from netcalc.compiler.context import Context
from netcalc.compiler.lowering.precision import widened
from netcalc.compiler.lowering.signature import Arrays
from netcalc.graph import Node
from netcalc.layers.norm import BatchNorm, GroupNorm, InstanceNorm, LayerNorm, LocalResponseNorm, RmsNorm


def lower_batch_norm(
    node: Node, params: Arrays, state: Arrays, /, *inputs: jax.Array, ctx: Context
) -> tuple[jax.Array, Arrays]:
    """(x − μ) / √(σ² + ε) · γ + β with the batch's μ and σ² in training, the running ones else.

    A frozen node always uses the running ones.
    """
    (x,) = inputs
    wide = widened(x)
    layer = node.spec.layer
    assert isinstance(layer, BatchNorm)
    kept: Arrays = {}
    mean, variance = state["mean"], state["variance"]
    if ctx.train and node.spec.trainable:
        axes = tuple(range(x.ndim - 1))
        mean = jnp.mean(wide, axes)
        variance = jnp.mean(jnp.square(wide - mean), axes)
        batch = lax.stop_gradient({"mean": mean, "variance": variance})
        kept = {name: layer.momentum * state[name] + (1 - layer.momentum) * batch[name] for name in state}
    factor = lax.rsqrt(variance + layer.epsilon)
    if layer.scale:
        factor = factor * params["scale"]
    y = (wide - mean) * factor
    return (y + params["bias"] if layer.shift else y).astype(x.dtype), kept


def lower_layer_norm(
    node: Node, params: Arrays, state: Arrays, /, *inputs: jax.Array, ctx: Context
) -> tuple[jax.Array, Arrays]:
    """(x − μ) / √(σ² + ε) · γ + β over the channels at each position, or over the whole sample."""
    (x,) = inputs
    layer = node.spec.layer
    assert isinstance(layer, LayerNorm)
    axes = (x.ndim - 1,) if layer.axes == "channels" else tuple(range(1, x.ndim))
    return _scaled_and_shifted(_standardized(widened(x), axes, layer.epsilon), params).astype(x.dtype), {}


def lower_group_norm(
    node: Node, params: Arrays, state: Arrays, /, *inputs: jax.Array, ctx: Context
) -> tuple[jax.Array, Arrays]:
    """(x − μ) / √(σ² + ε) · γ + β over the positions and the channels of a group."""
    (x,) = inputs
    layer = node.spec.layer
    assert isinstance(layer, GroupNorm)
    grouped = jnp.reshape(widened(x), (*x.shape[:-1], layer.groups, x.shape[-1] // layer.groups))
    axes = (*range(1, x.ndim - 1), x.ndim)
    y = jnp.reshape(_standardized(grouped, axes, layer.epsilon), x.shape)
    return _scaled_and_shifted(y, params).astype(x.dtype), {}


def lower_instance_norm(
    node: Node, params: Arrays, state: Arrays, /, *inputs: jax.Array, ctx: Context
) -> tuple[jax.Array, Arrays]:
    """(x − μ) / √(σ² + ε) · γ + β over the positions of each channel."""
    (x,) = inputs
    layer = node.spec.layer
    assert isinstance(layer, InstanceNorm)
    y = _standardized(widened(x), tuple(range(1, x.ndim - 1)), layer.epsilon)
    return _scaled_and_shifted(y, params).astype(x.dtype), {}


def lower_rms_norm(
    node: Node, params: Arrays, state: Arrays, /, *inputs: jax.Array, ctx: Context
) -> tuple[jax.Array, Arrays]:
    """x / √(mean of x² + ε) · γ over the channels."""
    (x,) = inputs
    layer = node.spec.layer
    assert isinstance(layer, RmsNorm)
    wide = widened(x)
    y = wide * lax.rsqrt(jnp.mean(jnp.square(wide), axis=-1, keepdims=True) + layer.epsilon)
    return _scaled_and_shifted(y, params).astype(x.dtype), {}


def lower_local_response_norm(
    node: Node, params: Arrays, state: Arrays, /, *inputs: jax.Array, ctx: Context
) -> tuple[jax.Array, Arrays]:
    """x_i · (k + α Σ x_j²)^−β; taps that lie beyond the channels everywhere are left out."""
    (x,) = inputs
    layer = node.spec.layer
    assert isinstance(layer, LocalResponseNorm)
    wide = widened(x)
    before, after = (min(side, x.shape[-1] - 1) for side in (layer.size // 2, (layer.size - 1) // 2))
    sums = lax.reduce_window(
        jnp.square(wide),
        0.0,
        lax.add,
        window_dimensions=(*[1] * (x.ndim - 1), before + 1 + after),
        window_strides=(1,) * x.ndim,
        padding=(*[(0, 0)] * (x.ndim - 1), (before, after)),
    )
    return (wide * (layer.k + layer.alpha * sums) ** -layer.beta).astype(x.dtype), {}


def _standardized(x: jax.Array, axes: tuple[int, ...], epsilon: float) -> jax.Array:
    """Return (x − μ) / √(σ² + ε) with mean and biased variance over these axes."""
    centred = x - jnp.mean(x, axes, keepdims=True)
    return centred * lax.rsqrt(jnp.mean(jnp.square(centred), axes, keepdims=True) + epsilon)


def _scaled_and_shifted(y: jax.Array, params: Arrays) -> jax.Array:
    """Return γy + β with those of the two that there are."""
    if "scale" in params:
        y = y * params["scale"]
    return y + params["bias"] if "bias" in params else y
