"""What a training shows while it runs: the rate is that of the session."""

from __future__ import annotations

import io
from types import SimpleNamespace

import pytest
from rich.console import Console

from netcalc.cli import progress
from netcalc.cli.progress import TrainingProgress, epoch_line, returned_lines
from netcalc.train.post_mortem import PostMortem
from netcalc.train.records import EpochRecord


class Terminal(io.StringIO):
    """A stream that takes itself for a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time in seconds, its only element; a person watches."""
    time = [0.0]
    monkeypatch.setattr(progress, "time", SimpleNamespace(perf_counter=lambda: time[0]))
    monkeypatch.setattr(progress, "console", lambda *, stderr: Console(file=Terminal(), force_terminal=stderr))
    return time


def rate_after(shown: TrainingProgress, done: int) -> str:
    shown.step(1, done, lambda: {"loss": 1.0, "accuracy": 0.5})
    assert shown.bar is not None
    (task,) = shown.bar.tasks
    rate: str = task.fields["rate"]
    return rate


def test_a_training_that_goes_on_within_an_epoch_has_the_rate_of_its_own_images(now: list[float]) -> None:
    shown = TrainingProgress(2, 10_000, done=6_000)
    now[0] = 2.0
    assert rate_after(shown, 6_100) == "50 images/s"
    assert shown.bar is not None
    assert shown.bar.tasks[0].completed == 6_100
    now[0] = 4.0
    assert rate_after(shown, 8_000) == "500 images/s"


def record(epoch: int) -> EpochRecord:
    return EpochRecord(epoch, 1, 1.0)


def test_the_rate_is_that_since_the_last_record(now: list[float]) -> None:
    shown = TrainingProgress(2, 1_000)
    shown.epoch(record(0))
    now[0] = 1.0
    assert rate_after(shown, 400) == "400 images/s"
    now[0] = 5.0  # a validation within the epoch
    shown.epoch(record(1))
    now[0] = 6.0
    assert rate_after(shown, 500) == "100 images/s"
    now[0] = 7.0
    assert rate_after(shown, 1_000) == "300 images/s"
    shown.epoch(record(1))
    now[0] = 8.0
    assert rate_after(shown, 200) == "200 images/s"


def test_what_is_left_out_is_told_with_its_file() -> None:
    found = PostMortem(40, 2, "forward", "norm", "layer_norm", "", (), (), "a division", "raise `epsilon`")
    first, *_, last = returned_lines(found, 2)
    assert first.startswith("update 40 of epoch 2 is the first that is not finite")
    assert last == "  = left out, 2 so far; written with its batch to nonfinite-00000040.json"
    (line,) = returned_lines(None, 0)
    assert "otherwise than before" in line


@pytest.mark.parametrize(
    ("seconds", "waited", "told"),
    [
        (0.2, 0.04, None),
        (0.2, 0.099, None),
        (0.2, 0.1, "0.1 s"),
        (10.0, 0.4, None),
        (10.0, 0.6, "0.6 s"),
        (1.0, None, None),
    ],
)
def test_a_wait_for_data_is_told_where_it_matters(seconds: float, waited: float | None, told: str | None) -> None:
    line = epoch_line(EpochRecord(1, 1, seconds, waited_seconds=waited), 2)
    assert line == "epoch 1/2" + (f"  waited {told} for data" if told else "")
