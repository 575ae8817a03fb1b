"""The training loop: epochs of updates, evaluation, checkpoints."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import jax

from netcalc.data.pipeline import training_batches
from netcalc.train.checkpoint import point, prune, save_checkpoint
from netcalc.train.evaluate import Evaluator
from netcalc.train.metrics import Metrics, Sums
from netcalc.train.optimizers import make_updater
from netcalc.train.plan import Plan
from netcalc.train.run import CHECKPOINTS, EpochRecord, record_epoch
from netcalc.train.step import evaluated_params, initial_train_state, make_update


class Reporter(Protocol):
    """Who watches a training. `running` reads the epoch's means so far; it waits for the device."""

    def step(self, epoch: int, done: int, running: Callable[[], Metrics]) -> None:
        """`done` samples of this epoch have been handed to the device."""
        ...

    def epoch(self, record: EpochRecord) -> None:
        """An epoch is over."""
        ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a training ended: its last and its best record, and the signal that cut it short, if one did."""

    last: EpochRecord
    best: EpochRecord
    signal: int | None = None


def train(plan: Plan, run: Path, reporter: Reporter, interrupted: Callable[[], int | None]) -> Outcome:
    """Train as planned and leave metrics and checkpoints in the run directory.

    `interrupted` is asked before every update; a signal number ends the training after saving. The best
    checkpoint is the first with the highest test accuracy. Computes on JAX's default device.
    """
    return _Training(plan, run, reporter, interrupted).run()


class _Training:
    """One training under way."""

    def __init__(self, plan: Plan, run: Path, reporter: Reporter, interrupted: Callable[[], int | None]) -> None:
        self.plan, self.directory, self.reporter, self.interrupted = plan, run, reporter, interrupted
        self.optimizer = make_updater(plan.spec, plan.recipe.facts, plan.pace)
        self.update = make_update(plan.recipe, self.optimizer)
        self.evaluator = Evaluator(plan)
        self.current = initial_train_state(plan.recipe, self.optimizer)
        self.best: EpochRecord | None = None

    def run(self) -> Outcome:
        """Run epochs until the planned number of updates is made or a signal comes."""
        record = self._finish_epoch(0, 0, None, 0, time.perf_counter())
        step, epoch, signal = 0, 0, None
        while step < self.plan.steps and signal is None:
            epoch += 1
            began = time.perf_counter()
            sums, images = Sums.zero(), 0
            for batch_images, batch_labels in training_batches(
                self.plan.dataset.train, self.plan.samples_per_update, self.plan.spec.seed, epoch
            ):
                signal = self.interrupted()
                if signal is not None or step == self.plan.steps:
                    break
                self.current, sums = self.update(self.current, sums, batch_images, batch_labels)
                step += 1
                images += len(batch_labels)
                self.reporter.step(epoch, images, sums.means)
            if images:
                record = self._finish_epoch(epoch, step, sums, images, began)
        assert self.best is not None
        return Outcome(record, self.best, signal)

    def _finish_epoch(self, epoch: int, step: int, sums: Sums | None, images: int, began: float) -> EpochRecord:
        trained = sums.means() if sums is not None else None
        seconds = time.perf_counter() - began
        params = evaluated_params(self.plan.recipe, self.optimizer, self.current)
        tested = self.evaluator.test(params, self.current.state)
        record = EpochRecord(
            epoch=epoch,
            step=step,
            train_loss=trained.loss if trained else None,
            train_accuracy=trained.accuracy if trained else None,
            test_loss=tested.loss,
            test_accuracy=tested.accuracy,
            images_per_second=images / seconds if images else None,
            seconds=time.perf_counter() - began,
        )
        self._save(params, record)
        record_epoch(self.directory, record)
        self.reporter.epoch(record)
        return record

    def _save(self, params: dict[str, dict[str, jax.Array]], record: EpochRecord) -> None:
        directory = self.directory / CHECKPOINTS
        metrics = {"loss": record.test_loss, "accuracy": record.test_accuracy}
        path = save_checkpoint(
            directory, params, self.current, record.epoch, metrics, self.plan.recipe.layout.kernel_order
        )
        point(directory, "last", path)
        if self.best is None or record.test_accuracy > self.best.test_accuracy:
            self.best = record
            point(directory, "best", path)
        prune(directory)
