"""Runs the rules and budgets over a graph."""

from __future__ import annotations

from netcalc.checks.budgets import missed_budgets
from netcalc.checks.ruled import ruled
from netcalc.checks.rules import Subject
from netcalc.diagnostics import Diagnostic
from netcalc.graph import Graph


def check_graph(graph: Graph) -> tuple[Diagnostic, ...]:
    """Return everything there is to say of a graph: shape errors, rules, and budgets if all figures are known."""
    found = [*graph.diagnostics, *ruled(Subject(graph))]
    if graph.complete:
        found += missed_budgets(graph)
    return tuple(found)
