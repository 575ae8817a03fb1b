"""Rows of pixel values with a label, as spreadsheets and competitions hand them out."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from typing import IO

import numpy as np
from numpy.typing import NDArray

from netcalc.data.limited import opened, shown
from netcalc.data.samples import MAX_CLASSES, Collection, check_array_bytes, frozen_split
from netcalc.diagnostics import CannotRunError, cut, did_you_mean
from netcalc.spec.data import CsvData

_BYTES_A_FIELD = 64
"""A longer line than this for every column is no row of pixels."""

_LONGEST_LABEL = 200


def read_csv(spec: CsvData) -> Collection:
    """Return the images and labels of rows; raises CannotRunError, naming the file and the line."""
    pixels, words = _rows(spec, spec.path)
    classes, numbers = _classes(words, spec)
    test = None
    if spec.test_path is not None:
        test_pixels, test_words = _rows(spec, spec.test_path)
        if unknown := [word for word in test_words if word not in numbers]:
            message = f"{shown(spec.test_path)}: the label `{cut(unknown[0])}` is no class of the training rows"
            raise CannotRunError(message)
        test = frozen_split(test_pixels, np.array([numbers[word] for word in test_words]))
    train = frozen_split(pixels, np.array([numbers[word] for word in words]))
    return Collection(train, classes, test=test, max_value=spec.max_value)


def _rows(spec: CsvData, path: str) -> tuple[NDArray[np.uint8], list[str]]:
    name, size = shown(path), math.prod(spec.shape)
    label = spec.label if isinstance(spec.label, int) else 0
    found, words = bytearray(), []
    with opened(path) as stream:
        lines = _lines(stream, (size + 1) * _BYTES_A_FIELD, name)
        if spec.header:
            _, head = next(lines, (1, []))
            if isinstance(spec.label, str):
                label = _column(spec.label, head, name)
        for number, fields in lines:
            if len(fields) != size + 1:
                shape = "×".join(map(str, spec.shape))
                raise CannotRunError(
                    f"{name}:{number}: {len(fields)} columns, where `shape` {shape} and a label need {size + 1}"
                )
            if not -len(fields) <= label < len(fields):
                raise CannotRunError(f"{name}: has no column {label}, `label` of {len(fields)} columns")
            words.append(fields.pop(label).strip())
            if len(words[-1]) > _LONGEST_LABEL:
                raise CannotRunError(f"{name}:{number}: a label of {len(words[-1]):,} characters")
            found += _pixels(fields, spec.max_value, f"{name}:{number}")
            check_array_bytes((len(found),), name)
    if not words:
        raise CannotRunError(f"{name}: holds no samples")
    return np.frombuffer(found, np.uint8).reshape(len(words), *spec.shape), words


def _lines(stream: IO[bytes], longest: int, name: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the number and the fields of each line that is not blank, none longer than it can be."""
    number = 0
    while line := stream.readline(longest):
        number += 1
        if len(line) == longest:
            raise CannotRunError(f"{name}:{number}: the line is longer than a row of this shape can be")
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8")
            fields = next(csv.reader([text], strict=True), [])
        except (UnicodeDecodeError, csv.Error) as error:
            raise CannotRunError(f"{name}:{number}: not a row of values ({error})") from None
        if fields:
            yield number, fields


def _pixels(fields: list[str], max_value: int, place: str) -> bytes:
    try:
        row = bytes(map(int, fields))
    except ValueError:
        wrong = next(field for field in fields if not _is_byte(field))
        message = f"{place}: `{cut(wrong)}` is no pixel value: whole numbers from 0 to {max_value} are"
        help = "`header: true` passes over a first line of names" if place.endswith(":1") else ""
        raise CannotRunError(message, help) from None
    if max(row) > max_value:
        raise CannotRunError(f"{place}: the pixel value {max(row)} is above `max_value` ({max_value})")
    return row


def _is_byte(field: str) -> bool:
    try:
        return 0 <= int(field) <= 255
    except ValueError:
        return False


def _column(label: str, head: list[str], name: str) -> int:
    names = [field.strip() for field in head]
    if label not in names:
        raise CannotRunError(f"{name}: has no column `{label}`", help=did_you_mean(label, names))
    return names.index(label)


def _classes(words: list[str], spec: CsvData) -> tuple[tuple[str, ...], dict[str, int]]:
    """Return the names of the classes, and the class of each label as it is written."""
    found, name = set(words), shown(spec.path)
    if len(found) > MAX_CLASSES:
        raise CannotRunError(f"{name}: {len(found):,} different labels; is `label` the right column?")
    if spec.classes is not None and not all(word.isdecimal() for word in found):
        if unknown := sorted(found - set(spec.classes)):
            raise CannotRunError(f"{name}: the label `{cut(unknown[0])}` is not under `classes`")
        return spec.classes, {word: number for number, word in enumerate(spec.classes)}
    if spec.classes is not None:
        if (largest := max(map(int, found))) >= len(spec.classes):
            raise CannotRunError(f"{name}: the label {largest} is outside the {len(spec.classes)} `classes`")
        return spec.classes, {str(number): number for number in range(len(spec.classes))}
    names = sorted(found, key=lambda word: (not word.isdecimal(), int(word) if word.isdecimal() else 0, word))
    if len(names) < 2:
        raise CannotRunError(f"{name}: all rows have the label `{cut(names[0])}`; is `label` the right column?")
    return tuple(names), {word: number for number, word in enumerate(names)}
