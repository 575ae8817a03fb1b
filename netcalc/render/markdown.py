"""The report as Markdown, for pull requests and notebooks."""

from __future__ import annotations

from netcalc.analysis.report import Report
from netcalc.render.exact import compiled_markdown
from netcalc.render.figures import demands, heading, summary, textbook
from netcalc.render.layout import escape, table_row
from netcalc.render.view import WHOLE, View, grid


def report_markdown(report: Report, view: View = WHOLE) -> str:
    """Return the report as a heading, a table of its rows, and a list of totals."""
    lines = [f"### {escape(heading(report))}", ""]
    if report.layers:
        cells = grid(report, view)
        sides = (":--" if column.kind.is_word else "--:" for column in cells.columns)
        lines += [table_row(cells.head), f"|{'|'.join(sides)}|"]
        lines += [table_row(tuple(map(escape, row))) for row in cells.body]
        if any(cells.total):
            lines.append(table_row(tuple(f"**{cell}**" if cell else "" for cell in cells.total)))
        lines.append("")
    lines += [f"- **{what}**: {escape(how_much)}" for what, how_much in summary(report)]
    if asked := demands(report):
        lines += ["", *(f"- **{escape(what)}**: {escape(how_much)}" for what, how_much in asked)]
    if compiled := compiled_markdown(report):
        lines += ["", *compiled]
    if memory := textbook(report):
        lines += ["", *(f"- **{escape(what)}**: {escape(how_much)}" for what, how_much in memory)]
    return "\n".join(lines) + "\n"
