"""`netcalc analyze`: sizes, parameters and cost of a network."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from netcalc.cli.options import OutputOption, RootOption, SetOption, SpecArgument
from netcalc.cli.output import print_diagnostics, write_table, write_text
from netcalc.diagnostics import SpecError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from netcalc.analysis.report import Report

EXAMPLE = "netcalc analyze configs/lenet5.yaml --format json -o lenet5.json"


class ReportFormat(StrEnum):
    """How the report is written."""

    table = "table"
    json = "json"
    csv = "csv"
    markdown = "markdown"


class MemoryRule(StrEnum):
    """A rule by which memory is estimated."""

    textbook = "textbook"


def analyze(
    spec: SpecArgument,
    format: Annotated[ReportFormat, typer.Option("--format", "-f", help="How to write the report.")] = (
        ReportFormat.table
    ),
    output: OutputOption = None,
    batch: Annotated[int, typer.Option(min=1, help="Samples in a batch, for totals of a batch.")] = 1,
    rule: Annotated[
        MemoryRule | None, typer.Option(help="Add the memory by the lecture's rule, and how many copies fit 8 GB.")
    ] = None,
    set: SetOption = None,
    root: RootOption = None,
) -> None:
    """Print output sizes, parameters, MACs and FLOPs of a network, without JAX.

    Shapes are channels last and without batch; figures are for one sample. Exits with 1 if the spec has errors;
    what they leave unknown is shown as unknown.
    """
    from netcalc.analysis.report import analyze_graph, failed_report
    from netcalc.graph import build
    from netcalc.spec.load import load_spec

    try:
        graph = build(load_spec(spec, set or (), root))
    except SpecError as error:
        print_diagnostics(error.diagnostics)
        if format is ReportFormat.json:
            _write(failed_report(error.diagnostics, batch), format, output)
        raise typer.Exit(1) from None
    _write(analyze_graph(graph, batch, textbook=rule is MemoryRule.textbook), format, output)
    if graph.diagnostics:
        print_diagnostics(graph.diagnostics)
        raise typer.Exit(1)


def _write(report: Report, format: ReportFormat, output: Path | None) -> None:
    match format:
        case ReportFormat.table:
            from netcalc.render.text import report_text

            write_table(report_text(report), lambda: _fitted(report), output)
        case ReportFormat.markdown:
            from netcalc.render.markdown import report_markdown

            write_text(report_markdown(report), output)
        case ReportFormat.csv:
            from netcalc.render.data import report_csv

            write_text(report_csv(report), output)
        case ReportFormat.json:
            from netcalc.render.data import report_json

            write_text(report_json(report), output)


def _fitted(report: Report) -> RenderableType:
    from netcalc.render.table import report_table

    return report_table(report)
