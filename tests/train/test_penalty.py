"""Regularisation as terms of the loss: which parameters are in the sums, and what the gradient comes to."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from netcalc.diagnostics import SpecError
from netcalc.spec.training import Regularization
from netcalc.train.optimizers import make_updater
from netcalc.train.penalty import make_penalty, make_penalty_gradient
from netcalc.train.plan import make_plan
from netcalc.train.step import evaluated_params, initial_train_state, make_update
from tests.train.specs import CONVNET, graph_of

EVERYTHING = """
name: everything
input: [8, 8, 1]
layers:
  - {conv: {filters: 4, kernel: 3, bias_init: 0.5}, name: first}
  - batch_norm
  - prelu
  - {conv: {filters: 4, kernel: 1}, name: frozen, trainable: false}
  - {conv: {filters: 4, kernel: 1}, name: owner}
  - {conv: {filters: 4, kernel: 1}, name: user, share: owner}
  - global_avg_pool
  - {dense: 10, name: scores}
train: {data: digits, batch_size: 16, optimizer: {sgd: 0.1}}
"""


def after_one_update(text, *overrides):
    plan = make_plan(graph_of(text, *overrides))
    optimizer = make_updater(plan.spec, plan.recipe.facts, plan.pace)
    current = initial_train_state(plan.recipe, optimizer)
    before = jax.tree.map(np.array, evaluated_params(plan.recipe, optimizer, current))
    images, labels = plan.dataset.train.images[:16], plan.dataset.train.labels[:16]
    current, sums = make_update(plan.recipe, optimizer)(current, plan.recipe.meter.zero(), images, labels)
    return before, jax.tree.map(np.array, evaluated_params(plan.recipe, optimizer, current)), sums.means()


def test_the_penalty_is_that_of_the_equations():
    plan = make_plan(graph_of(EVERYTHING))
    params = {
        "first": {"kernel": jnp.full((3, 3, 1, 4), -2.0), "bias": jnp.full(4, 3.0)},
        "batch_norm1": {"scale": jnp.full(4, 5.0), "bias": jnp.zeros(4)},
    }
    both = {"l2": 0.1, "l1": 0.01}
    found = make_penalty(Regularization.model_validate(both), plan.recipe.facts)(params)
    assert float(found) == pytest.approx(0.05 * 36 * 4 + 0.005 * 36 * 2)
    found = make_penalty(Regularization.model_validate({**both, "all": True}), plan.recipe.facts)(params)
    assert float(found) == pytest.approx(0.05 * (36 * 4 + 4 * 9 + 4 * 25) + 0.005 * (36 * 2 + 4 * 3 + 4 * 5))


@pytest.mark.parametrize(("everything", "accumulate"), [(False, 1), (True, 1), (True, 2)])
def test_weights_shrink_and_the_rest_only_where_asked(everything, accumulate):
    more = f"train.accumulate={accumulate}", f"train.batch_size={16 // accumulate}"
    text = EVERYTHING.replace("  - batch_norm\n", "  - {layer_scale: 0.7}\n")  # statistics would differ by batch
    penalty = f"train.regularization={{l2: 0.5, l1: 0.25, all: {str(everything).lower()}}}"
    before, plain, loss = after_one_update(text, *more)
    _, shrunk, penalized_loss = after_one_update(text, penalty, *more)
    roles = set()
    for node, group in plain.items():
        for name, array in group.items():
            spec = graph_of(text).nodes[node].known.params[name]
            theta, trained = before[node][name], node != "frozen"
            counts = trained and (everything or spec.role == "weight")
            expected = 0.1 * (0.5 * theta + 0.125 * np.sign(theta)) if counts else 0
            np.testing.assert_allclose(array - shrunk[node][name], expected, atol=1e-6)
            roles.add((spec.role, bool(np.any(expected))))
    assert ("weight", True) in roles
    assert {role for role, _ in roles} == {"weight", "bias", "scale", "slope"}
    assert (("slope", True) in roles) == everything
    # The loss that is told is that of the data.
    assert penalized_loss == loss


def test_the_gradient_takes_the_optimizers_way_and_decoupled_decay_does_not():
    """Adam divides the gradient of the penalty by its root: the first step has one length. AdamW adds λθ."""
    plain = after_one_update(CONVNET, "train.optimizer={adam: 0.01}")[1]
    before, coupled, _ = after_one_update(CONVNET, "train.optimizer={adam: 0.01}", "train.regularization={l2: 100}")
    _, decoupled, _ = after_one_update(CONVNET, "train.optimizer={adamw: {learning_rate: 0.01, weight_decay: 100}}")
    theta = before["conv1"]["kernel"]
    np.testing.assert_allclose(theta - coupled["conv1"]["kernel"], 0.01 * np.sign(theta), rtol=1e-3)
    np.testing.assert_allclose(plain["conv1"]["kernel"] - decoupled["conv1"]["kernel"], theta, rtol=1e-3, atol=1e-6)


def test_at_zero_the_absolute_value_pulls_nowhere():
    plan = make_plan(graph_of(EVERYTHING))
    gradient = make_penalty_gradient(Regularization.model_validate({"l1": 1.0}), plan.recipe.facts)
    found = gradient({"first": {"kernel": jnp.array([-3.0, 0.0, 2.0]), "bias": jnp.ones(4)}})
    np.testing.assert_array_equal(found["first"]["kernel"], [-0.5, 0, 0.5])
    np.testing.assert_array_equal(found["first"]["bias"], 0)


def test_no_penalty_costs_nothing():
    facts = make_plan(graph_of(EVERYTHING)).recipe.facts
    assert make_penalty_gradient(None, facts) is None
    assert make_penalty_gradient(Regularization.model_validate({"all": True}), facts) is None


@pytest.mark.parametrize("written", ["{l2: -1}", "{l2: .inf}", "{l3: 1}", "1e-4"])
def test_what_is_wrong_with_a_penalty_is_said(written):
    with pytest.raises(SpecError):
        graph_of(CONVNET, f"train.regularization={written}")
