"""Answers to every sample: equal, to the last sample, to what an evaluation counts."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from netcalc.graph import build_complete
from netcalc.spec.load import parse_spec
from netcalc.train.answers import Answers, answers
from netcalc.train.evaluate import Evaluator
from netcalc.train.plan import make_plan

SPEC = """
input: [6, 6, 1]
layers: [{{conv: {{filters: 4, kernel: 3}}}}, relu, flatten, {{dense: {outputs}}}]
train:
  data: {{source: synthetic, shape: [6, 6, 1], classes: {classes}, samples: 1400}}
  loss: {loss}
"""


def answered(classes: int, loss: str = "cross_entropy", outputs: int | None = None, top: int = 1):
    plan = make_plan(
        build_complete(parse_spec(SPEC.format(classes=classes, loss=loss, outputs=outputs or classes)))
    )
    params, state = plan.network.init(jax.random.key(1))
    return plan, params, state, answers(plan.recipe, params, state, plan.dataset.train, top)


@pytest.mark.parametrize(
    ("classes", "loss", "outputs"),
    [(2, "cross_entropy", 2), (7, "cross_entropy", 7), (7, "half_mse", 7), (2, "binary_cross_entropy", 1)],
)
def test_they_are_those_that_an_evaluation_counts(classes: int, loss: str, outputs: int) -> None:
    plan, params, state, found = answered(classes, loss, outputs)
    assert len(found.labels) == plan.dataset.train.samples
    assert len(found.labels) % 256  # the last batch is filled up
    np.testing.assert_array_equal(found.labels, plan.dataset.train.labels)
    evaluator = Evaluator(plan, counts=True)
    sums = evaluator.sums(plan.dataset.train, params, state)
    np.testing.assert_array_equal(found.confusion(classes), sums.counted())
    accuracy = evaluator.meter.measured(sums)["accuracy"]
    assert accuracy == pytest.approx(1 - len(found.mistakes) / len(found.labels), abs=1e-6)


def test_probabilities_fall_and_add_up() -> None:
    _, _, _, found = answered(7, top=7)
    assert found.classes.shape == found.scores.shape == (len(found.labels), 7)
    assert (np.diff(found.scores, axis=1) <= 0).all()
    np.testing.assert_allclose(found.scores.sum(axis=1), 1, rtol=1e-5)
    assert (np.sort(found.classes, axis=1) == np.arange(7)).all()
    _, _, _, best = answered(7, top=2)
    np.testing.assert_array_equal(best.classes, found.classes[:, :2])


def test_the_two_classes_of_one_output_have_both_scores() -> None:
    _, _, _, found = answered(2, "binary_cross_entropy", 1, top=9)
    assert found.scores.shape[1] == 2
    np.testing.assert_allclose(found.scores.sum(axis=1), 1, rtol=1e-6)


def test_mistakes_come_by_falling_score() -> None:
    found = Answers(
        np.array([0, 1, 1, 0, 1], np.int32),
        np.array([[1], [1], [0], [1], [0]], np.int32),
        np.array([[0.6], [1.0], [0.9], [0.7], [0.9]], np.float32),
    )
    assert found.mistakes.tolist() == [2, 4, 3, 0]
    assert found.confusion(2).tolist() == [[0, 2], [2, 1]]
