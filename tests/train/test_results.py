"""The trainings of docs/results.md come to what the page says: run with `pytest -m slow`."""

from __future__ import annotations

from statistics import mean

import pytest

from netcalc.graph import Graph, build_complete
from netcalc.spec.load import load_spec
from tests.conftest import ROOT
from tests.train.training import trained


def config(name: str, *overrides: str) -> Graph:
    return build_complete(load_spec(ROOT / "configs" / f"{name}.yaml", overrides))


@pytest.mark.slow
def test_lenet5_learns_shifted_digits() -> None:
    found = [trained(config("lenet5_shifts", f"train.seed={seed}")).test["accuracy"] for seed in range(3)]
    assert mean(found) >= 0.975, found


@pytest.mark.slow
def test_resnet20_learns_the_patterns_of_synthetic_images() -> None:
    """Two epochs, the first of which leaves batch norm's running averages behind."""
    overrides = "train.steps=", "train.epochs=2", "train.schedule=constant"
    assert trained(config("resnet20_synthetic", *overrides)).test["accuracy"] >= 0.99
