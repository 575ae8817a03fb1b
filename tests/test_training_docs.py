"""The pages of optimizers and schedules say what the code does."""

from __future__ import annotations

import re
from pathlib import Path
from statistics import mean
from typing import get_args

import pytest

from netcalc.analysis.optimizers import OPTIMIZERS, UpdateCost
from netcalc.choice import Fields, OneOf
from netcalc.spec.optimizers import OptimizerSpec
from netcalc.spec.schedules import Schedule, ScheduleSpec
from tests.train.test_convergence import EPOCHS, RATES, SCHEDULES

DOCS = Path(__file__).parents[1] / "docs"
OPTIMIZER_PAGE = (DOCS / "optimizers.md").read_text(encoding="utf-8")
SCHEDULE_PAGE = (DOCS / "schedules.md").read_text(encoding="utf-8")


def table(page: str, head: str) -> dict[str, list[str]]:
    """Return the cells of a table's rows by the first word in code."""
    rows = page.partition(head)[2].partition("\n\n")[0].splitlines()[1:]
    found = {}
    for row in rows:
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]]
        found[cells[0].strip("`")] = cells
    return found


def alternatives(choice: type[OneOf]) -> dict[str, type[Fields]]:
    return {name: get_args(field.annotation)[0] for name, field in choice.model_fields.items()}


def named(cell: str, rows: dict[str, list[str]]) -> set[str]:
    """Return the fields that a cell names, those of another row too where it says `as`."""
    found = set(re.findall(r"`(\w+)`", cell))
    referred = re.match(r"as `(\w+)`", cell)
    if referred:
        return (found - {referred[1]}) | named(rows[referred[1]][-1], rows)
    return found


OPTIMIZER_ROWS = table(OPTIMIZER_PAGE, "| name | update | fields and their defaults |\n")
SCHEDULE_ROWS = table(SCHEDULE_PAGE, "| name | factor | fields and their defaults |\n")


def test_every_optimizer_and_schedule_is_in_its_table() -> None:
    assert list(OPTIMIZER_ROWS) == list(OptimizerSpec.model_fields)
    assert list(SCHEDULE_ROWS) == list(ScheduleSpec.model_fields)


@pytest.mark.parametrize("name", OptimizerSpec.model_fields)
def test_the_table_of_optimizers_has_all_fields_and_defaults(name: str) -> None:
    model, cell = alternatives(OptimizerSpec)[name], OPTIMIZER_ROWS[name][-1]
    assert named(cell, OPTIMIZER_ROWS) == set(model.model_fields)
    for field, value in re.findall(r"`(\w+)`(?: \S)? ([\d.e-]+)", cell):
        assert float(value) == model.model_fields[field].default


@pytest.mark.parametrize("name", ScheduleSpec.model_fields)
def test_the_table_of_schedules_has_all_fields_and_defaults(name: str) -> None:
    model, cell = alternatives(ScheduleSpec)[name], SCHEDULE_ROWS[name][-1]
    assert named(cell, SCHEDULE_ROWS) == set(model.model_fields) - set(Schedule.model_fields)
    for field, value in re.findall(r"`(\w+)`(?: \S)? ([\d.e-]+)", cell):
        assert float(value) == model.model_fields[field].default


def test_the_table_of_dialects_has_them_all() -> None:
    rows = (
        OPTIMIZER_PAGE.partition("| name | what differs | this form |\n")[2].partition("\n\n")[0].splitlines()[1:]
    )
    found: dict[str, set[str]] = {}
    names: list[str] = []
    for row in rows:
        first, _, form = (cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1])
        names = re.findall(r"`(\w+)`", first) or names
        everyone, _, adagrad_alone = form.partition(", and for Adagrad ")
        for name in names:
            own = everyone + (adagrad_alone if name == "adagrad" else "")
            found.setdefault(name, set()).update(re.findall(r"`(\w+)`", own))
    expected = {
        name: set(get_args(model.model_fields["dialect"].annotation))
        for name, model in alternatives(OptimizerSpec).items()
        if "dialect" in model.model_fields
    }
    assert found == expected


def test_the_page_of_counting_has_the_costs(golden) -> None:  # type: ignore[no-untyped-def]
    page = DOCS / "counting.md"
    text = page.read_text(encoding="utf-8")
    head = "Per trained parameter:\n\n"
    lines = ["| optimizer | values kept | FLOPs |", "|---|--:|--:|"]
    for name, cost in OPTIMIZERS.items():
        lines.append(_row(name, cost))
        if cost.others is not None:
            lines.append(_row(f"{name}, what is no weight", cost.others))
    before, _, after = text.partition(head)
    golden(page, before + head + "\n".join(lines) + after[after.index("\n\nFLOPs are") :])


def _row(name: str, cost: UpdateCost) -> str:
    return f"| {name} | {cost.slots} | {cost.flops} |"


def test_the_measured_table_is_of_the_rates_that_are_tested() -> None:
    rows = table(OPTIMIZER_PAGE, "| optimizer | rate | accuracy | mean | beside |\n")
    assert {name: float(cells[1]) for name, cells in rows.items()} == RATES
    for name, (_, _, accuracies, average, beside) in rows.items():
        found = [float(value) for value in accuracies.split(", ")]
        assert len(found) == 3
        assert f"{mean(found):.2f}" == average
        assert mean(found) >= 97.5
        assert bool(beside) == (name in EPOCHS or name in SCHEDULES)
