"""Evaluation: the same functions in training and afterwards, so that figures repeat."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from netcalc.compiler.initialize import Params, State
from netcalc.data.image_folder import read_labelled_folder
from netcalc.data.pipeline import evaluation_batches
from netcalc.data.samples import Split
from netcalc.diagnostics import CannotRunError
from netcalc.spec.data import Target
from netcalc.train.checkpoint import Checkpoint, load_checkpoint
from netcalc.train.metrics import Metrics, Sums, make_meter
from netcalc.train.plan import Plan, make_plan
from netcalc.train.run import PREPROCESSING, checkpoint_path, open_run
from netcalc.train.step import make_evaluation_step

BATCH = 256
"""Samples in an evaluation batch, whatever the training's: sums then do not depend on it."""


SplitName = Literal["train", "validation", "test"]


class Evaluator:
    """Evaluates parameters on the splits of a plan; `counts` adds what tells of each class."""

    def __init__(self, plan: Plan, *, counts: bool = False) -> None:
        self.plan = plan
        task = plan.recipe.task
        counts = counts or task.target == "mask"
        self.meter = make_meter(plan.recipe.main_loss, task.target, task.classes, training=False, counts=counts)
        self._step = make_evaluation_step(plan.recipe, self.meter)

    def test(self, params: Params, state: State) -> Metrics:
        """Return every measure of the test split."""
        return self.on(self.plan.dataset.test, params, state)

    def on(self, split: Split, params: Params, state: State) -> Metrics:
        """Return every measure of a split."""
        return self.meter.measured(self.sums(split, params, state))

    def sums(self, split: Split, params: Params, state: State) -> Sums:
        """Return the sums over a split, still on the device."""
        sums = self.meter.zero()
        for (images, labels), weights in evaluation_batches(split, BATCH):
            sums = self._step(params, state, sums, images, labels, weights)
        return sums


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The metrics of a run's checkpoint, and what they were measured on.

    `counts` tells of each class, in the form of `Sums.counts`; None where there are no classes.
    """

    metrics: Metrics
    counts: NDArray[np.int64] | None
    target: Target
    classes: tuple[str, ...]
    checkpoint: Checkpoint
    source: str
    split: SplitName | None
    samples: int


@dataclass(frozen=True)
class Opened:
    """A run's checkpoint with the samples to evaluate it on."""

    plan: Plan
    checkpoint: Checkpoint
    samples: Split


def open_checkpoint(run: Path, checkpoint: str, split: SplitName = "test", folder: Path | None = None) -> Opened:
    """Return a run's checkpoint and a split of its data, or the images of a folder a class.

    Raises CannotRunError for what is no run, or a damaged one, for data without the split, and for a folder that
    does not fit the run.
    """
    graph, preprocessing = open_run(run)
    dataset = None if folder is None else read_labelled_folder(folder, preprocessing)
    plan = make_plan(graph, preprocessing, dataset)
    data = plan.dataset
    if (preprocessing.source, preprocessing.classes) != (data.train.images.shape[1:], data.classes):
        message = f"{run / PREPROCESSING}: `source` and `classes` are not those of the data set `{data.name}`"
        raise CannotRunError(message)
    saved = load_checkpoint(checkpoint_path(run, checkpoint), graph)
    samples = {"train": data.train, "validation": data.validation, "test": data.test}[split]
    if samples is None:
        help = "`split: [0.8, 0.1, 0.1]` under `train.data` sets samples apart before a training"
        raise CannotRunError(f"{run}: its data `{data.name}` have no {split} split", help)
    return Opened(plan, saved, samples)


def evaluate_run(run: Path, checkpoint: str, split: SplitName = "test", folder: Path | None = None) -> Evaluation:
    """Return the metrics of a run's checkpoint on a split of its data, preprocessed as in training.

    With `folder` on the images of a folder a class instead, whose names are classes of the run.

    Raises CannotRunError where `open_checkpoint` does.
    """
    opened = open_checkpoint(run, checkpoint, split, folder)
    data, saved = opened.plan.dataset, opened.checkpoint
    evaluator = Evaluator(opened.plan, counts=True)
    sums = evaluator.sums(opened.samples, saved.params, saved.state)
    return Evaluation(
        evaluator.meter.measured(sums),
        sums.counted(),
        data.target,
        data.classes,
        saved,
        data.name,
        split if folder is None else None,
        opened.samples.samples,
    )
