"""How an image becomes the network's input: fitted once on the training set, stored with the run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from netcalc.data.sources import Dataset
from netcalc.diagnostics import CannotRunError, Diagnostic, Span, SpecError
from netcalc.spec.training import DataSpec, Normalization

FORMAT = "netcalc.preprocessing/1"

Pads = tuple[tuple[int, int], tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """Pixels are scaled to [0, 1], resized, padded with zeros, then (x − mean) / std per channel.

    `source` is the [height, width, channels] of images as they come from the data set.
    """

    source: tuple[int, int, int]
    resize: tuple[int, int] | None
    pad: Pads
    mean: tuple[float, ...]
    std: tuple[float, ...]
    classes: tuple[str, ...]

    @property
    def shape(self) -> tuple[int, int, int]:
        """[height, width, channels] of what reaches the network."""
        height, width = self.resize or self.source[:2]
        (top, bottom), (left, right) = self.pad
        return height + top + bottom, width + left + right, self.source[2]

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"format": FORMAT, **asdict(self)}


def fit_preprocessing(dataset: Dataset, spec: DataSpec, places: Mapping[str, Span]) -> Preprocessing:
    """Return the preprocessing that a spec asks for; `normalize: auto` takes mean and std of the training images.

    The statistics are those of the images as they are, before padding, so that a padded border looks like a black
    one. Raises SpecError where a field does not fit the images; `places` tells where fields stand.
    """
    _, height, width, channels = dataset.train.images.shape
    if spec.normalize == "auto":
        mean, std = _statistics(dataset)
    elif isinstance(spec.normalize, Normalization):
        mean, std = spec.normalize.mean, spec.normalize.std
        for name, values in (("mean", mean), ("std", std)):
            if len(values) != channels:
                message = (
                    f"`{name}` has {len(values)} values, the images of `{dataset.name}` have {channels} channels"
                )
                raise SpecError([Diagnostic("NC011", message, places.get(f"train.data.normalize.{name}"))])
    else:
        mean, std = (0.0,) * channels, (1.0,) * channels
    return Preprocessing(
        source=(height, width, channels),
        resize=spec.resize,
        pad=_pads(spec, places),
        mean=mean,
        std=std,
        classes=dataset.classes,
    )


def stored_preprocessing(data: Mapping[str, Any], file: str) -> Preprocessing:
    """Return the preprocessing from its JSON form; raises CannotRunError for anything else."""
    try:
        if data["format"] != FORMAT:
            raise ValueError(data["format"])
        (top, bottom), (left, right) = data["pad"]
        height, width, channels = data["source"]
        return Preprocessing(
            source=(height, width, channels),
            resize=None if data["resize"] is None else (data["resize"][0], data["resize"][1]),
            pad=((top, bottom), (left, right)),
            mean=tuple(data["mean"]),
            std=tuple(data["std"]),
            classes=tuple(data["classes"]),
        )
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise CannotRunError(f"{file}: not the preprocessing of a run ({error!r})") from None


def _statistics(dataset: Dataset) -> tuple[tuple[float, ...], tuple[float, ...]]:
    pixels = dataset.train.images.astype(np.float64) / dataset.max_value
    mean = pixels.mean(axis=(0, 1, 2))
    std = pixels.std(axis=(0, 1, 2))
    constant = pixels.min(axis=(0, 1, 2)) == pixels.max(axis=(0, 1, 2))
    std[constant] = 1.0  # a channel that never changes says nothing; it stays 0 after centring
    return tuple(mean.tolist()), tuple(std.tolist())


def _pads(spec: DataSpec, places: Mapping[str, Span]) -> Pads:
    pad = spec.pad
    if isinstance(pad, int):
        return ((pad, pad), (pad, pad))
    if isinstance(pad, tuple) and len(pad) == 2:
        return (pad[0], pad[1])
    message = "`pad` should be one number of pixels, [height, width] or [[top, bottom], [left, right]]"
    raise SpecError([Diagnostic("NC011", message, places.get("train.data.pad"))])
