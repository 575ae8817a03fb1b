"""Auxiliary heads: each has its own loss, their weighted sum is made smaller, the main one is measured."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from netcalc.train.evaluate import Evaluator
from netcalc.train.optimizers import make_updater
from netcalc.train.plan import make_plan
from netcalc.train.step import evaluated_params, initial_train_state, make_update
from tests.train.specs import graph_of

TEXT = """\
input: [8, 8, 1]
layers:
  - {conv: {filters: 4, kernel: 3}, name: stem}
  - {flatten: , name: wide, from: stem}
  - {dense: 10, name: aux, from: wide}
  - {global_avg_pool: , name: pooled, from: stem}
  - {dense: 10, name: main}
  - softmax
outputs: [{name: aux, train_only: true}, softmax1]
train:
  data: digits
  loss: half_mse
  losses: {softmax1: cross_entropy, aux: {cross_entropy: {weight: WEIGHT}}}
  optimizer: {sgd: 0.1}
"""


def after_one_update(text: str):
    plan = make_plan(graph_of(text))
    optimizer = make_updater(plan.spec, plan.recipe.facts, plan.pace)
    current = initial_train_state(plan.recipe, optimizer)
    before = jax.tree.map(np.array, current.params)
    images, labels = plan.dataset.train.images[:16], plan.dataset.train.labels[:16]
    current, sums = make_update(plan.recipe, optimizer)(current, plan.recipe.meter.zero(), images, labels)
    moved = jax.tree.map(lambda a, b: np.asarray(a) - b, current.params, before)
    return plan, moved, sums.means(), evaluated_params(plan.recipe, optimizer, current), current.state


def test_the_gradient_is_of_the_weighted_sum():
    weight = 0.3
    _, together, means, _, _ = after_one_update(TEXT.replace("WEIGHT", str(weight)))
    tiny = 1e-30  # so small a weight leaves the main loss alone
    _, main, main_means, _, _ = after_one_update(TEXT.replace("WEIGHT", str(tiny)))
    _, both, both_means, _, _ = after_one_update(TEXT.replace("WEIGHT", "1.0"))
    for name in ("stem", "aux", "main"):
        for key, moved in together[name].items():
            expected = main[name][key] + weight * (both[name][key] - main[name][key])
            np.testing.assert_allclose(moved, expected, rtol=1e-4, atol=1e-6)
    assert np.abs(together["aux"]["kernel"]).max() > 0
    assert means["loss"] == pytest.approx(main_means["loss"] + weight * (both_means["loss"] - main_means["loss"]))
    assert means["accuracy"] == main_means["accuracy"]


def test_the_main_output_is_measured_wherever_it_stands():
    plan, _, _, params, state = after_one_update(TEXT.replace("WEIGHT", "0.3"))
    assert plan.recipe.main == "main"  # below the softmax
    assert list(plan.recipe.losses) == ["main", "aux"]
    found = Evaluator(plan).test(params, state)
    scores, _ = plan.network.apply(params, state, plan.recipe.prepare(plan.dataset.test.images))
    assert scores.shape == (450, 10)
    assert found["accuracy"] == pytest.approx(np.mean(np.argmax(scores, 1) == plan.dataset.test.labels))


def test_an_output_left_out_takes_its_loss_with_it():
    text = TEXT.replace("WEIGHT", "0.3").replace("train_only: true", "train_only: true, when: false")
    plan = make_plan(graph_of(text))
    assert list(plan.recipe.losses) == ["main"]


def test_heads_on_masks_of_other_sizes_are_compared_with_its_middle():
    text = """\
input: [12, 12, 1]
layers:
  - {conv: {filters: 4, kernel: 3, padding: 0}, name: first}
  - {conv: {filters: 3, kernel: 1}, name: aux}
  - {conv: {filters: 3, kernel: 3, padding: 0}, name: main, from: first}
outputs: [main, {name: aux, train_only: true}]
train:
  data: {source: synthetic, shape: [12, 12, 1], target: mask, classes: 3, samples: 30}
"""
    plan, _, means, _, _ = after_one_update(text)
    assert np.isfinite(means["loss"])
    masks = np.asarray(plan.dataset.train.labels[np.arange(2)])
    for name, cut in (("main", 2), ("aux", 1)):
        assert np.array_equal(plan.recipe.compared(masks, name), masks[:, cut:-cut, cut:-cut])
