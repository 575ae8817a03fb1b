"""Runs as lines of a table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from netcalc.render.layout import aligned
from netcalc.render.printable import printable
from netcalc.spec.metrics import title_of, written
from netcalc.train.run_list import RunSummary
from netcalc.units import format_seconds

UNKNOWN = "–"
_WORDS = ("run", "spec", "state", "best of", "set")
_COLUMNS = ("run", "spec", "state", "epochs", "best", "best of", "at", "params", "time", "set")
_LESS = ((), ("set",), ("set", "at", "spec"))
"""Columns to leave out, until a table fits."""


def runs_text(runs: Sequence[RunSummary], width: int | None = None) -> str:
    """Return one line a run, as wide as it needs to be; with `width`, without columns that have no room."""
    if not runs:
        return "no runs\n"
    for less in _LESS:
        columns = [column for column in _COLUMNS if column not in less]
        rows = [columns, *([_cells(run)[column] for column in columns] for run in runs)]
        head, *body = aligned(rows, [column in _WORDS for column in columns], gap=2)
        lines = [head, "─" * max(map(len, (head, *body))), *body]
        if width is None or max(map(len, lines)) <= width:
            break
    problems = [f"{Path(run.run).name}: {printable(run.problem)}" for run in runs if run.problem]
    return "\n".join((*lines, *problems)) + "\n"


def _cells(run: RunSummary) -> dict[str, str]:
    return {
        "run": printable(Path(run.run).name),
        "spec": printable(run.spec or UNKNOWN),
        "state": run.state if run.reason in ("", "complete") else f"{run.state} ({_short(run.reason)})",
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
