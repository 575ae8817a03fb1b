"""What an array of labels says of the target: by its axes and its type."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netcalc.data.masks import check_mask, largest_class, mask_classes
from netcalc.data.samples import numbered_classes
from netcalc.diagnostics import CannotRunError
from netcalc.spec.data import Target

_POSSIBLE = (
    "whole numbers are classes [N] or masks [N, height, width], 0 and 1 are several labels [N, classes], "
    "floating point is values [N], [N, K] or [N, H, W, C]"
)


@dataclass(frozen=True, slots=True)
class ArrayLabels:
    """The labels of each part, as samples hold them, with their target and the names of the classes."""

    target: Target
    parts: tuple[NDArray[Any], ...]
    classes: tuple[str, ...]


def array_labels(
    parts: Sequence[NDArray[Any]],
    names: Sequence[str],
    image_size: tuple[int, int],
    classes: tuple[str, ...] | None,
    file: str,
) -> ArrayLabels:
    """Return what the arrays of the parts, with their names in a file, are for images of a [height, width].

    Raises CannotRunError, naming file and array, for what is no target and where parts are of different ones.
    """
    targets = [_target(part, image_size, f"{file}: `{name}`") for part, name in zip(parts, names, strict=True)]
    target = targets[0]
    for name, part, other in zip(names, parts, targets, strict=True):
        if other != target or part.shape[1:] != parts[0].shape[1:]:
            what, first = (f"{other} {list(part.shape)}", f"{target} {list(parts[0].shape)}")
            raise CannotRunError(f"{file}: `{name}` is {what}, where `{names[0]}` is {first}")
    read = {"class": _classes, "mask": _masks, "multi_label": _several, "values": _values}[target]
    return read(parts, names, classes, file)


def finite_values(array: NDArray[Any], name: str) -> NDArray[np.float32]:
    """Return values in float32; raises CannotRunError, with the name, for one that is not finite in it."""
    with np.errstate(over="ignore"):
        values = array.astype(np.float32)
    if not np.isfinite(values).all():
        place = np.argwhere(~np.isfinite(values))[0].tolist()
        raise CannotRunError(f"{name} has {array[tuple(place)]} at {place}, which is not finite in float32")
    return values


def _target(array: NDArray[Any], image_size: tuple[int, int], name: str) -> Target:
    kind, shape = array.dtype.kind, array.shape
    if 0 not in shape:
        if kind == "f" and len(shape) in (1, 2, 4):
            return "values"
        if kind in "iu" and len(shape) == 1:
            return "class"
        if kind in "biu" and len(shape) == 2 and bool(((array == 0) | (array == 1)).all()):
            return "multi_label"
        if kind in "biu" and shape[1:] == image_size:
            return "mask"
    what = f"{array.dtype} {list(shape)}"
    if kind in "biu" and len(shape) == 3:
        what += f", where images are {image_size[0]}×{image_size[1]}"
    elif kind in "iu" and len(shape) == 2:
        what += f" with values from {array.min()} to {array.max()}" if array.size else ""
    raise CannotRunError(f"{name} is {what}, which is no target", help=_POSSIBLE)


def _classes(
    parts: Sequence[NDArray[Any]], names: Sequence[str], classes: tuple[str, ...] | None, file: str
) -> ArrayLabels:
    for part, name in zip(parts, names, strict=True):
        if int(part.max()) > np.iinfo(np.int32).max or int(part.min()) < 0:
            raise CannotRunError(f"{file}: `{name}` reaches from {part.min()} to {part.max()}")
    found = numbered_classes(parts, classes, file)
    return ArrayLabels("class", tuple(part.astype(np.int32) for part in parts), found)


def _masks(
    parts: Sequence[NDArray[Any]], names: Sequence[str], classes: tuple[str, ...] | None, file: str
) -> ArrayLabels:
    # Bytes stay bytes: they become four times as many only batch by batch.
    masks = [part.view(np.uint8) if part.dtype == bool else part for part in parts]
    found = mask_classes(max(map(largest_class, masks)), classes, file)
    for mask, name in zip(masks, names, strict=True):
        check_mask(mask, len(found), f"{file}: `{name}`")
    small = np.uint8 if len(found) <= 256 else np.int32
    return ArrayLabels("mask", tuple(mask.astype(small, copy=False) for mask in masks), found)


def _several(
    parts: Sequence[NDArray[Any]], names: Sequence[str], classes: tuple[str, ...] | None, file: str
) -> ArrayLabels:
    count = parts[0].shape[1]
    if classes is not None and len(classes) != count:
        raise CannotRunError(f"{file}: `{names[0]}` has {count} labels a sample, `classes` {len(classes)} names")
    found = classes or tuple(map(str, range(count)))
    return ArrayLabels("multi_label", tuple(part.astype(np.float32) for part in parts), found)


def _values(
    parts: Sequence[NDArray[Any]], names: Sequence[str], classes: tuple[str, ...] | None, file: str
) -> ArrayLabels:
    if classes is not None:
        raise CannotRunError(f"{file}: `{names[0]}` holds values, which have no `classes`", help="leave them out")
    values = tuple(finite_values(part, f"{file}: `{name}`") for part, name in zip(parts, names, strict=True))
    return ArrayLabels("values", values, ())
