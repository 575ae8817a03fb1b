"""run.json: what became of a run. Reading it needs no array library.

A process that trains holds a lock on the run's directory. One that was killed leaves `running` behind without it.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from netcalc.choice import LIST_AS_TUPLE, Fields
from netcalc.diagnostics import CannotRunError
from netcalc.spec.metrics import Metric, Mode
from netcalc.train.durable import replace_file, told

RUN_RECORD = "run.json"
State = Literal["running", "finished", "interrupted", "failed"]


class Session(Fields):
    """One start of the command: when, after how many updates, what `--set` changed, where it ran."""

    started: str
    from_step: Annotated[int, Field(ge=0)]
    overrides: list[str]
    schedule: Literal["keep", "stretch", "restart"] | None = None
    environment: dict[str, Any]
    differences: list[str] = Field(default_factory=list)


class RunRecord(Fields):
    """What a run was asked for and what became of it."""

    format: Literal["netcalc.run/1"] = "netcalc.run/1"
    name: str
    state: State
    reason: str = Field(description="why it ended, empty while it has not")
    params: Annotated[int, Field(ge=0)]
    epochs: Annotated[int, Field(ge=0)] = Field(description="passes over the training set that are planned")
    steps: Annotated[int, Field(ge=0)] = Field(description="updates that are planned")
    best: Annotated[tuple[Metric, Mode], LIST_AS_TUPLE] = Field(description="the metric of the best checkpoint")
    data: dict[str, Any]
    sessions: list[Session]


def write_run_record(run: Path, record: RunRecord) -> None:
    """Replace run.json in one atomic swap; raises CannotRunError."""
    with told(run / RUN_RECORD, "cannot be written"):
        replace_file(run / RUN_RECORD, json.dumps(record.model_dump(mode="json"), indent=2) + "\n")


def read_run_record(run: Path) -> RunRecord:
    """Return what run.json holds; raises CannotRunError, naming the file, for anything else."""
    path = run / RUN_RECORD
    try:
        return RunRecord.model_validate_json(path.read_bytes())
    except OSError as error:
        raise CannotRunError(f"{path}: cannot be read ({error.strerror or error})") from None
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        place = ".".join(map(str, problem["loc"]))
        what = f"`{place}`: {problem['msg']}" if place else problem["msg"]
        raise CannotRunError(f"{path}: not the record of a run ({what})") from None


@contextmanager
def locked(run: Path) -> Iterator[None]:
    """Hold the run for this process; raises CannotRunError where another one trains it."""
    descriptor = os.open(run, os.O_RDONLY)
    try:
        if not _lock(descriptor, _ATTEMPTS):
            raise CannotRunError(f"{run}: another process is training it", help="wait for it, or end it")
        yield
    finally:
        os.close(descriptor)


def is_locked(run: Path) -> bool:
    """Tell whether a process is training the run."""
    try:
        descriptor = os.open(run, os.O_RDONLY)
    except OSError:
        return False
    try:
        return not _lock(descriptor)
    finally:
        os.close(descriptor)


_ATTEMPTS = 5
"""`netcalc runs` holds a lock too, for as long as it takes to see that it can be had."""


def _lock(descriptor: int, attempts: int = 1) -> bool:
    """Tell whether the lock is this process's now; of a file system without locks nothing is known of others."""
    for attempt in range(attempts):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.05 if attempt + 1 < attempts else 0)
        except OSError:
            return True
        else:
            return True
    return False
