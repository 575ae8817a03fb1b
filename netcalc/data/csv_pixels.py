"""Rows of pixel values with a label or with values to predict, as spreadsheets and competitions hand them out."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterator, Sequence
from typing import IO, TypeVar

import numpy as np
from numpy.typing import NDArray

from netcalc.data.array_labels import finite_values
from netcalc.data.limited import opened, shown
from netcalc.data.samples import MAX_CLASSES, Collection, check_array_bytes, frozen_split
from netcalc.diagnostics import CannotRunError, cut, did_you_mean
from netcalc.spec.data import CsvData
from netcalc.units import plural

_BYTES_A_FIELD = 64
"""A longer line than this for every column is no row of pixels."""

_LONGEST_LABEL = 200


def read_csv(spec: CsvData) -> Collection:
    """Return the images and labels of rows; raises CannotRunError, naming the file and the line."""
    if spec.values is not None:
        return _values(spec)
    pixels, words = _rows(spec, spec.path, _words)
    classes, numbers = _classes(words, spec)
    test = None
    if spec.test_path is not None:
        test_pixels, test_words = _rows(spec, spec.test_path, _words)
        if unknown := [word for word in test_words if word not in numbers]:
            message = f"{shown(spec.test_path)}: the label `{cut(unknown[0])}` is no class of the training rows"
            raise CannotRunError(message)
        test = frozen_split(test_pixels, np.array([numbers[word] for word in test_words]))
    train = frozen_split(pixels, np.array([numbers[word] for word in words]))
    return Collection(train, classes, test=test, max_value=spec.max_value)


def _values(spec: CsvData) -> Collection:
    """Return the images of rows and their values."""
    paths = [path for path in (spec.path, spec.test_path) if path is not None]
    found = [_rows(spec, path, _numbers) for path in paths]
    train, *test = (frozen_split(pixels, np.array(numbers, np.float32)) for pixels, numbers in found)
    return Collection(train, (), test=test[0] if test else None, max_value=spec.max_value, target="values")


T = TypeVar("T")


def _rows(spec: CsvData, path: str, read: Callable[[list[str], str], T]) -> tuple[NDArray[np.uint8], list[T]]:
    """Return the images, and what `read` makes of the other columns of each row and its place."""
    name, size = shown(path), math.prod(spec.shape)
    asked = spec.values or (spec.label,)
    columns = [column if isinstance(column, int) else 0 for column in asked]
    width = size + len(columns)
    found, targets = bytearray(), []
    with opened(path) as stream:
        lines = _lines(stream, width * _BYTES_A_FIELD, name)
        if spec.header:
            _, head = next(lines, (1, []))
            columns = [column if isinstance(column, int) else _column(column, head, name) for column in asked]
        for number, fields in lines:
            if len(fields) != width:
                shape = "×".join(map(str, spec.shape))
                what = "a label" if spec.values is None else plural(len(columns), "value")
                raise CannotRunError(
                    f"{name}:{number}: {len(fields)} columns, where `shape` {shape} and {what} need {width}"
                )
            places = _places(columns, width, spec, name)
            targets.append(read([fields[place].strip() for place in places], f"{name}:{number}"))
            for place in sorted(places, reverse=True):
                fields.pop(place)
            found += _pixels(fields, spec.max_value, f"{name}:{number}")
            check_array_bytes((len(found),), name)
    if not targets:
        raise CannotRunError(f"{name}: holds no samples")
    return np.frombuffer(found, np.uint8).reshape(len(targets), *spec.shape), targets


def _places(columns: Sequence[int], width: int, spec: CsvData, name: str) -> list[int]:
    """Return the columns counted from the first."""
    field = "label" if spec.values is None else "values"
    for column in columns:
        if not -width <= column < width:
            raise CannotRunError(f"{name}: has no column {column}, `{field}` of {width} columns")
    places = [column % width for column in columns]
    if len(set(places)) < len(places):
        raise CannotRunError(f"{name}: `{field}` names a column twice, counted from both ends")
    return places


def _words(fields: list[str], place: str) -> str:
    """Return the label of a row as it is written."""
    (word,) = fields
    if len(word) > _LONGEST_LABEL:
        raise CannotRunError(f"{place}: a label of {len(word):,} characters")
    return word


def _numbers(fields: list[str], place: str) -> NDArray[np.float32]:
    """Return the values of a row."""
    try:
        values = np.array([float(field) for field in fields])
    except ValueError:
        wrong = next(field for field in fields if not _is_number(field))
        raise CannotRunError(f"{place}: `{cut(wrong)}` is no number, which `values` should be") from None
    return finite_values(values, f"{place}: `values`")


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


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
