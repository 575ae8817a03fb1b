"""Samples as training reads them: images and labels by index, in memory or decoded when they are asked for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from netcalc.diagnostics import CannotRunError
from netcalc.spec.data import Target
from netcalc.units import format_bytes

MAX_ARRAY_BYTES = 16 * 2**30
"""The most that a source reads into memory; image_folder and parquet hold no more than a few batches."""

MAX_CLASSES = 100_000


class PerSample(Protocol):
    """What there is of each sample, (N, ...), read by an array of indices; an array is one."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, ...)."""
        ...

    def __getitem__(self, indices: NDArray[np.int64], /) -> Any:
        """Return what is at the indices as an array; calls from several threads are safe."""
        ...


class Streamed(ABC):
    """Images (N, H, W, C) or masks (N, H, W) that are decoded or made when they are asked for."""

    __slots__ = ()

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """(N, H, W, C) or (N, H, W)."""

    @abstractmethod
    def __getitem__(self, indices: NDArray[np.int64], /) -> NDArray[Any]:
        """Return images in bytes, or masks in whole numbers; calls from several threads are safe."""

    @abstractmethod
    def identity(self) -> bytes:
        """Return what tells these from others, as far as it is known without reading them."""


@dataclass(frozen=True, slots=True)
class Split:
    """Samples in file order, which may be sorted by class; arrays are read-only.

    What labels are, the target of their data set says: of a class (N,), each an index into the classes; of a mask
    (N, H, W), such an index for each pixel, or masks.VOID; of several labels (N, classes), 1 where a class is
    there; of values (N, ...). The last two are in float32, the others whole numbers; only masks may be streamed.
    """

    images: PerSample  # (N, H, W, C)
    labels: PerSample

    @property
    def samples(self) -> int:
        """How many there are."""
        return self.images.shape[0]

    @property
    def in_memory(self) -> bool:
        """Whether images and labels are arrays, which are read without a wait."""
        return isinstance(self.images, np.ndarray) and isinstance(self.labels, np.ndarray)

    def part(self, indices: NDArray[np.int64]) -> Split:
        """Return the samples at the indices, in this order."""
        return Split(_selected(self.images, indices), _selected(self.labels, indices))


@dataclass(frozen=True, slots=True)
class Selected:
    """Some of the samples of another collection, by their indices there."""

    whole: PerSample
    indices: NDArray[np.int64]

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, ...)."""
        return (len(self.indices), *self.whole.shape[1:])

    def __getitem__(self, indices: NDArray[np.int64], /) -> NDArray[Any]:
        """Return what is at the indices."""
        found: NDArray[Any] = self.whole[self.indices[indices]]
        return found


def _selected(whole: PerSample, indices: NDArray[np.int64]) -> PerSample:
    if not isinstance(whole, np.ndarray):
        return Selected(whole, indices)
    found = whole[indices]
    found.setflags(write=False)
    return found


@dataclass(frozen=True, slots=True)
class Collection:
    """What a source holds: samples to divide, and those that it keeps apart itself.

    `skipped` names the images that were left out because they cannot be decoded. Values have no `classes`.
    """

    train: Split
    classes: tuple[str, ...]
    validation: Split | None = None
    test: Split | None = None
    max_value: int = 255
    skipped: tuple[str, ...] = ()
    target: Target = "class"


@dataclass(frozen=True, slots=True)
class Dataset:
    """Disjoint training, test and perhaps validation samples.

    `max_value` is the pixel value that stands for 1.0; `skipped` names images that cannot be decoded.
    """

    name: str
    train: Split
    test: Split
    classes: tuple[str, ...]
    max_value: int
    validation: Split | None = None
    skipped: tuple[str, ...] = ()
    target: Target = "class"


def frozen_split(images: NDArray[np.uint8], labels: NDArray[Any]) -> Split:
    """Return a split of arrays that can no longer be written to; labels of one class become int32."""
    labels = labels.astype(np.int32) if labels.ndim == 1 and labels.dtype.kind in "iu" else labels
    images.setflags(write=False)
    labels.setflags(write=False)
    return Split(images, labels)


def class_labels(split: Split) -> NDArray[np.int32]:
    """Return the labels of samples of one class each, which are in memory whatever the source."""
    assert isinstance(split.labels, np.ndarray)
    return split.labels


def check_labels(labels: NDArray[Any], samples: int, file: str) -> None:
    """Raise CannotRunError, naming the file, unless there is one label a sample, and one sample at least."""
    if samples == 0:
        raise CannotRunError(f"{file}: holds no samples")
    if len(labels) != samples:
        raise CannotRunError(f"{file}: {len(labels):,} labels for {samples:,} images")


def numbered_classes(labels: Sequence[NDArray[Any]], names: tuple[str, ...] | None, file: str) -> tuple[str, ...]:
    """Return the classes that whole-number labels stand for: `names`, or the numbers up to the largest label.

    Raises CannotRunError, naming the file, for a label that is negative, has no name or is beyond any sense.
    """
    least, most = min(int(part.min()) for part in labels), max(int(part.max()) for part in labels)
    bound = len(names) if names is not None else MAX_CLASSES
    if least < 0 or most >= bound:
        wrong = least if least < 0 else most
        what = f"the {bound} names of `classes`" if names is not None else f"the {bound:,} classes at most"
        raise CannotRunError(f"{file}: the label {wrong} is outside {what}", help="labels count from 0")
    return names or tuple(str(number) for number in range(max(most + 1, 2)))


def check_array_bytes(shape: Sequence[int], file: str) -> None:
    """Raise CannotRunError, naming the file, for images that memory should not be asked for."""
    size = int(np.prod([int(length) for length in shape], dtype=object))
    if size > MAX_ARRAY_BYTES:
        what = format_bytes(size) if size < 10**18 else f"{size:.1e} bytes"
        raise CannotRunError(
            f"{file}: its images take {what}, netcalc reads up to {format_bytes(MAX_ARRAY_BYTES)}",
            help="`image_folder` and `parquet` read images as training asks for them",
        )
