"""One update and one evaluation, as jitted functions over immutable state."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import optax
from jax.typing import ArrayLike

from netcalc.compiler.initialize import Params, State
from netcalc.compiler.network import SURVIVES_REMAT
from netcalc.data.pipeline import split_batch
from netcalc.train.metrics import Meter, Sums
from netcalc.train.optimizers import Optimizer
from netcalc.train.penalty import make_penalty_gradient
from netcalc.train.recipe import Recipe, Samples

_AUGMENT = 2**31 - 1
"""What is folded into the key of a step for its augmentation, apart from all that nodes draw from it."""


class TrainState(NamedTuple):
    """All that an update changes. `params` is where gradients are taken, kernels in the order of the layout."""

    params: Params
    state: State
    optimizer: Any
    step: jax.Array


TrainStep = Callable[[TrainState, Sums, ArrayLike, ArrayLike], tuple[TrainState, Sums]]
GatheringStep = Callable[[TrainState, "Gathered", Sums, ArrayLike, ArrayLike], tuple["Gathered", Sums]]
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
    """Return the jitted update from one batch; its first two arguments are donated."""
    differentiate = _make_differentiation(recipe, jnp.mean)
    penalized = _make_penalized(recipe)

    def step(current: TrainState, sums: Sums, images: jax.Array, labels: jax.Array) -> tuple[TrainState, Sums]:
        trained = _trained(recipe, current.params)
        key = jax.random.fold_in(_keys(recipe)[1], current.step)
        gradients, found = differentiate(current, trained, key, images, labels)
        params, optimizer_state = _changed(
            optimizer, penalized(gradients, trained), current, trained, jnp.mean(found.losses)
        )
        after = TrainState(params, found.state, optimizer_state, current.step + 1)
        more = recipe.meter.plus(sums, found.losses, found.outputs, found.labels, jnp.ones_like(found.losses))
        if recipe.spec.on_nonfinite.kind != "skip":
            return after, more
        finite = all_finite((gradients, found.losses))
        return _either(finite, after, current._replace(step=current.step + 1)), _either(finite, more, sums)

    return jax.jit(step, donate_argnums=(0, 1))


class Gathered(NamedTuple):
    """What the batches of one update have come to: the state, and sums over samples, gradients in float32."""

    state: State
    gradients: Params
    loss: jax.Array
    samples: jax.Array
    batches: jax.Array


def make_gathering_step(recipe: Recipe) -> GatheringStep:
    """Return the jitted sum of one batch more; what was gathered and the metrics' sums are donated.

    The state is what was gathered, none of the train state's own. Batch-norm statistics move with every batch; each
    has its own dropout.
    """
    differentiate = _make_differentiation(recipe, jnp.sum)

    def step(
        current: TrainState, gathered: Gathered, sums: Sums, images: jax.Array, labels: jax.Array
    ) -> tuple[Gathered, Sums]:
        current = current._replace(state=gathered.state)
        trained = _trained(recipe, current.params)
        key = jax.random.fold_in(jax.random.fold_in(_keys(recipe)[1], current.step), gathered.batches)
        gradients, found = differentiate(current, trained, key, images, labels)
        total = Gathered(
            found.state,
            jax.tree.map(lambda total, g: total + g.astype(total.dtype), gathered.gradients, gradients),
            gathered.loss + jnp.sum(found.losses),
            gathered.samples + len(found.losses),
            gathered.batches + 1,
        )
        sums = recipe.meter.plus(sums, found.losses, found.outputs, found.labels, jnp.ones_like(found.losses))
        return total, sums

    # What the optimizer keeps is on the device meanwhile: as an argument, unused, it is in the compiler's account.
    return jax.jit(step, donate_argnums=(1, 2), keep_unused=True)


def nothing_gathered(recipe: Recipe, params: Params) -> Gathered:
    """Return the sums over no batch, without the state."""

    def zeros(array: jax.Array) -> jax.Array:
        return jnp.zeros(array.shape, jnp.promote_types(array.dtype, jnp.float32))

    sums = jax.tree.map(zeros, _trained(recipe, params))
    return Gathered({}, sums, jnp.zeros(()), jnp.zeros((), jnp.int32), jnp.zeros((), jnp.int32))


def make_update(recipe: Recipe, optimizer: Optimizer) -> TrainStep:
    """Return the update from all samples of one, in as many batches as the spec says; the state is donated.

    One batch after another adds to a sum of gradients that stays on the device, and nothing else of a batch does.
    To scan over the batches within one program would need them all there at once, in one size.
    """
    if not recipe.spec.accumulates:
        return make_train_step(recipe, optimizer)
    gather, penalized = make_gathering_step(recipe), _make_penalized(recipe)
    nothing = jax.jit(lambda params: nothing_gathered(recipe, params))

    skips = recipe.spec.on_nonfinite.kind == "skip"

    def change(
        current: TrainState, gathered: Gathered, state: State, sums: Sums, own: Sums
    ) -> tuple[TrainState, Sums]:
        """Return the state after an update, and the sums of metrics.

        Where an update may be left out, `state` is what batch-norm statistics were before its batches, `sums` those
        of metrics, and `own` the sums of the update alone.
        """
        trained = _trained(recipe, current.params)
        mean = jax.tree.map(lambda total: total / gathered.samples, gathered.gradients)
        params, optimizer_state = _changed(
            optimizer, penalized(mean, trained), current, trained, gathered.loss / gathered.samples
        )
        after = TrainState(params, current.state, optimizer_state, current.step + 1)
        if not skips:
            return after, own
        before = current._replace(state=state, step=current.step + 1)
        finite = all_finite((gathered.gradients, gathered.loss))
        added: Sums = jax.tree.map(jnp.add, sums, own)
        return _either(finite, after, before), _either(finite, added, sums)

    changed = jax.jit(change, donate_argnums=(0,))

    def update(current: TrainState, sums: Sums, images: ArrayLike, labels: ArrayLike) -> tuple[TrainState, Sums]:
        # The state is donated from batch to batch, so it is at one place only.
        before = jax.tree.map(jnp.copy, current.state) if skips else {}
        own = recipe.meter.zero() if skips else sums
        gathered, current = nothing(current.params)._replace(state=current.state), current._replace(state={})
        for some_images, some_labels in split_batch((images, labels), recipe.spec.batch_size):
            gathered, own = gather(current, gathered, own, some_images, some_labels)
        sums = sums if skips else own
        current, gathered = current._replace(state=gathered.state), gathered._replace(state={})
        after: tuple[TrainState, Sums] = changed(current, gathered, before, sums, own)
        return after

    return update


def seen_batches(
    recipe: Recipe, current: TrainState, images: ArrayLike, labels: ArrayLike
) -> Iterator[tuple[jax.Array, Samples]]:
    """Yield each batch of an update as it sees it, with its key."""
    key = jax.random.fold_in(_keys(recipe)[1], current.step)
    parts = [(images, labels)]
    keys = [key]
    if recipe.spec.accumulates:
        parts = list(split_batch((images, labels), recipe.spec.batch_size))
        keys = [jax.random.fold_in(key, number) for number in range(len(parts))]
    for own, (some_images, some_labels) in zip(keys, parts, strict=True):
        drawn = jax.random.fold_in(own, _AUGMENT)
        yield own, recipe.samples(drawn, jnp.asarray(some_images), jnp.asarray(some_labels))


def make_evaluation_step(recipe: Recipe, meter: Meter) -> EvaluationStep:
    """Return the jitted evaluation of a weighted batch; the sums are donated."""
    sample_loss = recipe.losses[recipe.main]

    def step(
        params: Params, state: State, sums: Sums, images: jax.Array, labels: jax.Array, weights: jax.Array
    ) -> Sums:
        outputs, _ = recipe.network.apply(params, state, recipe.prepare(images))
        outputs, labels = by_position(outputs), recipe.compared(recipe.prepare_labels(labels), recipe.main)
        return meter.plus(sums, sample_loss(outputs, labels), outputs, labels, weights)

    return jax.jit(step, donate_argnums=(2,))


class _Found(NamedTuple):
    """What a batch gives beside its gradient: each sample's loss, the main head's outputs, labels, statistics."""

    losses: jax.Array
    outputs: jax.Array
    labels: jax.Array
    state: State


Differentiation = Callable[[TrainState, Params, jax.Array, jax.Array, jax.Array], tuple[Params, _Found]]


def _make_differentiation(recipe: Recipe, reduce: Callable[[jax.Array], jax.Array]) -> Differentiation:
    """Return the gradient of the mean or the sum of the losses of a batch."""
    apply = _training_apply(recipe)

    def differentiate(
        current: TrainState, trained: Params, key: jax.Array, images: jax.Array, labels: jax.Array
    ) -> tuple[Params, _Found]:
        samples = recipe.samples(jax.random.fold_in(key, _AUGMENT), images, labels)

        def loss(trained: Params) -> tuple[jax.Array, _Found]:
            params = current.params | trained
            outputs, state = apply(recipe.layout.logical(params), current.state, samples.x, key)
            heads = heads_of(recipe, outputs)
            losses = total_losses(recipe, heads, samples)
            return reduce(losses), _Found(
                losses, heads[recipe.main], recipe.compared(samples.labels, recipe.main), state
            )

        gradients: Params
        gradients, found = jax.grad(loss, has_aux=True)(trained)
        return gradients, found

    return differentiate


def _make_penalized(recipe: Recipe) -> Callable[[Params, Params], Params]:
    """Return what adds the gradient of the penalty to that of the mean loss."""
    penalty_gradient = make_penalty_gradient(recipe.spec.regularization, recipe.facts)

    def penalized(gradients: Params, trained: Params) -> Params:
        if penalty_gradient is None:
            return gradients
        total: Params = jax.tree.map(jnp.add, gradients, penalty_gradient(trained))
        return total

    return penalized


def _changed(
    optimizer: Optimizer, gradients: Params, current: TrainState, trained: Params, loss: jax.Array
) -> tuple[Params, Any]:
    """Return the parameters and the optimizer's state after an update."""
    updates, optimizer_state = optimizer.transform.update(gradients, current.optimizer, trained, loss=loss)
    return current.params | optax.apply_updates(trained, updates), optimizer_state


@jax.jit
def all_finite(tree: Any) -> jax.Array:
    """Return whether every value of a tree of arrays is finite."""
    return jnp.stack([jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(tree)]).all()


T = TypeVar("T")


def _either(condition: jax.Array, yes: T, no: T) -> T:
    """Return one of two trees of arrays."""
    chosen: T = jax.tree.map(lambda a, b: jnp.where(condition, a, b), yes, no)
    return chosen


def _training_apply(recipe: Recipe) -> Callable[[Params, State, Any, jax.Array], tuple[Any, State]]:
    def apply(params: Params, state: State, x: Any, key: jax.Array) -> tuple[Any, State]:
        return recipe.network.apply(params, state, x, train=True, key=key)

    if recipe.spec.remat == "none":
        return apply
    policy = jax.checkpoint_policies.save_only_these_names(SURVIVES_REMAT)
    return jax.checkpoint(apply, policy=policy)


def heads_of(recipe: Recipe, outputs: Any) -> dict[str, jax.Array]:
    """Return what a network gives in training, (batch, positions, channels) by the nodes that losses read."""
    by_name = outputs if len(recipe.losses) > 1 else {recipe.main: outputs}
    return {name: by_position(by_name[name]) for name in recipe.losses}


def total_losses(recipe: Recipe, heads: dict[str, jax.Array], samples: Samples) -> jax.Array:
    """Return the loss of each sample (batch,), that of all heads together."""

    def of_head(name: str) -> jax.Array:
        sample_loss, head = recipe.losses[name], heads[name]
        own = sample_loss(head, recipe.compared(samples.labels, name))
        if samples.others is None or samples.share is None:
            return own
        other = sample_loss(head, recipe.compared(samples.others, name))
        return samples.share * own + (1 - samples.share) * other

    first, *others = recipe.losses
    return sum(map(of_head, others), of_head(first))


def by_position(outputs: jax.Array) -> jax.Array:
    """Return outputs as (batch, positions, classes) in float32, a single position where there are no others."""
    return outputs.astype(jnp.float32).reshape(outputs.shape[0], -1, outputs.shape[-1])


def _trained(recipe: Recipe, params: Params) -> Params:
    nodes = recipe.network.graph.nodes
    return {name: values for name, values in params.items() if nodes[name].spec.trainable}


def _keys(recipe: Recipe) -> tuple[jax.Array, jax.Array]:
    """The keys of initialisation and of the steps, both from the seed."""
    initial, steps = jax.random.split(jax.random.key(recipe.spec.seed))
    return initial, steps
