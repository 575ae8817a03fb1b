"""Activations."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax

from netcalc.compiler.context import Context
from netcalc.compiler.lowering.precision import widened
from netcalc.compiler.lowering.signature import Arrays, Lowering
from netcalc.graph import Node
from netcalc.layers.activation import Celu, Elu, Gelu, LeakyRelu, Maxout

Function = Callable[[jax.Array], jax.Array]


def elementwise(function: Function) -> Lowering:
    """Return the lowering of a layer that is one JAX function of its input."""

    def lower(
        node: Node, params: Arrays, state: Arrays, /, *inputs: jax.Array, ctx: Context
    ) -> tuple[jax.Array, Arrays]:
        (x,) = inputs
        return function(x), {}

    return lower


def of_output(function: Function, gradient: Callable[[jax.Array, jax.Array], jax.Array]) -> Lowering:
    """Return the lowering of a function whose gradient follows from its output y: `gradient(y, dy)`.

    Where the context asks for it, y is what is kept for the backward pass, in the precision it has.
    """

    @jax.custom_vjp
    def keeping_output(x: jax.Array) -> jax.Array:
        return function(x)

    def forward(x: jax.Array) -> tuple[jax.Array, jax.Array]:
        # Without the barrier XLA would compute y anew from x in the backward pass, and keep x for it.
        y = lax.optimization_barrier(function(x))
        return y, y

    def backward(y: jax.Array, dy: jax.Array) -> tuple[jax.Array]:
        return (gradient(y, dy),)

    keeping_output.defvjp(forward, backward)

    def lower(
        node: Node, params: Arrays, state: Arrays, /, *inputs: jax.Array, ctx: Context
    ) -> tuple[jax.Array, Arrays]:
        (x,) = inputs
        return (keeping_output if node.name in ctx.keep_output else function)(x), {}

    return lower


lower_relu = of_output(jax.nn.relu, lambda y, dy: jnp.where(y > 0, dy, jnp.zeros_like(dy)))
lower_tanh = of_output(jnp.tanh, lambda y, dy: dy * (1 - y * y))
lower_sigmoid = of_output(jax.nn.sigmoid, lambda y, dy: dy * y * (1 - y))
lower_relu6 = elementwise(jax.nn.relu6)
lower_abs = elementwise(jnp.abs)
lower_hard_sigmoid = elementwise(jax.nn.hard_sigmoid)
lower_hard_swish = elementwise(jax.nn.hard_swish)
lower_softsign = elementwise(jax.nn.soft_sign)
lower_selu = elementwise(jax.nn.selu)
lower_softplus = elementwise(jax.nn.softplus)
lower_silu = elementwise(jax.nn.silu)
lower_mish = elementwise(jax.nn.mish)
lower_softmax = elementwise(lambda x: jax.nn.softmax(widened(x)).astype(x.dtype))


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
