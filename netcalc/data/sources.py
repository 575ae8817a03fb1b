"""The data sets that ship with netcalc, as arrays: images (N, H, W, C) in whole pixel values, and labels (N,)."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from netcalc.data.catalog import BUILT_INS
from netcalc.diagnostics import CannotRunError
from netcalc.spec.training import DataSpec


@dataclass(frozen=True, slots=True)
class Split:
    """Samples in file order, which may be sorted by class; the arrays are read-only."""

    images: NDArray[np.uint8]  # (N, H, W, C)
    labels: NDArray[np.int32]  # (N,), each an index into the classes


@dataclass(frozen=True, slots=True)
class Dataset:
    """Disjoint training and test samples; `max_value` is the pixel value that stands for 1.0."""

    name: str
    train: Split
    test: Split
    classes: tuple[str, ...]
    max_value: int


def load_dataset(spec: DataSpec) -> Dataset:
    """Return the data set that `spec.source` names, before any of the preparation that the spec asks for.

    Raises CannotRunError if the packaged file is missing or damaged.
    """
    built_in = BUILT_INS[spec.source]
    images, labels, test = _read(spec.source)
    return Dataset(
        name=spec.source,
        train=_split(images, labels, ~test),
        test=_split(images, labels, test),
        classes=built_in.classes,
        max_value=built_in.max_value,
    )


def _read(name: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.bool_]]:
    file = files("netcalc.data") / "builtin" / f"{name}.npz"
    try:
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
            return arrays["images"], arrays["labels"], arrays["test"]
    except Exception as error:  # numpy, zipfile, zlib and tokenize each have their own for a damaged file
        raise CannotRunError(
            f"{file}: the data set `{name}` that ships with netcalc cannot be read: {error}",
            help="reinstall netcalc, or make the file again with scripts/convert_data.py of its sources",
        ) from error


def _split(images: NDArray[np.uint8], labels: NDArray[np.uint8], members: NDArray[np.bool_]) -> Split:
    split = Split(images[members], labels[members].astype(np.int32))
    split.images.setflags(write=False)
    split.labels.setflags(write=False)
    return split
