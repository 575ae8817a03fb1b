"""What tells one data set from another: a checksum, by which a training that goes on knows its samples."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from netcalc.data.masks import WithoutVoid
from netcalc.data.samples import Dataset, PerSample, Selected, Streamed


def data_checksum(dataset: Dataset) -> str:
    """Return the SHA-256 of classes, labels, samples and their order.

    Of images and masks that are decoded as training asks for them, what is told without reading them all is in it:
    names and lengths of files.
    """
    digest = hashlib.sha256(repr((dataset.name, dataset.classes, dataset.max_value)).encode())
    if dataset.target != "class":
        digest.update(repr((dataset.target, dataset.train.labels.shape)).encode())
    for split in (dataset.train, dataset.validation, dataset.test):
        if split is None:
            digest.update(b"none")
            continue
        digest.update(repr(split.images.shape).encode())
        _add(digest, split.images)
        _add(digest, split.labels)
    return digest.hexdigest()


def _add(digest: Any, found: PerSample) -> None:
    match found:
        case np.ndarray():
            digest.update(np.ascontiguousarray(found).data)
        case Selected():
            _add(digest, found.whole)
            digest.update(np.ascontiguousarray(found.indices).data)
        case WithoutVoid():
            _add(digest, found.masks)
        case Streamed():
            digest.update(found.identity())
        case _:
            raise TypeError(f"samples of type {type(found).__name__} have no identity")
