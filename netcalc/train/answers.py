"""The answers of a model to every sample of a split: its likeliest classes and their scores."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import numpy as np
from numpy.typing import NDArray

from netcalc.compiler.initialize import Params, State
from netcalc.data.pipeline import evaluation_batches
from netcalc.data.samples import Split
from netcalc.train.evaluate import BATCH
from netcalc.train.plan import Plan


@dataclass(frozen=True, slots=True)
class Answers:
    """The classes that samples have, and those with the largest scores, by falling score.

    Scores are probabilities after training with cross-entropy, the outputs themselves after half_mse.
    """

    labels: NDArray[np.int32]  # (samples,)
    classes: NDArray[np.int32]  # (samples, top)
    scores: NDArray[np.float32]  # (samples, top)

    @property
    def mistakes(self) -> NDArray[np.int64]:
        """The samples that got a wrong class, those with the largest score first."""
        wrong = np.flatnonzero(self.classes[:, 0] != self.labels)
        return wrong[np.argsort(-self.scores[wrong, 0], kind="stable")]

    def confusion(self, classes: int) -> NDArray[np.int64]:
        """Return how many samples of each class (row) got each class as the answer (column)."""
        cells = self.labels.astype(np.int64) * classes + self.classes[:, 0]
        return np.bincount(cells, minlength=classes**2).reshape(classes, classes)


def answers(plan: Plan, params: Params, state: State, split: Split, top: int = 1) -> Answers:
    """Return the answers to the samples of a split, in its order; their targets must be classes.

    A batch of images is in memory at a time, and of the answers the `top` classes. The class with the largest
    output comes first, of equal ones the one with the smallest number, as in the accuracy of an evaluation.
    """
    network, prepare = plan.network, plan.recipe.prepare
    as_probabilities = plan.spec.loss == "cross_entropy"

    @jax.jit
    def largest(params: Params, state: State, images: jax.Array) -> tuple[jax.Array, jax.Array]:
        outputs, _ = network.apply(params, state, prepare(images))
        outputs = outputs.reshape(outputs.shape[0], -1)
        scores, classes = jax.lax.top_k(outputs, min(top, outputs.shape[1]))
        if as_probabilities:
            scores = jax.numpy.exp(scores - jax.nn.logsumexp(outputs, axis=1, keepdims=True))
        return scores, classes

    found = []
    for (images, labels), weights in evaluation_batches(split, BATCH):
        scores, classes = largest(params, state, images)
        counted = weights > 0  # the last batch is filled up
        found.append((labels[counted], np.asarray(classes)[counted], np.asarray(scores)[counted]))
    labels, classes, scores = map(np.concatenate, zip(*found, strict=True))
    return Answers(labels, classes, scores)
