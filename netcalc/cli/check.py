"""`netcalc check`: schema, shapes, rules and budgets."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from netcalc.cli.options import RootOption, SetOption
from netcalc.cli.output import print_cannot_run, print_diagnostics, write_text
from netcalc.diagnostics import CannotRunError, SpecError

if TYPE_CHECKING:
    from netcalc.diagnostics import Diagnostic, Span

EXAMPLE = "netcalc check configs/lenet5.yaml"


class CheckFormat(StrEnum):
    """How findings are written."""

    full = "full"
    concise = "concise"
    json = "json"


def check(
    specs: Annotated[list[Path], typer.Argument(metavar="SPEC...", help="YAML files to check.")],
    format: Annotated[CheckFormat, typer.Option("--format", "-f", help="How to write findings.")] = (
        CheckFormat.full
    ),
    strict: Annotated[bool, typer.Option("--strict", help="Let warnings fail the check too.")] = False,
    set: SetOption = None,
    root: RootOption = None,
) -> None:
    """Check specs: schema, shapes, design rules and budgets, without JAX.

    A finding in a file that several specs share is shown once. Exits with 1 if a spec has an error or misses a
    budget, with 2 if a file cannot be read; what the other files have is shown all the same.
    """
    findings: dict[tuple[str, str, Span | None], Diagnostic] = {}
    unread: list[CannotRunError] = []
    for spec in specs:
        try:
            for diagnostic in _check_one(spec, set or [], root):
                findings.setdefault((diagnostic.code, diagnostic.message, diagnostic.span), diagnostic)
        except CannotRunError as error:
            unread.append(error)
    found = tuple(findings.values())
    match format:
        case CheckFormat.full:
            print_diagnostics(found, stderr=False)
        case CheckFormat.concise:
            from netcalc.render.diagnostics import concise

            write_text("".join(concise(d) + "\n" for d in found), None)
        case CheckFormat.json:
            from netcalc.analysis.report import diagnostic_report
            from netcalc.render.data import diagnostics_json

            write_text(diagnostics_json(tuple(map(diagnostic_report, found))), None)
    for reason in unread:
        print_cannot_run(reason)
    if unread:
        raise typer.Exit(2)
    failing = ("error", "warning") if strict else ("error",)
    if any(d.severity in failing for d in found):
        raise typer.Exit(1)
    if format is CheckFormat.full and not found:
        write_text(f"{len(specs)} checked, no findings\n", None)


def _check_one(spec: Path, overrides: list[str], root: Path | None) -> tuple[Diagnostic, ...]:
    from netcalc.checks.engine import check_graph
    from netcalc.graph import build
    from netcalc.spec.load import load_spec

    try:
        return check_graph(build(load_spec(spec, overrides, root)))
    except SpecError as error:
        return error.diagnostics
