"""One update and one evaluation, as jitted functions over immutable state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.typing import ArrayLike

from netcalc.compiler.initialize import Params, State
from netcalc.data.pipeline import prepare
from netcalc.train.losses import LOSSES
from netcalc.train.metrics import Sums
from netcalc.train.optimizers import Optimizer
from netcalc.train.plan import Plan


class TrainState(NamedTuple):
    """All that an update changes. `params` is where gradients are taken."""

    params: Params
    state: State
    optimizer: Any
    step: jax.Array


TrainStep = Callable[[TrainState, Sums, ArrayLike, ArrayLike], tuple[TrainState, Sums]]
EvaluationStep = Callable[[Params, State, Sums, ArrayLike, ArrayLike, ArrayLike], Sums]


def initial_train_state(plan: Plan, optimizer: Optimizer) -> TrainState:
    """Return the state before the first update; depends on the spec's seed alone."""

    @jax.jit
    def start() -> TrainState:
        params, state = plan.network.init(_keys(plan)[0])
        return TrainState(params, state, optimizer.transform.init(_trained(plan, params)), jnp.zeros((), jnp.int32))

    fresh: TrainState = start()
    return fresh


def evaluated_params(plan: Plan, optimizer: Optimizer, current: TrainState) -> Params:
    """Return the parameters to evaluate, save and export."""
    handed_out: Params = optimizer.eval_params(current.optimizer, _trained(plan, current.params))
    return current.params | handed_out


def make_train_step(plan: Plan, optimizer: Optimizer) -> TrainStep:
    """Return the jitted update; its first two arguments are donated."""
    sample_loss = LOSSES[plan.spec.loss]
    _, step_key = _keys(plan)

    def step(current: TrainState, sums: Sums, images: jax.Array, labels: jax.Array) -> tuple[TrainState, Sums]:
        x = prepare(images, plan.preprocessing, plan.dataset.max_value)
        trained = _trained(plan, current.params)

        def loss(trained: Params) -> tuple[jax.Array, tuple[jax.Array, jax.Array, State]]:
            params = current.params | trained
            key = jax.random.fold_in(step_key, current.step)
            outputs, state = plan.network.apply(params, current.state, x, train=True, key=key)
            outputs = outputs.reshape(outputs.shape[0], -1)
            losses = sample_loss(outputs, labels)
            return jnp.mean(losses), (losses, outputs, state)

        gradients, (losses, outputs, state) = jax.grad(loss, has_aux=True)(trained)
        updates, optimizer_state = optimizer.transform.update(gradients, current.optimizer, trained)
        params = current.params | optax.apply_updates(trained, updates)
        sums = sums.plus(losses, outputs, labels, jnp.ones_like(losses))
        return TrainState(params, state, optimizer_state, current.step + 1), sums

    return jax.jit(step, donate_argnums=(0, 1))


def make_evaluation_step(plan: Plan) -> EvaluationStep:
    """Return the jitted evaluation of a weighted batch; the sums are donated."""
    sample_loss = LOSSES[plan.spec.loss]

    def step(
        params: Params, state: State, sums: Sums, images: jax.Array, labels: jax.Array, weights: jax.Array
    ) -> Sums:
        x = prepare(images, plan.preprocessing, plan.dataset.max_value)
        outputs, _ = plan.network.apply(params, state, x)
        outputs = outputs.reshape(outputs.shape[0], -1)
        return sums.plus(sample_loss(outputs, labels), outputs, labels, weights)

    return jax.jit(step, donate_argnums=(2,))


def _trained(plan: Plan, params: Params) -> Params:
    nodes = plan.graph.nodes
    return {name: values for name, values in params.items() if nodes[name].spec.trainable}


def _keys(plan: Plan) -> tuple[jax.Array, jax.Array]:
    """The keys of initialisation and of the steps, both from the seed."""
    initial, steps = jax.random.split(jax.random.key(plan.spec.seed))
    return initial, steps
