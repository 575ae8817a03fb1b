"""The report as a table for terminals. Cells are `Text`, so that names are never read as markup."""

from __future__ import annotations

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from netcalc.analysis.report import Report
from netcalc.render.figures import COLUMNS, heading, row, summary, total_row

_NUMERIC = ("params", "MACs")


def report_table(report: Report) -> RenderableType:
    """Return the report as a heading, one row a node, and the totals."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_footer=bool(report.layers))
    for column, footer in zip(COLUMNS, total_row(report), strict=True):
        numeric = column in _NUMERIC
        table.add_column(
            Text(column),
            footer=Text(footer),
            justify="right" if numeric or column == "output" else "left",
            no_wrap=numeric,
            overflow="fold",
        )
    for layer in report.layers:
        table.add_row(*map(Text, row(layer)))
    totals = Table.grid(padding=(0, 2))
    totals.add_column(no_wrap=True)
    totals.add_column(overflow="fold")
    for what, how_much in summary(report):
        totals.add_row(Text(what, style="bold"), Text(how_much))
    parts: list[RenderableType] = [Text(heading(report), style="bold")]
    return Group(*parts, *([table] if report.layers else []), totals)
