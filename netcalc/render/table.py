"""The report as a table that fits a terminal. Cells are `Text`, so that names are never read as markup."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from netcalc.analysis.report import Report
from netcalc.render.exact import compiled_text
from netcalc.render.figures import demands, heading, summary, textbook
from netcalc.render.view import WHOLE, Grid, View, grid

_NARROWEST = 6
"""Columns to which words fold on a narrow terminal."""
_GAP = 3
_PART_OF_LINE = 4
"""In a table that is set in parts, words keep this part of the line."""


def report_table(report: Report, view: View = WHOLE) -> RenderableType:
    """Return the report as a heading, the rows, and the totals.

    Figures are never cut: on a narrow terminal words fold first, then the columns are set in parts below each
    other, each with the rows' names, and only where that is still too wide lines run over the edge.
    """
    parts: list[RenderableType] = [Text(heading(report), style="bold")]
    if report.layers:
        parts.append(_Rows(grid(report, view)))
    parts.append(_pairs(summary(report)))
    if asked := demands(report):
        parts += [Text(), _pairs(asked)]
    if compiled := compiled_text(report):
        parts += [Text(), *(Text(line) for line in compiled)]
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


@dataclass(frozen=True, slots=True)
class _Rows:
    """The rows, in one table where the terminal is wide enough, else in parts below each other."""

    grid: Grid

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        columns = self.grid.columns
        cells = (self.grid.head, self.grid.total, *self.grid.body)
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        for part in self._parts(widths, options.max_width):
            adds_up = any(columns[index].total is not None for index in part)
            table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_footer=adds_up)
            least = 0
            for index in part:
                is_word = columns[index].kind.is_word
                narrowest = min(widths[index], _NARROWEST) if is_word else widths[index]
                least += narrowest + _GAP
                table.add_column(
                    Text(columns[index].heading),
                    footer=Text(self.grid.total[index]),
                    justify="left" if is_word else "right",
                    min_width=narrowest,
                    no_wrap=not is_word,
                    overflow="fold",
                )
            for row in self.grid.body:
                table.add_row(*[Text(row[index]) for index in part])
            yield _AtLeast(table, least)

    def _parts(self, widths: Sequence[int], room: int) -> Iterator[list[int]]:
        """Yield the columns of each table, by index; the column of labels comes first in every part."""
        words = [column.kind.is_word for column in self.grid.columns]

        def width(part: Sequence[int], folded: int) -> int:
            return sum(_GAP + (min(widths[i], folded) if words[i] else widths[i]) for i in part)

        everything = list(range(len(widths)))
        if width(everything, _NARROWEST) <= room:
            yield everything
            return
        label = self.grid.label_column
        labels = [] if label is None else [label]
        part = list(labels)
        for index in everything:
            if index == label:
                continue
            if len(part) > len(labels) and width([*part, index], max(_NARROWEST, room // _PART_OF_LINE)) > room:
                yield part
                part = list(labels)
            part.append(index)
        yield part
