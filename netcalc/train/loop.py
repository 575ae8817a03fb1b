"""The training loop: updates, evaluation, checkpoints; from the start, or from where a checkpoint stands."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import reduce
from itertools import islice
from pathlib import Path

import jax

from netcalc.data.pipeline import training_batches
from netcalc.spec.intervals import Interval, parse_interval
from netcalc.train.checkpoint import (
    Progress,
    SavedTraining,
    point,
    prune,
    save_checkpoint,
    step_directory,
    unpoint,
)
from netcalc.train.evaluate import Evaluator
from netcalc.train.guard import Guard
from netcalc.train.metrics import Metrics
from netcalc.train.optimizers import make_updater
from netcalc.train.outcome import DivergedError, Ending, Outcome, Reporter
from netcalc.train.plan import Plan
from netcalc.train.post_mortem import examined, explain, files_of, write_post_mortem
from netcalc.train.records import EpochRecord, append_record, rewind_records
from netcalc.train.restore import restored
from netcalc.train.rollback import Kept, Samples, returned
from netcalc.train.run import CHECKPOINTS
from netcalc.train.step import TrainState, evaluated_params, initial_train_state, make_update
from netcalc.train.watch import Watch


class _NotFiniteError(Exception):
    """A loss or a parameter is not finite."""


def _of_split(split: str, measures: Metrics) -> dict[str, float]:
    return {f"{split}_{name}": value for name, value in measures.items()}


@dataclass(frozen=True, slots=True)
class Start:
    """The checkpoint that a training goes on from, and its directory."""

    saved: SavedTraining
    path: Path


def train(
    plan: Plan,
    run: Path,
    reporter: Reporter,
    interrupted: Callable[[], int | None],
    start: Start | None = None,
) -> Outcome:
    """Train as planned and leave metrics and checkpoints in the run directory.

    The metrics of the run are cut to those before `start`. `interrupted` is asked before every update; a
    signal number ends the training after saving. Computes on JAX's default device.

    Raises CannotRunError for a checkpoint that is not of this plan, and where the disk does not take what is saved.
    """
    return _Training(plan, run, reporter, interrupted, start).run()


class _Training:
    """One training under way."""

    def __init__(
        self,
        plan: Plan,
        run: Path,
        reporter: Reporter,
        interrupted: Callable[[], int | None],
        start: Start | None,
    ) -> None:
        self.plan, self.directory, self.reporter, self.interrupted = plan, run, reporter, interrupted
        self.checkpoints = run / CHECKPOINTS
        self.optimizer = make_updater(plan.spec, plan.recipe.facts, plan.pace)
        self.update = make_update(plan.recipe, self.optimizer)
        self.evaluator = Evaluator(plan)
        self.guard = Guard(plan.spec.on_nonfinite)
        self.watch = Watch(plan.best, plan.spec.early_stopping)
        self.last: EpochRecord | None = None
        self.validates = parse_interval(plan.spec.validate_every)
        saves = plan.spec.checkpoint_every
        self.saves = parse_interval(saves) if saves is not None else None
        if start is None:
            self.current, self.sums = initial_train_state(plan.recipe, self.optimizer), plan.recipe.meter.zero()
            self.progress, self.step, self.saved_step = Progress(), 0, -1
            rewind_records(self.directory, 0, plan.metrics)
        else:
            self.current, self.sums = restored(start.saved, plan.recipe, self.optimizer, start.path)
            self.progress = start.saved.progress
            self.step = self.saved_step = start.saved.step
            self._rewind()
        self.began = self.saved_at = time.perf_counter()
        self.epoch_began = self.began - self.progress.epoch_seconds
        self.waited_seconds = 0.0

    def run(self) -> Outcome:
        """Run epochs until there is a reason not to.

        Raises DivergedError where a loss is not finite and the spec does not say to leave that out, or not so many;
        no checkpoint is saved after that.
        """
        try:
            return self._run()
        except _NotFiniteError:
            path = step_directory(self.checkpoints, self.saved_step)
            found = explain(self.plan, self.optimizer, self.update, path, self.directory)
            raise DivergedError(found, self.saved_step) from None

    def _run(self) -> Outcome:
        if self.last is None:
            self._record(validate=True)
            self._save()
        signal: int | None = None
        while (ending := self._ending()) is None and signal is None:
            signal = self._run_epoch()
        self._save()
        if ending is None:
            return self._outcome("interrupted", signal)
        if self.last is None or self.last.step < self.step or not self.last.measured("test"):
            self._close()
        return self._outcome(ending)

    def _outcome(self, ending: Ending, signal: int | None = None) -> Outcome:
        assert self.last is not None
        best = self.watch.best or self.last
        return Outcome(self.step, self.last, best, ending, signal, self._seconds(), self.progress.left_out)

    def _rewind(self) -> None:
        """Take up the records before the checkpoint, and let the pointers stand for what they did then."""
        records = rewind_records(self.directory, self.progress.records, self.plan.metrics)
        self.watch = reduce(Watch.seen, records, self.watch)
        self.last = records[-1] if records else None
        point(self.checkpoints, "last", step_directory(self.checkpoints, self.step))
        best = self.watch.best or self.last
        if best is not None and (path := step_directory(self.checkpoints, best.step)).is_dir():
            point(self.checkpoints, "best", path)
        else:  # it was removed for a better one that comes after this checkpoint
            unpoint(self.checkpoints, "best")

    def _run_epoch(self) -> int | None:
        """Go on to the end of an epoch or of the training; return the signal that came, if one did."""
        if self.progress.epoch_updates == 0:
            self.progress = replace(self.progress, epoch=self.progress.epoch + 1, epoch_images=0, epoch_seconds=0.0)
            self.sums = self.plan.recipe.meter.zero()
        self.guard.begin_epoch(self.current, self.sums)
        self.epoch_began = time.perf_counter() - self.progress.epoch_seconds
        batches = training_batches(
            self.plan.dataset.train,
            self.plan.samples_per_update,
            self.plan.spec.seed,
            self.progress.epoch,
            self.progress.epoch_updates,
        )
        for images, labels in batches:
            self.waited_seconds = batches.waited_seconds
            signal = self.interrupted()
            if signal is not None:
                return signal
            self.current, self.sums = self.update(self.current, self.sums, images, labels)
            self.step += 1
            self.progress = replace(
                self.progress,
                epoch_updates=self.progress.epoch_updates + 1,
                epoch_images=self.progress.epoch_images + len(labels),
            )
            if self.guard.knows_of_trouble(self.step, self.sums):
                self._return()
            self.guard.after_update(self.step, self.current, self.sums)
            self.reporter.step(self.progress.epoch, self.progress.epoch_images, self._running)
            if self.progress.epoch_updates == self.plan.steps_per_epoch:
                self._finish_epoch()
            else:
                self._within_epoch()
            if self._ending() is not None:
                break
        return None

    def _ending(self) -> Ending | None:
        if self.step >= self.plan.steps:
            return "complete"
        if self.watch.stops:
            return "early_stopping"
        limit = self.plan.spec.max_time
        return "max_time" if limit is not None and self._seconds() >= limit else None

    def _finish_epoch(self) -> None:
        if self.validates.unit == "epochs":
            self._record(validate=self.progress.epoch % self.validates.every == 0)
        else:
            self._record(validate=self._is_due(self.validates))
        self.progress = replace(self.progress, epoch_updates=0, epoch_images=0, epoch_seconds=0.0)
        self.sums = self.plan.recipe.meter.zero()
        self._save()

    def _within_epoch(self) -> None:
        before = self.watch.best
        if self._is_due(self.validates):
            self._record(validate=True)
        if self.watch.best is not before or self._is_due(self.saves) or self._ending() is not None:
            self._save()

    def _is_due(self, interval: Interval | None) -> bool:
        if interval is None or interval.unit == "epochs":
            return False
        if interval.unit == "seconds":
            return time.perf_counter() - self.saved_at >= interval.every
        return self.step % interval.every == 0

    def _require_finite(self) -> None:
        """Act unless parameters and losses are finite; waits for the device."""
        if self.guard.finds_trouble(self.current, self.sums):
            self._return()

    def _return(self) -> None:
        """Come to this update once more from the last good state, without those that are not finite.

        Raises _NotFiniteError where the spec does not ask for that, DivergedError for one update too many.
        """
        kept = self.guard.kept
        if kept is None:
            raise _NotFiniteError
        done = self.progress.epoch_updates
        first = done - (self.step - int(kept.current.step))
        batches = training_batches(
            self.plan.dataset.train, self.plan.samples_per_update, self.plan.spec.seed, self.progress.epoch, first
        )
        before = self.progress.left_out
        kept, self.current, self.sums = returned(
            kept, (self.current, self.sums), islice(batches, done - first), self.update, self._leave_out
        )
        self.guard.has_returned(kept)
        if self.progress.left_out == before:
            self.reporter.returned(None, len(before))

    def _leave_out(self, kept: Kept, after: TrainState, samples: Samples, losses: tuple[float, ...]) -> None:
        """Explain an update that is not finite and note it; raises DivergedError where it is one too many."""
        rollback = self.guard.rollback
        assert rollback is not None
        found = examined(self.plan, kept.current, after, *samples)
        step = int(kept.current.step) + 1
        found = replace(found, step=step, epoch=self.progress.epoch, losses=losses)
        left_out = self.progress.left_out
        if len(left_out) >= rollback.limit:
            write_post_mortem(self.directory, found, *samples)
            raise DivergedError(found, self.saved_step, left_out)
        write_post_mortem(self.directory, found, *samples, files_of(step))
        self.progress = replace(self.progress, left_out=(*left_out, step))
        self.reporter.returned(found, len(left_out) + 1)

    def _record(self, *, validate: bool) -> None:
        """Append a record of the epoch so far, which a checkpoint after it includes."""
        self._require_finite()
        self._append(validate=validate)
        self.progress = replace(self.progress, records=self.progress.records + 1)

    def _close(self) -> None:
        """Evaluate a training that ends between two validations.

        Its record is of no checkpoint, so that a training which goes on from here has none that it would not have
        had without the pause.
        """
        best = self.watch.best
        self._append(validate=True)
        if self.watch.best is not best:
            point(self.checkpoints, "best", step_directory(self.checkpoints, self.step))

    def _append(self, *, validate: bool) -> None:
        progress = self.progress
        metrics = _of_split("train", self.plan.recipe.meter.measured(self.sums)) if progress.epoch_images else {}
        began = self.epoch_began if progress.epoch_images else time.perf_counter()
        seconds = time.perf_counter() - began
        held_out = self.plan.dataset.validation
        if validate:
            metrics |= _of_split("test", self.evaluator.test(self._params(), self.current.state))
        if validate and held_out is not None:
            metrics |= _of_split("validation", self.evaluator.on(held_out, self._params(), self.current.state))
        record = EpochRecord(
            epoch=progress.epoch,
            step=self.step,
            seconds=time.perf_counter() - began,
            metrics=metrics,
            images_per_second=progress.epoch_images / seconds if progress.epoch_images else None,
            waited_seconds=self.waited_seconds if progress.epoch_images else None,
            left_out_samples=progress.epoch_images - round(float(self.sums.weight)),
        )
        append_record(self.directory, record, self.plan.metrics)
        self.last, self.watch = record, self.watch.seen(record)
        self.reporter.epoch(record)

    def _save(self) -> None:
        """Save a checkpoint of this moment, unless the one before is of the same."""
        if self.step == self.saved_step:
            return
        jax.block_until_ready(self.current)  # so that what was handed to the device is in the time
        self._require_finite()
        progress = replace(self.progress, seconds=self._seconds())
        if progress.epoch_updates:
            progress = replace(progress, epoch_seconds=time.perf_counter() - self.epoch_began)
        assert self.last is not None
        best = self.watch.best or self.last
        measured = self.last.measured("test") if self.last.step == self.step else {}
        path = save_checkpoint(
            self.checkpoints,
            self._params(),
            self.current,
            self.sums,
            progress,
            measured,
            self.plan.recipe.layout.kernel_order,
        )
        if best.step == self.step:
            point(self.checkpoints, "best", path)
        point(self.checkpoints, "last", path)
        prune(self.checkpoints, self.step, self.plan.spec.keep_checkpoints)
        self.saved_step, self.saved_at = self.step, time.perf_counter()

    def _running(self) -> Metrics:
        """Return the means of the epoch so far; waits for the device."""
        return self.plan.recipe.meter.measured(self.sums)

    def _params(self) -> dict[str, dict[str, jax.Array]]:
        return evaluated_params(self.plan.recipe, self.optimizer, self.current)

    def _seconds(self) -> float:
        """Return the time of training so far, earlier sessions included."""
        return self.progress.seconds + time.perf_counter() - self.began
