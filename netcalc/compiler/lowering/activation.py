"""Activations."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp

from netcalc.compiler.context import Context
from netcalc.compiler.lowering.precision import widened
from netcalc.compiler.lowering.signature import Arrays, Lowering
from netcalc.graph import Node
from netcalc.layers.activation import Celu, Elu, Gelu, LeakyRelu, Maxout


def elementwise(function: Callable[[jax.Array], jax.Array]) -> Lowering:
    """Return the lowering of a layer that is one JAX function of its input."""

    def lower(
        node: Node, params: Arrays, state: Arrays, /, *inputs: jax.Array, ctx: Context
    ) -> tuple[jax.Array, Arrays]:
        (x,) = inputs
        return function(x), {}

    return lower


lower_relu = elementwise(jax.nn.relu)
lower_relu6 = elementwise(jax.nn.relu6)
lower_abs = elementwise(jnp.abs)
lower_hard_sigmoid = elementwise(jax.nn.hard_sigmoid)
lower_hard_swish = elementwise(jax.nn.hard_swish)
lower_softsign = elementwise(jax.nn.soft_sign)
lower_tanh = elementwise(jnp.tanh)
lower_sigmoid = elementwise(jax.nn.sigmoid)
lower_selu = elementwise(jax.nn.selu)
lower_softplus = elementwise(jax.nn.softplus)
lower_silu = elementwise(jax.nn.silu)
lower_mish = elementwise(jax.nn.mish)
lower_softmax = elementwise(jax.nn.softmax)


def lower_leaky_relu(
    node: Node, params: Arrays, state: Arrays, /, *inputs: jax.Array, ctx: Context
) -> tuple[jax.Array, Arrays]:
    """x or αx, by the sign of x."""
    (x,) = inputs
    layer = node.spec.layer
    assert isinstance(layer, LeakyRelu)
    return jax.nn.leaky_relu(x, layer.slope), {}


def lower_prelu(
    node: Node, params: Arrays, state: Arrays, /, *inputs: jax.Array, ctx: Context
) -> tuple[jax.Array, Arrays]:
    """x or αx, by the sign of x, with a slope per channel or one for all."""
    (x,) = inputs
    return jax.nn.leaky_relu(x, params["slope"].astype(x.dtype)), {}


def lower_crelu(
    node: Node, params: Arrays, state: Arrays, /, *inputs: jax.Array, ctx: Context
) -> tuple[jax.Array, Arrays]:
    """The positive and the negative part as channels of their own."""
    (x,) = inputs
    return jax.nn.relu(jnp.concatenate([x, -x], axis=-1)), {}


def lower_maxout(
    node: Node, params: Arrays, state: Arrays, /, *inputs: jax.Array, ctx: Context
) -> tuple[jax.Array, Arrays]:
    """The largest of each group of consecutive channels."""
    (x,) = inputs
    layer = node.spec.layer
    assert isinstance(layer, Maxout)
    return jnp.max(jnp.reshape(x, (*x.shape[:-1], x.shape[-1] // layer.pieces, layer.pieces)), axis=-1), {}


def lower_elu(
    node: Node, params: Arrays, state: Arrays, /, *inputs: jax.Array, ctx: Context
) -> tuple[jax.Array, Arrays]:
    """x or α(exp(x) − 1), by the sign of x."""
    (x,) = inputs
    layer = node.spec.layer
    assert isinstance(layer, Elu)
    return jax.nn.elu(x, layer.alpha), {}


def lower_celu(
    node: Node, params: Arrays, state: Arrays, /, *inputs: jax.Array, ctx: Context
) -> tuple[jax.Array, Arrays]:
    """x or α(exp(x/α) − 1), by the sign of x."""
    (x,) = inputs
    layer = node.spec.layer
    assert isinstance(layer, Celu)
    return jax.nn.celu(x, layer.alpha), {}


def lower_gelu(
    node: Node, params: Arrays, state: Arrays, /, *inputs: jax.Array, ctx: Context
) -> tuple[jax.Array, Arrays]:
    """xΦ(x) by erf or by tanh."""
    (x,) = inputs
    layer = node.spec.layer
    assert isinstance(layer, Gelu)
    return jax.nn.gelu(x, approximate=layer.approximate == "tanh"), {}


def lower_log_softmax(
    node: Node, params: Arrays, state: Arrays, /, *inputs: jax.Array, ctx: Context
) -> tuple[jax.Array, Arrays]:
    """x − log Σ exp(x) over the channels, summed in float32."""
    (x,) = inputs
    return jax.nn.log_softmax(widened(x)).astype(x.dtype), {}
