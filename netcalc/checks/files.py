"""Checks one file: its spec, its project's settings and budgets, its suppressions, and what it was before."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from netcalc.analysis.cost import at_inference, count_params, forward_macs
from netcalc.checks.before import Before, Judged, judge, spec_before
from netcalc.checks.budgets import Baseline
from netcalc.checks.engine import find, weigh_all
from netcalc.checks.figures import Figures, UnknownFigureError
from netcalc.checks.limits import Limit, project_limits, spec_limits
from netcalc.checks.outcome import Checked
from netcalc.checks.projects import project_of
from netcalc.checks.quieted import idle, known_before, quieted
from netcalc.checks.selection import Selection, known_codes
from netcalc.diagnostics import CannotRunError, Diagnostic, SpecError
from netcalc.graph import Graph, build
from netcalc.spec.files import SpecFiles, read_text
from netcalc.spec.load import load_spec, parse_spec
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


class _File:
    """One file under check: what it holds, and what its revision held."""

    def __init__(self, path: Path, text: str, request: Request) -> None:
        self.path, self.file, self.text, self.request = path, os.fspath(path), text, request
        self.revision = request.revision
        self.project, self.problems = project_of(path, request.root)
        self.before: Before | None = None
        judging, at = self.project, path
        if self.revision is not None:
            self.before = spec_before(path, self.revision, request.overrides, request.root)
            judging, at = self.before.project, self.before.path
        self.settings = judging.settings
        self.selection = Selection(
            request.select or known_codes(self.settings.select),
            (*request.ignore, *known_codes(self.settings.ignore), *known_codes(judging.ignored_for(at))),
            {known_codes((code,))[0]: level for code, level in self.settings.levels.items()},
        )
        self.comments: dict[str, tuple[Suppression, ...]] = {}
        self.new_comments: list[Suppression] = []

    def checked(self) -> Checked:
        """Return everything that is found."""
        strict = self.settings.strict
        problems = (*self.problems, *(self.before.problems if self.before else ()))
        try:
            graph = build(parse_spec(self.text, self.file, self.request.overrides, self.request.root))
        except SpecError as error:
            return Checked(self.file, diagnostics=(*problems, *error.diagnostics), strict=strict)
        limits = (*spec_limits(graph.spec), *project_limits(self.project, self.file))
        judged = Judged(limits, (), ()) if self.before is None else judge(self.before, limits, graph)
        found = find(graph, judged.own, self._baseline, self.settings.object_size)
        staying, quiet = quieted(self.selection.applied(found.diagnostics), self._suppressions)
        # What a change has lifted no comment keeps quiet.
        lifted = weigh_all(graph, judged.retained, self._baseline) if graph.complete else ()
        held = self.selection.applied((*judged.findings, *(d for one in lifted for d in one.diagnostics)))
        own = self._suppressions(self.file)
        whole = graph.complete and not any(d.code == "NC402" for d in staying)
        rest = self.selection.applied((*idle(own, quiet, self.selection, whole=whole), *self._new_suppressions()))
        return Checked(
            self.file,
            graph.name,
            (*problems, *staying, *held, *rest),
            quiet,
            (*found.budgets, *(one.use for one in lifted)),
            _totals(graph),
            strict=strict,
        )

    def _baseline(self, limit: Limit) -> Baseline | None:
        if limit.baseline is None:
            old = None if self.before is None else self.before.graph
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
