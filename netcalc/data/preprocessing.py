"""How an image becomes the network's input: fitted once on the training set, stored with the run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, PositiveFloat, ValidationError, model_validator

from netcalc.choice import LIST_AS_TUPLE, Fields
from netcalc.data.catalog import pads_of
from netcalc.data.read_ahead import read_ahead
from netcalc.data.samples import Dataset, Split
from netcalc.diagnostics import CannotRunError, Diagnostic, Span, SpecError
from netcalc.spec.data import MAX_SIDE, DataSpec, Normalization, Target

FORMAT = "netcalc.preprocessing/1"
_CHUNK_BYTES = 2**19
"""Of the images whose statistics are taken at a time."""

Pads = tuple[tuple[int, int], tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """Pixels are scaled to [0, 1], resized, padded with zeros, then (x − mean) / std per channel.

    `source` is the [height, width, channels] of images as they come from the data set; `target` and `classes` say
    what the network's outputs stand for, and data of values have no classes.
    """

    source: tuple[int, int, int]
    resize: tuple[int, int] | None
    pad: Pads
    mean: tuple[float, ...]
    std: tuple[float, ...]
    classes: tuple[str, ...]
    target: Target = "class"

    @property
    def shape(self) -> tuple[int, int, int]:
        """[height, width, channels] of what reaches the network."""
        height, width = self.resize or self.source[:2]
        (top, bottom), (left, right) = self.pad
        return height + top + bottom, width + left + right, self.source[2]

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"format": FORMAT, **asdict(self)}


def unfitted(shape: tuple[int, ...], spec: DataSpec, places: Mapping[str, Span]) -> Preprocessing:
    """Return the preprocessing of images [height, width, channels] that were not seen: mean 0, std 1, no classes.

    Shapes and memory are those of the fitted one. Raises SpecError for a `pad` that does not fit images.
    """
    height, width, channels = shape
    return Preprocessing(
        source=(height, width, channels),
        resize=None if spec.decoded else spec.resize,
        pad=_pads(spec, places),
        mean=(0.0,) * channels,
        std=(1.0,) * channels,
        classes=(),
    )


def fit_preprocessing(dataset: Dataset, spec: DataSpec, places: Mapping[str, Span]) -> Preprocessing:
    """Return the preprocessing that a spec asks for; `normalize: auto` takes mean and std of the training images.

    The statistics are those of the images as they are, before padding, so that a padded border looks like a black
    one. Raises SpecError where a field does not fit the images; `places` tells where fields stand.
    """
    _, height, width, channels = dataset.train.images.shape
    if spec.normalize == "auto":
        mean, std = statistics(dataset.train, dataset.max_value)
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
    plain = unfitted((height, width, channels), spec, places)
    return replace(plain, mean=mean, std=std, classes=dataset.classes, target=dataset.target)


_Side = Annotated[int, Field(gt=0, le=MAX_SIDE)]
_Pad = Annotated[int, Field(ge=0, le=MAX_SIDE)]
_Pads = Annotated[tuple[_Pad, _Pad], LIST_AS_TUPLE]


class _Stored(Fields):
    """The JSON form of a Preprocessing, as a run holds it and people may have edited it."""

    format: Literal["netcalc.preprocessing/1"]
    source: Annotated[tuple[_Side, _Side, _Side], LIST_AS_TUPLE]
    resize: Annotated[tuple[_Side, _Side] | None, LIST_AS_TUPLE]
    pad: Annotated[tuple[_Pads, _Pads], LIST_AS_TUPLE]
    mean: Annotated[tuple[float, ...], LIST_AS_TUPLE]
    std: Annotated[tuple[PositiveFloat, ...], LIST_AS_TUPLE]
    classes: Annotated[tuple[str, ...], LIST_AS_TUPLE]
    target: Target = "class"

    @model_validator(mode="after")
    def _one_value_a_channel(self) -> _Stored:
        if not len(self.mean) == len(self.std) == self.source[2]:
            counts = f"{len(self.mean)} and {len(self.std)} for {self.source[2]}"
            raise ValueError(f"`mean` and `std` should have one value a channel, not {counts}")
        if len(self.classes) < 2 and self.target != "values":
            raise ValueError("`classes` should name two at least")
        return self


def stored_preprocessing(text: bytes, file: str) -> Preprocessing:
    """Return the preprocessing from its JSON text; raises CannotRunError, naming the file, for anything else."""
    try:
        stored = _Stored.model_validate_json(text)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        place = ".".join(map(str, problem["loc"]))
        what = f"`{place}`: {problem['msg']}" if place else problem["msg"].removeprefix("Value error, ")
        raise CannotRunError(f"{file}: not the preprocessing of a run ({what})") from None
    return Preprocessing(**{field.name: getattr(stored, field.name) for field in fields(Preprocessing)})


def statistics(split: Split, max_value: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and standard deviation of each channel, pixels scaled to [0, 1], in one pass over the images.

    Sums of pixels and of their squares are whole numbers, kept exactly: with N values in all and sums S and Q,
    the variance is (N·Q − S²) / N², without the cancellation that floats would suffer.
    """
    samples, height, width, channels = split.images.shape
    # Masks need not be decoded for it.
    split = replace(split, labels=np.zeros(samples, np.int32))
    total, squares = [0] * channels, [0] * channels
    at_a_time = max(1, _CHUNK_BYTES // (height * width * channels))
    starts = range(0, samples, at_a_time)
    for images, _ in read_ahead(split, (np.arange(start, min(start + at_a_time, samples)) for start in starts)):
        pixels = images.reshape(-1, channels).astype(np.int64)
        for channel, (added, squared) in enumerate(zip(pixels.sum(0), (pixels * pixels).sum(0), strict=True)):
            total[channel] += int(added)
            squares[channel] += int(squared)
    count = samples * height * width
    mean = tuple(added / (count * max_value) for added in total)
    spread = [count * squared - added * added for added, squared in zip(total, squares, strict=True)]
    # A channel that never changes says nothing; it stays 0 after centring.
    return mean, tuple(math.sqrt(value) / (count * max_value) if value else 1.0 for value in spread)


def _pads(spec: DataSpec, places: Mapping[str, Span]) -> Pads:
    pads = pads_of(spec)
    if pads is not None:
        return pads
    message = "`pad` should be one number of pixels, [height, width] or [[top, bottom], [left, right]]"
    raise SpecError([Diagnostic("NC011", message, places.get("train.data.pad"))])
