"""IDX, the format of MNIST: a magic number, big-endian lengths of the axes, bytes.

http://yann.lecun.com/exdb/mnist describes it: two zero bytes, the type (8: bytes), the number of axes.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from netcalc.data.limited import opened, read_exactly, shown
from netcalc.data.samples import (
    Collection,
    Split,
    check_array_bytes,
    check_labels,
    class_labels,
    frozen_split,
    numbered_classes,
)
from netcalc.diagnostics import CannotRunError
from netcalc.spec.data import IdxData

_BYTES = 8


def read_idx(spec: IdxData) -> Collection:
    """Return the images and labels of IDX files; raises CannotRunError, naming the file."""
    train = read_idx_pair(spec.images, spec.labels)
    test = None
    if spec.test_images is not None and spec.test_labels is not None:
        test = read_idx_pair(spec.test_images, spec.test_labels)
        if test.images.shape[1:] != train.images.shape[1:]:
            raise CannotRunError(f"{shown(spec.test_images)}: its images have another shape than the training's")
    labels = [class_labels(split) for split in (train, test) if split is not None]
    return Collection(train, numbered_classes(labels, spec.classes, shown(spec.labels)), test=test)


def read_idx_pair(images: str, labels: str) -> Split:
    """Return the samples of a file of images and one of labels."""
    pixels, numbers = _read(images, axes=(3, 4)), _read(labels, axes=(1,))
    check_labels(numbers, len(pixels), shown(labels))
    return frozen_split(pixels[..., np.newaxis] if pixels.ndim == 3 else pixels, numbers)


def _read(path: str, axes: tuple[int, ...]) -> NDArray[np.uint8]:
    name = shown(path)
    with opened(path) as stream:
        magic = bytes(read_exactly(stream, 4, path))
        if magic[:2] != b"\0\0":
            raise CannotRunError(f"{name}: not an IDX file (it begins with {magic.hex(' ')})")
        if magic[2] != _BYTES:
            raise CannotRunError(f"{name}: IDX of type {magic[2]:#04x}, netcalc reads bytes (0x08)")
        if magic[3] not in axes:
            expected = " or ".join(map(str, axes))
            raise CannotRunError(f"{name}: IDX of {magic[3]} axes where {expected} are expected")
        shape = tuple(np.frombuffer(read_exactly(stream, 4 * magic[3], path), ">u4").tolist())
        check_array_bytes(shape, name)
        if 0 in shape:
            raise CannotRunError(f"{name}: holds no samples")
        data = read_exactly(stream, math.prod(shape), path)
        if stream.read(1):
            raise CannotRunError(f"{name}: goes on after the {math.prod(shape):,} bytes that its header tells")
    return np.frombuffer(data, np.uint8).reshape(shape)
