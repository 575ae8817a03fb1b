"""Prediction: what a trained network says of image files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray

from netcalc.data.images import MAX_VALUE, load_image
from netcalc.data.pipeline import prepare
from netcalc.data.preprocessing import Preprocessing
from netcalc.data.read_ahead import mapped
from netcalc.diagnostics import CannotRunError, SpecError
from netcalc.graph import Graph
from netcalc.spec.data import Target
from netcalc.train.answers import as_scores, class_outputs
from netcalc.train.checkpoint import load_checkpoint
from netcalc.train.plan import check_ends, check_samples, training_of
from netcalc.train.recipe import Recipe, Task, make_recipe
from netcalc.train.run import PREPROCESSING, checkpoint_path, open_run
from netcalc.train.step import by_position

BATCH = 256
"""Images that are classified at a time."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a network says of one image.

    `classes` are by falling score. Scores are probabilities after training with a cross-entropy, the outputs
    themselves after another loss; of a mask they are shares of its pixels. `present` are the labels whose score is
    above one half, where there may be several. `values` are the outputs of a network of values, without classes,
    and `mask` is the class of each pixel (height, width) of what the network gives.
    """

    file: str
    classes: tuple[str, ...] = ()
    scores: tuple[float, ...] = ()
    present: tuple[str, ...] = ()
    values: tuple[float, ...] = ()
    mask: NDArray[np.int32] | None = None


@dataclass(frozen=True, slots=True)
class Predictor:
    """A trained network with the preprocessing of its run; its data need not be there."""

    recipe: Recipe
    preprocessing: Preprocessing
    params: object
    state: object

    @property
    def target(self) -> Target:
        """What the network was trained to give."""
        return self.recipe.task.target

    def files(self, files: Sequence[str], skipped: list[str] | None = None) -> Iterator[Prediction]:
        """Yield what the network says of each image file, in order; decoding runs ahead.

        With `skipped`, files that cannot be decoded are added to it and left out.

        Raises CannotRunError, naming the file, for one that is damaged otherwise.
        """
        size = min(BATCH, len(files))
        answers = jax.jit(self._answers)
        sound = self._sound(files, skipped)
        while some := list(islice(sound, size)):
            images = np.stack([image for _, image in some])
            filled = np.concatenate([images, np.repeat(images[:1], size - len(images), axis=0)])
            found = np.asarray(answers(filled))[: len(some)]
            for (file, _), answer in zip(some, found, strict=True):
                yield self._prediction(file, answer)

    def _sound(self, files: Sequence[str], skipped: list[str] | None) -> Iterator[tuple[str, NDArray[np.uint8]]]:
        for file, image in zip(files, mapped(self._loaded, files), strict=True):
            if not isinstance(image, CannotRunError):
                yield file, image
            elif skipped is None:
                raise image
            else:
                skipped.append(file)

    def _loaded(self, file: str) -> NDArray[np.uint8] | CannotRunError:
        try:
            return load_image(file, self.preprocessing.source)
        except CannotRunError as error:
            return error

    def _answers(self, images: jax.Array) -> jax.Array:
        """Return the scores (batch, classes), the values (batch, values), or masks (batch, height, width)."""
        outputs, _ = self.recipe.network.apply(self.params, self.state, self.recipe.prepare(images))  # type: ignore[arg-type]
        heads = by_position(outputs)
        if self.target == "mask":
            return self.recipe.meter.answers(heads).reshape(outputs.shape[:-1])
        if self.target == "class":
            return as_scores(self.recipe, class_outputs(self.recipe, outputs))
        heads = heads.reshape(len(images), -1)
        return as_scores(self.recipe, heads) if self.target == "multi_label" else heads

    def _prediction(self, file: str, answer: NDArray[np.float32] | NDArray[np.int32]) -> Prediction:
        names = self.preprocessing.classes
        match self.target:
            case "values":
                return Prediction(file, values=tuple(map(float, answer)))
            case "mask":
                shares = np.bincount(answer.ravel(), minlength=len(names)) / answer.size
                return Prediction(file, *_ranked(names, shares), mask=answer.astype(np.int32))
        classes, scores = _ranked(names, answer)
        present = tuple(name for name, score in zip(classes, scores, strict=True) if score > 0.5)
        return Prediction(file, classes, scores, present if self.target == "multi_label" else ())


def open_predictor(run: Path, checkpoint: str) -> Predictor:
    """Return what predicts with a run's checkpoint; raises CannotRunError for what is no run, or a damaged one."""
    graph, preprocessing = open_run(run)
    check_ends(graph)
    spec = training_of(graph)
    recipe = make_recipe(
        graph, spec, _task(preprocessing), lambda images: prepare(images, preprocessing, MAX_VALUE)
    )
    _check(graph, preprocessing, run)
    saved = load_checkpoint(checkpoint_path(run, checkpoint), graph)
    return Predictor(recipe, preprocessing, saved.params, saved.state)


def _task(preprocessing: Preprocessing) -> Task:
    return Task(preprocessing.target, len(preprocessing.classes))


def _check(graph: Graph, preprocessing: Preprocessing, run: Path) -> None:
    try:
        check_samples(graph, preprocessing, PREPROCESSING)
    except SpecError as error:
        message = error.diagnostics[0].message
        raise CannotRunError(f"{run / PREPROCESSING}: not the preprocessing of this run: {message}") from None


def _ranked(names: tuple[str, ...], scores: NDArray[Any]) -> tuple[tuple[str, ...], tuple[float, ...]]:
    order = np.argsort(-scores, kind="stable")
    return tuple(names[i] for i in order), tuple(float(scores[i]) for i in order)
