"""Budgets: met to the last unit, missed by one, and who spends most."""

from __future__ import annotations

import json
from typing import Any

import pytest

from netcalc.checks.engine import check_graph
from netcalc.diagnostics import Diagnostic
from netcalc.graph import build
from netcalc.spec.load import parse_spec
from tests.conftest import ROOT

LENET = (ROOT / "configs" / "lenet5.yaml").read_text(encoding="utf-8")
WITHOUT_BUDGETS = LENET[: LENET.index("budgets:")]
PARAMS, MACS = 61_706, 416_520


def check(budgets: Any) -> tuple[Diagnostic, ...]:
    text = f"{WITHOUT_BUDGETS}budgets: {json.dumps(budgets)}\n"
    return check_graph(build(parse_spec(text, "spec.yaml")))


@pytest.mark.parametrize(
    "budgets",
    [
        {"params": PARAMS}, {"params": {"max": PARAMS}}, {"params": "61.706k"}, {"params": "62k"}, {"macs": MACS},
        {"macs": "416.52k"}, {"macs": "1M", "params": "1G"}, {},
    ],
    ids=str,
)  # fmt: skip
def test_budgets_that_are_met(budgets: Any) -> None:
    assert check(budgets) == ()


@pytest.mark.parametrize(("name", "total"), [("params", PARAMS), ("macs", MACS)])
def test_budgets_that_are_missed_by_one(name: str, total: int) -> None:
    (found,) = check({name: {"max": total - 1}})
    assert (found.code, found.severity) == ("NC401", "error")
    assert found.message.startswith(f"`{name}` is {total:,}, over the budget of {total - 1:,} by 1,")


def test_who_spends_most_is_named_with_share_and_line() -> None:
    (found,) = check({"params": {"max": "50k"}})
    lines = {name: number for number, line in enumerate(LENET.splitlines(), 1) for name in ("f5", "f6", "c3")
             if f"name: {name}" in line}  # fmt: skip
    assert found.message == "`params` is 61,706, over the budget of 50,000 by 11,706, 23.4%"
    assert found.context == (
        f"f5: 48,120 (78.0%), line {lines['f5']}",
        f"f6: 10,164 (16.5%), line {lines['f6']}",
        f"c3: 2,416 (3.9%), line {lines['c3']}",
    )
    (found,) = check({"macs": 1})
    assert [place.split(":")[0] for place in found.context] == ["c3", "c1", "f5"]


def test_a_budget_is_pointed_at_where_its_limit_is_written() -> None:
    for budgets, line, column in (
        ("budgets:\n  macs: {max: 1G}\n  params:\n    max: 60k\n", 4, 10),
        ("budgets: {params: 60k}\n", 1, 19),
    ):
        (found,) = check_graph(build(parse_spec(WITHOUT_BUDGETS + budgets)))
        assert found.span is not None
        offset = len(WITHOUT_BUDGETS.splitlines())
        assert (found.span.line - offset, found.span.column) == (line, column)


def test_a_budget_of_nothing() -> None:
    (found,) = check({"params": 0})
    assert found.message == "`params` is 61,706, over the budget of 0 by 61,706"
    text = "input: [4, 4, 1]\nlayers: [relu]\nbudgets: {params: 0, macs: 0}\n"
    assert check_graph(build(parse_spec(text))) == ()


def test_both_budgets_are_checked() -> None:
    assert [d.message.split()[0] for d in check({"macs": 1, "params": 1})] == ["`params`", "`macs`"]


def test_frozen_parameters_count() -> None:
    layers = "[flatten, {dense: 2, trainable: false}, relu, {dense: 2}]"
    text = f"input: [4, 4, 1]\nlayers: {layers}\nbudgets: {{params: %d}}\n"
    total = 17 * 2 + 3 * 2
    assert check_graph(build(parse_spec(text % total))) == ()
    (found,) = check_graph(build(parse_spec(text % (total - 1))))
    assert f"`params` is {total}," in found.message
