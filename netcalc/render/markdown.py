"""The report as Markdown, for pull requests and notebooks."""

from __future__ import annotations

from netcalc.analysis.report import Report
from netcalc.render.figures import COLUMNS, heading, row, summary, total_row

_SPECIAL = str.maketrans({c: f"\\{c}" for c in "\\`*_[]<>|#"})


def report_markdown(report: Report) -> str:
    """Return the report as a heading, a table with one row a node, and a list of totals."""
    lines = [f"### {escape(heading(report))}", ""]
    if report.layers:
        lines += [_row(COLUMNS), "|:--|:--|--:|--:|--:|"]
        lines += [_row(tuple(map(escape, row(layer)))) for layer in report.layers]
        lines += [_row(tuple(f"**{cell}**" if cell else "" for cell in total_row(report))), ""]
    lines += [f"- **{what}**: {escape(how_much)}" for what, how_much in summary(report)]
    return "\n".join(lines) + "\n"


def _row(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cells) + " |"


def escape(text: str) -> str:
    """Return the text as Markdown shows it literally."""
    return text.translate(_SPECIAL)
