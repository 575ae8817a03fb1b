"""Labels in a column of a table: what the column's type says of the target."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netcalc.data.array_labels import finite_values
from netcalc.data.samples import check_array_bytes, check_labels, numbered_classes
from netcalc.diagnostics import CannotRunError, cut
from netcalc.spec.data import ParquetData, Target


@dataclass(frozen=True, slots=True)
class RowLabels:
    """The labels of each part, as samples hold them, with their target and the names of the classes."""

    target: Target
    parts: Mapping[str, NDArray[Any]]
    classes: tuple[str, ...]


def row_labels(tables: Mapping[str, Any], names: Mapping[str, str], spec: ParquetData) -> RowLabels:
    """Return what the column `label` of the tables of the parts holds; `names` are of their files, for messages.

    Whole numbers and text are classes; lists of 0 and 1 or of classes are several labels; floating point and lists
    of it are values. Raises CannotRunError, naming the file, for anything else.
    """
    columns = {part: table.column(spec.label) for part, table in tables.items()}
    for part, column in columns.items():
        if column.null_count:
            raise CannotRunError(f"{names[part]}: `{spec.label}` has {column.null_count:,} rows without a label")
        check_labels(column, len(column), names[part])
    written = spec.classes or _class_names(tables["train"].schema.metadata, spec.label)
    if any(_is_list(column.type) for column in columns.values()):
        found = _of_lists(columns, names, written, spec)
    else:
        found = _of_single(columns, names, written, spec)
    for labels in found.parts.values():
        labels.setflags(write=False)
    return found


def _of_single(
    columns: Mapping[str, Any], names: Mapping[str, str], written: tuple[str, ...] | None, spec: ParquetData
) -> RowLabels:
    values = {part: np.asarray(column.to_numpy()) for part, column in columns.items()}
    kinds = {found.dtype.kind for found in values.values()}
    if kinds <= set("iu"):
        classes = numbered_classes(list(values.values()), written, names["train"])
        return RowLabels("class", {part: found.astype(np.int32) for part, found in values.items()}, classes)
    if kinds == {"f"}:
        _refuse_classes(spec, names["train"])
        named = {part: f"{names[part]}: `{spec.label}`" for part in values}
        return RowLabels("values", {part: finite_values(values[part], named[part]) for part in values}, ())
    if all(isinstance(value, str) for found in values.values() for value in found):
        classes = spec.classes or tuple(sorted(set(values["train"].tolist())))
        place = {name: number for number, name in enumerate(classes)}
        whose = "under `classes`" if spec.classes is not None else "a class of the training rows"
        for part, found in values.items():
            if unknown := sorted(set(found.tolist()) - place.keys()):
                raise CannotRunError(f"{names[part]}: the label `{cut(unknown[0])}` is not {whose}")
        return RowLabels(
            "class",
            {part: np.array([place[v] for v in found], np.int32) for part, found in values.items()},
            classes,
        )
    raise _of_no_use(columns["train"].type, names["train"], spec)


def _of_lists(
    columns: Mapping[str, Any], names: Mapping[str, str], written: tuple[str, ...] | None, spec: ParquetData
) -> RowLabels:
    flat: dict[str, NDArray[Any]] = {}
    lengths: dict[str, NDArray[np.int64]] = {}
    for part, column in columns.items():
        flat[part], lengths[part] = _flattened(column, f"{names[part]}: `{spec.label}`")
    kinds = {found.dtype.kind for found in flat.values()}
    width = int(lengths["train"][0])
    even = width > 0 and all((found == width).all() for found in lengths.values())
    if kinds == {"f"}:
        _refuse_classes(spec, names["train"])
        if not even:
            raise CannotRunError(f"{names['train']}: `{spec.label}` has lists of values of different lengths")
        named = {part: f"{names[part]}: `{spec.label}`" for part in flat}
        tables = {part: finite_values(found.reshape(-1, width), named[part]) for part, found in flat.items()}
        return RowLabels("values", tables, ())
    if not kinds <= set("biu"):
        raise _of_no_use(columns["train"].type, names["train"], spec)
    # A list of classes is told from 0 and 1 for each class by its length or values, or by the names of its classes.
    listed_classes = _lists_classes(columns["train"].type) and spec.classes is None and written is not None
    ones = kinds == {"b"} or (even and width > 1 and all(((f == 0) | (f == 1)).all() for f in flat.values()))
    if ones and not listed_classes:
        if not even:
            raise CannotRunError(f"{names['train']}: `{spec.label}` has lists of 0 and 1 of different lengths")
        if written is not None and len(written) != width:
            raise CannotRunError(
                f"{names['train']}: `{spec.label}` has {width} labels a sample, `classes` {len(written)} names"
            )
        several = {part: found.reshape(-1, width).astype(np.float32) for part, found in flat.items()}
        return RowLabels("multi_label", several, written or tuple(map(str, range(width))))
    if not any(len(found) for found in flat.values()):
        raise CannotRunError(f"{names['train']}: `{spec.label}` has empty lists alone")
    classes = numbered_classes([found for found in flat.values() if len(found)], written, names["train"])
    return RowLabels(
        "multi_label",
        {part: _one_for_each(flat[part], lengths[part], len(classes), names[part]) for part in flat},
        classes,
    )


def _one_for_each(flat: NDArray[Any], lengths: NDArray[np.int64], classes: int, name: str) -> NDArray[np.float32]:
    """Return (rows, classes): 1 for each class that the list of a row names."""
    check_array_bytes((len(lengths), classes, 4), name)
    found = np.zeros((len(lengths), classes), np.float32)
    found[np.repeat(np.arange(len(lengths)), lengths), flat.astype(np.int64)] = 1
    return found


def _flattened(column: Any, name: str) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return the values of all lists of a column in order, and the length of each list."""
    from pyarrow import compute

    if not _is_list(column.type):
        raise CannotRunError(f"{name} is of {column.type}, where other parts have lists")
    values = compute.list_flatten(column)
    if values.null_count:
        raise CannotRunError(f"{name} has lists with {values.null_count:,} empty places")
    return np.asarray(values.to_numpy()), np.asarray(compute.list_value_length(column).to_numpy()).astype(np.int64)


def _is_list(kind: Any) -> bool:
    from pyarrow import types

    return bool(types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind))


def _lists_classes(kind: Any) -> bool:
    from pyarrow import types

    return bool(types.is_integer(kind.value_type))


def _refuse_classes(spec: ParquetData, name: str) -> None:
    if spec.classes is not None:
        raise CannotRunError(f"{name}: `{spec.label}` holds values, which have no `classes`", help="leave them out")


def _of_no_use(kind: Any, name: str, spec: ParquetData) -> CannotRunError:
    return CannotRunError(
        f"{name}: `{spec.label}` is of {kind}; labels are whole numbers or text, lists of whole numbers, or floats"
    )


def _class_names(metadata: dict[bytes, bytes] | None, label: str) -> tuple[str, ...] | None:
    """Return the names that Hugging Face's datasets keeps for a column of labels, None where there are none."""
    try:
        feature = json.loads((metadata or {})[b"huggingface"])["info"]["features"][label]
        # A list of labels is written as [feature] or, as later versions do, {"feature": feature}.
        feature = feature[0] if isinstance(feature, list) else feature.get("feature", feature)
        names = feature["names"]
    except (KeyError, TypeError, ValueError, IndexError, AttributeError):
        return None
    valid = isinstance(names, list) and len(names) >= 2 and all(isinstance(name, str) for name in names)
    return tuple(names) if valid else None
