"""Rules over a graph: their findings with code, severity and place."""

from __future__ import annotations

from collections.abc import Iterator

from netcalc.checks.rules import RULES, Finding, Rule, Subject
from netcalc.diagnostics import Diagnostic, Span
from netcalc.graph import Graph, Node
from netcalc.units import format_shape, plural


def ruled(subject: Subject) -> Iterator[Diagnostic]:
    """Yield what every rule finds, in the order of codes.

    Nodes of one place in the text, such as those of a repeated block, are one finding: the first is told, and how
    many more there are.
    """
    for rule in RULES.values():
        places: dict[Span | None, list[Finding]] = {}
        for finding in rule.find(subject):
            places.setdefault(_span(subject.graph, finding), []).append(finding)
        for span, found in places.items():
            yield _diagnostic(rule, subject.graph, span, found)


def _diagnostic(rule: Rule, graph: Graph, span: Span | None, found: list[Finding]) -> Diagnostic:
    first, *others = found
    context: list[str] = []
    name = ""
    if first.node is not None:
        name = first.node.name
        context += _inputs(graph, first.node)
        context += [f"in a block used at {place.file}:{place.line}" for place in first.node.spec.used_at]
        if others:
            context.append(f"and {plural(len(others), 'more node')} that the same line stands for")
    return Diagnostic(rule.code, first.message, span, first.help, rule.severity, name, tuple(context))


def _inputs(graph: Graph, node: Node) -> list[str]:
    """Return the shapes that a node reads, where all of them are known."""
    sources = [graph.nodes.get(name) for name in node.inputs]
    if any(source is not None and source.facts is None for source in sources):
        return []
    return [f"input: {', '.join(format_shape(graph.type_of(name).shape) for name in node.inputs)}"]


def _span(graph: Graph, finding: Finding) -> Span | None:
    if finding.node is not None:
        return finding.node.spec.fields.get(finding.field, finding.node.spec.span)
    return finding.span or graph.spec.place(finding.section)
