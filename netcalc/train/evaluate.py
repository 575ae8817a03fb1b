"""Evaluation and prediction: the same functions in training and afterwards, so that figures repeat."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import jax
import numpy as np

from netcalc.compiler.initialize import Params, State
from netcalc.data.images import MAX_VALUE, load_image
from netcalc.data.pipeline import evaluation_batches, prepare
from netcalc.data.samples import Split
from netcalc.diagnostics import CannotRunError, SpecError
from netcalc.train.checkpoint import Checkpoint, load_checkpoint
from netcalc.train.metrics import Metrics, Sums
from netcalc.train.plan import Plan, check_ends, check_samples, make_plan, training_of
from netcalc.train.recipe import make_recipe
from netcalc.train.run import PREPROCESSING, checkpoint_path, open_run
from netcalc.train.step import make_evaluation_step

BATCH = 256
"""Samples in an evaluation batch, whatever the training's: sums then do not depend on it."""


SplitName = Literal["train", "validation", "test"]


class Evaluator:
    """Evaluates parameters on the splits of a plan."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._step = make_evaluation_step(plan.recipe)

    def test(self, params: Params, state: State) -> Metrics:
        """Return mean loss and accuracy over the test split."""
        return self.on(self.plan.dataset.test, params, state)

    def on(self, split: Split, params: Params, state: State) -> Metrics:
        """Return mean loss and accuracy over a split."""
        sums = Sums.zero()
        for (images, labels), weights in evaluation_batches(split, BATCH):
            sums = self._step(params, state, sums, images, labels, weights)
        return sums.means()


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The metrics of a run's checkpoint, and what they were measured on."""

    metrics: Metrics
    checkpoint: Checkpoint
    source: str
    split: SplitName
    samples: int


@dataclass(frozen=True, slots=True)
class Prediction:
    """The classes of one image by falling score.

    Scores are probabilities after training with cross-entropy, the outputs themselves after half_mse.
    """

    file: str
    classes: tuple[str, ...]
    scores: tuple[float, ...]


def evaluate_run(run: Path, checkpoint: str, split: SplitName = "test") -> Evaluation:
    """Return loss and accuracy of a run's checkpoint on a split of its data, preprocessed as in training.

    Raises CannotRunError for what is no run, or a damaged one, and for data without the split.
    """
    plan, saved = _open(run, checkpoint)
    data = plan.dataset
    samples = {"train": data.train, "validation": data.validation, "test": data.test}[split]
    if samples is None:
        help = "`split: [0.8, 0.1, 0.1]` under `train.data` sets samples apart before a training"
        raise CannotRunError(f"{run}: its data `{data.name}` have no {split} split", help)
    metrics = Evaluator(plan).on(samples, saved.params, saved.state)
    return Evaluation(metrics, saved, data.name, split, samples.samples)


def predict_files(run: Path, checkpoint: str, files: list[Path]) -> list[Prediction]:
    """Return the classes of image files, preprocessed as the run's images were; its data need not be there."""
    graph, preprocessing = open_run(run)
    check_ends(graph)
    recipe = make_recipe(graph, training_of(graph), lambda images: prepare(images, preprocessing, MAX_VALUE))
    try:
        check_samples(graph, preprocessing, preprocessing.classes, PREPROCESSING)
    except SpecError as error:
        message = error.diagnostics[0].message
        raise CannotRunError(f"{run / PREPROCESSING}: not the preprocessing of this run: {message}") from None
    saved = load_checkpoint(checkpoint_path(run, checkpoint), graph)
    images = np.stack([load_image(file, preprocessing.source) for file in files])

    @jax.jit
    def scores(images: jax.Array) -> jax.Array:
        outputs, _ = recipe.network.apply(saved.params, saved.state, recipe.prepare(images))
        outputs = outputs.reshape(outputs.shape[0], -1)
        return jax.nn.softmax(outputs) if recipe.spec.loss == "cross_entropy" else outputs

    names = preprocessing.classes
    found = []
    for start in range(0, len(files), BATCH):
        for file, row in zip(files[start:], np.asarray(scores(images[start : start + BATCH])), strict=False):
            order = np.argsort(-row, kind="stable")
            found.append(Prediction(str(file), tuple(names[i] for i in order), tuple(float(row[i]) for i in order)))
    return found


def _open(run: Path, checkpoint: str) -> tuple[Plan, Checkpoint]:
    graph, preprocessing = open_run(run)
    plan = make_plan(graph, preprocessing)
    data = plan.dataset
    if (preprocessing.source, preprocessing.classes) != (data.train.images.shape[1:], data.classes):
        message = f"{run / PREPROCESSING}: `source` and `classes` are not those of the data set `{data.name}`"
        raise CannotRunError(message)
    return plan, load_checkpoint(checkpoint_path(run, checkpoint), graph)
