"""Limits of one spec, from its own budgets and from the project file, and how two states of them compare."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from netcalc.diagnostics import Span
from netcalc.spec.budgets import Budget, Budgets, MemoryBudget, ReachBudget, TimeBudget, measured
from netcalc.spec.network import NetworkSpec
from netcalc.spec.project import Project
from netcalc.spec.training import UpdateSpec
from netcalc.units import parse_percent

_STRICTNESS = {"off": 0, "warn": 1, "error": 2}


@dataclass(frozen=True, slots=True)
class Limit:
    """One budget of a figure: on the nodes of a glob, `scope`, or on the network; `place` is where it stands.

    `origin` names a file other than the spec. `baseline` is the absolute path of a spec to compare with.
    """

    figure: str
    scope: str
    budget: Budget | ReachBudget
    place: Span | None
    origin: str = ""
    baseline: str | None = None

    @property
    def measured(self) -> tuple[object, ...]:
        """What tells which figure is limited: limits that agree in it are of the same quantity."""
        return self.figure, self.scope, *measured(self.budget)

    @property
    def name(self) -> str:
        """The limit as messages name it."""
        return f"{self.figure} of {self.scope}" if self.scope else self.figure


def spec_limits(spec: NetworkSpec) -> Iterator[Limit]:
    """Yield the limits of the spec's own `budgets:`."""
    stands = spec.sections.get("budgets.baseline")
    baseline = _path(spec.budgets.baseline, spec.file if stands is None or stands.virtual else stands.file)
    for scope, figure, budget in spec.budgets.limits():
        path = f"budgets.nodes.{scope}.{figure}" if scope else f"budgets.{figure}"
        yield Limit(figure, scope, budget, _place(spec, path, budget), "", baseline)


def project_limits(project: Project, spec: str) -> Iterator[Limit]:
    """Yield the limits that a project file sets for a spec."""
    for number, table in project.tables_for(spec):
        yield from _table_limits(project, number, table)


def _table_limits(project: Project, number: int, table: Budgets) -> Iterator[Limit]:
    baseline = _path(table.baseline, project.file)
    for scope, figure, budget in table.limits():
        path = f"budgets.{number}.nodes.{scope}.{figure}" if scope else f"budgets.{number}.{figure}"
        yield Limit(figure, scope, budget, project.place(path), project.file, baseline)


def is_looser(new: Limit, old: Limit) -> bool:
    """Tell whether a limit lets pass what another of the same quantity does not."""
    if _STRICTNESS[new.budget.level] < _STRICTNESS[old.budget.level]:
        return True
    if isinstance(new.budget, ReachBudget) or isinstance(old.budget, ReachBudget):
        return getattr(new.budget, "min", 0) < getattr(old.budget, "min", 0)
    if new.baseline != old.baseline and old.budget.max_increase is not None:
        return True
    return _exceeds(new.budget.max_increase, old.budget.max_increase) or _exceeds(_max(new), _max(old))


def loosened(old: Iterable[Limit], new: Iterable[Limit]) -> Iterator[tuple[Limit, Limit | None]]:
    """Yield each old limit that no new one of the same quantity is as strict as, with the one nearest to it."""
    known = list(new)
    for limit in old:
        if limit.budget.level == "off":
            continue
        same = [other for other in known if other.measured == limit.measured]
        if all(is_looser(other, limit) for other in same):
            alike = [other for other in known if (other.figure, other.scope) == (limit.figure, limit.scope)]
            yield limit, next(iter(same or alike), None)


def as_trained(limit: Limit, update: UpdateSpec | None) -> Limit:
    """Return a limit on memory or time that takes from a training what it does not say itself."""
    budget = limit.budget
    if update is None or not isinstance(budget, MemoryBudget | TimeBudget):
        return limit
    own: dict[str, object] = {"batch": update.batch_size, "precision": update.precision}
    if isinstance(budget, MemoryBudget):
        own |= {"optimizer": update.optimizer.kind, "remat": update.remat}
    missing = {name: value for name, value in own.items() if getattr(budget, name) is None}
    return replace(limit, budget=budget.model_copy(update=missing))


def _path(baseline: str | None, file: str) -> str | None:
    """Return the path of a baseline that a file names."""
    return None if baseline is None else os.path.realpath(os.path.join(os.path.dirname(file), baseline))


def _place(spec: NetworkSpec, path: str, budget: Any) -> Span | None:
    for name in ("max", "min", "max_increase"):
        if f"{path}.{name}" in spec.sections:
            return spec.sections[f"{path}.{name}"]
    return spec.sections.get(path)


def _max(limit: Limit) -> int | float | str | None:
    return getattr(limit.budget, "max", None)


def _exceeds(new: float | str | None, old: float | str | None) -> bool:
    """Tell whether a largest value allows more than another; of other units it may."""
    if new == old or old is None:
        return False
    if new is None:
        return True
    if isinstance(new, str) and isinstance(old, str):
        return parse_percent(new) > parse_percent(old)
    if isinstance(new, str) or isinstance(old, str):
        return True
    return new > old
