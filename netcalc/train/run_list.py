"""The runs of a folder and what became of each, read from their files alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from netcalc.diagnostics import CannotRunError
from netcalc.spec.stopping import Watched
from netcalc.train.records import EpochRecord, read_records
from netcalc.train.run import CHECKPOINTS, SPEC
from netcalc.train.run_record import RunRecord, is_locked, read_run_record
from netcalc.train.watch import Watch, value_of


@dataclass(frozen=True, slots=True)
class RunSummary:
    """A run in a few figures; what is null is unknown, for the reason in `problem` where that is not empty."""

    run: str
    spec: Annotated[str | None, Field(description="the name of the network")]
    state: Annotated[str, Field(description="running, finished, interrupted, failed or unreadable")]
    reason: Annotated[
        str, Field(description="why it ended: complete, early_stopping, max_time, a signal, an error")
    ]
    epoch: Annotated[int | None, Field(description="of the last record")]
    epochs: int | None
    step: Annotated[int | None, Field(description="updates in the last checkpoint")]
    steps: int | None
    metric: Annotated[str | None, Field(description="the metric of the best checkpoint")]
    smaller_is_better: bool
    best: float | None
    best_epoch: int | None
    params: int | None
    seconds: Annotated[
        float | None, Field(description="of training, all sessions together, to the last checkpoint")
    ]
    started: str | None
    sessions: int
    overrides: Annotated[tuple[str, ...], Field(description="what `--set` changed, in all sessions")]
    problem: str = ""


def list_runs(folder: Path) -> tuple[RunSummary, ...]:
    """Return the runs of a folder in the order of their start, or the one run that it is itself.

    Raises CannotRunError for a folder that cannot be read. A run that cannot be read is told as such.
    """
    if (folder / SPEC).is_file():
        return (summary(folder),)
    try:
        runs = [path for path in folder.iterdir() if (path / SPEC).is_file()]
    except OSError as error:
        raise CannotRunError(
            f"{folder}: {error.strerror or error}", help="runs are in `runs/` by default"
        ) from None
    return tuple(sorted(map(summary, runs), key=lambda found: (found.started or "", _numbered(found.run))))


def summary(run: Path) -> RunSummary:
    """Return a run in a few figures."""
    try:
        record = read_run_record(run)
        records = read_records(run)
    except CannotRunError as error:
        return _unreadable(run, str(error))
    watched = Watched(metric=record.best[0], mode=record.best[1])
    best = reduce(Watch.seen, records, Watch(watched)).best
    saved = _saved(run)
    return RunSummary(
        run=str(run),
        spec=record.name,
        state=_state(run, record),
        reason=record.reason,
        epoch=records[-1].epoch if records else None,
        epochs=record.epochs,
        step=saved.get("step"),
        steps=record.steps,
        metric=watched.metric,
        smaller_is_better=watched.better == "min",
        best=_finite(best, watched),
        best_epoch=best.epoch if best is not None else None,
        params=record.params,
        seconds=saved.get("seconds"),
        started=record.sessions[0].started if record.sessions else None,
        sessions=len(record.sessions),
        overrides=tuple(text for session in record.sessions for text in session.overrides),
    )


def _state(run: Path, record: RunRecord) -> str:
    if record.state == "running" and not is_locked(run):
        return "interrupted"  # its process was killed
    return record.state


def _finite(best: EpochRecord | None, watched: Watched) -> float | None:
    value = value_of(best, watched) if best is not None else None
    return value if value is not None and value == value else None


def _saved(run: Path) -> Mapping[str, Any]:
    """Return step and seconds of the last checkpoint; nothing where it cannot be read."""
    try:
        meta = json.loads((run / CHECKPOINTS / "last" / "checkpoint.json").read_bytes())
        return {"step": int(meta["step"]), "seconds": float(meta["progress"]["seconds"])}
    except (OSError, ValueError, TypeError, KeyError):
        return {}


def _unreadable(run: Path, problem: str) -> RunSummary:
    return RunSummary(
        run=str(run), spec=None, state="unreadable", reason="", epoch=None, epochs=None, step=None, steps=None,
        metric=None, smaller_is_better=False, best=None, best_epoch=None, params=None, seconds=None, started=None,
        sessions=0, overrides=(), problem=problem,
    )  # fmt: skip


def _numbered(run: str) -> tuple[str, int]:
    stem, _, number = run.rpartition("-")
    return (stem, int(number)) if number.isdecimal() else (run, 0)
