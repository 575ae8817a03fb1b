"""What a revision holds for a spec, and how a change of it is judged by that: nothing is lifted in silence."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

from netcalc.checks.limits import Limit, as_trained, loosened, project_limits, spec_limits
from netcalc.checks.projects import project_of
from netcalc.diagnostics import CannotRunError, Diagnostic, Span, SpecError
from netcalc.graph import Graph, build
from netcalc.spec.load import load_spec
from netcalc.spec.project import Project
from netcalc.spec.revision import Revision

_AGREED = "who agreed to it can merge the change; the check will hold the new one from then on"


@dataclass(frozen=True, slots=True)
class Before:
    """What a revision holds for one spec.

    `path` is where the file lies, or would lie, among the revision's; `graph` is None where it has no such file, or
    one that cannot be read, which `problems` tell. `limits` name where they stood as their origin.
    """

    revision: Revision
    path: Path
    graph: Graph | None
    project: Project
    limits: tuple[Limit, ...]
    problems: tuple[Diagnostic, ...]


@dataclass(frozen=True, slots=True)
class Judged:
    """The limits that hold a change: its own, and those of the revision that it has lifted; and what was lifted."""

    own: tuple[Limit, ...]
    retained: tuple[Limit, ...]
    findings: tuple[Diagnostic, ...]


def spec_before(path: Path, revision: Revision, overrides: tuple[str, ...], root: Path | None) -> Before:
    """Return what a revision holds for a spec of the working tree; what cannot be told is among its problems."""
    start = Span(os.fspath(path), 1, 1, 1, 1)
    mirrored = revision.mirrored(path)
    if mirrored is None or not revision.speaks_for(path):
        message = f"the spec is not of the repository that holds {revision.rev}: {revision.top}"
        help = "run netcalc in the repository that the spec belongs to"
        problem = Diagnostic("NC407", message, start, help)
        return Before(revision, revision.folder / path.name, None, Project(), (), (problem,))
    then_root = _mirrored_root(root, revision)
    project, wrong = project_of(mirrored, then_root)
    problems = [_unreadable(revision, start, d.message) for d in wrong]
    graph = None
    if mirrored.is_file():
        try:
            graph = build(load_spec(mirrored, overrides, then_root))
        except (SpecError, CannotRunError) as error:
            problems.append(_unreadable(revision, start, str(error).partition("\n")[0]))
    elif os.path.lexists(mirrored) and not mirrored.is_dir():
        problems.append(_unreadable(revision, start, "it is a link to what is no YAML file of the repository"))
    found = (*(spec_limits(graph.spec) if graph else ()), *project_limits(project, os.fspath(mirrored)))
    limits = tuple(_told(limit, revision) for limit in found)
    return Before(revision, mirrored, graph, project, limits, tuple(problems))


def judge(before: Before, limits: Sequence[Limit], graph: Graph) -> Judged:
    """Return which limits hold a changed network, and a finding for each of the revision's that was lifted.

    What limits on memory and time leave to the training is taken from that of the revision.
    """
    rev = before.revision.rev
    here = graph.spec.sections.get("budgets") or Span(graph.spec.file, 1, 1, 1, 1)
    trained = before.graph.spec.train if before.graph else None
    retained: list[Limit] = []
    findings: list[Diagnostic] = []
    for limit, nearest in loosened(before.limits, limits):
        place = here if nearest is None or nearest.place is None else nearest.place
        retained.append(as_trained(replace(limit, place=place), trained))
        how = "is gone" if nearest is None else "is looser"
        message = f"the budget of `{limit.name}` {how}; the one of {rev} stays in force"
        context = (f"it was set at {limit.origin}",)
        findings.append(Diagnostic("NC404", message, place, _AGREED, "warning", context=context))
    had = {limit.measured for limit in before.limits}
    lifted = {limit.measured for limit, _ in loosened(before.limits, limits)}
    own = tuple(
        as_trained(limit, trained) if limit.measured in had else limit
        for limit in limits
        if limit.measured not in lifted
    )
    findings += _fewer_nodes(before, graph, here)
    return Judged(own, tuple(retained), tuple(findings))


def gone(paths: Iterable[Path], revision: Revision, root: Path | None) -> Iterator[tuple[str, Diagnostic]]:
    """Yield each spec with budgets that the revision has and the working tree has no more, with a finding."""
    for mirrored in paths:
        working = revision.working(mirrored)
        before = spec_before(Path(working), revision, (), root)
        if before.limits or before.problems:
            shown = os.path.relpath(working)
            many = f"{len(before.limits)} budgets" if len(before.limits) != 1 else "a budget"
            message = f"`{shown}` is gone, and with it {many} that {revision.rev} has for it"
            help = "where it was renamed, its budgets at the new name count from the merge on"
            yield shown, Diagnostic("NC406", message, None, help, "warning")


def _fewer_nodes(before: Before, graph: Graph, here: Span) -> Iterator[Diagnostic]:
    """Yield a finding for each glob of the revision's budgets that names fewer nodes than it did."""
    if before.graph is None:
        return
    for scope in dict.fromkeys(limit.scope for limit in before.limits if limit.scope):
        then, now = (sum(fnmatchcase(name, scope) for name in g.nodes) for g in (before.graph, graph))
        if now < then:
            message = (
                f"`{scope}` names {now} nodes, {then} in {before.revision.rev}: its budgets hold less than they did"
            )
            help = "name nodes so that the glob still holds them, or say in the review why not"
            yield Diagnostic("NC409", message, here, help, "warning")


def _unreadable(revision: Revision, place: Span, why: str) -> Diagnostic:
    message = f"what {revision.rev} holds for this spec cannot be read, so its budgets are not known"
    help = "mend it there first, or merge this change without the check"
    return Diagnostic("NC408", message, place, help, context=(revision.displayed(why),))


def _told(limit: Limit, revision: Revision) -> Limit:
    """Return a limit that names its place in the revision, and its baseline in the working tree."""
    was = "" if limit.place is None else revision.displayed(str(limit.place))
    baseline = None if limit.baseline is None else revision.working(limit.baseline)
    return replace(limit, origin=was or limit.origin or revision.rev, baseline=baseline)


def _mirrored_root(root: Path | None, revision: Revision) -> Path | None:
    if root is None:
        return None
    return revision.mirrored(root) or revision.folder
