"""`netcalc analyze`: sizes, parameters and cost of a network."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from netcalc.cli.options import (
    DevicesOption,
    OptimizerOption,
    OutputOption,
    PrecisionOption,
    RematOption,
    RootOption,
    SetOption,
    SpecArgument,
)
from netcalc.cli.output import print_diagnostics, write_table, write_text
from netcalc.diagnostics import CannotRunError, SpecError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from netcalc.analysis.estimate import Demand
    from netcalc.analysis.exact import DoesNotFit, ExactMemory
    from netcalc.analysis.report import Report
    from netcalc.render.view import View

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
    batch: Annotated[
        int | None, typer.Option(min=1, help="Samples in a batch; by default the spec's, or 1.", show_default=False)
    ] = None,
    optimizer: OptimizerOption = None,
    precision: PrecisionOption = None,
    remat: RematOption = None,
    device: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Device to fit and time, such as h100 (see `netcalc devices`)."),
    ] = None,
    devices: DevicesOption = None,
    images: Annotated[int | None, typer.Option(min=1, help="Samples in an epoch, for its time and cost.")] = None,
    columns: Annotated[
        str | None,
        typer.Option(metavar="NAME,...", help="Columns to show, in order, such as name,output,flops; or all."),
    ] = None,
    depth: Annotated[
        int | None, typer.Option(min=1, help="Fold blocks into rows; at 1 each top-level group is one.")
    ] = None,
    sort: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="Order rows: figures from large to small, words from a to z."),
    ] = None,
    reverse: Annotated[bool, typer.Option("--reverse", "-r", help="Turn the order of rows around.")] = False,
    top: Annotated[int | None, typer.Option(min=1, help="Show the first rows only.")] = None,
    exact: Annotated[
        bool, typer.Option("--exact", help="Ask XLA's compiler for the device as well; takes seconds to minutes.")
    ] = False,
    timeout: Annotated[
        float | None, typer.Option(min=1, metavar="SECONDS", help="How long the compiler may take.")
    ] = None,
    rule: Annotated[
        MemoryRule | None, typer.Option(help="Add the memory by the lecture's rule, and how many copies fit 8 GB.")
    ] = None,
    set: SetOption = None,
    root: RootOption = None,
) -> None:
    """Print output sizes, parameters, MACs and FLOPs of a network, without JAX.

    Shapes are channels last and without batch; figures are for one sample. With a batch, an optimizer, a precision
    or a device also the memory of training and inference, and with a device the least time. Exits with 1 if the
    spec has errors; what they leave unknown is shown as unknown. Columns, depth and order are of the table, CSV and
    Markdown: the JSON is always whole.
    """
    if timeout is not None and not exact:
        raise CannotRunError("--timeout needs --exact", "it is how long the compiler may take")
    view = _view(format, columns, depth, sort, reverse, top)
    from netcalc.analysis.report import analyze_graph, failed_report
    from netcalc.cli.demand import Asked, demand_of
    from netcalc.graph import build
    from netcalc.spec.load import load_spec

    asked = Asked(batch, optimizer, precision, remat, device, devices, images)
    try:
        graph = build(load_spec(spec, set or (), root))
    except SpecError as error:
        print_diagnostics(error.diagnostics)
        if format is ReportFormat.json:
            _write(failed_report(error.diagnostics, batch or 1), format, view, output)
        raise typer.Exit(1) from None
    demand = demand_of(graph, asked)
    compiled = _compiled(spec, set or (), root, demand, timeout) if exact else None
    report = analyze_graph(
        graph, batch or 1, textbook=rule is MemoryRule.textbook, demand=demand, compiled=compiled
    )
    _write(report, format, view, output)
    memory = report.totals.memory
    if exact and memory is not None and memory.fits is False:
        raise typer.Exit(1)
    if graph.diagnostics:
        print_diagnostics(graph.diagnostics)
        raise typer.Exit(1)


def _compiled(
    spec: Path, overrides: Sequence[str], root: Path | None, demand: Demand | None, timeout_seconds: float | None
) -> ExactMemory | DoesNotFit:
    """Return what the compiler says of a demand; raises CannotRunError where no device was named."""
    from netcalc.analysis.targets import TARGETS, find_target
    from netcalc.ask_compiler import exact_memory

    if demand is None or demand.device is None:
        names = ", ".join(target.key for target in TARGETS)
        raise CannotRunError("--exact needs the --device to compile for", f"one of {names}")
    update = demand.update.model_copy(update={"batch_size": demand.batch})
    target = find_target(demand.device.key)
    return exact_memory(spec, target, update, overrides, root, timeout_seconds)


def _view(
    format: ReportFormat, columns: str | None, depth: int | None, sort: str | None, reverse: bool, top: int | None
) -> View:
    """Return what to show; raises CannotRunError for an unknown column, and for any choice with JSON."""
    from netcalc.render.columns import column_named, columns_named
    from netcalc.render.view import View

    view = View(
        None if columns is None else columns_named(columns),
        depth,
        None if sort is None else column_named(sort),
        reverse,
        top,
    )
    if format is ReportFormat.json and view != View():
        given = {"columns": columns, "depth": depth, "sort": sort, "reverse": reverse or None, "top": top}
        option = next(name for name, value in given.items() if value is not None)
        raise CannotRunError(
            f"--{option} does not go with --format json",
            "the JSON is always the whole report; use table, csv or markdown",
        )
    return view


def _write(report: Report, format: ReportFormat, view: View, output: Path | None) -> None:
    match format:
        case ReportFormat.table:
            from netcalc.render.text import report_text

            write_table(report_text(report, view), lambda: _fitted(report, view), output)
        case ReportFormat.markdown:
            from netcalc.render.markdown import report_markdown

            write_text(report_markdown(report, view), output)
        case ReportFormat.csv:
            from netcalc.render.data import report_csv

            write_text(report_csv(report, view), output)
        case ReportFormat.json:
            from netcalc.render.data import report_json

            write_text(report_json(report), output)


def _fitted(report: Report, view: View) -> RenderableType:
    from netcalc.render.table import report_table

    return report_table(report, view)
