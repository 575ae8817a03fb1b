"""Samples in Parquet and Arrow files, as Hugging Face's datasets are kept: encoded images or lists of pixels."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netcalc.data.arrow import ARROW, PARQUET, mapped_table
from netcalc.data.limited import shown
from netcalc.data.masks import largest_class, mask_classes
from netcalc.data.read_ahead import mapped
from netcalc.data.row_images import RowImages, RowMasks, holds_files
from netcalc.data.row_labels import row_labels
from netcalc.data.samples import Collection, PerSample, Split, check_labels
from netcalc.diagnostics import CannotRunError
from netcalc.spec.data import ParquetData

_PART = re.compile(r"(?<![a-z])(train|test|validation|valid|val|dev)(?![a-z])")
_MOST_FILES = 100_000
_DEEPEST = 8


def read_parquet(spec: ParquetData) -> Collection:
    """Return the samples of a file, or of a folder whose files are named after their split.

    Raises CannotRunError, naming the file and the row.
    """
    files = _files_of_parts(spec.path)
    columns = (spec.image, spec.mask or spec.label)
    tables = {part: mapped_table(found, columns) for part, found in files.items()}
    names = {part: shown(found[0] if len(found) == 1 else spec.path) for part, found in files.items()}
    labels = None if spec.mask else row_labels(tables, names, spec)
    size = spec.resize or (spec.shape[:2] if spec.shape is not None else None)
    skipped: list[str] = []
    images: dict[str, RowImages] = {}
    masks: dict[str, RowMasks] = {}
    rows: dict[str, NDArray[np.int64]] = {}
    for part, table in tables.items():
        images[part] = _row_images(table.column(spec.image), names[part], files[part], spec)
        if spec.mask:
            masks[part] = _row_masks(table.column(spec.mask), images[part], spec)
        rows[part] = np.arange(len(images[part].column))
        if spec.on_corrupt == "skip":
            rows[part] = _sound(images[part], masks.get(part), skipped)
            check_labels(rows[part], len(rows[part]), names[part])
        if spec.resize is None and spec.shape is None:
            size = _common_size(images[part], rows[part], size)
    assert size is not None
    classes = _mask_classes(masks, rows, names, spec) if labels is None else labels.classes
    splits: dict[str, Split] = {}
    for part, found in images.items():
        targets: PerSample
        if labels is None:
            targets = replace(masks[part], size=size, classes=len(classes))
        else:
            targets = labels.parts[part]
        whole = Split(replace(found, size=size), targets)
        splits[part] = whole if len(rows[part]) == whole.samples else whole.part(rows[part])
    if "test" not in splits and "validation" in splits:
        splits["test"] = splits.pop("validation")
    return Collection(
        splits["train"],
        classes,
        splits.get("validation"),
        splits.get("test"),
        skipped=tuple(skipped),
        target="mask" if labels is None else labels.target,
    )


def _row_masks(column: Any, images: RowImages, spec: ParquetData) -> RowMasks:
    """Return the masks of a column, in a size and with a number of classes that are still to be told."""
    check_labels(column, len(images.column), images.name)
    if not holds_files(column.type):
        raise CannotRunError(f"{images.name}: `{spec.mask}` holds {column.type}; masks are encoded like images")
    return RowMasks(column, images, (1, 1), 0)


def _mask_classes(
    masks: dict[str, RowMasks], rows: dict[str, NDArray[np.int64]], names: dict[str, str], spec: ParquetData
) -> tuple[str, ...]:
    """Return the classes of masks; where `classes` does not name them, each is decoded once for the largest."""
    if spec.classes is not None:
        return mask_classes(-1, spec.classes, names["train"])
    pairs = [(masks[part], row) for part in masks for row in rows[part].tolist()]
    largest = max(mapped(lambda pair: largest_class(pair[0].mask(pair[1])), pairs))
    return mask_classes(largest, None, names["train"])


def _row_images(column: Any, name: str, files: Sequence[str], spec: ParquetData) -> RowImages:
    """Return the images of a column, in a size that is still to be told where it is that of the files."""
    encoded = holds_files(column.type)
    if encoded == (spec.shape is not None):
        message = f"{name}: `{spec.image}` holds {'encoded images' if encoded else column.type}, "
        if encoded:
            raise CannotRunError(f"{message}whose shape is their own", help="leave `shape` out")
        raise CannotRunError(f"{message}which needs `shape`", help="[height, width, channels] of the pixel values")
    channels = spec.channels if spec.shape is None else spec.shape[2]
    lengths = tuple(map(os.path.getsize, files))
    return RowImages(column, name, spec.resize or (1, 1), channels, spec.shape, lengths)


def _files_of_parts(path: str) -> dict[str, list[str]]:
    """Return the files of each part; all are for training where no name tells a part."""
    if not os.path.isdir(path):
        return {"train": [path]}
    found: list[str] = []
    for folder, folders, names in os.walk(path):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if os.path.relpath(folder, path).count(os.sep) >= _DEEPEST:
            folders.clear()
        # datasets keeps the results of its own functions beside the data.
        data = (name for name in names if name.endswith((PARQUET, ARROW)) and not name.startswith((".", "cache-")))
        found += sorted(os.path.join(folder, name) for name in data)
        if len(found) > _MOST_FILES:
            raise CannotRunError(f"{shown(path)}: more than {_MOST_FILES:,} files")
    if not found:
        raise CannotRunError(f"{shown(path)}: holds no files that end in {PARQUET} or {ARROW}")
    parts: dict[str, list[str]] = {}
    for file in found:
        words = _PART.findall(os.path.relpath(file, path).lower())
        parts.setdefault(words[-1] if words else "", []).append(file)
    if parts.keys() == {""}:
        return {"train": parts[""]}
    if "train" not in parts or "" in parts:
        strange = (parts.get("") or found)[0]
        message = f"{shown(strange)}: the name tells no split, though those of other files do"
        raise CannotRunError(message, help="name files for training `train...`, for testing `test...`")
    found_for: dict[str, list[str]] = {"train": [], "validation": [], "test": []}
    for word, files in parts.items():
        found_for[word if word in found_for else "validation"] += files
    return {part: files for part, files in found_for.items() if files}


def _sound(images: RowImages, masks: RowMasks | None, skipped: list[str]) -> NDArray[np.int64]:
    """Return the rows whose images can be decoded, and their masks; the others are added to `skipped`."""

    def is_sound(index: int) -> bool:
        try:
            images.image(index)
            if masks is not None:
                masks.mask(index)
        except CannotRunError:
            return False
        return True

    rows = len(images.column)
    sound = np.fromiter(mapped(is_sound, range(rows)), bool, rows)
    skipped += [f"{images.name}: row {index}" for index in np.flatnonzero(~sound)]
    return np.flatnonzero(sound)


def _common_size(
    images: RowImages, rows: NDArray[np.int64], size: tuple[int, int] | None = None
) -> tuple[int, int]:
    """Return the size that all images have; raises CannotRunError naming the first row that differs."""
    for row, found in zip(rows.tolist(), mapped(images.stored_size, rows.tolist()), strict=True):
        size = size or found
        if found != size:
            raise CannotRunError(
                f"{images.name}: row {row}: {found[0]}×{found[1]} pixels, where others have {size[0]}×{size[1]}",
                help="`resize: [height, width]` under `train.data` brings all images to one size",
            )
    assert size is not None
    return size
