"""Checks one file: its spec, its project's settings and budgets, its suppressions, and what it was before."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from netcalc.analysis.cost import at_inference, count_params, forward_macs
from netcalc.checks.budgets import Baseline
from netcalc.checks.engine import find
from netcalc.checks.figures import Figures, UnknownFigureError
from netcalc.checks.limits import Limit, in_force, loosened, project_limits, spec_limits
from netcalc.checks.outcome import Checked
from netcalc.checks.quieted import idle, known_before, quieted
from netcalc.checks.selection import Selection, known_codes, refuse_unknown_codes
from netcalc.diagnostics import CannotRunError, Diagnostic, Span, SpecError
from netcalc.graph import Graph, build
from netcalc.spec.files import SpecFiles, read_text
from netcalc.spec.load import load_spec, parse_spec
from netcalc.spec.project import Project, find_project, load_project
from netcalc.spec.revision import Revision
from netcalc.spec.suppressions import Suppression, suppressions


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of every file: overrides, codes to report, and the revision that is held against.

    `select`, where given, replaces what the project selects; `ignore` adds to what it ignores.
    """

    overrides: tuple[str, ...] = ()
    root: Path | None = None
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    revision: Revision | None = None


def check_file(path: Path, request: Request) -> Checked:
    """Return what is found in one file. Whatever is wrong with it is part of that: nothing is raised."""
    file = os.fspath(path)
    try:
        text = read_text(path)
    except CannotRunError as error:
        return Checked(file, unread=str(error), help=error.help)
    except SpecError as error:
        return Checked(file, diagnostics=error.diagnostics)
    try:
        return _File(path, text, request).checked()
    except CannotRunError as error:
        return Checked(file, unread=str(error), help=error.help)


def project_of(path: Path, root: Path | None) -> tuple[Project, tuple[Diagnostic, ...]]:
    """Return the project around a spec, empty where there is none, and what is wrong with its file."""
    found = find_project(path, root)
    if found is None:
        return Project(), ()
    try:
        state = found.stat()
    except OSError:
        return Project(), ()
    return _loaded(found, (state.st_mtime_ns, state.st_size, state.st_ino))


@lru_cache(maxsize=64)
def _loaded(path: Path, state: tuple[int, ...]) -> tuple[Project, tuple[Diagnostic, ...]]:
    """Return what a file holds; it is read again once its state, as the disk tells it, is another."""
    try:
        project = load_project(path)
        refuse_unknown_codes(project)
    except SpecError as error:
        return Project(), error.diagnostics
    except CannotRunError as error:
        place = Span(os.fspath(path), 1, 1, 1, 1)
        return Project(), (Diagnostic("NC011", str(error), place, error.help),)
    return project, ()


class _File:
    """One file under check: what it holds, and what its revision held."""

    def __init__(self, path: Path, text: str, request: Request) -> None:
        self.path, self.file, self.text, self.request = path, os.fspath(path), text, request
        self.revision = request.revision
        self.project, self.problems = project_of(path, request.root)
        self.old_project = self._project_before()
        judge = self.old_project if self.revision is not None else self.project
        at = self._mirrored() if self.revision is not None else path
        settings = judge.settings
        self.object_size = settings.object_size
        self.selection = Selection(
            request.select or known_codes(settings.select),
            (*request.ignore, *known_codes(settings.ignore), *known_codes(judge.ignored_for(at))),
            {known_codes((code,))[0]: level for code, level in settings.levels.items()},
        )
        self.comments: dict[str, tuple[Suppression, ...]] = {}
        self.new_comments: list[Suppression] = []

    def checked(self) -> Checked:
        """Return everything that is found."""
        try:
            graph = build(parse_spec(self.text, self.file, self.request.overrides, self.request.root))
        except SpecError as error:
            staying = (*self.problems, *error.diagnostics)
            return Checked(self.file, diagnostics=staying)
        old = self._before()
        limits = (*spec_limits(graph.spec), *project_limits(self.project, self.file))
        held, changes = self._held(limits, old, graph)
        found = find(graph, held, lambda limit: self._baseline(limit, old), self.object_size)
        chosen = self.selection.applied((*self.problems, *changes, *found.diagnostics))
        staying, quiet = quieted(chosen, self._suppressions)
        own = self._suppressions(self.file)
        whole = graph.complete and not any(d.code.startswith("NC402") for d in staying)
        rest = self.selection.applied((*idle(own, quiet, self.selection, whole=whole), *self._new_suppressions()))
        return Checked(
            self.file,
            graph.name,
            (*staying, *rest),
            quiet,
            found.budgets,
            _totals(graph),
        )

    def _held(
        self, limits: Sequence[Limit], old: Graph | None, graph: Graph
    ) -> tuple[tuple[Limit, ...], tuple[Diagnostic, ...]]:
        """Return the limits in force, and a finding for each that the revision had and that is looser now."""
        if self.revision is None:
            return tuple(limits), ()
        before = (*(spec_limits(old.spec) if old is not None else ()), *self._project_limits_before())
        shown = [replace(limit, origin=limit.origin or f"{self.revision.rev}") for limit in before]
        here = graph.spec.sections.get("budgets") or Span(self.file, 1, 1, 1, 1)
        findings = []
        placed: list[Limit] = []
        for limit in shown:
            was = "" if limit.place is None else self.revision.displayed(str(limit.place))
            baseline = None if limit.baseline is None else self.revision.working(limit.baseline)
            placed.append(replace(limit, place=here, origin=was or limit.origin, baseline=baseline))
        for limit, nearest in loosened(placed, limits):
            how = "is gone" if nearest is None else "is looser"
            place = here if nearest is None or nearest.place is None else nearest.place
            message = f"the budget of `{limit.name}` {how}; the one of {self.revision.rev} stays in force"
            help = "who agreed to it can merge the change; the check will hold the new budget from then on"
            context = (f"it was set at {limit.origin}",)
            findings.append(Diagnostic("NC404", message, place, help, "warning", context=context))
        return in_force(placed, limits), tuple(findings)

    def _project_limits_before(self) -> Iterator[Limit]:
        return project_limits(self.old_project, os.fspath(self._mirrored()))

    def _mirrored(self) -> Path:
        """Return where the file lies, or would lie, in the revision."""
        assert self.revision is not None
        return self.revision.mirrored(self.path) or self.revision.folder / self.path.name

    def _project_before(self) -> Project:
        return Project() if self.revision is None else project_of(self._mirrored(), None)[0]

    def _before(self) -> Graph | None:
        """Return the network as the revision has it; None where it has none, or one with errors."""
        path = None if self.revision is None else self.revision.path_of(self.path)
        return None if path is None else _graph_of(path, self.request.overrides)

    def _baseline(self, limit: Limit, old: Graph | None) -> Baseline | None:
        if limit.baseline is None:
            complete = old is not None and old.complete
            return Baseline(Figures(old), self.revision.rev) if old and complete and self.revision else None
        if not Path(limit.baseline).is_relative_to(SpecFiles(self.file, self.request.root).root):
            raise UnknownFigureError("its baseline lies outside the root of the spec")
        then = Path(limit.baseline) if self.revision is None else self.revision.path_of(limit.baseline)
        graph = None if then is None else _graph_of(then, ())
        if graph is None or not graph.complete:
            raise UnknownFigureError(
                f"its baseline {os.path.relpath(limit.baseline)} cannot be read without errors"
            )
        return Baseline(Figures(graph), os.path.relpath(limit.baseline))

    def _suppressions(self, file: str) -> tuple[Suppression, ...]:
        """Return the suppressions of a file that count: against a revision, those that it had as well."""
        if file not in self.comments:
            found = _comments_of(file) if file != self.file else suppressions(self.text, file)
            if self.revision is not None:
                then = self.revision.path_of(file)
                before = () if then is None else _comments_of(os.fspath(then))
                found, new = known_before(found, before)
                self.new_comments += new
            self.comments[file] = found
        return self.comments[file]

    def _new_suppressions(self) -> Iterator[Diagnostic]:
        for comment in self.new_comments:
            codes = ", ".join(comment.codes) or "nothing"
            rev = "" if self.revision is None else self.revision.rev
            message = f"the suppression of {codes} is new: it does not count before {rev} has it"
            yield Diagnostic("NC405", message, comment.span, "say in the review why it is right", "warning")


def gone(files: Iterable[Path], revision: Revision) -> Iterator[Diagnostic]:
    """Yield a finding for each spec with budgets that the revision has and the working tree has no more."""
    for path in files:
        graph = _graph_of(path, ())
        if graph is None:
            continue
        limits = (*spec_limits(graph.spec), *project_limits(project_of(path, None)[0], os.fspath(path)))
        if limits:
            shown = revision.displayed(os.fspath(path))
            working = os.path.relpath(revision.working(os.fspath(path)))
            message = f"`{working}` is gone, and with it {len(limits)} budgets that {revision.rev} has for it"
            help = "where it was renamed, its budgets at the new name count from the merge on"
            yield Diagnostic("NC406", message, None, help, "warning", context=(shown,))


def _graph_of(path: Path, overrides: tuple[str, ...]) -> Graph | None:
    try:
        return build(load_spec(path, overrides))
    except (SpecError, CannotRunError):
        return None


def _comments_of(file: str) -> tuple[Suppression, ...]:
    try:
        return suppressions(read_text(file), file)
    except (CannotRunError, SpecError):
        return ()


def _totals(graph: Graph) -> dict[str, int]:
    if not graph.complete:
        return {}
    return {
        "params": sum(count_params(node, node.known).total for node in graph.nodes.values()),
        "macs": sum(forward_macs(node.known) for node in at_inference(graph)),
    }
