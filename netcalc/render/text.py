"""The report as plain text, as wide as it needs to be: for files, pipes and terminals with room."""

from __future__ import annotations

from collections.abc import Sequence

from netcalc.analysis.report import Report
from netcalc.render.figures import COLUMNS, IS_TEXT, heading, row, summary, total_row


def report_text(report: Report) -> str:
    """Return a heading, one row a node, and the totals."""
    lines = [heading(report), ""]
    if report.layers:
        rows = [COLUMNS, *map(row, report.layers), total_row(report)]
        body = _aligned(rows, IS_TEXT)
        rule = "─" * max(map(len, body))
        lines += [body[0], rule, *body[1:-1], rule, body[-1], ""]
    lines += _aligned(summary(report), (True, True))
    return "\n".join(lines) + "\n"


def _aligned(rows: Sequence[Sequence[str]], left: Sequence[bool]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if is_left else cell.rjust(width)
            for cell, width, is_left in zip(cells, widths, left, strict=True)
        ).rstrip()
        for cells in rows
    ]
