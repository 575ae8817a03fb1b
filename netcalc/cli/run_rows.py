"""Runs as lines of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from netcalc.render.layout import aligned
from netcalc.render.printable import printable
from netcalc.spec.metrics import title_of, written
from netcalc.train.run_list import RunSummary
from netcalc.units import format_seconds

UNKNOWN = "–"
_WORDS = ("run", "spec", "state", "best of", "set")
_COLUMNS = ("run", "spec", "state", "epochs", "best", "best of", "at", "params", "time", "set")
_LESS = (
    (),
    ("set",),
    ("set", "at", "spec"),
    ("set", "at", "spec", "time", "params"),
    ("set", "at", "spec", "time", "params", "reason"),
    ("set", "at", "spec", "time", "params", "reason", "best of"),
    ("set", "at", "spec", "time", "params", "reason", "best of", "epochs"),
)
"""Columns to leave out until a table fits; `reason` is what stands in brackets after a state."""
_NAME = 12
"""Characters of a run's name that are left at least where it is cut."""


def runs_text(runs: Sequence[RunSummary], width: int | None = None) -> str:
    """Return one line a run, as wide as it needs to be.

    With `width` columns are left out that have no room, and then long names cut: the table fits 40 columns.
    """
    if not runs:
        return "no runs\n"
    for less in _LESS:
        lines = _lines([_cells(run, with_reason="reason" not in less) for run in runs], less)
        if width is None or max(map(len, lines)) <= width:
            break
    else:
        assert width is not None
        cells = [_cells(run, with_reason=False) for run in runs]
        longest = max(len(one["run"]) for one in cells)
        room = max(_NAME, longest - (max(map(len, lines)) - width))
        lines = _lines([{**one, "run": _end(one["run"], room)} for one in cells], _LESS[-1])
    problems = [f"{printable(Path(run.run).name)}: {printable(run.problem)}" for run in runs if run.problem]
    return "\n".join((*lines, *problems)) + "\n"


def _lines(cells: Sequence[Mapping[str, str]], less: Sequence[str]) -> list[str]:
    columns = [column for column in _COLUMNS if column not in less]
    rows = [columns, *([one[column] for column in columns] for one in cells)]
    head, *body = aligned(rows, [column in _WORDS for column in columns], gap=2)
    return [head, "─" * max(map(len, (head, *body))), *body]


def _end(name: str, room: int) -> str:
    """Return the end of a name, where runs of one network have their numbers."""
    return name if len(name) <= room else f"…{name[1 - room :]}"


def _cells(run: RunSummary, *, with_reason: bool) -> dict[str, str]:
    told = with_reason and run.reason not in ("", "complete")
    return {
        "run": printable(Path(run.run).name),
        "spec": printable(run.spec or UNKNOWN),
        "state": f"{run.state} ({_short(run.reason)})" if told else run.state,
        "epochs": UNKNOWN if run.epoch is None else f"{run.epoch}/{run.epochs}",
        "best": _best(run),
        "best of": title_of(run.metric) if run.metric else UNKNOWN,
        "at": UNKNOWN if run.best_epoch is None else f"epoch {run.best_epoch}",
        "params": UNKNOWN if run.params is None else f"{run.params:,}",
        "time": UNKNOWN if run.seconds is None else format_seconds(run.seconds),
        "set": printable(" ".join(run.overrides)) or UNKNOWN,
    }


def _best(run: RunSummary) -> str:
    if run.best is None or run.metric is None:
        return UNKNOWN
    return written(run.metric, run.best)


def _short(reason: str) -> str:
    text = printable(reason.replace("_", " "))
    return text if len(text) <= 24 else text[:21] + "..."
