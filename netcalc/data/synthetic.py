"""Images made from a seed, in classes that can be learnt: a blocky pattern a class, under light and noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from netcalc.data.samples import Collection, Split, Streamed
from netcalc.spec.data import SyntheticData

_BLOCKS = 4
"""Blocks of a pattern along each side."""

_GREY, _CONTRAST, _LIGHT, _NOISE = 128.0, 40.0, 20.0, 32.0


@dataclass(frozen=True, slots=True)
class MadeImages(Streamed):
    """Images made when they are asked for: each a pure function of the seed and its index."""

    image_shape: tuple[int, int, int]
    labels: NDArray[np.int32]
    seed: int

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, H, W, C)."""
        return (len(self.labels), *self.image_shape)

    def __getitem__(self, indices: NDArray[np.int64], /) -> NDArray[np.uint8]:
        """Return the images at the indices."""
        return np.stack([self._image(index) for index in indices.tolist()])

    def identity(self) -> bytes:
        """Return what the images are made from."""
        return repr((self.image_shape, self.labels.tolist(), self.seed)).encode()

    def _image(self, index: int) -> NDArray[np.uint8]:
        height, width, channels = self.image_shape
        pattern = _random(self.seed, 0, int(self.labels[index])).uniform(-1, 1, (_BLOCKS, _BLOCKS, channels))
        rows, columns = (np.arange(side) * _BLOCKS // side for side in (height, width))
        own = _random(self.seed, 1, index)
        light = own.uniform(-_LIGHT, _LIGHT)
        pixels = _GREY + light + _CONTRAST * pattern[rows][:, columns] + own.normal(0, _NOISE, self.image_shape)
        return np.clip(np.rint(pixels), 0, 255).astype(np.uint8)


def read_synthetic(spec: SyntheticData) -> Collection:
    """Return the samples; the classes take turns, so that each has as many as the others or one more."""
    labels = (np.arange(spec.samples) % spec.classes).astype(np.int32)
    labels.setflags(write=False)
    images = MadeImages(spec.shape, labels, spec.seed)
    return Collection(Split(images, labels), tuple(str(number) for number in range(spec.classes)))


def _random(seed: int, kind: int, number: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64([seed, kind, number]))
