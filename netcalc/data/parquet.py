"""Samples in Parquet and Arrow files, as Hugging Face's datasets are kept: encoded images or lists of pixels."""

from __future__ import annotations

import io
import json
import math
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netcalc.data.arrow import ARROW, PARQUET, mapped_table
from netcalc.data.images import decode, image_size, resized
from netcalc.data.limited import shown
from netcalc.data.read_ahead import mapped
from netcalc.data.samples import Collection, Split, Streamed, check_labels, numbered_classes
from netcalc.diagnostics import CannotRunError
from netcalc.spec.data import ParquetData

_PART = re.compile(r"(?<![a-z])(train|test|validation|valid|val|dev)(?![a-z])")
_MOST_FILES = 100_000
_DEEPEST = 8


@dataclass(frozen=True, slots=True)
class RowImages(Streamed):
    """Images of the rows of a table, decoded and scaled to one size when they are asked for.

    `pixel_shape` is that of lists of pixels, None where rows hold encoded files.
    """

    column: Any  # a pyarrow.ChunkedArray
    name: str
    size: tuple[int, int]
    channels: int
    pixel_shape: tuple[int, int, int] | None
    file_bytes: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, H, W, C)."""
        return (len(self.column), *self.size, self.channels)

    def __getitem__(self, indices: NDArray[np.int64], /) -> NDArray[np.uint8]:
        """Return the images at the indices; raises CannotRunError, naming the row, for one that is damaged."""
        return np.stack([self.image(index, self.size) for index in indices.tolist()])

    def identity(self) -> bytes:
        """Return the lengths of the files and how rows are read."""
        return repr((self.size, self.channels, self.pixel_shape, self.file_bytes)).encode()

    def image(self, index: int, size: tuple[int, int] | None = None) -> NDArray[np.uint8]:
        """Return one image, scaled to `size` if one is given."""
        row = f"{self.name}: row {index}"
        if self.pixel_shape is None:
            return decode(io.BytesIO(_encoded(self.column[index], row)), row, self.channels, size)
        pixels = _pixels(self.column[index], self.pixel_shape, row)
        return pixels if size in (None, self.pixel_shape[:2]) else resized(pixels, self.size, row)

    def stored_size(self, index: int) -> tuple[int, int]:
        """Return the height and width of an encoded image from its header."""
        row = f"{self.name}: row {index}"
        return image_size(io.BytesIO(_encoded(self.column[index], row)), row)


def read_parquet(spec: ParquetData) -> Collection:
    """Return the samples of a file, or of a folder whose files are named after their split.

    Raises CannotRunError, naming the file and the row.
    """
    files = _files_of_parts(spec.path)
    tables = {part: mapped_table(found, (spec.image, spec.label)) for part, found in files.items()}
    names = {part: shown(found[0] if len(found) == 1 else spec.path) for part, found in files.items()}
    labels, classes = _labels(tables, names, spec)
    size = spec.resize or (spec.shape[:2] if spec.shape is not None else None)
    skipped: list[str] = []
    splits: dict[str, Split] = {}
    for part, table in tables.items():
        images = _row_images(table.column(spec.image), names[part], files[part], spec)
        kept = np.arange(len(images.column))
        if spec.on_corrupt == "skip":
            kept = _sound(images, skipped)
            check_labels(kept, len(kept), names[part])
        size = size if spec.resize is not None or spec.shape is not None else _common_size(images, kept, size)
        assert size is not None
        whole = Split(replace(images, size=size), labels[part])
        splits[part] = whole if len(kept) == len(images.column) else whole.part(kept)
    if "test" not in splits and "validation" in splits:
        splits["test"] = splits.pop("validation")
    return Collection(
        splits["train"], classes, splits.get("validation"), splits.get("test"), skipped=tuple(skipped)
    )


def _row_images(column: Any, name: str, files: Sequence[str], spec: ParquetData) -> RowImages:
    """Return the images of a column, in a size that is still to be told where it is that of the files."""
    encoded = _holds_files(column.type)
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


def _labels(
    tables: dict[str, Any], names: dict[str, str], spec: ParquetData
) -> tuple[dict[str, NDArray[np.int32]], tuple[str, ...]]:
    """Return the labels of each part and the names of the classes."""
    columns = {part: table.column(spec.label) for part, table in tables.items()}
    for part, column in columns.items():
        if column.null_count:
            raise CannotRunError(f"{names[part]}: `{spec.label}` has {column.null_count:,} rows without a label")
        check_labels(column, len(column), names[part])
    values = {part: np.asarray(column.to_numpy()) for part, column in columns.items()}
    if all(found.dtype.kind in "iu" for found in values.values()):
        written = _class_names(tables["train"].schema.metadata, spec.label)
        classes = numbered_classes(list(values.values()), written, names["train"])
        numbers = {part: found.astype(np.int32) for part, found in values.items()}
    elif all(isinstance(value, str) for found in values.values() for value in found):
        classes = tuple(sorted(set(values["train"].tolist())))
        place = {name: number for number, name in enumerate(classes)}
        for part, found in values.items():
            if unknown := sorted(set(found.tolist()) - place.keys()):
                raise CannotRunError(f"{names[part]}: the label `{unknown[0]}` is no class of the training rows")
        numbers = {part: np.array([place[v] for v in found], np.int32) for part, found in values.items()}
    else:
        kind = columns["train"].type
        raise CannotRunError(f"{names['train']}: `{spec.label}` is of {kind}; labels are whole numbers or text")
    for found in numbers.values():
        found.setflags(write=False)
    return numbers, classes


def _class_names(metadata: dict[bytes, bytes] | None, label: str) -> tuple[str, ...] | None:
    """Return the names that Hugging Face's datasets keeps for a column of labels, None where there are none."""
    try:
        features = json.loads((metadata or {})[b"huggingface"])["info"]["features"]
        names = features[label]["names"]
    except (KeyError, TypeError, ValueError):
        return None
    valid = isinstance(names, list) and len(names) >= 2 and all(isinstance(name, str) for name in names)
    return tuple(names) if valid else None


def _holds_files(kind: Any) -> bool:
    """Tell whether rows of a type hold encoded files: bytes, or bytes beside a path."""
    from pyarrow import types

    if types.is_struct(kind):
        return bool(kind.get_field_index("bytes") >= 0)
    return bool(types.is_binary(kind) or types.is_large_binary(kind))


def _encoded(value: Any, row: str) -> bytes:
    from pyarrow import types

    found = (value["bytes"] if types.is_struct(value.type) and value.is_valid else value).as_py()
    if not isinstance(found, bytes):
        help = "datasets' `Image` keeps only a path where files were not embedded: see its `embed_external_files`"
        raise CannotRunError(f"{row} holds no image", help=help)
    return found


def _pixels(value: Any, shape: tuple[int, int, int], row: str) -> NDArray[np.uint8]:
    from pyarrow import types

    found = value.values if value.is_valid and hasattr(value, "values") else None
    while found is not None and (types.is_list(found.type) or types.is_fixed_size_list(found.type)):
        found = found.flatten()
    if found is None or found.null_count:
        raise CannotRunError(f"{row} holds no list of pixels")
    pixels = found.to_numpy(zero_copy_only=False)
    if pixels.dtype.kind not in "iu" or len(pixels) != math.prod(shape):
        expected = "×".join(map(str, shape))
        raise CannotRunError(
            f"{row}: {len(pixels):,} values of {pixels.dtype}, where {expected} bytes are expected"
        )
    if pixels.min() < 0 or pixels.max() > 255:
        raise CannotRunError(f"{row}: pixels from {pixels.min()} to {pixels.max()}; they are 0 to 255")
    return np.ascontiguousarray(pixels.astype(np.uint8).reshape(shape))


def _sound(images: RowImages, skipped: list[str]) -> NDArray[np.int64]:
    """Return the rows whose images can be decoded; the others are added to `skipped`."""

    def is_sound(index: int) -> bool:
        try:
            images.image(index)
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
