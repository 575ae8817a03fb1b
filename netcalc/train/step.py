"""One update and one evaluation, as jitted functions over immutable state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.typing import ArrayLike

from netcalc.compiler.initialize import Params, State
from netcalc.compiler.network import SURVIVES_REMAT
from netcalc.train.losses import LOSSES
from netcalc.train.metrics import Sums
from netcalc.train.optimizers import Optimizer
from netcalc.train.recipe import Recipe


class TrainState(NamedTuple):
    """All that an update changes. `params` is where gradients are taken, kernels in the order of the layout."""

    params: Params
    state: State
    optimizer: Any
    step: jax.Array


TrainStep = Callable[[TrainState, Sums, ArrayLike, ArrayLike], tuple[TrainState, Sums]]
EvaluationStep = Callable[[Params, State, Sums, ArrayLike, ArrayLike, ArrayLike], Sums]


def initial_train_state(recipe: Recipe, optimizer: Optimizer) -> TrainState:
    """Return the state before the first update; depends on the spec's seed alone."""

    @jax.jit
    def start() -> TrainState:
        params, state = recipe.network.init(_keys(recipe)[0])
        params = recipe.layout.stored(jax.tree.map(lambda leaf: leaf.astype(recipe.params_dtype), params))
        return TrainState(
            params, state, optimizer.transform.init(_trained(recipe, params)), jnp.zeros((), jnp.int32)
        )

    fresh: TrainState = start()
    return fresh


def evaluated_params(recipe: Recipe, optimizer: Optimizer, current: TrainState) -> Params:
    """Return the parameters to evaluate, save and export: in float32, which holds those of bfloat16 exactly."""
    handed_out: Params = optimizer.eval_params(current.optimizer, _trained(recipe, current.params))
    wide = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), current.params | handed_out)
    return recipe.layout.logical(wide)


def make_train_step(recipe: Recipe, optimizer: Optimizer) -> TrainStep:
    """Return the jitted update; its first two arguments are donated."""
    sample_loss = LOSSES[recipe.spec.loss]
    apply = _training_apply(recipe)
    _, step_key = _keys(recipe)

    def step(current: TrainState, sums: Sums, images: jax.Array, labels: jax.Array) -> tuple[TrainState, Sums]:
        x = recipe.prepare(images)
        trained = _trained(recipe, current.params)

        def loss(trained: Params) -> tuple[jax.Array, tuple[jax.Array, jax.Array, State]]:
            params = current.params | trained
            key = jax.random.fold_in(step_key, current.step)
            outputs, state = apply(recipe.layout.logical(params), current.state, x, key)
            heads = [_by_position(head) for head in jax.tree.leaves(outputs)]
            losses = sum((sample_loss(head, labels) for head in heads[1:]), sample_loss(heads[0], labels))
            return jnp.mean(losses), (losses, heads[0], state)

        gradients, (losses, outputs, state) = jax.grad(loss, has_aux=True)(trained)
        updates, optimizer_state = optimizer.transform.update(gradients, current.optimizer, trained)
        params = current.params | optax.apply_updates(trained, updates)
        sums = sums.plus(losses, outputs, labels, jnp.ones_like(losses))
        return TrainState(params, state, optimizer_state, current.step + 1), sums

    return jax.jit(step, donate_argnums=(0, 1))


def make_evaluation_step(recipe: Recipe) -> EvaluationStep:
    """Return the jitted evaluation of a weighted batch; the sums are donated."""
    sample_loss = LOSSES[recipe.spec.loss]

    def step(
        params: Params, state: State, sums: Sums, images: jax.Array, labels: jax.Array, weights: jax.Array
    ) -> Sums:
        x = recipe.prepare(images)
        outputs, _ = recipe.network.apply(params, state, x)
        outputs = _by_position(outputs)
        return sums.plus(sample_loss(outputs, labels), outputs, labels, weights)

    return jax.jit(step, donate_argnums=(2,))


def _training_apply(recipe: Recipe) -> Callable[[Params, State, Any, jax.Array], tuple[Any, State]]:
    def apply(params: Params, state: State, x: Any, key: jax.Array) -> tuple[Any, State]:
        return recipe.network.apply(params, state, x, train=True, key=key)

    if recipe.spec.remat == "none":
        return apply
    policy = jax.checkpoint_policies.save_only_these_names(SURVIVES_REMAT)
    return jax.checkpoint(apply, policy=policy)


def _by_position(outputs: jax.Array) -> jax.Array:
    """Return outputs as (batch, positions, classes) in float32, a single position where there are no others."""
    return outputs.astype(jnp.float32).reshape(outputs.shape[0], -1, outputs.shape[-1])


def _trained(recipe: Recipe, params: Params) -> Params:
    nodes = recipe.network.graph.nodes
    return {name: values for name, values in params.items() if nodes[name].spec.trainable}


def _keys(recipe: Recipe) -> tuple[jax.Array, jax.Array]:
    """The keys of initialisation and of the steps, both from the seed."""
    initial, steps = jax.random.split(jax.random.key(recipe.spec.seed))
    return initial, steps
