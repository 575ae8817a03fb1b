"""What an optimizer keeps is a plain tree of arrays: of one kind before and after, each under its own name."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from netcalc.analysis.optimizers import kept_elements, trained_params
from netcalc.spec.optimizers import OptimizerSpec
from netcalc.spec.training import UpdateSpec
from netcalc.train.checkpoint import Progress, load_training, save_checkpoint
from netcalc.train.optimizers import make_updater
from netcalc.train.plan import make_plan
from netcalc.train.restore import restored
from netcalc.train.step import evaluated_params, initial_train_state, make_train_step
from tests.train.specs import SHORT, graph_of

EXTRAS = "train.clip={norm: 1.0}", "train.ema=0.9", "train.schedule={plateau: {warmup_steps: 2}}"


def described(name, precision, *overrides):
    """Return plan, updater and the types of the first state, computing nothing."""
    plan = make_plan(graph_of(SHORT, f"train.optimizer={name}", f"train.precision={precision}", *overrides))
    updater = make_updater(plan.spec, plan.recipe.facts, plan.pace)
    return plan, updater, jax.eval_shape(lambda: initial_train_state(plan.recipe, updater))


def types(tree):
    return jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), tree)


@pytest.mark.parametrize("extras", [(), EXTRAS], ids=["plain", "all"])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", OptimizerSpec.model_fields)
def test_an_update_leaves_a_state_of_the_same_kind(name, precision, extras):
    plan, updater, start = described(name, precision, *extras)
    images = jax.ShapeDtypeStruct((4, 8, 8, 1), jnp.uint8)
    labels = jax.ShapeDtypeStruct((4,), jnp.int32)
    step = make_train_step(plan.recipe, updater)
    after, _ = jax.eval_shape(step, start, plan.recipe.meter.zero(), images, labels)
    assert types(after) == types(start)
    assert {leaf.dtype for leaf in jax.tree.leaves(after.optimizer)} <= {jnp.dtype("float32"), jnp.dtype("int32")}
    # What is handed out is of the parameters' shapes, in the order of the layout.
    handed = jax.eval_shape(lambda current: evaluated_params(plan.recipe, updater, current), after)
    assert jax.tree.map(jnp.shape, handed) == jax.tree.map(jnp.shape, after.params)


@pytest.mark.parametrize("name", OptimizerSpec.model_fields)
def test_the_calculator_knows_what_is_kept(name):
    plan, _, start = described(name, "float32")
    shapes = {leaf.shape for leaf in jax.tree.leaves(start.params)}
    kept = sum(leaf.size for leaf in jax.tree.leaves(start.optimizer) if leaf.shape in shapes)
    update = UpdateSpec.model_validate({"optimizer": name})
    assert kept == kept_elements(update, trained_params(plan.graph))


@pytest.mark.parametrize("name", ["muon", "schedule_free", "lamb", "nadam"])
def test_a_checkpoint_holds_every_value_under_its_own_name(name, tmp_path):
    plan, updater, start = described(name, "float32", *EXTRAS)
    rng = np.random.default_rng(0)
    current = jax.tree.map(lambda leaf: rng.integers(0, 9, leaf.shape).astype(leaf.dtype), start)
    params = evaluated_params(plan.recipe, updater, current)
    folder = save_checkpoint(tmp_path, params, current, plan.recipe.meter.zero(), Progress(epoch=1), {})
    again, _ = restored(load_training(folder), plan.recipe, updater, folder)
    jax.tree.map(np.testing.assert_array_equal, again.optimizer, current.optimizer)
    jax.tree.map(np.testing.assert_array_equal, again.params, current.params)
