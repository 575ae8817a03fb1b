"""Images made from a seed, with targets of every kind that can be learnt from them.

Behind noise and light there are blocky patterns, one a class: one over the whole image, several that lie over each
other, or shapes filled with them; and for values a round spot.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from netcalc.data.catalog import SPOT
from netcalc.data.samples import Collection, PerSample, Split, Streamed
from netcalc.spec.data import SyntheticData, Target

_BLOCKS = 4
"""Blocks of a pattern along each side."""

_GREY, _CONTRAST, _LIGHT, _NOISE = 128.0, 40.0, 20.0, 32.0

_SHARE = 0.3
"""How often a class of several is there."""

_SHAPES = 3
"""Shapes on one image; later ones may hide earlier ones."""

_RADIUS = 0.125
"""Of a spot, in sides of the image: where it has fallen to exp(−1/2)."""

# The second number of a generator's seed, which keeps what it draws apart from what others draw.
_PATTERN, _OWN, _LABELS, _PLACES = 0, 1, 2, 3


@dataclass(frozen=True, slots=True)
class MadeImages(Streamed):
    """Images made when they are asked for: each a pure function of the seed, its label and its index."""

    image_shape: tuple[int, int, int]
    labels: PerSample
    seed: int
    target: Target = "class"

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, H, W, C)."""
        return (self.labels.shape[0], *self.image_shape)

    def __getitem__(self, indices: NDArray[np.int64], /) -> NDArray[np.uint8]:
        """Return the images at the indices."""
        return np.stack([self._image(index) for index in indices.tolist()])

    def identity(self) -> bytes:
        """Return what the images are made from."""
        if self.target == "class":
            return repr((self.image_shape, self.labels[np.arange(self.shape[0])].tolist(), self.seed)).encode()
        return repr((self.image_shape, self.labels.shape, self.seed, self.target)).encode()

    def _image(self, index: int) -> NDArray[np.uint8]:
        (label,) = self.labels[np.array([index])]
        own = _random(self.seed, _OWN, index)
        light = own.uniform(-_LIGHT, _LIGHT)
        drawn = _DRAWN[self.target](self.image_shape, label, self.seed)
        pixels = _GREY + light + _CONTRAST * drawn + own.normal(0, _NOISE, self.image_shape)
        return np.clip(np.rint(pixels), 0, 255).astype(np.uint8)


@dataclass(frozen=True, slots=True)
class MadeMasks(Streamed):
    """Masks of a few shapes on a background, class 0: each a pure function of the seed and its index."""

    samples: int
    size: tuple[int, int]
    classes: int
    seed: int

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, H, W)."""
        return (self.samples, *self.size)

    def __getitem__(self, indices: NDArray[np.int64], /) -> NDArray[np.int32]:
        """Return the masks at the indices."""
        return np.stack([self._mask(index) for index in indices.tolist()])

    def identity(self) -> bytes:
        """Return what the masks are made from."""
        return repr((self.samples, self.size, self.classes, self.seed)).encode()

    def _mask(self, index: int) -> NDArray[np.int32]:
        """Return rectangles and ellipses of random classes, a quarter to half of a side in width and height."""
        own = _random(self.seed, _PLACES, index)
        mask = np.zeros(self.size, np.int32)
        rows, columns = ((np.arange(side) + 0.5)[:, None] / side for side in self.size)
        for _ in range(_SHAPES):
            y, x = own.uniform(0, 1, 2)
            high, wide = own.uniform(0.125, 0.25, 2)
            down, across = np.abs(rows - y) / high, np.abs(columns - x).T / wide
            inside = np.maximum(down, across) <= 1 if own.random() < 0.5 else down**2 + across**2 <= 1
            mask[inside] = own.integers(1, self.classes)
        return mask


def read_synthetic(spec: SyntheticData) -> Collection:
    """Return the samples. Single classes take turns, so that each has as many as the others or one more."""
    labels = _labels(spec)
    images = MadeImages(spec.shape, labels, spec.seed, spec.target)
    classes = () if spec.target == "values" else tuple(str(number) for number in range(spec.classes))
    return Collection(Split(images, labels), classes, target=spec.target)


def _labels(spec: SyntheticData) -> PerSample:
    if spec.target == "mask":
        return MadeMasks(spec.samples, spec.shape[:2], spec.classes, spec.seed)
    # Numbers are drawn row by row, so that a sample's label is the same however many follow.
    drawn = _random(spec.seed, _LABELS, 0)
    if spec.target == "values":
        labels = drawn.random((spec.samples, len(SPOT)), np.float32)
    elif spec.target == "multi_label":
        labels = (drawn.random((spec.samples, spec.classes), np.float32) < _SHARE).astype(np.float32)
    else:
        labels = (np.arange(spec.samples) % spec.classes).astype(np.int32)
    labels.setflags(write=False)
    return labels


Shape = tuple[int, int, int]
"""[height, width, channels]."""


def _pattern(shape: Shape, label: int, seed: int) -> NDArray[np.float64]:
    """Return the pattern of a class over the whole image."""
    height, width, channels = shape
    pattern = _random(seed, _PATTERN, label).uniform(-1, 1, (_BLOCKS, _BLOCKS, channels))
    rows, columns = (np.arange(side) * _BLOCKS // side for side in (height, width))
    found: NDArray[np.float64] = pattern[rows][:, columns]
    return found


def _one_class(shape: Shape, label: NDArray[np.int32], seed: int) -> NDArray[np.float64]:
    return _pattern(shape, int(label), seed)


def _classes_together(shape: Shape, label: NDArray[np.float32], seed: int) -> NDArray[np.float64]:
    found = np.zeros(shape)
    for present in np.flatnonzero(label).tolist():
        found += _pattern(shape, present, seed)
    return found


def _shapes(shape: Shape, label: NDArray[np.int32], seed: int) -> NDArray[np.float64]:
    """Return a small pattern for each class, repeated over its pixels: what tells a class is all around."""
    height, width, channels = shape
    found = np.zeros(shape)
    rows, columns = np.arange(height) // 2 % _BLOCKS, np.arange(width) // 2 % _BLOCKS
    for present in np.unique(label[label > 0]).tolist():
        pattern = _random(seed, _PATTERN, present).uniform(-1, 1, (_BLOCKS, _BLOCKS, channels))
        inside = label == present
        found[inside] = 2 * pattern[rows][:, columns][inside]
    return found


def _spot(shape: Shape, label: NDArray[np.float32], seed: int) -> NDArray[np.float64]:
    height, width, _ = shape
    row, column, brightness = map(float, label)
    rows, columns = ((np.arange(side) + 0.5) / side for side in (height, width))
    distances = (rows - row)[:, None] ** 2 + (columns - column) ** 2
    # The darkest can be seen too.
    found = (1 + 1.5 * brightness) * np.exp(-distances / (2 * _RADIUS**2))
    return np.broadcast_to(found[..., np.newaxis], shape)


_DRAWN: Mapping[Target, Callable[..., NDArray[np.float64]]] = MappingProxyType(
    {"class": _one_class, "mask": _shapes, "multi_label": _classes_together, "values": _spot}
)
"""What an image shows of its label, about −1 to 1, before light and noise."""


def _random(seed: int, kind: int, number: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64([seed, kind, number]))
