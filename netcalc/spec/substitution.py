"""Expressions of a tree replaced by their values, within one budget of work for the whole spec."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from netcalc.diagnostics import Span
from netcalc.spec.expressions import ExpressionError, UnknownValueError, Value, has_expression, substitute
from netcalc.spec.findings import Findings
from netcalc.spec.source import MAX_DEPTH, YamlDict, YamlList, YamlScalar, YamlTree

MAX_WORK = 500_000
"""Values, and characters of expressions, that a spec may have read: a repeated node counts each time."""


@dataclass(slots=True)
class Substitution:
    """Replaces expressions by values; what has none goes to the findings, once for each place."""

    findings: Findings = field(default_factory=Findings)
    work: int = 0

    def spend(self, amount: int, span: Span) -> None:
        """Count work; raises SpecError when the spec asks for more than MAX_WORK."""
        self.work += amount
        if self.work > MAX_WORK:
            self.findings.stop(f"the spec expands to more than {MAX_WORK:,} values", span)

    def apply(self, tree: YamlTree, names: Mapping[str, Value]) -> YamlTree:
        """Return the tree with its expressions evaluated; null where one cannot be."""
        self.spend(1, tree.span)
        match tree:
            case YamlScalar(str(text), span) if has_expression(text):
                return self._evaluated(text, span, names)
            case YamlList(items, span):
                return YamlList(tuple(self.apply(item, names) for item in items), span)
            case YamlDict(entries, keys, span):
                return YamlDict({key: self.apply(value, names) for key, value in entries.items()}, keys, span)
        return tree

    def unknown_in(self, tree: YamlTree) -> set[Span]:
        """Return the places of the values at or below which something has no value."""
        found: set[Span] = set()
        if self.findings.unknown:
            self._collect_unknown(tree, found)
        return found

    def _collect_unknown(self, tree: YamlTree, found: set[Span]) -> bool:
        match tree:
            case YamlList(items):
                below = [self._collect_unknown(item, found) for item in items]
            case YamlDict(entries):
                below = [self._collect_unknown(value, found) for value in entries.values()]
            case _:
                below = []
        if any(below) or tree.span in self.findings.unknown:
            found.add(tree.span)
            return True
        return False

    def is_known(self, tree: YamlTree) -> bool:
        """Tell whether a substituted scalar has a value."""
        return tree.span not in self.findings.unknown

    def _evaluated(self, text: str, span: Span, names: Mapping[str, Value]) -> YamlTree:
        if span in self.findings.unknown:
            return YamlScalar(None, span)
        self.spend(len(text), span)
        try:
            return self._as_tree(substitute(text, names), span, 1)
        except UnknownValueError:
            pass
        except ExpressionError as error:
            self.findings.report("NC015", str(error), span, error.help)
        self.findings.unknown.add(span)
        return YamlScalar(None, span)

    def _as_tree(self, value: Value, span: Span, depth: int) -> YamlTree:
        self.spend(1, span)
        if not isinstance(value, list):
            return YamlScalar(value, span, computed=True)
        if depth > MAX_DEPTH:
            raise ExpressionError(f"the list is nested more than {MAX_DEPTH} levels deep")
        return YamlList(tuple(self._as_tree(item, span, depth + 1) for item in value), span)
