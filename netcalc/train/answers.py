"""The answers of a model to every sample of a split: its likeliest classes and their scores."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from netcalc.compiler.initialize import Params, State
from netcalc.data.pipeline import evaluation_batches
from netcalc.data.samples import Split
from netcalc.train.evaluate import BATCH
from netcalc.train.recipe import Recipe
from netcalc.train.step import by_position


@dataclass(frozen=True, slots=True)
class Answers:
    """The classes that samples have, and those with the largest scores, by falling score.

    Scores are probabilities after training with a cross-entropy, the outputs themselves after another loss.
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


def answers(recipe: Recipe, params: Params, state: State, split: Split, top: int = 1) -> Answers:
    """Return the answers to the samples of a split, in its order; their targets must be classes.

    A few batches of images are in memory at a time, and of the answers the `top` classes. The class with the
    largest output comes first, of equal ones the one with the smallest number, as in the accuracy of an evaluation.
    """

    @jax.jit
    def largest(params: Params, state: State, images: jax.Array) -> tuple[jax.Array, jax.Array]:
        outputs, _ = recipe.network.apply(params, state, recipe.prepare(images))
        found = class_outputs(recipe, outputs)
        # By the outputs: what differs there may round to the same score.
        classes = jax.lax.top_k(found, min(top, found.shape[1]))[1]
        return classes, jnp.take_along_axis(as_scores(recipe, found), classes, axis=1)

    batches = []
    for (images, labels), weights in evaluation_batches(split, BATCH):
        classes, scores = largest(params, state, images)
        counted = weights > 0  # the last batch is filled up
        batches.append((labels[counted], np.asarray(classes)[counted], np.asarray(scores)[counted]))
    return Answers(*map(np.concatenate, zip(*batches, strict=True)))


def class_outputs(recipe: Recipe, outputs: jax.Array) -> jax.Array:
    """Return outputs (batch, classes) in float32.

    A single output h stands for the second of two classes, which is the answer above a threshold τ: 2τ − h is
    the first one's.
    """
    heads = by_position(outputs).reshape(len(outputs), -1)
    if heads.shape[1] > 1:
        return heads
    return jnp.concatenate([2 * recipe.meter.threshold - heads, heads], axis=1)


def as_scores(recipe: Recipe, outputs: jax.Array) -> jax.Array:
    """Return the scores of outputs (batch, classes): probabilities by the loss, where it has any."""
    match recipe.main_loss.kind:
        case "cross_entropy":
            return jax.nn.softmax(outputs)
        case "binary_cross_entropy":
            return jax.nn.sigmoid(outputs)
    return outputs
