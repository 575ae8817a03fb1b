"""Image files in a folder a class, decoded when training asks for them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from netcalc.data.folders import SUFFIXES, entries, files_below, part_folders
from netcalc.data.image_files import ImageFiles, common_size, loaded, sound_files
from netcalc.data.images import MAX_VALUE
from netcalc.data.limited import shown
from netcalc.data.preprocessing import Preprocessing
from netcalc.data.samples import Collection, Dataset, Split
from netcalc.diagnostics import CannotRunError, did_you_mean
from netcalc.spec.data import ImageFolderData


def read_image_folder(spec: ImageFolderData) -> Collection:
    """Return the images below a folder: of a folder a class, or of `train`, `val` and `test` with such folders.

    Classes and files are in the order of their names' bytes. Raises CannotRunError, naming the folder or file.
    """
    found = {part: _labelled(folder) for part, folder in part_folders(spec.path).items()}
    folders = found["train"].classes
    for part in found.values():
        if unknown := [name for name in part.classes if name not in folders]:
            name = f"{shown(part.folder)}: `{unknown[0]}` is no class of the training images"
            raise CannotRunError(name, help=did_you_mean(unknown[0], folders))
    skipped: list[str] = []
    if spec.on_corrupt == "skip":
        found = {name: _sound(part, spec.channels, skipped) for name, part in found.items()}
    size = spec.resize or common_size([file for part in found.values() for file in part.files])
    splits = {
        name: Split(ImageFiles(part.files, size, spec.channels), part.labels_among(folders))
        for name, part in found.items()
    }
    # ImageNet's images for testing have no labels: those for validation take their place.
    if "test" not in splits and "validation" in splits:
        splits["test"] = splits.pop("validation")
    return Collection(
        splits["train"], folders, splits.get("validation"), splits.get("test"), skipped=tuple(map(shown, skipped))
    )


def read_labelled_folder(folder: Path, preprocessing: Preprocessing) -> Dataset:
    """Return the images of a folder a class, as large as those that a preprocessing was fitted on.

    Raises CannotRunError for a folder whose name is no class, or where the preprocessing is of no classes.
    """
    if preprocessing.target != "class":
        raise CannotRunError(f"{folder}: the run does not classify images, so a folder a class says nothing of it")
    part = _labelled(os.fspath(folder))
    classes = preprocessing.classes
    if unknown := [name for name in part.classes if name not in classes]:
        help = did_you_mean(unknown[0], classes)
        raise CannotRunError(f"{shown(part.folder)}: `{unknown[0]}` is no class of the run", help)
    height, width, channels = preprocessing.source
    split = Split(ImageFiles(part.files, (height, width), channels), part.labels_among(classes))
    return Dataset(str(folder), split, split, classes, MAX_VALUE)


def image_files(paths: Iterable[Path]) -> list[str]:
    """Return the files that paths name: themselves, and of folders the image files below them.

    Raises CannotRunError for a folder without images, and for a pipe or device, whose end may never come.
    """
    found: list[str] = []
    for path in paths:
        file = os.fspath(path)
        is_folder = os.path.isdir(file)
        if os.path.exists(file) and not (is_folder or os.path.isfile(file)):
            raise CannotRunError(f"{path}: not a regular file", help="write the image to a file first")
        below = files_below(file) if is_folder else [file]
        if not below:
            raise CannotRunError(f"{path}: no images in this folder", f"images end in {', '.join(SUFFIXES)}")
        found += below
    return found


@dataclass(frozen=True, slots=True)
class _Part:
    """The files of one part, the names of its classes, and where the files of each class begin, with the end."""

    folder: str
    files: tuple[str, ...]
    classes: tuple[str, ...]
    starts: tuple[int, ...]

    def labels_among(self, classes: Sequence[str]) -> NDArray[np.int32]:
        counts = [end - start for start, end in pairwise(self.starts)]
        labels = np.repeat(np.array([classes.index(name) for name in self.classes], np.int32), counts)
        labels.setflags(write=False)
        return labels


def _labelled(folder: str) -> _Part:
    classes = [entry for entry in entries(folder) if entry.is_dir()]
    files: list[str] = []
    starts = [0]
    for entry in classes:
        if not _is_text(entry.name):
            raise CannotRunError(
                f"{shown(entry.path)}: the name of a class should be UTF-8", help="rename the folder"
            )
        files += files_below(entry.path)
        if len(files) == starts[-1]:
            raise CannotRunError(
                f"{shown(entry.path)}: no images of this class", help=f"images end in {', '.join(SUFFIXES)}"
            )
        starts.append(len(files))
    if not classes:
        help = "put the images of each class into a folder named after it"
        raise CannotRunError(f"{shown(folder)}: no folders of classes", help=help)
    return _Part(folder, tuple(files), tuple(entry.name for entry in classes), tuple(starts))


def _sound(part: _Part, channels: int, skipped: list[str]) -> _Part:
    """Return the part without the files that cannot be decoded, which are added to `skipped`."""
    sound = sound_files(part.files, lambda file: loaded(file, channels))
    files = tuple(file for file, good in zip(part.files, sound, strict=True) if good)
    skipped += [file for file, good in zip(part.files, sound, strict=True) if not good]
    starts = [int(sound[:start].sum()) for start in part.starts]
    for name, (start, end) in zip(part.classes, pairwise(starts), strict=True):
        if start == end:
            raise CannotRunError(f"{shown(os.path.join(part.folder, name))}: no image of this class can be decoded")
    return _Part(part.folder, files, part.classes, tuple(starts))


def _is_text(name: str) -> bool:
    return all(not "\ud800" <= c <= "\udfff" for c in name)
