"""Loss and accuracy of a training on the terminal, as far as it has come: drawn anew after each record."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from netcalc.render.chart import BLANK, Points, braille_chart
from netcalc.spec.metrics import title_of, written

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from netcalc.train.records import EpochRecord

LEAST_COLUMNS, LEAST_ROWS = 60, 16
"""Of a terminal with less room, the bar takes what there is."""

_ROWS, _MOST_COLUMNS, _GAP = 6, 60, 3
_STYLES = {"train": "dim", "validation": "green", "test": "cyan"}


class LiveChart:
    """Charts of the loss and of the first other measure, side by side, over the records so far."""

    def __init__(self, console: Console, earlier: Sequence[EpochRecord] = ()) -> None:
        self.console = console
        self.records = list(earlier)
        self.shown: tuple[int, int, Text] | None = None
        try:
            BLANK.encode(console.encoding)
            self.can_be_shown = not console.is_dumb_terminal
        except (UnicodeEncodeError, LookupError):
            self.can_be_shown = False

    def add(self, record: EpochRecord) -> None:
        """Take up a record."""
        self.records.append(record)

    def __rich__(self) -> Text:
        """Return the charts as wide as the terminal is now; nothing where there is no room or nothing to draw."""
        from rich.text import Text

        width, height = self.console.size
        if not self.can_be_shown or width < LEAST_COLUMNS or height < LEAST_ROWS or len(self.records) < 2:
            return Text("", end="")
        if self.shown is None or self.shown[:2] != (len(self.records), width):
            self.shown = len(self.records), width, charts(self.records, width)
        return self.shown[2]


def charts(records: Sequence[EpochRecord], width: int) -> Text:
    """Return the charts of records side by side, `width` characters wide at most."""
    from rich.text import Text

    measures = list(dict.fromkeys(name.partition("_")[2] for record in records for name in record.metrics))
    wanted = [m for m in measures if m == "loss"] + [m for m in measures if m != "loss"][:1]
    columns = min((width - _GAP) // 2, _MOST_COLUMNS)
    parts = [lines for measure in wanted if (lines := _chart(records, measure, columns))]
    text = Text(end="" if not parts else "\n")
    for row in zip(*parts, strict=True):
        for number, line in enumerate(row):
            text.append_text(line)
            if number + 1 < len(row):
                text.append(" " * (columns - line.cell_len + _GAP))
        text.append("\n")
    text.rstrip()
    return text


def _chart(records: Sequence[EpochRecord], measure: str, columns: int) -> list[Text]:
    """Return a title, the rows and the epochs of one measure; nothing where it has no finite value."""
    from rich.text import Text

    curves: dict[str, Points] = {}
    for split in _STYLES:
        metric = f"{split}_{measure}"
        points = [(float(record.step), record.metrics[metric]) for record in records if metric in record.metrics]
        if points:
            curves[split] = points
    values = [written(measure, y) for points in curves.values() for _, y in points]
    margin = max(map(len, values), default=0)
    found = braille_chart(list(curves.values()), columns - margin - 1, _ROWS)
    if found is None:
        return []
    cells, bottom, top = found
    styles = [_STYLES[split] for split in curves]
    title = Text(" " * (margin + 1) + title_of(measure))
    for split, style in zip(curves, styles, strict=True):
        title.append(" ").append(split, style)
    title.truncate(columns, overflow="ellipsis")
    lines = [title]
    for number, row in enumerate(cells):
        label = {0: written(measure, top), _ROWS - 1: written(measure, bottom)}.get(number, "")
        line = Text(f"{label:>{margin}} ")
        for owner, cells_of_it in groupby(row, key=lambda cell: cell[1]):
            line.append("".join(character for character, _ in cells_of_it), styles[owner] if owner >= 0 else "")
        lines.append(line)
    return lines
