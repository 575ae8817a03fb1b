"""Runs the rules and budgets over a graph and stamps code, severity and place on what they find."""

from __future__ import annotations

from collections.abc import Iterator

from netcalc.checks.budgets import missed_budgets
from netcalc.checks.rules import RULES
from netcalc.diagnostics import Diagnostic
from netcalc.graph import Graph
from netcalc.units import format_shape


def check_graph(graph: Graph) -> tuple[Diagnostic, ...]:
    """Return everything there is to say of a graph: shape errors, rules, and budgets if all figures are known."""
    found = [*graph.diagnostics, *_ruled(graph)]
    if graph.complete:
        found += missed_budgets(graph)
    return tuple(found)


def _ruled(graph: Graph) -> Iterator[Diagnostic]:
    for code, rule in RULES.items():
        for finding in rule(graph):
            spec = finding.node.spec
            span = spec.fields.get(finding.field, spec.span)
            shapes = ", ".join(format_shape(graph.type_of(name).shape) for name in spec.inputs)
            yield Diagnostic(
                code, finding.message, span, finding.help, "warning", spec.name, context=(f"input: {shapes}",)
            )
