"""The data sets that ship with netcalc."""

from __future__ import annotations

from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from netcalc.data.catalog import BUILT_INS
from netcalc.data.samples import Collection, Split, frozen_split
from netcalc.diagnostics import CannotRunError
from netcalc.spec.data import DataSpec


def read_packaged(spec: DataSpec) -> Collection:
    """Return a data set of `builtin/`; raises CannotRunError if the file is missing or damaged."""
    known = BUILT_INS[spec.source]
    images, labels, test = _read(spec.source)
    return Collection(
        train=_members(images, labels, ~test),
        test=_members(images, labels, test),
        classes=known.classes,
        max_value=known.max_value,
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


def _members(images: NDArray[np.uint8], labels: NDArray[np.uint8], members: NDArray[np.bool_]) -> Split:
    return frozen_split(images[members], labels[members])
