"""The report as a table for terminals too narrow for plain text: names fold, numbers stay whole."""

from __future__ import annotations

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from netcalc.analysis.report import Report
from netcalc.render.figures import COLUMNS, IS_TEXT, heading, row, summary, total_row


def report_table(report: Report) -> RenderableType:
    """Return a heading, one row a node, and the totals. Cells are `Text`: names are never read as markup."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_footer=True)
    for column, footer, left in zip(COLUMNS, total_row(report), IS_TEXT, strict=True):
        numeric = column in ("params", "MACs")
        table.add_column(
            Text(column),
            Text(footer),
            justify="left" if left else "right",
            no_wrap=numeric,
            overflow="fold",
        )
    for layer in report.layers:
        table.add_row(*map(Text, row(layer)))
    totals = Table.grid(padding=(0, 2))
    totals.add_column(no_wrap=True)
    totals.add_column(overflow="fold")
    for what, how_much in summary(report):
        totals.add_row(Text(what), Text(how_much))
    return Group(Text(heading(report)), *([table] if report.layers else []), totals)
