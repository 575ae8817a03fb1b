"""A training without a run: what it comes to, and nothing left behind."""

from __future__ import annotations

from dataclasses import dataclass

from netcalc.data.pipeline import training_batches
from netcalc.graph import Graph
from netcalc.train.evaluate import Evaluator
from netcalc.train.metrics import Metrics
from netcalc.train.optimizers import make_updater
from netcalc.train.plan import make_plan
from netcalc.train.step import evaluated_params, initial_train_state, make_update


@dataclass(frozen=True)
class Trained:
    """The means of the last epoch as it went, and the figures of the model after it."""

    training: Metrics
    test: Metrics


def trained(graph: Graph) -> Trained:
    """Train for the epochs that the spec says, as `netcalc train` does; evaluate once, at the end."""
    plan = make_plan(graph)
    updater = make_updater(plan.spec, plan.recipe.facts, plan.pace)
    update, current, sums = (
        make_update(plan.recipe, updater),
        initial_train_state(plan.recipe, updater),
        plan.recipe.meter.zero(),
    )
    for epoch in range(1, plan.steps // plan.steps_per_epoch + 1):
        sums = plan.recipe.meter.zero()
        for images, labels in training_batches(plan.dataset.train, plan.samples_per_update, plan.spec.seed, epoch):
            current, sums = update(current, sums, images, labels)
    params = evaluated_params(plan.recipe, updater, current)
    return Trained(sums.means(), Evaluator(plan).test(params, current.state))
