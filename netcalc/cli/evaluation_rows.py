"""An evaluation as text and as rows of values: its metrics, its classes, its confusion matrix."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from netcalc.render.layout import aligned
from netcalc.render.printable import printable
from netcalc.spec.metrics import title_of, written

if TYPE_CHECKING:
    from netcalc.train.evaluate import Evaluation
    from netcalc.train.metrics import ClassFigures

UNKNOWN = "–"
_MISTAKES = 10
"""Of the most frequent ones that are told where the matrix has no room."""

Rows = Sequence[Sequence[str]]


def metric_lines(found: Evaluation) -> str:
    """Return one line a metric."""
    return "".join(f"{title_of(name)} {written(name, value)}\n" for name, value in found.metrics.items())


def class_text(figures: Sequence[ClassFigures], *, of_masks: bool) -> str:
    """Return one line a class."""
    head = ["class", "pixels" if of_masks else "samples", "precision", "recall", "F1"]
    rows = [
        [printable(one.name), f"{one.support:,}", _share(one.precision), _share(one.recall), _share(one.f1)]
        for one in figures
    ]
    if of_masks:
        head.append("IoU")
        rows = [[*row, _share(one.iou)] for row, one in zip(rows, figures, strict=True)]
    lines = aligned([head, *rows], [True] + [False] * (len(head) - 1), gap=2)
    return "\n".join((lines[0], "─" * max(map(len, lines)), *lines[1:])) + "\n"


def confusion_text(found: Evaluation, width: int | None = None) -> str:
    """Return the matrix, true classes down and answers across; the most frequent mistakes where it is too wide."""
    assert found.counts is not None
    names = [printable(name) for name in found.classes]
    rows = [["true ↓  answer →", *names]]
    rows += [[name, *map(str, counts)] for name, counts in zip(names, found.counts.tolist(), strict=True)]
    lines = aligned(rows, [True] + [False] * len(names), gap=1)
    if width is None or max(map(len, lines)) <= width:
        return "\n".join(lines) + "\n"
    mistakes = sorted(
        (-count, true, answer)
        for true, row in enumerate(found.counts.tolist())
        for answer, count in enumerate(row)
        if count and true != answer
    )
    shown = [
        f"{-count:,} × {names[true]} taken for {names[answer]}" for count, true, answer in mistakes[:_MISTAKES]
    ]
    what = f"the matrix of {len(names)} classes needs {max(map(len, lines))} columns; its most frequent mistakes:"
    return "\n".join((what, *(shown or ["none"]))) + "\n"


def metric_rows(found: Evaluation) -> Iterable[Sequence[object]]:
    """Return the metrics as rows with a head."""
    return [("metric", "value"), *found.metrics.items()]


def class_rows(figures: Sequence[ClassFigures], *, of_masks: bool) -> Iterable[Sequence[object]]:
    """Return the classes as rows with a head, of masks with the intersection over union."""
    names = ("support", "precision", "recall", "f1", *(("iou",) if of_masks else ()))
    return [("class", *names), *((f.name, *(getattr(f, name) for name in names)) for f in figures)]


def confusion_rows(found: Evaluation) -> Iterable[Sequence[object]]:
    """Return the matrix as rows with a head."""
    assert found.counts is not None
    body = zip(found.classes, found.counts.tolist(), strict=True)
    return [("true", *found.classes), *((name, *counts) for name, counts in body)]


def csv_text(rows: Iterable[Sequence[object]]) -> str:
    """Return rows as CSV."""
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(rows)
    return stream.getvalue()


def _share(value: float | None) -> str:
    return UNKNOWN if value is None else f"{100 * value:.2f} %"
