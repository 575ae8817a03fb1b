"""Budgets and reports are of the same totals."""

from __future__ import annotations

import pytest

from netcalc.analysis.report import analyze_graph
from netcalc.checks.engine import check_graph
from netcalc.graph import build_complete
from netcalc.spec.load import parse_spec

WITH_HEAD = """
input: [8, 8, 3]
layers:
  - {conv: {filters: 4, kernel: 3}, name: stem}
  - {dense: 5, name: main}
  - {conv: {filters: 64, kernel: 3}, from: stem, name: head}
outputs: [main, {name: head, train_only: true}]
"""


@pytest.mark.parametrize("figure", ["params", "macs"])
def test_a_budget_of_exactly_the_reported_total_is_met_and_one_less_is_missed(figure: str) -> None:
    totals = analyze_graph(build_complete(parse_spec(WITH_HEAD))).totals
    total = totals.params.trainable if figure == "params" else totals.macs.forward
    assert total is not None
    for limit, found in ((total, []), (total - 1, ["NC401"])):
        graph = build_complete(parse_spec(WITH_HEAD, overrides=[f"budgets.{figure}={limit}"]))
        assert [d.code for d in check_graph(graph)] == found


def test_a_bias_that_another_node_shares_is_not_called_redundant() -> None:
    text = """
input: [8, 8, 3]
layers:
  - {conv: {filters: 3, kernel: 3, padding: same}, name: a}
  - batch_norm
  - relu
  - {conv: {filters: 3, kernel: 3, padding: same}, share: a}
"""
    assert check_graph(build_complete(parse_spec(text))) == ()
