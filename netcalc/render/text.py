"""The report as plain text, as wide as it needs to be: for files, pipes and terminals with room."""

from __future__ import annotations

from collections.abc import Sequence

from netcalc.analysis.report import Report
from netcalc.render.figures import COLUMNS, IS_TEXT, heading, row, summary, total_row


def report_text(report: Report) -> str:
    """Return a heading, one row a node, and the totals: what the fitted table shows where there is room."""
    lines = [heading(report), ""]
    if report.layers:
        rows = [COLUMNS, *map(row, report.layers), total_row(report)]
        head, *body, total = aligned(rows, IS_TEXT, gap=3)
        rule = "─" * max(map(len, (head, *body, total)))
        lines += [f" {line}".rstrip() for line in (head, rule, *body, "", total, "")]
    lines += aligned(summary(report), (True, True), gap=2)
    return "\n".join(lines) + "\n"


def aligned(rows: Sequence[Sequence[str]], left: Sequence[bool], *, gap: int) -> list[str]:
    """Return lines of cells in columns, words flush left and figures flush right."""
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
