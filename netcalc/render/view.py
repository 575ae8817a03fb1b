"""What of a report is shown: which columns, in which rows, in which order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from netcalc.analysis.report import Report
from netcalc.render.columns import Column, column_named
from netcalc.render.rows import Row, rows_of
from netcalc.units import plural

_SHOWN = ("name", "type", "output", "params", "macs")
_FOLDED = ("layers",)
_WITH_DEVICE = ("training_seconds", "binds")


@dataclass(frozen=True, slots=True)
class View:
    """What to show of a report: all nodes in the order of the network, unless told otherwise.

    `depth` folds nodes into blocks, `sort` orders rows (figures from large to small, words from a to z, what is
    unknown last), `reverse` turns that order around, and `top` keeps the first rows. `columns` is None for those
    that a renderer shows by itself.
    """

    columns: tuple[Column[Any], ...] | None = None
    depth: int | None = None
    sort: Column[Any] | None = None
    reverse: bool = False
    top: int | None = None


WHOLE = View()


@dataclass(frozen=True, slots=True)
class Grid:
    """A report's rows in words for people: cells by column, and the row of totals: empty where nothing adds up."""

    columns: tuple[Column[Any], ...]
    body: list[tuple[str, ...]]
    total: tuple[str, ...]

    @property
    def head(self) -> tuple[str, ...]:
        """The headings."""
        return tuple(column.heading for column in self.columns)

    @property
    def label_column(self) -> int | None:
        """The index of the column that tells rows apart and holds the label of sums: the first words."""
        return _label_column(self.columns)


def shown_rows(report: Report, view: View) -> tuple[list[Row], list[Row]]:
    """Return the rows that a view shows, in its order, and those that it leaves out."""
    rows = rows_of(report.layers, view.depth)
    if view.sort is not None:
        rows = _sorted(rows, report, view.sort, view.reverse)
    elif view.reverse:
        rows.reverse()
    return rows[: view.top], rows[len(rows) if view.top is None else view.top :]


def grid(report: Report, view: View = WHOLE) -> Grid:
    """Return the cells of a report's rows; one more row tells of those that are left out."""
    columns = view.columns or _shown_columns(report, view)
    shown, left_out = shown_rows(report, view)
    body = list(zip(*(column.cells(shown, report) for column in columns), strict=True))
    labels = _label_column(columns)
    if left_out:
        rest = [_merged(left_out)]
        added = ["" if column.total is None else column.cells(rest, report)[0] for column in columns]
        # Without words there is still to be told that this is no row like the others.
        added[labels or 0] = _left_out(left_out, report, view)
        body.append(tuple(added))
    total = [column.total_cell(report) for column in columns]
    if any(total) and labels is not None:
        total[labels] = "total"
    return Grid(columns, body, tuple(total))


def _sorted(rows: list[Row], report: Report, by: Column[Any], reverse: bool) -> list[Row]:
    values = [(by.of(row, report), row) for row in rows]
    known = [(by.kind.rank(value), row) for value, row in values if value is not None]
    known.sort(key=lambda pair: pair[0], reverse=by.kind.is_word == reverse)
    return [row for _, row in known] + [row for value, row in values if value is None]


def _merged(rows: list[Row]) -> Row:
    return Row("", "", tuple(layer for row in rows for layer in row.layers))


def _left_out(rows: list[Row], report: Report, view: View) -> str:
    """Return how many rows are left out, and how much of what they are sorted by if that adds up."""
    label = plural(len(rows), "more row")
    by = view.sort
    if by is None or by.total is None:
        return label
    part, whole = by.of(_merged(rows), report), by.of(Row("", "", report.layers), report)
    if part is None or not whole:
        return label
    return f"{label}, {100 * part / whole:.2f} % of {by.heading.removesuffix(' %')}"


def _shown_columns(report: Report, view: View) -> tuple[Column[Any], ...]:
    """Return the columns that are shown where none were asked for."""
    names = [*_SHOWN[:2], *(_FOLDED if view.depth is not None else ()), *_SHOWN[2:]]
    if report.totals.memory is not None and report.totals.memory.training is not None:
        names.append("alive_bytes")
    if report.totals.seconds is not None:
        names += _WITH_DEVICE
    return tuple(map(column_named, names))


def _label_column(columns: tuple[Column[Any], ...]) -> int | None:
    return next((index for index, column in enumerate(columns) if column.kind.is_word), None)
