"""Metrics as sums on the device, so that no step waits for the host."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from netcalc.spec.data import Target
from netcalc.spec.losses import LossSpec
from netcalc.spec.metrics import MEASURES, measures_of
from netcalc.train.losses import wanted_outputs

Metrics = Mapping[str, float]
"""Means over samples by the names of their measures; `loss` is always one."""

_TOP = 5
_COUNTED = "counted"
"""The share of pixels that are not ignored, summed beside the measures."""
_CARRY = 24
"""Bits of a count that are kept apart from the higher ones, so that it is exact up to 2⁵⁵."""


class Sums(NamedTuple):
    """Weighted sums over samples: of the loss, of weights, and by name of what else is measured.

    `counts` are whole numbers in two parts, high and low: the confusion matrix (2, classes, classes), true classes
    down and answers across, or for several labels (2, classes, 4) the true and false positives, false and true
    negatives.
    """

    loss: jax.Array
    weight: jax.Array
    totals: dict[str, jax.Array]
    counts: jax.Array | None = None

    def means(self) -> dict[str, float]:
        """Return the means over samples; waits for the device."""
        weight = float(self.weight) or float("nan")
        sums = {"loss": self.loss, **self.totals}
        means = {name: float(total) / weight for name, total in sums.items()}
        if _COUNTED in means:  # right pixels and those that count, both as shares of all
            counted = means.pop(_COUNTED)
            means["accuracy"] = means["accuracy"] / counted if counted else float("nan")
        return means

    def counted(self) -> NDArray[np.int64] | None:
        """Return the counts as whole numbers, None where nothing is counted; waits for the device."""
        if self.counts is None:
            return None
        high, low = np.asarray(self.counts, np.int64)
        total: NDArray[np.int64] = (high << _CARRY) + low
        return total


@dataclass(frozen=True)
class Meter:
    """What is measured of outputs (batch, positions, channels) against labels of a kind.

    `classes` is the number of them, 0 of values. Of a single output, and of several labels, a value above
    `threshold` is an answer. `ignored` is the label of pixels that do not count. `counts` adds a confusion matrix,
    or what stands for it with several labels.
    """

    target: Target
    classes: int
    threshold: float
    ignored: int | None = None
    training: bool = True
    counts: bool = False

    @property
    def measures(self) -> tuple[str, ...]:
        """The names of what is summed beside the loss; the mean IoU is computed from counts."""
        names = measures_of(self.target, self.classes, training=self.training)
        summed = tuple(name for name in names if name not in ("loss", "mean_iou"))
        return (*summed, _COUNTED) if self._leaves_out_pixels else summed

    @property
    def _leaves_out_pixels(self) -> bool:
        return self.target == "mask" and self.ignored is not None

    def zero(self) -> Sums:
        """Return sums over no samples."""
        counts = None
        if self.counts and self.target != "values":
            counts = jnp.zeros((2, self.classes, 4 if self.target == "multi_label" else self.classes), jnp.int32)
        return Sums(jnp.zeros(()), jnp.zeros(()), {name: jnp.zeros(()) for name in self.measures}, counts)

    def plus(
        self, sums: Sums, losses: jax.Array, outputs: jax.Array, labels: jax.Array, weights: jax.Array
    ) -> Sums:
        """Return the sums with a batch added; a sample of several positions counts by its mean over them."""
        each = self._of_values(outputs, labels) if self.target == "values" else self._of_classes(outputs, labels)
        return Sums(
            sums.loss + jnp.sum(weights * losses),
            sums.weight + jnp.sum(weights),
            {name: total + jnp.sum(weights * each[name]) for name, total in sums.totals.items()},
            None if sums.counts is None else _carried(sums.counts, self._counts(outputs, labels, weights)),
        )

    def measured(self, sums: Sums) -> Metrics:
        """Return every measure; waits for the device."""
        found = sums.means()
        if self.target == "mask" and (confusion := sums.counted()) is not None:
            found["mean_iou"] = mean_iou(confusion, self.ignored)
        return {name: found[name] for name in MEASURES if name in found}  # a jitted step sorts its totals

    def answers(self, outputs: jax.Array) -> jax.Array:
        """Return the class of each position, or of several labels (batch, 1, classes) those that are there."""
        if self.target == "multi_label":
            return outputs > self.threshold
        if outputs.shape[-1] == 1:
            return (outputs[..., 0] > self.threshold).astype(jnp.int32)
        return jnp.argmax(outputs, axis=-1)

    def _of_values(self, outputs: jax.Array, labels: jax.Array) -> dict[str, jax.Array]:
        apart = (outputs - wanted_outputs(outputs, labels, "values")).reshape(len(outputs), -1)
        return {"mse": jnp.mean(jnp.square(apart), axis=1), "mae": jnp.mean(jnp.abs(apart), axis=1)}

    def _of_classes(self, outputs: jax.Array, labels: jax.Array) -> dict[str, jax.Array]:
        answers = self.answers(outputs)
        true = jnp.reshape(labels, answers.shape)
        right = (answers == true).astype(jnp.float32).reshape(len(outputs), -1)
        each = {"accuracy": jnp.mean(right, axis=1)}
        if self._leaves_out_pixels:
            counting = jnp.not_equal(true, self.ignored or 0).reshape(right.shape)
            each = {"accuracy": jnp.mean(right * counting, axis=1), _COUNTED: jnp.mean(counting, axis=1)}
        if "top5_accuracy" in self.measures:
            of_true = jnp.take_along_axis(outputs, true[..., None], axis=-1)
            # As many outputs may be larger than that of the true class, or as large and before it as `argmax` does.
            before = jnp.arange(outputs.shape[-1]) < true[..., None]
            rank = jnp.sum((outputs > of_true) | ((outputs == of_true) & before), axis=-1)
            in_top = (rank < _TOP) & jnp.isfinite(of_true[..., 0])
            each["top5_accuracy"] = jnp.mean(in_top.astype(jnp.float32), axis=1)
        return each

    def _counts(self, outputs: jax.Array, labels: jax.Array, weights: jax.Array) -> jax.Array:
        """Return the counts of a batch, in which samples of weight 0 are none."""
        answers = self.answers(outputs)
        true = jnp.reshape(labels, answers.shape)
        if self.target == "multi_label":
            not_true, not_answered = 1 - true, 1 - answers
            kinds = (true * answers, not_true * answers, true * not_answered, not_true * not_answered)
            counted = [jnp.sum(kind.reshape(len(true), -1) * weights[:, None], axis=0) for kind in kinds]
            return jnp.stack(counted, axis=-1).astype(jnp.int32)
        there = (weights > 0).reshape(-1, *(1,) * (true.ndim - 1)) & (true < self.classes)
        if self.ignored is not None:
            there &= true != self.ignored
        places = jnp.where(there, true * self.classes + answers, self.classes**2)
        flat = jnp.zeros(self.classes**2, jnp.int32).at[places.ravel()].add(1, mode="drop")
        return flat.reshape(self.classes, self.classes)


def make_meter(loss: LossSpec, target: Target, classes: int, *, training: bool, counts: bool = False) -> Meter:
    """Return the meter of an output with a loss; `classes` is 0 where the target is no class."""
    is_logit = loss.kind == "binary_cross_entropy"
    return Meter(target, classes, 0.0 if is_logit else 0.5, loss.ignored, training, counts)


def mean_iou(confusion: NDArray[np.int64], ignored: int | None = None) -> float:
    """Return the mean over classes of intersection over union.

    Those neither true nor answered are left out, and one whose pixels do not count; NaN where there is none
    (Everingham et al. 2010, the measure of PASCAL VOC).
    """
    ious = class_ious(confusion)
    if ignored is not None and ignored < len(ious):
        ious[ignored] = np.nan
    return float(np.mean(ious[~np.isnan(ious)])) if not np.isnan(ious).all() else float("nan")


def class_ious(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return intersection over union of each class, NaN for one that is neither true nor answered."""
    both = np.diagonal(confusion).astype(np.float64)
    union = confusion.sum(0) + confusion.sum(1) - both
    ious: NDArray[np.float64] = np.divide(both, union, out=np.full(len(both), np.nan), where=union > 0)
    return ious


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """What is measured of one class, in samples, labels or pixels; None where nothing is divided by nothing.

    `support` is how many are truly of the class. Precision is the right share of the answers that name it, recall
    that of those truly of it, F1 their harmonic mean.
    """

    name: str
    support: int
    precision: float | None
    recall: float | None
    f1: float | None
    iou: float | None


def class_figures(counts: NDArray[np.int64], target: Target, classes: Sequence[str]) -> tuple[ClassFigures, ...]:
    """Return the figures of each class from counts in the form of `Sums.counts`."""
    if target == "multi_label":
        right, wrong, missed, _ = counts.T
    else:
        right = np.diagonal(counts)
        wrong, missed = counts.sum(0) - right, counts.sum(1) - right
    return tuple(
        _figures(name, *map(int, numbers)) for name, *numbers in zip(classes, right, wrong, missed, strict=True)
    )


def _figures(name: str, right: int, wrong: int, missed: int) -> ClassFigures:
    def share(part: int, of: int) -> float | None:
        return part / of if of else None

    return ClassFigures(
        name,
        support=right + missed,
        precision=share(right, right + wrong),
        recall=share(right, right + missed),
        f1=share(2 * right, 2 * right + wrong + missed),
        iou=share(right, right + wrong + missed),
    )


def _carried(counts: jax.Array, more: jax.Array) -> jax.Array:
    low = counts[1] + more
    return jnp.stack([counts[0] + (low >> _CARRY), low & ((1 << _CARRY) - 1)])
