"""The report as a table that fits a terminal. Cells are `Text`, so that names are never read as markup."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from netcalc.analysis.report import Report
from netcalc.render.figures import COLUMNS, heading, row, summary, textbook, total_row

_WORDS = ("name", "type")
_NARROWEST = 6
"""Columns to which names fold on a narrow terminal."""
_GAPS = 3 * len(COLUMNS)


def report_table(report: Report) -> RenderableType:
    """Return the report as a heading, one row a node, and the totals.

    Figures are never cut: on a narrow terminal words fold first, and then lines run over its edge.
    """
    cells = (COLUMNS, total_row(report), *map(row, report.layers))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_footer=bool(report.layers))
    narrowest = _GAPS
    for index, (column, footer) in enumerate(zip(COLUMNS, total_row(report), strict=True)):
        width = max(len(line[index]) for line in cells)
        is_word = column in _WORDS
        least = min(width, _NARROWEST) if is_word else width
        narrowest += least
        table.add_column(
            Text(column),
            footer=Text(footer),
            justify="left" if is_word else "right",
            min_width=least,
            no_wrap=not is_word,
            overflow="fold",
        )
    for layer in report.layers:
        table.add_row(*map(Text, row(layer)))
    parts: list[RenderableType] = [Text(heading(report), style="bold")]
    if report.layers:
        parts.append(_AtLeast(table, narrowest))
    parts.append(_pairs(summary(report)))
    if memory := textbook(report):
        parts += [Text(), _pairs(memory)]
    return Group(*parts)


def _pairs(figures: Sequence[tuple[str, str]]) -> _AtLeast:
    """Return totals, a label and a figure a row, in columns that cut no word."""
    labels = max(len(what) for what, _ in figures)
    totals = Table.grid(padding=(0, 2))
    totals.add_column(no_wrap=True, min_width=labels)
    totals.add_column(overflow="fold")
    for what, how_much in figures:
        totals.add_row(Text(what, style="bold"), Text(how_much))
    longest = max(len(word) for _, how_much in figures for word in how_much.split())
    return _AtLeast(totals, labels + 2 + longest)


@dataclass(frozen=True, slots=True)
class _AtLeast:
    """Something drawn in `width` columns even where there are fewer."""

    content: RenderableType
    width: int

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from console.render(self.content, options.update_width(max(options.max_width, self.width)))
