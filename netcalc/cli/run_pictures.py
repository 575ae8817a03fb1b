"""From a run's checkpoint to pictures of it: what is computed, and what is told of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from netcalc.data.samples import Split
from netcalc.train.answers import Answers, answers
from netcalc.train.checkpoint import Checkpoint, load_checkpoint
from netcalc.train.evaluate import opened, split_of
from netcalc.train.first_layer import first_filters
from netcalc.train.plan import Plan
from netcalc.train.run import checkpoint_path, open_run
from netcalc.units import plural

if TYPE_CHECKING:
    from netcalc.plots.figure import Figure

_TARGETS = {"mask": "masks", "multi_label": "several labels a sample", "values": "values"}


@dataclass(frozen=True)
class Answered:
    """The answers of a run's checkpoint to the samples of a split."""

    name: str
    plan: Plan
    saved: Checkpoint
    split: Split
    split_name: str
    answers: Answers

    @classmethod
    def of(cls, run: Path, checkpoint: str, split: Literal["train", "validation", "test"]) -> Answered | str:
        """Return the answers, or why there are no right and wrong ones."""
        plan, saved = opened(run, checkpoint)
        if plan.dataset.target != "class":
            return f"the targets of `{plan.dataset.name}` are {_TARGETS[plan.dataset.target]}, not classes"
        samples = split_of(plan, split, run)
        found = answers(plan, saved.params, saved.state, samples)
        return cls(_name(run), plan, saved, samples, split, found)

    @property
    def title(self) -> str:
        """What was answered, by which model."""
        return f"{self.name} after epoch {self.saved.epoch}, {self.split_name} split"


def filters_picture(run: Path, checkpoint: str) -> Figure | str:
    """Return the first layer's weights as a picture, or why they are none."""
    from netcalc.plots.filters import draw_filters

    graph, _ = open_run(run)
    saved = load_checkpoint(checkpoint_path(run, checkpoint), graph)
    found = first_filters(graph, saved.params)
    if isinstance(found, str):
        return found
    return draw_filters(found.kernels, f"{_name(run)} after epoch {saved.epoch}, `{found.node}`")


def confusion_picture(answered: Answered) -> Figure | str:
    """Return the confusion matrix, or why it would not be readable."""
    from netcalc.plots.confusion import MOST_CLASSES, draw_confusion

    classes = answered.plan.dataset.classes
    if len(classes) > MOST_CLASSES:
        return f"{len(classes):,} classes are too many, a picture has up to {MOST_CLASSES:,}"
    samples, wrong = len(answered.answers.labels), len(answered.answers.mistakes)
    accuracy = f"accuracy {100 * (1 - wrong / samples):.2f} %"
    title = f"{answered.title}\n{plural(samples, 'sample')}, {accuracy}"
    return draw_confusion(answered.answers.confusion(len(classes)), classes, title)


def mistakes_picture(answered: Answered, count: int) -> Figure | str:
    """Return the mistakes with the largest scores, or why there are none to show."""
    from netcalc.plots.mistakes import Mistake, draw_mistakes

    dataset, found = answered.plan.dataset, answered.answers
    channels = answered.split.images.shape[-1]
    if channels > 4:
        return f"images of {channels} channels cannot be shown"
    every = found.mistakes
    if not len(every):
        return f"all {plural(len(found.labels), 'sample')} of the {answered.split_name} split are answered right"
    shown = every[:count]
    images = np.asarray(answered.split.images[shown], np.float32) / dataset.max_value
    as_percent = answered.plan.spec.loss == "cross_entropy"
    mistakes = [
        Mistake(
            image,
            dataset.classes[found.labels[number]],
            dataset.classes[found.classes[number, 0]],
            f"{100 * score:.0f} %" if as_percent else f"{score:.2f}",
        )
        for image, number in zip(images, shown, strict=True)
        for score in [float(found.scores[number, 0])]
    ]
    which = (
        plural(len(every), "mistake") if len(every) <= count else f"the surest {count} of {len(every):,} mistakes"
    )
    return draw_mistakes(mistakes, f"{answered.title}: {which}")


def _name(run: Path) -> str:
    return run.resolve().name
