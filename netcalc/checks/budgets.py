"""Budgets: figures held to their limits, and who spends most where one is missed."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from netcalc.checks.figures import FIGURES, Amount, FigureKind, Figures, UnknownFigureError, device_of
from netcalc.checks.limits import Limit
from netcalc.checks.outcome import BudgetUse
from netcalc.diagnostics import Diagnostic, Related, Severity
from netcalc.graph import Graph
from netcalc.spec.budgets import Budget, MemoryBudget, ReachBudget, increased
from netcalc.units import parse_percent

_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Baseline:
    """A network that relative budgets compare with, and what messages call it."""

    figures: Figures
    name: str


BaselineOf = Callable[[Limit], Baseline | None]
"""Finds the network that a limit compares with, None where there is none."""


@dataclass(frozen=True, slots=True)
class Weighed:
    """One limit held against a network: what there is to say, and how far the budget is used."""

    diagnostics: tuple[Diagnostic, ...]
    use: BudgetUse


@dataclass(frozen=True, slots=True)
class _Bound:
    """A value that a figure may not exceed, or stay under, and how messages put it."""

    value: float
    shown: str
    is_least: bool = False


def weigh(figures: Figures, limit: Limit, baseline_of: BaselineOf) -> Weighed:
    """Return how a network stands to a limit. What cannot be told is a finding too, never a silent pass."""
    graph, kind, budget = figures.graph, FIGURES[limit.figure], limit.budget
    severity: Severity = "warning" if budget.level == "warn" else "error"
    try:
        amount = _scoped(graph, limit, figures.of(limit.figure, budget))
        baseline = baseline_of(limit) if isinstance(budget, Budget) and budget.max_increase is not None else None
        before = None if baseline is None else _amount_in(baseline, limit)
        bounds = _bounds(kind, limit, baseline, before)
    except UnknownFigureError as error:
        message = f"`{limit.name}` cannot be held to its budget: {error}"
        use = BudgetUse(limit.figure, limit.scope, None, "?", "?", severity, None)
        return Weighed((Diagnostic("NC402", message, limit.place, severity=severity, context=_origin(limit)),), use)
    missed_bounds = [
        bound for bound in bounds if (amount.total < bound.value if bound.is_least else amount.total > bound.value)
    ]
    if missed_bounds and before is None:
        before = _before(limit, baseline_of)
    found = [_missed(graph, limit, kind, severity, amount, bound, before) for bound in missed_bounds]
    if isinstance(budget, Budget) and budget.max_increase is not None and baseline is None:
        message = f"`{limit.name}` may grow by {budget.max_increase}, but there is nothing to compare with"
        help = "check with `--against REV`, or name a `baseline:` spec in the budgets"
        found.append(Diagnostic("NC403", message, limit.place, help, "warning", context=_origin(limit)))
    missed = any(d.code == "NC401" for d in found)
    shown = " and ".join(bound.shown for bound in bounds)
    met = None if not bounds else not missed
    shares = [amount.total / bound.value for bound in bounds if bound.value]
    use = BudgetUse(
        limit.figure,
        limit.scope,
        amount.total,
        kind.shown(amount.total),
        shown or "growth",
        severity,
        met,
        max(shares, default=None),
    )
    return Weighed(tuple(found), use)


def _before(limit: Limit, baseline_of: BaselineOf) -> Amount | None:
    """Return what a figure was in the network that growth would compare with, so that a miss can tell who grew."""
    try:
        baseline = baseline_of(limit)
        return None if baseline is None else _amount_in(baseline, limit)
    except UnknownFigureError:
        return None


def _amount_in(baseline: Baseline, limit: Limit) -> Amount:
    """Return the figure of a limit in its baseline, which may have none of the nodes."""
    figures = baseline.figures
    return _scoped(figures.graph, limit, figures.of(limit.figure, limit.budget), new=False)


def _scoped(graph: Graph, limit: Limit, amount: Amount, *, new: bool = True) -> Amount:
    """Return what the nodes of the limit's glob sum to; raises UnknownFigureError where it matches none."""
    if not limit.scope:
        return amount
    names = [name for name in graph.nodes if fnmatchcase(name, limit.scope)]
    if not names and new:
        raise UnknownFigureError(f"no node is called `{limit.scope}`")
    found = {name: amount.by_node.get(name, 0) for name in names}
    return Amount(sum(found.values()), found)


def _bounds(kind: FigureKind, limit: Limit, baseline: Baseline | None, before: Amount | None) -> list[_Bound]:
    budget = limit.budget
    if isinstance(budget, ReachBudget):
        return [_Bound(budget.min, kind.shown(budget.min), is_least=True)]
    bounds: list[_Bound] = []
    most = getattr(budget, "max", None)
    if isinstance(most, str):
        assert isinstance(budget, MemoryBudget)
        assert budget.device is not None
        device = device_of(budget.device)
        value = float(parse_percent(most) * device.memory_bytes)
        bounds.append(_Bound(value, f"{kind.shown(value)} ({most} of {device.key})"))
    elif most is not None:
        bounds.append(_Bound(most, kind.shown(most)))
    if budget.max_increase is not None and baseline is not None and before is not None:
        allowed = increased(before.total, budget.max_increase)
        value = float(allowed) if kind.unit == "seconds" else math.floor(allowed)
        told = f"{kind.shown(value)} ({kind.shown(before.total)} in {baseline.name} + {budget.max_increase})"
        bounds.append(_Bound(value, told))
    return bounds


def _missed(
    graph: Graph,
    limit: Limit,
    kind: FigureKind,
    severity: Severity,
    amount: Amount,
    bound: _Bound,
    before: Amount | None,
) -> Diagnostic:
    gap = abs(amount.total - bound.value)
    share = f", {gap / bound.value:,.1%}" if bound.value else ""
    side = "under" if bound.is_least else "over"
    value = kind.shown(amount.total)
    if value == kind.shown(bound.value):
        value = f"{value} ({kind.exact(amount.total)})"
    shown = kind.shown(gap)
    whose = f"`{limit.name}` of {graph.spec.file}" if limit.origin else f"`{limit.name}`"
    message = f"{whose} is {value}, {side} the budget of {bound.shown} by {shown}{share}"
    grown = () if before is None else _grown(graph, kind, amount, before)
    related = grown or _largest(graph, kind, amount)
    context = (*_origin(limit), *(_line(place, limit, graph) for place in related))
    help = (
        "widen its layers' view: larger kernels, strides, dilation"
        if bound.is_least
        else "make the largest layers smaller, or raise the budget"
        if related
        else "make the network smaller, or raise the budget"
    )
    return Diagnostic("NC401", message, limit.place, help, severity, context=context, related=related)


def _largest(graph: Graph, kind: FigureKind, amount: Amount) -> tuple[Related, ...]:
    """Return the nodes that add most to a figure, with what each adds."""
    most = sorted(amount.by_node, key=lambda name: -amount.by_node[name])[:_SHOWN]
    return tuple(
        Related(
            graph.nodes[name].spec.span,
            f"{name}: {kind.shown(amount.by_node[name])} ({amount.by_node[name] / amount.total:.1%})",
        )
        for name in most
        if amount.by_node[name]
    )


def _grown(graph: Graph, kind: FigureKind, amount: Amount, before: Amount) -> tuple[Related, ...]:
    """Return the nodes that grew most, or are new, against a baseline."""
    growth: Mapping[str, float] = {
        name: value - before.by_node.get(name, 0) for name, value in amount.by_node.items()
    }
    most = sorted(growth, key=lambda name: -growth[name])[:_SHOWN]
    return tuple(
        Related(
            graph.nodes[name].spec.span,
            f"{name}: +{kind.shown(growth[name])}" + ("" if name in before.by_node else " (new)"),
        )
        for name in most
        if growth[name] > 0
    )


def _line(place: Related, limit: Limit, graph: Graph) -> str:
    span = place.span
    where = f"line {span.line}" if span.file == graph.spec.file else f"{span.file}:{span.line}"
    return f"{place.message}, {where}"


def _origin(limit: Limit) -> tuple[str, ...]:
    return (f"budget of {limit.origin}",) if limit.origin else ()
