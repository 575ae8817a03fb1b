"""Trainings that compute in bfloat16 end where one in float32 does: the table of docs/results.md.

What a precision may change is held against what a seed changes. Over three seeds the test loss of the four networks
in float32 has a standard deviation of 2 to 22 % of its mean, so that two means of three seeds differ by up to
22 % · √(2/3) = 18 % by chance alone; test accuracies have one of 0.2 to 0.7 points.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import mean

import pytest

from netcalc.graph import Graph, build_complete
from netcalc.spec.load import load_spec
from tests.conftest import ROOT
from tests.train.specs import graph_of
from tests.train.test_convergence import DIGITS
from tests.train.training import trained

PRECISIONS = ("float32", "mixed", "bfloat16")
NETWORKS = ("lenet5", "resnet8", "convnet", "mlp")
TEST_LOSS, TEST_ACCURACY = 0.25, 0.01
"""How far the mean of a precision may be from float32's: of its loss, and in shares of the test images."""

TRAIN_LOSS = 0.25
"""The same for the training loss of `mixed`. Parameters in bfloat16 lose small updates and end far above it."""

MLP = """
name: mlp
input: [8, 8, 1]
layers: [flatten, {dense: 64}, relu, {dense: 64}, relu, {dense: 10}]
train: {data: digits, epochs: 30, optimizer: {adam: 1e-3}}
"""
SMALL_RESNET = (
    "params.n=1",
    "input=[8, 8, 1]",
    "train={data: digits, epochs: 30, optimizer: {momentum: 0.05}, schedule: cosine}",
)


def network(name: str, *overrides: str) -> Graph:
    """Return one of the four networks of the table."""
    match name:
        case "lenet5":
            return build_complete(load_spec(ROOT / "configs/lenet5.yaml", overrides))
        case "resnet8":
            return build_complete(load_spec(ROOT / "configs/resnet20.yaml", (*SMALL_RESNET, *overrides)))
        case "convnet":
            return graph_of(DIGITS, "train.optimizer={adam: 1e-3}", *overrides)
        case _:
            return graph_of(MLP, *overrides)


@dataclass(frozen=True)
class Means:
    """Means over seeds."""

    train_loss: float
    test_loss: float
    test_accuracy: float


def means(name: str, precision: str, seeds: int, *overrides: str) -> Means:
    """Return what the trainings of a network in a precision come to."""
    own = (*overrides, f"train.precision={precision}")
    found = [trained(network(name, *own, f"train.seed={seed}")) for seed in range(seeds)]
    return Means(
        mean(one.training["loss"] for one in found),
        mean(one.test["loss"] for one in found),
        mean(one.test["accuracy"] for one in found),
    )


def check(name: str, seeds: int, *overrides: str) -> None:
    """Hold what the precisions come to against each other."""
    exact, mixed, low = (means(name, precision, seeds, *overrides) for precision in PRECISIONS)
    for found in (mixed, low):
        assert found.test_loss == pytest.approx(exact.test_loss, rel=TEST_LOSS)
        assert found.test_accuracy == pytest.approx(exact.test_accuracy, abs=TEST_ACCURACY)
    assert mixed.train_loss == pytest.approx(exact.train_loss, rel=TRAIN_LOSS)
    assert low.train_loss > (1 + TRAIN_LOSS) * exact.train_loss, "float32 parameters would make no difference"


def test_every_precision_trains_a_small_network_to_the_same_end() -> None:
    check("mlp", 1, "train.epochs=15")


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_every_precision_trains_to_the_same_end(name: str) -> None:
    check(name, 3)
