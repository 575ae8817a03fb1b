"""Optimizers as a gradient transformation and the point that is evaluated.

Some methods take the gradient at another point than the one they hand out: Nesterov's keeps the look-ahead point.
`eval_params` gives the point to evaluate, save and export.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from netcalc.spec.training import Adam, Clip, Momentum, Nesterov, OptimizerSpec, Sgd, UpdateSpec

EvalParams = Callable[[Any, Any], Any]


@dataclass(frozen=True, slots=True)
class Optimizer:
    """`transform` updates the trained parameters; `eval_params(optimizer_state, params)` is what to evaluate."""

    transform: optax.GradientTransformation
    eval_params: EvalParams


def make_updater(spec: UpdateSpec) -> Optimizer:
    """Return the optimizer of an update, gradients clipped and parameters averaged as the spec asks."""
    optimizer = _in_float32(make_optimizer(spec.optimizer))
    if spec.clip is not None:
        optimizer = _clipped(optimizer, spec.clip)
    return optimizer if spec.ema is None else _averaged(optimizer, spec.ema)


def _in_float32(optimizer: Optimizer) -> Optimizer:
    """Let an optimizer compute and keep its values in float32 whatever the parameters are.

    bfloat16 rounds Adam's decay of 0.999 to 1: a second moment would never fall.
    """

    def widened(tree: Any) -> Any:
        return jax.tree.map(lambda x: x.astype(jnp.promote_types(x.dtype, jnp.float32)), tree)

    def init(params: Any) -> Any:
        return optimizer.transform.init(widened(params))

    def update(gradients: Any, state: Any, params: Any) -> tuple[Any, Any]:
        updates: tuple[Any, Any] = optimizer.transform.update(widened(gradients), state, widened(params))
        return updates

    def eval_params(optimizer_state: Any, params: Any) -> Any:
        return optimizer.eval_params(optimizer_state, widened(params))

    return Optimizer(optax.GradientTransformation(init, update), eval_params)


def _clipped(optimizer: Optimizer, clip: Clip) -> Optimizer:
    bound = optax.clip_by_global_norm(clip.norm) if clip.norm is not None else optax.clip(clip.value)

    def eval_params(optimizer_state: Any, params: Any) -> Any:
        return optimizer.eval_params(optimizer_state[1], params)

    return Optimizer(optax.chain(bound, optimizer.transform), eval_params)


class Averaged(NamedTuple):
    """An optimizer's state with the moving average of the parameters to evaluate."""

    inner: Any
    average: Any


def _averaged(optimizer: Optimizer, decay: float) -> Optimizer:
    """Let the parameters to evaluate be a ← decay·a + (1 − decay)·θ, which starts at the initial ones.

    The average is in float32 whatever θ is: bfloat16 rounds a decay of 0.999 to 1, and such small steps to none.
    """

    def init(params: Any) -> Averaged:
        # A copy of its own: what an update donates must not be held twice.
        average = jax.tree.map(lambda x: jnp.array(x, jnp.promote_types(x.dtype, jnp.float32)), params)
        return Averaged(optimizer.transform.init(params), average)

    def update(gradients: Any, state: Averaged, params: Any) -> tuple[Any, Averaged]:
        updates, inner = optimizer.transform.update(gradients, state.inner, params)
        fresh = optimizer.eval_params(inner, optax.apply_updates(params, updates))
        average = jax.tree.map(lambda a, x: decay * a + (1 - decay) * x.astype(a.dtype), state.average, fresh)
        return updates, Averaged(inner, average)

    def eval_params(optimizer_state: Averaged, params: Any) -> Any:
        return optimizer_state.average

    return Optimizer(optax.GradientTransformation(init, update), eval_params)


def make_optimizer(spec: OptimizerSpec) -> Optimizer:
    """Return the optimizer that a spec names."""
    match spec.chosen:
        case Sgd(learning_rate=rate):
            return Optimizer(optax.sgd(rate), _same)
        case Nesterov(learning_rate=rate, momentum=momentum):
            return Optimizer(_traced(rate, momentum, nesterov=True), _before_look_ahead(rate, momentum))
        case Momentum(learning_rate=rate, momentum=momentum):
            return Optimizer(_traced(rate, momentum, nesterov=False), _same)
        case Adam() as adam:
            return Optimizer(optax.adam(adam.learning_rate, b1=adam.beta1, b2=adam.beta2, eps=adam.epsilon), _same)
    raise AssertionError(f"no optimizer for {spec.kind}")


def _same(optimizer_state: Any, params: Any) -> Any:
    return params


def _traced(rate: float, momentum: float, *, nesterov: bool) -> optax.GradientTransformation:
    # optax keeps m = −v/α, with v ← γv − αg: the same method while α is constant.
    return optax.chain(optax.trace(momentum, nesterov=nesterov), optax.scale_by_learning_rate(rate))


def _before_look_ahead(rate: float, momentum: float) -> EvalParams:
    """The parameters are x = θ + γv with v = −αm; hand out θ = x + γαm."""

    def eval_params(optimizer_state: Any, params: Any) -> Any:
        trace = optimizer_state[0].trace
        return jax.tree.map(lambda x, m: x + momentum * rate * m, params, trace)

    return eval_params
