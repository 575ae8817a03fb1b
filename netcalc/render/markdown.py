"""The report as Markdown, for pull requests and notebooks."""

from __future__ import annotations

from collections.abc import Iterable

from netcalc.analysis.report import Report
from netcalc.render.figures import COLUMNS, heading, row, summary, textbook, total_row

_SPECIAL = str.maketrans({c: f"\\{c}" for c in "\\`*_[]<>|#"})


def report_markdown(report: Report) -> str:
    """Return the report as a heading, a table with one row a node, and a list of totals."""
    lines = [f"### {escape(heading(report))}", ""]
    if report.layers:
        lines += [table_row(COLUMNS), "|:--|:--|--:|--:|--:|"]
        lines += [table_row(tuple(map(escape, row(layer)))) for layer in report.layers]
        lines += [table_row(tuple(f"**{cell}**" if cell else "" for cell in total_row(report))), ""]
    lines += [f"- **{what}**: {escape(how_much)}" for what, how_much in summary(report)]
    if memory := textbook(report):
        lines += ["", *(f"- **{escape(what)}**: {escape(how_much)}" for what, how_much in memory)]
    return "\n".join(lines) + "\n"


def table_row(cells: Iterable[str]) -> str:
    """Return a row of a table."""
    return "| " + " | ".join(cells) + " |"


def escape(text: str) -> str:
    """Return the text with what Markdown would read as markup escaped."""
    return text.translate(_SPECIAL)
