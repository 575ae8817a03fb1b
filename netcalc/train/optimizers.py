"""Optimizers as a gradient transformation and the point that is evaluated.

Some methods take the gradient at another point than the one they hand out: Nesterov's keeps the look-ahead point.
`eval_params` gives the point to evaluate, save and export.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import optax

from netcalc.spec.training import Adam, Momentum, Nesterov, OptimizerSpec, Sgd

EvalParams = Callable[[Any, Any], Any]


@dataclass(frozen=True, slots=True)
class Optimizer:
    """`transform` updates the trained parameters; `eval_params(optimizer_state, params)` is what to evaluate."""

    transform: optax.GradientTransformation
    eval_params: EvalParams


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
