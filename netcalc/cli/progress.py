"""What a training shows: a progress bar where a person watches, plain lines otherwise. All on stderr."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from netcalc.cli.live_chart import LiveChart
from netcalc.cli.output import console
from netcalc.render.printable import printable
from netcalc.spec.metrics import title_of, written
from netcalc.units import plural

if TYPE_CHECKING:
    from rich.progress import Progress

    from netcalc.train.metrics import Metrics
    from netcalc.train.post_mortem import PostMortem
    from netcalc.train.records import EpochRecord

_REFRESH_SECONDS = 0.25
_WORTH_TELLING, _NOTICED_SECONDS = 0.05, 0.1
"""A wait for data is told where it is a larger share of the epoch's time, and long enough to be more than 0.0 s."""


class TrainingProgress:
    """Reports a training: one line an epoch, and on a terminal curves and a bar with images/s and time left.

    `done` samples of the epoch under way were handed over in an earlier session; `earlier` are the records of such,
    where the curves begin.
    """

    def __init__(
        self, epochs: int, images_per_epoch: int, done: int = 0, earlier: Sequence[EpochRecord] = ()
    ) -> None:
        self.console = console(stderr=True)
        self.epochs, self.images_per_epoch = epochs, images_per_epoch
        self.done = self.done_before = done
        # FORCE_COLOR makes rich take a pipe for a terminal; a bar in a log file helps nobody.
        watched = self.console.is_terminal and self.console.file.isatty()
        self.bar = _bar(self.console) if watched else None
        self.chart = LiveChart(self.console, earlier) if watched else None
        self.task = None
        if self.bar is not None:
            self.task = self.bar.add_task("compiling", total=epochs * images_per_epoch, rate="")
        self.shown = self.began = time.perf_counter()

    def shown_while(self) -> AbstractContextManager[object]:
        """Return the context in which curves and bar are on screen."""
        if self.bar is None or self.chart is None:
            return nullcontext()
        from rich.console import Group
        from rich.live import Live

        return Live(Group(self.chart, self.bar), console=self.console, transient=True)

    def step(self, epoch: int, done: int, running: Callable[[], Metrics]) -> None:
        """Move the bar, a few times a second."""
        self.done = done
        now = time.perf_counter()
        if self.bar is None or self.task is None or now - self.shown < _REFRESH_SECONDS:
            return
        metrics = running()
        self.shown = now
        completed = (epoch - 1) * self.images_per_epoch + done
        rate = (done - self.done_before) / (now - self.began)
        label = f"epoch {epoch}/{self.epochs}  {_figures(metrics)}"
        self.bar.update(self.task, completed=completed, description=label, rate=f"{rate:,.0f} images/s")

    def epoch(self, record: EpochRecord) -> None:
        """Print the epoch's line, and draw the curves anew."""
        if self.chart is not None:
            self.chart.add(record)
        self.began = time.perf_counter()
        self.done_before = self.done if self.done < self.images_per_epoch else 0
        self.console.print(epoch_line(record, self.epochs), soft_wrap=True)

    def returned(self, found: PostMortem | None, count: int) -> None:
        """Print what was left out, and why."""
        for line in returned_lines(found, count):
            self.console.print(printable(line), soft_wrap=True)


def returned_lines(found: PostMortem | None, count: int) -> Iterator[str]:
    """Yield the lines on a training's return to its last good state."""
    if found is None:
        yield "a loss was not finite; made again, the updates are: this machine computed otherwise than before"
        return
    from netcalc.train.post_mortem import files_of

    yield from found.lines()
    yield f"  = left out, {count} so far; written with its batch to {files_of(found.step)[0]}"


def epoch_line(record: EpochRecord, epochs: int) -> str:
    """Return the metrics of one record on one line."""
    parts = [f"epoch {record.epoch:>{len(str(epochs))}}/{epochs}"]
    if record.epoch == 0:
        parts.append("before training")
    if trained := record.measured("train"):
        parts.append(_figures(trained))
    for split in ("test", "validation"):
        measured = record.measured(split)
        parts.append(_figures({f"{split}_{name}": measured[name] for name in measured if name not in _LEFT_OUT}))
    if record.images_per_second is not None:
        parts.append(f"{record.images_per_second:,.0f} images/s  {record.seconds:.1f} s")
    if record.left_out_samples:
        parts.append(f"left out {plural(record.left_out_samples, 'sample')}")
    waited = record.waited_seconds
    if waited is not None and waited >= _NOTICED_SECONDS and waited > _WORTH_TELLING * record.seconds:
        parts.append(f"waited {waited:.1f} s for data")
    return "  ".join(filter(None, parts))


_LEFT_OUT = ("top5_accuracy",)
"""Measures that are recorded, but have no room on a line."""


def _figures(metrics: Metrics) -> str:
    """Return metrics by their names: `loss 0.0813  accuracy 97.60 %`."""
    return "  ".join(f"{title_of(name)} {written(name, value)}" for name, value in metrics.items())


def _bar(on: object) -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    assert isinstance(on, Console)
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None),
        TextColumn("{task.fields[rate]}", markup=False),
        TimeRemainingColumn(),
        console=on,
        transient=True,
    )
