"""Image files with a mask each, of the same path but for the suffix in a folder of their own."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netcalc.data.folders import SUFFIXES, files_below, part_folders
from netcalc.data.image_files import ImageFiles, common_size, loaded, names_and_lengths, sound_files
from netcalc.data.images import image_size
from netcalc.data.limited import shown
from netcalc.data.masks import check_mask, decode_mask, largest_class, mask_classes
from netcalc.data.read_ahead import mapped
from netcalc.data.samples import Collection, Split, Streamed
from netcalc.diagnostics import CannotRunError
from netcalc.spec.data import ImageFolderData

MASK_SUFFIXES = (".png", ".bmp", ".tif", ".tiff")
"""Files beside the masks with other names are passed over."""


@dataclass(frozen=True, slots=True)
class MaskFiles(Streamed):
    """Masks of image files, decoded and scaled to one size when they are asked for."""

    files: tuple[str, ...]
    images: tuple[str, ...]
    size: tuple[int, int]
    classes: int

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, H, W)."""
        return (len(self.files), *self.size)

    def __getitem__(self, indices: NDArray[np.int64], /) -> NDArray[Any]:
        """Return the masks at the indices; raises CannotRunError, naming the file, for one that is no such mask."""
        return np.stack([self._mask(index) for index in indices.tolist()])

    def identity(self) -> bytes:
        """Return names and lengths of the files, wherever their folder is."""
        return names_and_lengths(self.files, self.size, self.classes)

    def _mask(self, index: int) -> NDArray[Any]:
        mask = _mask_of(self.images[index], self.files[index], self.size)
        check_mask(mask, self.classes, shown(self.files[index]))
        return mask


def read_mask_folder(spec: ImageFolderData) -> Collection:
    """Return the images below a folder with their masks; both folders may have `train`, `val` and `test`.

    Images are in the order of their paths' bytes. Raises CannotRunError, naming the folder or file.
    """
    assert spec.masks is not None
    skipped: list[str] = []
    found = {part: _pairs(spec.path, folder, spec.masks) for part, folder in part_folders(spec.path).items()}
    if spec.on_corrupt == "skip":
        found = {part: _sound(pairs, spec.channels, skipped) for part, pairs in found.items()}
    classes = mask_classes(-1 if spec.classes else _largest(found), spec.classes, shown(spec.masks))
    size = spec.resize or common_size([image for pairs in found.values() for image in pairs])
    splits = {}
    for part, pairs in found.items():
        images, masks = tuple(pairs), tuple(pairs.values())
        splits[part] = Split(ImageFiles(images, size, spec.channels), MaskFiles(masks, images, size, len(classes)))
    if "test" not in splits and "validation" in splits:
        splits["test"] = splits.pop("validation")
    return Collection(
        splits["train"],
        classes,
        splits.get("validation"),
        splits.get("test"),
        skipped=tuple(map(shown, skipped)),
        target="mask",
    )


def _pairs(path: str, folder: str, masks: str) -> dict[str, str]:
    """Return the mask file of every image of a part, which is `folder` within `path`."""
    images = files_below(folder, SUFFIXES)
    if not images:
        raise CannotRunError(f"{shown(folder)}: no images", help=f"images end in {', '.join(SUFFIXES)}")
    of_part = os.path.join(masks, os.path.relpath(folder, path))
    named: dict[str, str] = {}
    for file in files_below(os.path.normpath(of_part), MASK_SUFFIXES):
        name = os.path.splitext(os.path.relpath(file, of_part))[0]
        if name in named:
            raise CannotRunError(f"{shown(file)}: {shown(named[name])} is a mask of the same image")
        named[name] = file
    pairs = {}
    for image in images:
        name = os.path.splitext(os.path.relpath(image, folder))[0]
        if name not in named:
            raise CannotRunError(
                f"{shown(image)}: no mask, which would be {shown(os.path.join(os.path.normpath(of_part), name))}"
                f"{MASK_SUFFIXES[0]}",
                help=f"a mask has the path of its image within the folder, and ends in {', '.join(MASK_SUFFIXES)}",
            )
        pairs[image] = named[name]
    return pairs


def _sound(pairs: dict[str, str], channels: int, skipped: list[str]) -> dict[str, str]:
    """Return the images that can be decoded with their masks; the others are added to `skipped`."""

    def read(image: str) -> None:
        loaded(image, channels)
        _mask_of(image, pairs[image])

    images = tuple(pairs)
    sound = sound_files(images, read)
    skipped += [image for image, good in zip(images, sound, strict=True) if not good]
    if not sound.any():
        raise CannotRunError(f"{shown(os.path.commonpath(images))}: no image can be decoded together with its mask")
    return {image: pairs[image] for image, good in zip(images, sound, strict=True) if good}


def _largest(found: dict[str, dict[str, str]]) -> int:
    """Return the largest class of all masks, for which each is decoded once."""
    pairs = [pair for part in found.values() for pair in part.items()]
    return max(mapped(lambda pair: largest_class(_mask_of(*pair)), pairs))


def _mask_of(image: str, file: str, size: tuple[int, int] | None = None) -> NDArray[Any]:
    return decode_mask(file, shown(file), image_size(image, shown(image)), size)
