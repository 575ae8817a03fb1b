"""Evaluation and prediction: the same functions in training and afterwards, so that figures repeat."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import jax
import numpy as np

from netcalc.compiler.initialize import Params, State
from netcalc.data.images import MAX_VALUE, load_image
from netcalc.data.pipeline import evaluation_batches, prepare
from netcalc.diagnostics import CannotRunError
from netcalc.train.checkpoint import Checkpoint, load_checkpoint
from netcalc.train.metrics import Metrics, Sums
from netcalc.train.plan import Plan, make_plan
from netcalc.train.run import PREPROCESSING, checkpoint_path, open_run
from netcalc.train.step import make_evaluation_step

BATCH = 256
"""Samples in an evaluation batch, whatever the training's: sums then do not depend on it."""


class Evaluator:
    """Evaluates parameters on the held-out split of a plan."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._step = make_evaluation_step(plan.recipe)

    def test(self, params: Params, state: State) -> Metrics:
        """Return mean loss and accuracy over the test split."""
        sums = Sums.zero()
        for (images, labels), weights in evaluation_batches(self.plan.dataset.test, BATCH):
            sums = self._step(params, state, sums, images, labels, weights)
        return sums.means()


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The metrics of a run's checkpoint, and what they were measured on."""

    metrics: Metrics
    checkpoint: Checkpoint
    source: str
    samples: int


@dataclass(frozen=True, slots=True)
class Prediction:
    """The classes of one image by falling score.

    Scores are probabilities after training with cross-entropy, the outputs themselves after half_mse.
    """

    file: str
    classes: tuple[str, ...]
    scores: tuple[float, ...]


def evaluate_run(run: Path, checkpoint: str) -> Evaluation:
    """Return loss and accuracy of a run's checkpoint on the held-out split, preprocessed as in training.

    Raises CannotRunError for what is no run, or a damaged one.
    """
    plan, saved = _open(run, checkpoint)
    metrics = Evaluator(plan).test(saved.params, saved.state)
    return Evaluation(metrics, saved, plan.dataset.name, len(plan.dataset.test.labels))


def predict_files(run: Path, checkpoint: str, files: list[Path]) -> list[Prediction]:
    """Return the classes of image files, preprocessed as the run's images were."""
    plan, saved = _open(run, checkpoint)
    images = np.stack([load_image(file, plan.preprocessing.source) for file in files])

    @jax.jit
    def scores(images: jax.Array) -> jax.Array:
        outputs, _ = plan.network.apply(saved.params, saved.state, prepare(images, plan.preprocessing, MAX_VALUE))
        outputs = outputs.reshape(outputs.shape[0], -1)
        return jax.nn.softmax(outputs) if plan.spec.loss == "cross_entropy" else outputs

    names = plan.preprocessing.classes
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
