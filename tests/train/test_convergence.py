"""Every optimizer trains the small digits: test accuracy after so many updates, the mean of three seeds."""

from statistics import mean

import pytest

from netcalc.spec.optimizers import OptimizerSpec
from tests.train.specs import graph_of
from tests.train.training import trained

DIGITS = """
name: digits
input: [8, 8, 1]
layers:
  - conv: {filters: 32, kernel: 3, padding: same}
  - relu
  - max_pool: 2
  - conv: {filters: 64, kernel: 3, padding: same}
  - relu
  - max_pool: 2
  - flatten
  - dense: 64
  - relu
  - dense: 10
train: {data: digits, batch_size: 32, epochs: 30}
"""

RATES = {
    "gd": 0.1,
    "sgd": 0.05,
    "momentum": 0.02,
    "nesterov": 0.02,
    "rud": 0.02,
    "adagrad": 0.02,
    "adadelta": 1.0,
    "rmsprop": 1e-3,
    "adam": 1e-3,
    "adamax": 2e-3,
    "adamw": 1e-3,
    "nadam": 1e-3,
    "radam": 1e-3,
    "lion": 3e-4,
    "lars": 1.0,
    "lamb": 2e-3,
    "muon": 0.005,
    "schedule_free": 0.5,
}
"""Of the learning rate, which is constant but for those of SCHEDULES."""

EPOCHS = {"gd": 200}
"""Where they are not 30: an epoch of batch gradient descent is one update."""

SCHEDULES = {
    **dict.fromkeys(("lion", "lars", "lamb"), "cosine"),  # their steps keep their length otherwise
    "schedule_free": "{constant: {warmup_epochs: 3}}",
}
"""Where the rate is not constant."""


def accuracy(name, seed, epochs, rate):
    """Return the test accuracy of the last epoch."""
    overrides = f"train.optimizer={{{name}: {rate}}}", f"train.schedule={SCHEDULES.get(name, 'constant')}"
    run = trained(graph_of(DIGITS, *overrides, f"train.seed={seed}", f"train.epochs={epochs}"))
    return run.test["accuracy"]


@pytest.mark.slow
@pytest.mark.parametrize("name", OptimizerSpec.model_fields)
def test_every_optimizer_learns_the_digits(name):
    found = [accuracy(name, seed, EPOCHS.get(name, 30), RATES[name]) for seed in range(3)]
    assert mean(found) >= 0.975, found


@pytest.mark.parametrize("name", ["adam", "momentum", "rud"])
def test_some_learn_the_digits_in_little_time(name):
    assert accuracy(name, 0, 8, RATES[name]) >= 0.95
