"""From a run's checkpoint to pictures of it: what is computed, and what is told of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from netcalc.train.answers import Answers, answers
from netcalc.train.checkpoint import load_checkpoint
from netcalc.train.evaluate import Evaluator, Opened, SplitName, open_checkpoint
from netcalc.train.first_layer import first_filters
from netcalc.train.run import checkpoint_path, open_run
from netcalc.units import plural

if TYPE_CHECKING:
    from netcalc.plots.figure import Figure

_NO_CLASSES = {"mask": "of masks", "multi_label": "of several labels a sample", "values": "of values"}
_PROBABILITIES = ("cross_entropy", "binary_cross_entropy")


@dataclass(frozen=True)
class Answered:
    """A run's checkpoint and what it answers to the samples of a split; computed once, when it is asked for."""

    name: str
    opened: Opened
    split: SplitName

    @property
    def title(self) -> str:
        """What was answered, by which model."""
        return f"{self.name} after epoch {self.opened.checkpoint.epoch}, {self.split} split"

    @cached_property
    def answers(self) -> Answers:
        """The answers to samples of classes."""
        saved = self.opened.checkpoint
        return answers(self.opened.plan.recipe, saved.params, saved.state, self.opened.samples)

    @cached_property
    def confusion(self) -> NDArray[np.int64]:
        """How many samples, or pixels of masks, of each class (row) got each class as the answer (column)."""
        plan, saved = self.opened.plan, self.opened.checkpoint
        if plan.dataset.target == "class":
            return self.answers.confusion(len(plan.dataset.classes))
        counted = Evaluator(plan, counts=True).sums(self.opened.samples, saved.params, saved.state).counted()
        assert counted is not None
        return counted


def open_answered(run: Path, checkpoint: str, split: SplitName) -> Answered:
    """Return what answers samples; raises CannotRunError for what is no run, or a damaged one, or for no split."""
    return Answered(run.resolve().name, open_checkpoint(run, checkpoint, split), split)


def filters_picture(run: Path, checkpoint: str) -> Figure | str:
    """Return the first layer's weights as a picture, or why they are none."""
    from netcalc.plots.filters import draw_filters

    graph, _ = open_run(run)
    saved = load_checkpoint(checkpoint_path(run, checkpoint), graph)
    found = first_filters(graph, saved.params)
    if isinstance(found, str):
        return found
    return draw_filters(found.kernels, f"{run.resolve().name} after epoch {saved.epoch}, `{found.node}`")


def confusion_picture(answered: Answered) -> Figure | str:
    """Return the confusion matrix of samples, or of the pixels of masks, or why there is none."""
    from netcalc.plots.confusion import MOST_CLASSES, draw_confusion

    data = answered.opened.plan.dataset
    if data.target in ("values", "multi_label"):
        return f"the run is {_NO_CLASSES[data.target]}"
    if len(data.classes) > MOST_CLASSES:
        return f"{len(data.classes):,} classes are too many, a picture has up to {MOST_CLASSES:,}"
    counts = answered.confusion
    number, right = int(counts.sum()), int(np.trace(counts))
    what = plural(number, "pixel" if data.target == "mask" else "sample")
    accuracy = f", {100 * right / number:.2f} % right" if number else ""
    return draw_confusion(counts, data.classes, f"{answered.title}\n{what}{accuracy}")


def mistakes_picture(answered: Answered, count: int) -> Figure | str:
    """Return the mistakes with the largest scores, or why there are none to show."""
    from netcalc.plots.mistakes import Mistake, draw_mistakes

    plan, samples = answered.opened.plan, answered.opened.samples
    data, channels = plan.dataset, samples.images.shape[-1]
    if data.target != "class":
        return f"the run is {_NO_CLASSES[data.target]}"
    if channels > 4:
        return f"images of {channels} channels cannot be shown"
    found = answered.answers
    every = found.mistakes
    if not len(every):
        return f"all {plural(len(found.labels), 'sample')} of the {answered.split} split are answered right"
    as_percent = plan.recipe.main_loss.kind in _PROBABILITIES
    shown = every[:count]
    images = np.asarray(samples.images[shown], np.float32) / data.max_value
    mistakes = []
    for image, number in zip(images, shown, strict=True):
        score = float(found.scores[number, 0])
        true, answer = data.classes[found.labels[number]], data.classes[found.classes[number, 0]]
        mistakes.append(Mistake(image, true, answer, f"{100 * score:.0f} %" if as_percent else f"{score:.2f}"))
    which = (
        f"the surest {count} of {len(every):,} mistakes" if len(every) > count else plural(len(every), "mistake")
    )
    return draw_mistakes(mistakes, f"{answered.title}: {which}")
