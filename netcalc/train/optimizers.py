"""The optimizer of an update: the spec's method at the rate of its schedule, gradients bounded, averages kept.

It is a gradient transformation and the point that is evaluated, since some methods take the gradient at another
point than the one they hand out. All that changes from update to update is in the state, a tree of arrays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from netcalc.spec.schedules import Plateau, ScheduleSpec
from netcalc.spec.training import Clip, UpdateSpec
from netcalc.train.factors import Pace
from netcalc.train.methods import EvalParams, Method, make_method
from netcalc.train.param_facts import ParamFacts, no_facts
from netcalc.train.schedules import make_factor, make_plateau


@dataclass(frozen=True, slots=True)
class Optimizer:
    """`transform` updates the trained parameters; `eval_params(optimizer_state, params)` is what to evaluate.

    An update takes the mean loss of its samples beside gradients and parameters:
    `update(gradients, state, params, loss=loss)`.
    """

    transform: optax.GradientTransformationExtraArgs
    eval_params: EvalParams


def make_updater(spec: UpdateSpec, facts: ParamFacts = no_facts, pace: Pace | None = None) -> Optimizer:
    """Return the optimizer of an update: method, schedule, bound on gradients and average, as the spec asks.

    `facts` is asked for where weights are treated unlike the rest, `pace` by schedules.
    """
    method = make_method(spec.optimizer, facts)
    rate = spec.optimizer.chosen.learning_rate
    optimizer = _at_constant_rate(method, rate)
    if spec.schedule is not None:
        optimizer = _scheduled(method, rate, spec.schedule, pace)
    optimizer = _in_float32(optimizer)
    if spec.clip is not None:
        optimizer = _clipped(optimizer, spec.clip)
    return optimizer if spec.ema is None else _averaged(optimizer, spec.ema)


def _at_constant_rate(method: Method, rate: float) -> Optimizer:
    return Optimizer(optax.with_extra_args_support(method.at(rate)), method.eval_params)


class Scheduled(NamedTuple):
    """A method's state, the number of updates made, and what follows the loss, where something does."""

    inner: Any
    made: jax.Array
    plateau: Any


def _scheduled(method: Method, rate: float, schedule: ScheduleSpec, pace: Pace | None) -> Optimizer:
    """Let each update have the rate of its schedule; a plateau's counts from the update after it was seen."""
    if pace is None:
        raise TypeError("a schedule needs to know how many updates an epoch has")
    factor = make_factor(schedule, pace)
    plateau = make_plateau(schedule.chosen, pace) if isinstance(schedule.chosen, Plateau) else None

    def init(params: Any) -> Scheduled:
        watching = None if plateau is None else plateau.init(params)
        return Scheduled(method.at(rate).init(params), jnp.zeros((), jnp.int32), watching)

    def update(gradients: Any, state: Scheduled, params: Any = None, *, loss: Any = None) -> tuple[Any, Scheduled]:
        now, watching = rate * factor(state.made), state.plateau
        if plateau is not None:
            now = now * watching.scale
            _, watching = plateau.update((), watching, value=loss)
        updates, inner = method.at(now).update(gradients, state.inner, params)
        return updates, Scheduled(inner, state.made + 1, watching)

    def eval_params(optimizer_state: Scheduled, params: Any) -> Any:
        return method.eval_params(optimizer_state.inner, params)

    return Optimizer(optax.GradientTransformationExtraArgs(init, update), eval_params)


def _in_float32(optimizer: Optimizer) -> Optimizer:
    """Let an optimizer compute and keep its values in float32 whatever the parameters are.

    bfloat16 rounds Adam's decay of 0.999 to 1: a second moment would never fall.
    """

    def widened(tree: Any) -> Any:
        return jax.tree.map(lambda x: x.astype(jnp.promote_types(x.dtype, jnp.float32)), tree)

    def init(params: Any) -> Any:
        return optimizer.transform.init(widened(params))

    def update(gradients: Any, state: Any, params: Any, **extra: Any) -> tuple[Any, Any]:
        updates: tuple[Any, Any]
        updates = optimizer.transform.update(widened(gradients), state, widened(params), **extra)
        return updates

    def eval_params(optimizer_state: Any, params: Any) -> Any:
        return optimizer.eval_params(optimizer_state, widened(params))

    return Optimizer(optax.GradientTransformationExtraArgs(init, update), eval_params)


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

    def update(gradients: Any, state: Averaged, params: Any, **extra: Any) -> tuple[Any, Averaged]:
        updates, inner = optimizer.transform.update(gradients, state.inner, params, **extra)
        fresh = optimizer.eval_params(inner, optax.apply_updates(params, updates))
        average = jax.tree.map(lambda a, x: decay * a + (1 - decay) * x.astype(a.dtype), state.average, fresh)
        return updates, Averaged(inner, average)

    def eval_params(optimizer_state: Averaged, params: Any) -> Any:
        return optimizer_state.average

    return Optimizer(optax.GradientTransformationExtraArgs(init, update), eval_params)
