"""Regularisation: terms of the loss, so that their gradient takes the same way through the optimizer."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp

from netcalc.compiler.initialize import Params
from netcalc.spec.training import Regularization
from netcalc.train.param_facts import ParamFacts

PenaltyGradient = Callable[[Params], Params]


def make_penalty(spec: Regularization, facts: ParamFacts) -> Callable[[Params], jax.Array]:
    """Return λ₂/2 ΣW² + λ₁/2 Σ|W| of parameters (equations 5 and 6), summed in float32.

    W are the weights that are trained, shared ones once; with `all` every trained parameter.
    """

    def penalty(params: Params) -> jax.Array:
        total = jnp.zeros(())
        for param, array in zip(jax.tree.leaves(facts(params)), jax.tree.leaves(params), strict=True):
            if spec.all or param.role == "weight":
                w = array.astype(jnp.promote_types(array.dtype, jnp.float32))
                # |w| as w·sign(w): JAX's derivative of abs at 0 is 1, and would drive a bias of 0 away from it.
                size = w * jax.lax.stop_gradient(jnp.sign(w))
                total += spec.l2 / 2 * jnp.sum(jnp.square(w)) + spec.l1 / 2 * jnp.sum(size)
        return total

    return penalty


def make_penalty_gradient(spec: Regularization | None, facts: ParamFacts) -> PenaltyGradient | None:
    """Return the gradient of the penalty, None where there is none."""
    if spec is None or spec.l2 == spec.l1 == 0:
        return None
    return jax.grad(make_penalty(spec, facts))
