"""What tells one data set from another: a checksum, by which a training that goes on knows its samples."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from netcalc.data.samples import Dataset, Images, Selected, Streamed


def data_checksum(dataset: Dataset) -> str:
    """Return the SHA-256 of classes, labels, samples and their order.

    Of images that are decoded as training asks for them, what is told without reading them all is in it: names and
    lengths of files.
    """
    digest = hashlib.sha256(repr((dataset.name, dataset.classes, dataset.max_value)).encode())
    for split in (dataset.train, dataset.validation, dataset.test):
        if split is None:
            digest.update(b"none")
            continue
        digest.update(repr(split.images.shape).encode())
        _add(digest, split.images)
        digest.update(np.ascontiguousarray(split.labels).data)
    return digest.hexdigest()


def _add(digest: Any, images: Images) -> None:
    match images:
        case np.ndarray():
            digest.update(np.ascontiguousarray(images).data)
        case Selected():
            _add(digest, images.images)
            digest.update(np.ascontiguousarray(images.indices).data)
        case Streamed():
            digest.update(images.identity())
        case _:
            raise TypeError(f"images of type {type(images).__name__} have no identity")
