"""`netcalc check`: schema, shapes, rules and budgets."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from netcalc.cli.options import RootOption, SetOption
from netcalc.cli.output import print_diagnostics, write_text
from netcalc.diagnostics import SpecError

if TYPE_CHECKING:
    from netcalc.diagnostics import Diagnostic

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

    Exits with 1 if a spec has an error or misses a budget.
    """
    found = [diagnostic for spec in specs for diagnostic in _check_one(spec, set or [], root)]
    match format:
        case CheckFormat.full:
            print_diagnostics(found)
        case CheckFormat.concise:
            from netcalc.render.diagnostics import concise

            write_text("".join(concise(d) + "\n" for d in found), None)
        case CheckFormat.json:
            from netcalc.analysis.report import diagnostic_report
            from netcalc.render.data import diagnostics_json

            write_text(diagnostics_json(tuple(map(diagnostic_report, found))), None)
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
