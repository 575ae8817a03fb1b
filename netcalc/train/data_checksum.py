"""The checksum of a data set, by which a training that goes on knows that it is the same."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from netcalc.data.sources import Dataset


def data_facts(dataset: Dataset) -> dict[str, Any]:
    """Return name, sizes and SHA-256 of a data set: of the classes, the samples and their order."""
    digest = hashlib.sha256(repr((dataset.name, dataset.classes, dataset.max_value)).encode())
    for split in (dataset.train, dataset.test):
        for array in (split.images, split.labels):
            digest.update(repr((array.shape, array.dtype.str)).encode())
            digest.update(np.ascontiguousarray(array).data)
    return {
        "source": dataset.name,
        "train_samples": len(dataset.train.labels),
        "test_samples": len(dataset.test.labels),
        "sha256": digest.hexdigest(),
    }
