"""The report as Markdown, for pull requests and notebooks."""

from __future__ import annotations

from netcalc.analysis.report import Report
from netcalc.render.figures import heading, summary
from netcalc.render.view import WHOLE, View, grid

_SPECIAL = str.maketrans({c: f"\\{c}" for c in "\\`*_[]<>|#"})


def report_markdown(report: Report, view: View = WHOLE) -> str:
    """Return the report as a heading, a table of its rows, and a list of totals."""
    lines = [f"### {_escape(heading(report))}", ""]
    if report.layers:
        cells = grid(report, view)
        sides = (":--" if column.kind.is_word else "--:" for column in cells.columns)
        lines += [_row(cells.head), f"|{'|'.join(sides)}|"]
        lines += [_row(tuple(map(_escape, row))) for row in cells.body]
        if any(cells.total):
            lines.append(_row(tuple(f"**{cell}**" if cell else "" for cell in cells.total)))
        lines.append("")
    lines += [f"- **{what}**: {_escape(how_much)}" for what, how_much in summary(report)]
    return "\n".join(lines) + "\n"


def _row(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cells) + " |"


def _escape(text: str) -> str:
    return text.translate(_SPECIAL)
