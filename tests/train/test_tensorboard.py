"""Event files, read back record by record: scalars by step and wall time, and what a resumed training voids."""

from __future__ import annotations

import errno
import math
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

pytest.importorskip("tensorboardX")

from tensorboardX.proto.event_pb2 import Event, SessionLog
from tensorboardX.record_writer import masked_crc32c

from netcalc.diagnostics import CannotRunError
from netcalc.train import tensorboard
from netcalc.train.records import EpochRecord
from netcalc.train.tensorboard import EventReporter, has_events, require_writer, scalars


class Silent:
    """A reporter that counts what it is told."""

    def __init__(self) -> None:
        self.steps, self.records = 0, []

    def step(self, epoch, done, running) -> None:
        self.steps += 1

    def epoch(self, record) -> None:
        self.records.append(record)


def record(epoch: int, loss: float, seconds: float = 1.5) -> EpochRecord:
    return EpochRecord(
        epoch, 10 * epoch, seconds, {"test_loss": loss, "train_accuracy": 0.5}, 100.0 if epoch else None
    )


def events(path: Path) -> list[Event]:
    """Return the events of a file; every length and every event has its checksum."""
    data, found = path.read_bytes(), []
    while data:
        (length,), (crc,) = struct.unpack("<Q", data[:8]), struct.unpack("<I", data[8:12])
        event = data[12 : 12 + length]
        assert crc == masked_crc32c(data[:8])
        assert struct.unpack("<I", data[12 + length : 16 + length]) == (masked_crc32c(event),)
        found.append(Event.FromString(event))
        data = data[16 + length :]
    return found


def points(run: Path, tag: str) -> dict[int, tuple[float, float]]:
    """Return (value, wall time) by step of what is not void, in the order of the files."""
    found: dict[int, tuple[float, float]] = {}
    for path in sorted(run.glob("events.out.tfevents.*")):
        for event in events(path):
            if event.session_log.status == SessionLog.START:
                found = {step: point for step, point in found.items() if step < event.step}
            for value in event.summary.value:
                if value.tag == tag:
                    assert event.step not in found, "a doubled point"
                    found[event.step] = (value.simple_value, event.wall_time)
    return found


Begin = Callable[..., EventReporter]


@pytest.fixture
def begin() -> Iterator[Begin]:
    """Begin to write events of a run, as a session of a training does."""
    begun = []

    def start(run: Path, earlier: Sequence[EpochRecord] = (), inner: Silent | None = None) -> EventReporter:
        begun.append(EventReporter(inner or Silent(), run, earlier))
        return begun[-1]

    yield start
    for reporter in begun:
        reporter.close()


@pytest.fixture
def run(tmp_path: Path) -> Path:
    (tmp_path / "spec.yaml").write_text("name: net\n")
    return tmp_path


def test_a_record_is_on_disk_when_it_was_reported(run: Path, begin: Begin) -> None:
    inner = Silent()
    reporter = begin(run, inner=inner)
    for epoch, loss in enumerate((2.0, 1.0, 0.5)):
        before = time.time()
        reporter.epoch(record(epoch, loss))
        value, wall_time = points(run, "loss/test")[10 * epoch]
        assert value == loss
        assert before <= wall_time <= time.time()
    reporter.step(1, 32, dict)
    assert (inner.steps, [found.epoch for found in inner.records]) == (1, [0, 1, 2])
    assert points(run, "accuracy/train").keys() == {0, 10, 20}
    assert points(run, "speed/images_per_second").keys() == {10, 20}
    assert [points(run, "epoch")[step][0] for step in (0, 10, 20)] == [0, 1, 2]


def test_what_is_not_finite_stays_so() -> None:
    assert math.isnan(scalars(record(1, math.nan))["loss/test"])


def test_a_metric_with_a_long_name_keeps_it() -> None:
    found = scalars(EpochRecord(0, 0, 1.0, {"validation_top5_accuracy": 0.5}))
    assert found == {"epoch": 0.0, "top5_accuracy/validation": 0.5}


def test_the_spec_is_told_as_text(run: Path, begin: Begin) -> None:
    begin(run)
    (path,) = run.glob("events*")
    texts = [
        v.tensor.string_val[0].decode() for e in events(path) for v in e.summary.value if v.tag.startswith("spec")
    ]
    assert texts == ["```yaml\nname: net\n```"]


def test_a_resumed_training_leaves_no_doubled_points(run: Path, begin: Begin) -> None:
    first = begin(run)
    kept = [record(epoch, 2.0) for epoch in range(3)]
    for found in (*kept, record(3, 9.0), record(4, 9.0)):
        first.epoch(found)
    begin(run, kept).epoch(record(3, 1.0))
    assert {step: value for step, (value, _) in points(run, "loss/test").items()} == {0: 2, 10: 2, 20: 2, 30: 1}
    begin(run)  # and from the very beginning
    assert points(run, "loss/test") == {}


def test_events_that_begin_with_a_resumed_training_tell_all_of_it(run: Path, begin: Begin) -> None:
    within = [EpochRecord(2, 15, 2.0, {"test_loss": 0.7}), EpochRecord(2, 20, 5.0, {"test_loss": 0.5})]
    earlier = [record(0, 2.0, seconds=1.0), record(1, 1.0, seconds=4.0), *within]
    assert not has_events(run)
    begin(run, earlier).epoch(record(3, 0.25))
    assert has_events(run)
    found = points(run, "loss/test")
    assert [value for value, _ in found.values()] == [2.0, 1.0, pytest.approx(0.7), 0.5, 0.25]
    times = [wall_time for _, wall_time in found.values()]
    assert [later - times[0] for later in times[1:4]] == pytest.approx([4.0, 6.0, 9.0], abs=0.01)


def test_two_reporters_in_one_second_write_two_files(run: Path, begin: Begin) -> None:
    for _ in range(3):
        begin(run)
    assert len(list(run.glob("events*"))) == 3


def test_what_the_disk_does_not_take_is_told(run: Path, begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(event: Event) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    reporter = begin(run)
    monkeypatch.setattr(reporter.writer, "write_event", refused)
    with pytest.raises(CannotRunError, match="event files cannot be written \\(No space left"):
        reporter.epoch(record(0, 1.0))
    with pytest.raises(CannotRunError, match="event files cannot be written"):
        EventReporter(Silent(), run / "none")


def test_without_the_library_it_is_told_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    require_writer()
    monkeypatch.setattr(tensorboard, "find_spec", lambda name: None)
    with pytest.raises(CannotRunError) as told:
        require_writer()
    assert told.value.help == "pip install 'netcalc-nn[tensorboard]'"


def test_tensorboard_reads_it(run: Path, begin: Begin) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    first = begin(run)
    kept = [record(epoch, 2.0) for epoch in range(3)]
    for found in (*kept, record(3, 9.0)):
        first.epoch(found)
    begin(run, kept).epoch(record(3, 1.0))
    read = EventAccumulator(str(run))
    read.Reload()
    assert [(event.step, event.value) for event in read.Scalars("loss/test")] == [(0, 2), (10, 2), (20, 2), (30, 1)]
