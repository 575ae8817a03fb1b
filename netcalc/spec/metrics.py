"""What is measured of a model: the names that specs and runs use, which values are better, how they are written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, get_args

from netcalc.spec.data import Target

Mode = Literal["max", "min"]
Metric = Literal[
    "test_accuracy", "test_loss", "test_top5_accuracy", "test_mean_iou", "test_mse", "test_mae",
    "train_accuracy", "train_loss", "train_mse", "train_mae",
    "validation_accuracy", "validation_loss", "validation_top5_accuracy", "validation_mean_iou", "validation_mse",
    "validation_mae",
]  # fmt: skip
"""A measure of a split, as a run records it."""

METRICS: tuple[Metric, ...] = get_args(Metric)


@dataclass(frozen=True, slots=True)
class Measure:
    """What a number says: which of its values are better, and whether it is a share, written in per cent."""

    title: str
    better: Mode
    is_share: bool


MEASURES: Mapping[str, Measure] = MappingProxyType(
    {
        "loss": Measure("loss", "min", False),
        "accuracy": Measure("accuracy", "max", True),
        "top5_accuracy": Measure("top-5 accuracy", "max", True),
        "mean_iou": Measure("mean IoU", "max", True),
        "mse": Measure("MSE", "min", False),
        "mae": Measure("MAE", "min", False),
    }
)
"""Every measure by its name.

`accuracy` is the share of samples, pixels or labels that are right, `top5_accuracy` that of samples whose class
is among the five largest outputs, `mean_iou` the mean over classes of intersection over union, `mse` and `mae` the
means over samples and values of (h − y)² and |h − y|.
"""

BEST: Mapping[Target, Metric] = MappingProxyType(
    {"class": "test_accuracy", "multi_label": "test_accuracy", "mask": "test_mean_iou", "values": "test_loss"}
)
"""What chooses the best checkpoint where a spec does not say."""

_TOP = 5


def measures_of(target: Target, classes: int, *, training: bool) -> tuple[str, ...]:
    """Return what is measured of a model for a kind of target; while it trains, only what costs next to nothing."""
    match target:
        case "values":
            return "loss", "mse", "mae"
        case "mask" if not training:
            return "loss", "accuracy", "mean_iou"
        case "class" if classes > _TOP and not training:
            return "loss", "accuracy", "top5_accuracy"
    return "loss", "accuracy"


def measured_metrics(target: Target, classes: int, *, validates: bool) -> tuple[str, ...]:
    """Return the metrics that the records of a training have, in the order of their columns."""
    held_out = measures_of(target, classes, training=False)
    return (
        *(f"train_{measure}" for measure in measures_of(target, classes, training=True)),
        *(f"test_{measure}" for measure in held_out),
        *(f"validation_{measure}" for measure in held_out if validates),
    )


def measure_of(metric: str) -> Measure:
    """Return what a metric or a measure says: `test_loss` and `loss` are a loss."""
    return MEASURES[metric if metric in MEASURES else metric.partition("_")[2]]


def title_of(metric: str) -> str:
    """Return a metric in words: `test top-5 accuracy`."""
    split, _, measure = metric.partition("_")
    return MEASURES[metric].title if metric in MEASURES else f"{split} {MEASURES[measure].title}"


def written(metric: str, value: float) -> str:
    """Return a value as people read it: 97.60 % or 0.0813."""
    return f"{100 * value:.2f} %" if measure_of(metric).is_share else f"{value:.4f}"
