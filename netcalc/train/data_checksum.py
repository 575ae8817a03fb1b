"""What a run records of its data, by which a training that goes on knows that they are the same."""

from __future__ import annotations

from typing import Any

from netcalc.data.identity import data_checksum
from netcalc.data.samples import Dataset


def data_facts(dataset: Dataset) -> dict[str, Any]:
    """Return name, sizes and SHA-256 of a data set: of the classes, the samples and their order."""
    return {
        "source": dataset.name,
        "train_samples": dataset.train.samples,
        "test_samples": dataset.test.samples,
        "sha256": data_checksum(dataset),
    }
