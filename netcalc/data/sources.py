"""From the `train.data:` section to a data set: the list of readers, and the division of what they read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from netcalc.data.csv_pixels import read_csv
from netcalc.data.idx import read_idx
from netcalc.data.image_folder import read_image_folder
from netcalc.data.mask_folder import read_mask_folder
from netcalc.data.masks import VOID, WithoutVoid, check_no_void
from netcalc.data.npz import read_npz
from netcalc.data.packaged import read_packaged
from netcalc.data.parquet import read_parquet
from netcalc.data.published import read_published
from netcalc.data.samples import Collection, Dataset, Split, class_labels
from netcalc.data.splits import DEFAULT_SHARES, at_random, stratified
from netcalc.data.synthetic import read_synthetic
from netcalc.diagnostics import CannotRunError, Diagnostic, Span, SpecError
from netcalc.spec.data import (
    CsvData,
    DataSpec,
    DownloadedData,
    IdxData,
    ImageFolderData,
    NpzData,
    PackagedData,
    ParquetData,
    SyntheticData,
)
from netcalc.units import plural


def _read_images(spec: ImageFolderData) -> Collection:
    return read_image_folder(spec) if spec.masks is None else read_mask_folder(spec)


READERS: Mapping[type[DataSpec], Callable[[Any], Collection]] = {
    PackagedData: read_packaged,
    DownloadedData: read_published,
    ImageFolderData: _read_images,
    IdxData: read_idx,
    NpzData: read_npz,
    CsvData: read_csv,
    ParquetData: read_parquet,
    SyntheticData: read_synthetic,
}
"""What reads each kind of source."""


def load_dataset(spec: DataSpec, places: Mapping[str, Span] | None = None, ignore: int | None = None) -> Dataset:
    """Return the data set that a spec names, divided as it says; `places` tells where its fields stand.

    `ignore` is the class that the loss leaves out: masks may have pixels of VOID only where it is VOID.

    Raises CannotRunError, naming the file, for data that cannot be read, and SpecError for a division that does
    not fit them. Masks that are streamed may have VOID where it may not be: it is raised when they are read.
    """
    found = READERS[type(spec)](spec)
    if found.target == "mask" and ignore != VOID and len(found.classes) <= VOID:
        found = _without_void(found, spec.source)
    if found.target == "class" and len(found.classes) < 2:
        raise CannotRunError(f"`{spec.source}`: all images are of the class `{found.classes[0]}`; give two classes")
    train, validation, test = _divided(found, spec, places or {})
    return Dataset(
        spec.source, train, test, found.classes, found.max_value, validation, found.skipped, found.target
    )


def _without_void(found: Collection, source: str) -> Collection:
    """Return the collection with masks of which every pixel has a class."""

    def checked(split: Split | None) -> Split | None:
        if split is None:
            return None
        if not isinstance(split.labels, np.ndarray):
            return replace(split, labels=WithoutVoid(split.labels, source))
        check_no_void(split.labels, source)
        return split

    train = checked(found.train)
    assert train is not None
    return replace(found, train=train, validation=checked(found.validation), test=checked(found.test))


def _divided(found: Collection, spec: DataSpec, places: Mapping[str, Span]) -> tuple[Split, Split | None, Split]:
    """Return training, validation and test samples."""
    shares = spec.split.shares if spec.split is not None else None
    seed = spec.split.seed if spec.split is not None else 0
    if found.test is None:
        if shares is not None and len(shares) == 2:
            help = "give [training, validation, test], such as [0.8, 0.1, 0.1]"
            raise _misfit(f"`{spec.source}` has no test set of its own", help, places)
        train, validation, test = _parts(found, shares or DEFAULT_SHARES, seed)
        if train is None or test is None:
            what = "train" if train is None else "test"
            raise CannotRunError(
                f"`{spec.source}`: of {plural(found.train.samples, 'image')} `split` leaves none to {what} on",
                help="give more images of each class, or other shares under `split`",
            )
        return train, validation, test
    if shares is None:
        return found.train, found.validation, found.test
    if len(shares) == 3:
        raise _misfit(f"`{spec.source}` has a test set of its own", "give [training, validation]", places)
    if found.validation is not None:
        raise _misfit(f"`{spec.source}` has a validation and a test set of its own", "leave `split` out", places)
    train, validation = _parts(found, shares, seed)
    if train is None:
        raise CannotRunError(f"`{spec.source}`: `split` leaves no image to train on", help="give it a larger share")
    return train, validation, found.test


def _parts(found: Collection, shares: tuple[float, ...], seed: int) -> list[Split | None]:
    """Return the parts of the samples, None for one that gets nothing; single classes each have their share."""
    samples = found.train
    if found.target == "class":
        parts = stratified(class_labels(samples), shares, seed)
    else:
        parts = at_random(samples.samples, shares, seed)
    return [samples.part(part) if len(part) else None for part in parts]


def _misfit(message: str, help: str, places: Mapping[str, Span]) -> SpecError:
    return SpecError(
        [Diagnostic("NC011", f"{message}: `split` does not fit", places.get("train.data.split"), help)]
    )
