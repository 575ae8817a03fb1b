"""What a training measures, as the event files that TensorBoard reads, in the run's own folder.

An event file is appended to while a training goes on. A training that goes on from a checkpoint begins a new file,
whose first event tells TensorBoard to forget what the earlier ones say of later updates.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netcalc.diagnostics import CannotRunError
from netcalc.train.durable import told
from netcalc.train.records import EpochRecord
from netcalc.train.run import SPEC

if TYPE_CHECKING:
    from netcalc.train.outcome import Reporter
    from netcalc.train.post_mortem import PostMortem

PREFIX = "events"
_FILES = f"{PREFIX}.out.tfevents.*"


def require_writer() -> None:
    """Raise CannotRunError where the library that writes event files is not installed."""
    if find_spec("tensorboardX") is None:
        raise CannotRunError(
            "event files for TensorBoard need tensorboardX", "pip install 'netcalc-nn[tensorboard]'"
        )


def has_events(run: Path) -> bool:
    """Tell whether a run has event files."""
    return next(run.glob(_FILES), None) is not None


def scalars(record: EpochRecord) -> dict[str, float]:
    """Return the scalars of a record by their tags: `loss/test`, so that the splits of a measure stand together."""
    found = {}
    for metric, value in record.metrics.items():
        split, _, measure = metric.partition("_")
        found[f"{measure}/{split}"] = value
    if record.images_per_second is not None:
        found["speed/images_per_second"] = record.images_per_second
    return {"epoch": float(record.epoch), **found}


class EventReporter:
    """A Reporter that writes each record as scalars and passes on what it sees to another.

    `earlier` are the records that a resumed training keeps. Where the run has no event files they are written too,
    at the times that they would have been made at without a pause between sessions and before now.
    """

    def __init__(self, reporter: Reporter, run: Path, earlier: Sequence[EpochRecord] = ()) -> None:
        from tensorboardX.event_file_writer import EventsWriter

        self.reporter, self.run = reporter, run
        goes_on = has_events(run)
        with told(run, "event files cannot be written"):
            self.writer = EventsWriter(str(run / PREFIX), f".{time.time_ns()}.{os.getpid()}")
        self._begin(earlier[-1].step + 1 if goes_on and earlier else 0)
        if not goes_on:
            for record, wall_time in zip(earlier, _past_times(earlier), strict=True):
                self._write(record, wall_time)

    def step(self, epoch: int, done: int, running: Callable[[], Any]) -> None:
        """Pass on that samples were handed to the device."""
        self.reporter.step(epoch, done, running)

    def epoch(self, record: EpochRecord) -> None:
        """Write a record, on disk when this returns, and pass it on; raises CannotRunError."""
        self._write(record, time.time())
        self.reporter.epoch(record)

    def returned(self, found: PostMortem | None, count: int) -> None:
        """Pass on that an update was left out."""
        self.reporter.returned(found, count)

    def close(self) -> None:
        """Close the file; every record is on disk already."""
        with suppress(OSError):
            self.writer.close()

    def _begin(self, step: int) -> None:
        """Write the spec, and that events of earlier files from this step on are void."""
        from tensorboardX.proto.event_pb2 import Event, SessionLog
        from tensorboardX.summary import text

        spec = (self.run / SPEC).read_text(encoding="utf-8")
        now = time.time()
        started = Event(wall_time=now, step=step, session_log=SessionLog(status=SessionLog.START))
        described = Event(wall_time=now, step=step, summary=text("spec", f"```yaml\n{spec}```"))
        with told(self.run, "event files cannot be written"):
            for event in (started, described):
                self.writer.write_event(event)
            self.writer.flush()

    def _write(self, record: EpochRecord, wall_time: float) -> None:
        with told(self.run, "event files cannot be written"):
            self.writer.write_event(_event(record.step, wall_time, scalars(record)))
            self.writer.flush()


def _event(step: int, wall_time: float, values: Mapping[str, float]) -> Any:
    from tensorboardX.proto.event_pb2 import Event
    from tensorboardX.proto.summary_pb2 import Summary

    summary = Summary(value=[Summary.Value(tag=tag, simple_value=value) for tag, value in values.items()])
    return Event(step=step, wall_time=wall_time, summary=summary)


def _past_times(records: Sequence[EpochRecord]) -> list[float]:
    """Return seconds since 1970 of records whose training would have ended now.

    `seconds` count from the beginning of an epoch, those of a later record of one the earlier ones' included.
    """
    over, within, epoch = 0.0, 0.0, 0
    spans = []
    for record in records:
        if record.epoch != epoch:
            over, within, epoch = over + within, 0.0, record.epoch
        within = max(within, record.seconds)
        spans.append(over + within)
    return [time.time() - (spans[-1] - span) for span in spans]
