"""The page of results agrees with itself, with the configs and with what slow tests hold."""

from __future__ import annotations

import re
from pathlib import Path
from statistics import mean

import pytest

from netcalc.spec.optimizers import OptimizerSpec
from tests.configs.zoo import FOLDER
from tests.train.test_precision import NETWORKS, PRECISIONS, TEST_ACCURACY, TEST_LOSS, TRAIN_LOSS

PAGE = (Path(__file__).parents[1] / "docs" / "results.md").read_text(encoding="utf-8")


def rows(head: str) -> list[list[str]]:
    """Return the cells of the table that follows a heading of the page."""
    lines = PAGE.partition(head)[2].partition("\n|")[2].partition("\n\n")[0].splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def numbers(cell: str) -> list[float]:
    return [float(value) for value in cell.split(", ")]


LENET, PRECISION = rows("## LeNet-5 on digits"), rows("## Precision")


def test_means_are_those_of_the_seeds() -> None:
    assert len(LENET) == 2
    for _, seeds, average, seconds in LENET:
        assert len(numbers(seeds)) == len(numbers(seconds)) == 3
        assert f"{mean(numbers(seeds)):.2f}" == average
    for _, _, losses, mean_loss, accuracies, mean_accuracy, _ in PRECISION:
        assert len(numbers(losses)) == len(numbers(accuracies)) == 3
        assert f"{mean(numbers(losses)):.4f}" == mean_loss
        assert f"{mean(numbers(accuracies)):.2f}" == mean_accuracy


def test_the_config_states_the_accuracy_of_the_page() -> None:
    (stated,) = re.findall(r"Test accuracy ([\d.]+) %", (FOLDER / "lenet5_shifts.yaml").read_text(encoding="utf-8"))
    assert LENET[1][2] == stated
    assert float(stated) >= 97.5


@pytest.mark.parametrize("name", NETWORKS)
def test_what_is_tested_of_precisions_is_true_of_the_page(name: str) -> None:
    found = {cells[1].strip("`"): cells for cells in PRECISION if cells[0] == f"`{name}`"}
    assert tuple(found) == PRECISIONS
    loss, accuracy, train = (
        {precision: float(cells[column]) for precision, cells in found.items()} for column in (3, 5, 6)
    )
    for precision in PRECISIONS:
        assert loss[precision] == pytest.approx(loss["float32"], rel=TEST_LOSS)
        assert accuracy[precision] == pytest.approx(accuracy["float32"], abs=100 * TEST_ACCURACY)
    assert train["mixed"] == pytest.approx(train["float32"], rel=TRAIN_LOSS)
    assert train["bfloat16"] > (1 + TRAIN_LOSS) * train["float32"]


def test_every_optimizer_is_in_the_table() -> None:
    assert [cells[0].strip("`") for cells in rows("## Optimizers")] == list(OptimizerSpec.model_fields)


def test_every_network_is_in_the_table() -> None:
    assert {cells[0].strip("`") for cells in PRECISION} == set(NETWORKS)
