"""Budgets: limits on totals, and who spends most where one is missed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from netcalc.analysis.cost import at_inference, count_params, forward_macs
from netcalc.diagnostics import Diagnostic
from netcalc.graph import Graph
from netcalc.spec.budgets import CountBudget

_SHOWN = 3


def missed_budgets(graph: Graph) -> Iterator[Diagnostic]:
    """Yield a Diagnostic for each budget of the spec that the network exceeds. The graph must be complete."""
    budgets = graph.spec.budgets
    params = {node.name: count_params(node, node.known).total for node in graph.nodes.values()}
    macs = {node.name: forward_macs(node.known) for node in at_inference(graph)}
    yield from _missed(graph, "params", budgets.params, params)
    yield from _missed(graph, "macs", budgets.macs, macs)


def _missed(graph: Graph, name: str, budget: CountBudget | None, costs: Mapping[str, int]) -> Iterator[Diagnostic]:
    if budget is None:
        return
    total = sum(costs.values())
    if total <= budget.max:
        return
    over = total - budget.max
    most = sorted(costs, key=lambda node: -costs[node])[:_SHOWN]
    places = [
        f"{node}: {costs[node]:,} ({costs[node] / total:.1%}), line {graph.nodes[node].spec.span.line}"
        for node in most
        if costs[node]
    ]
    share = f", {over / budget.max:,.1%}" if budget.max else ""
    sections = graph.spec.sections
    span = sections.get(f"budgets.{name}.max") or sections.get(f"budgets.{name}")
    message = f"`{name}` is {total:,}, over the budget of {budget.max:,} by {over:,}{share}"
    yield Diagnostic(
        "NC401", message, span, "make the largest layers smaller, or raise the budget", context=tuple(places)
    )
