"""Runs the rules and budgets over a graph."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from netcalc.checks.budgets import Baseline, BaselineOf, Weighed, weigh
from netcalc.checks.figures import Figures
from netcalc.checks.limits import Limit, spec_limits
from netcalc.checks.outcome import BudgetUse
from netcalc.checks.ruled import ruled
from netcalc.checks.rules import Subject
from netcalc.diagnostics import Diagnostic
from netcalc.graph import Graph


@dataclass(frozen=True, slots=True)
class Found:
    """What rules and budgets say of a graph, before anything is chosen or suppressed."""

    diagnostics: tuple[Diagnostic, ...]
    budgets: tuple[BudgetUse, ...]


def check_graph(graph: Graph) -> tuple[Diagnostic, ...]:
    """Return everything there is to say of a graph: shape errors, rules, and its own budgets if it is complete."""
    return find(graph, spec_limits(graph.spec)).diagnostics


def no_baseline(limit: Limit) -> Baseline | None:
    """Return nothing: there is no network to compare with."""
    return None


def find(
    graph: Graph, limits: Iterable[Limit], baseline_of: BaselineOf = no_baseline, object_size: int | None = None
) -> Found:
    """Return shape errors, what rules find, and how the graph stands to limits, if all figures are known."""
    found = [*graph.diagnostics, *ruled(Subject(graph, object_size))]
    if not graph.complete:
        return Found(tuple(found), ())
    weighed = weigh_all(graph, limits, baseline_of)
    found += (d for one in weighed for d in one.diagnostics)
    return Found(tuple(found), tuple(one.use for one in weighed))


def weigh_all(graph: Graph, limits: Iterable[Limit], baseline_of: BaselineOf) -> tuple[Weighed, ...]:
    """Return how a complete graph stands to each limit that is not off."""
    figures = Figures(graph)
    return tuple(weigh(figures, limit, baseline_of) for limit in limits if limit.budget.level != "off")
