"""Image files in a folder a class, decoded when training asks for them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from netcalc.data.images import MAX_VALUE, decode, image_size
from netcalc.data.limited import shown
from netcalc.data.preprocessing import Preprocessing
from netcalc.data.read_ahead import mapped
from netcalc.data.samples import Collection, Dataset, Split, Streamed
from netcalc.diagnostics import CannotRunError, did_you_mean
from netcalc.spec.data import ImageFolderData

SUFFIXES = (
    ".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm", ".pbm",
)  # fmt: skip
"""Files with other names are passed over."""

_PARTS = {"train": "train", "val": "validation", "valid": "validation", "validation": "validation", "test": "test"}
_DEEPEST = 32


@dataclass(frozen=True, slots=True)
class ImageFiles(Streamed):
    """Image files, decoded and scaled to one size when they are asked for."""

    files: tuple[str, ...]
    size: tuple[int, int]
    channels: int

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, H, W, C)."""
        return (len(self.files), *self.size, self.channels)

    def __getitem__(self, indices: NDArray[np.int64], /) -> NDArray[np.uint8]:
        """Return the images at the indices; raises CannotRunError, naming the file, for one that is damaged."""
        return np.stack([_loaded(self.files[index], self.channels, self.size) for index in indices.tolist()])

    def identity(self) -> bytes:
        """Return names and lengths of the files, wherever their folder is."""
        root = os.path.commonpath(self.files)
        sizes = mapped(os.path.getsize, self.files)
        named = ((os.path.relpath(file, root), size) for file, size in zip(self.files, sizes, strict=True))
        return hashlib.sha256(
            repr((self.size, self.channels, list(named))).encode("utf-8", "surrogateescape")
        ).digest()


def read_image_folder(spec: ImageFolderData) -> Collection:
    """Return the images below a folder: of a folder a class, or of `train`, `val` and `test` with such folders.

    Classes and files are in the order of their names' bytes. Raises CannotRunError, naming the folder or file.
    """
    found = {part: _labelled(folder) for part, folder in _part_folders(spec.path).items()}
    folders = found["train"].classes
    for part in found.values():
        if unknown := [name for name in part.classes if name not in folders]:
            name = f"{shown(part.folder)}: `{unknown[0]}` is no class of the training images"
            raise CannotRunError(name, help=did_you_mean(unknown[0], folders))
    skipped: list[str] = []
    if spec.on_corrupt == "skip":
        found = {name: _sound(part, spec.channels, skipped) for name, part in found.items()}
    size = spec.resize or _common_size([file for part in found.values() for file in part.files])
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

    Raises CannotRunError for a folder without images.
    """
    found: list[str] = []
    for path in paths:
        below = _images_below(os.fspath(path)) if path.is_dir() else [os.fspath(path)]
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


def _part_folders(path: str) -> dict[str, str]:
    """Return the folders of the parts; all images are for training where no folder is named after a part."""
    names = [entry.name for entry in _entries(path) if entry.is_dir()]
    if "train" not in names or not all(name in _PARTS for name in names):
        return {"train": path}
    found: dict[str, str] = {}
    for name in names:
        if _PARTS[name] in found:
            raise CannotRunError(f"{shown(path)}: has several folders of images for validation: {', '.join(names)}")
        found[_PARTS[name]] = os.path.join(path, name)
    return found


def _labelled(folder: str) -> _Part:
    classes = [entry for entry in _entries(folder) if entry.is_dir()]
    files: list[str] = []
    starts = [0]
    for entry in classes:
        if not _is_text(entry.name):
            raise CannotRunError(
                f"{shown(entry.path)}: the name of a class should be UTF-8", help="rename the folder"
            )
        files += _images_below(entry.path)
        if len(files) == starts[-1]:
            raise CannotRunError(
                f"{shown(entry.path)}: no images of this class", help=f"images end in {', '.join(SUFFIXES)}"
            )
        starts.append(len(files))
    if not classes:
        help = "put the images of each class into a folder named after it"
        raise CannotRunError(f"{shown(folder)}: no folders of classes", help=help)
    return _Part(folder, tuple(files), tuple(entry.name for entry in classes), tuple(starts))


def _images_below(folder: str) -> list[str]:
    """Return the image files in a folder and those below it, each folder once: links may go in circles."""
    found: list[str] = []
    seen: set[tuple[int, int]] = set()
    pending = [(folder, 0)]
    while pending:
        path, depth = pending.pop()
        here = os.stat(path)
        if (here.st_dev, here.st_ino) in seen or depth > _DEEPEST:
            continue
        seen.add((here.st_dev, here.st_ino))
        for entry in _entries(path):
            if entry.is_dir():
                pending.append((entry.path, depth + 1))
            elif entry.name.lower().endswith(SUFFIXES) and entry.is_file():
                found.append(entry.path)
    return sorted(found, key=os.fsencode)


def _entries(folder: str) -> list[os.DirEntry[str]]:
    """Return what a folder holds in the order of the names' bytes, hidden entries and broken links aside."""
    try:
        with os.scandir(folder) as entries:
            found = [entry for entry in entries if not entry.name.startswith(".") and os.path.exists(entry.path)]
    except FileNotFoundError:
        raise CannotRunError(f"{shown(folder)}: no such folder") from None
    except OSError as error:
        raise CannotRunError(f"{shown(folder)}: cannot be read ({error.strerror or error})") from None
    return sorted(found, key=lambda entry: os.fsencode(entry.name))


def _sound(part: _Part, channels: int, skipped: list[str]) -> _Part:
    """Return the part without the files that cannot be decoded, which are added to `skipped`."""

    def is_sound(file: str) -> bool:
        try:
            _loaded(file, channels)
        except CannotRunError:
            return False
        return True

    sound = np.fromiter(mapped(is_sound, part.files), bool, len(part.files))
    files = tuple(file for file, good in zip(part.files, sound, strict=True) if good)
    skipped += [file for file, good in zip(part.files, sound, strict=True) if not good]
    starts = [int(sound[:start].sum()) for start in part.starts]
    for name, (start, end) in zip(part.classes, pairwise(starts), strict=True):
        if start == end:
            raise CannotRunError(f"{shown(os.path.join(part.folder, name))}: no image of this class can be decoded")
    return _Part(part.folder, files, part.classes, tuple(starts))


def _loaded(file: str, channels: int, size: tuple[int, int] | None = None) -> NDArray[np.uint8]:
    return decode(file, shown(file), channels, size)


def _common_size(files: Sequence[str]) -> tuple[int, int]:
    """Return the height and width that all files have; raises CannotRunError naming the first that differs."""
    sizes = mapped(lambda file: image_size(file, shown(file)), files)
    first = next(sizes)
    for file, size in zip(files[1:], sizes, strict=True):
        if size != first:
            raise CannotRunError(
                f"{shown(file)}: {size[0]}×{size[1]} pixels, where {shown(files[0])} has {first[0]}×{first[1]}",
                help="`resize: [height, width]` under `train.data` brings all images to one size",
            )
    return first


def _is_text(name: str) -> bool:
    return all(not "\ud800" <= c <= "\udfff" for c in name)
