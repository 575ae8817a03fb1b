"""The report as plain text, as wide as it needs to be: for files, pipes and terminals with room."""

from __future__ import annotations

from collections.abc import Sequence

from netcalc.analysis.report import Report
from netcalc.render.figures import demands, heading, summary, textbook
from netcalc.render.view import WHOLE, View, grid


def report_text(report: Report, view: View = WHOLE) -> str:
    """Return a heading, the rows, and the totals: what the fitted table shows where there is room."""
    lines = [heading(report), ""]
    if report.layers:
        cells = grid(report, view)
        left = [column.kind.is_word for column in cells.columns]
        head, *body, total = aligned([cells.head, *cells.body, cells.total], left, gap=3)
        rule = "─" * max(map(len, (head, *body, total)))
        foot = (total, "") if total else ()
        lines += [f" {line}".rstrip() for line in (head, rule, *body, "", *foot)]
    lines += aligned(summary(report), (True, True), gap=2)
    if asked := demands(report):
        lines += ["", *aligned(asked, (True, True), gap=2)]
    if memory := textbook(report):
        lines += ["", *aligned(memory, (True, True), gap=2)]
    return "\n".join(lines) + "\n"


def aligned(rows: Sequence[Sequence[str]], left: Sequence[bool], *, gap: int) -> list[str]:
    """Return one line a row, its cells as wide as their column, words flush left and figures flush right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        (" " * gap)
        .join(
            cell.ljust(width) if is_left else cell.rjust(width)
            for cell, width, is_left in zip(cells, widths, left, strict=True)
        )
        .rstrip()
        for cells in rows
    ]
