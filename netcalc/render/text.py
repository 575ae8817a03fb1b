"""The report as plain text, as wide as it needs to be: for files, pipes and terminals with room."""

from __future__ import annotations

from netcalc.analysis.report import Report
from netcalc.render.exact import compiled_text
from netcalc.render.figures import demands, heading, summary, textbook
from netcalc.render.layout import aligned
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
    if compiled := compiled_text(report):
        lines += ["", *compiled]
    if memory := textbook(report):
        lines += ["", *aligned(memory, (True, True), gap=2)]
    return "\n".join(lines) + "\n"
