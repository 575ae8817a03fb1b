"""Image files by index, decoded and scaled to one size when they are asked for."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from netcalc.data.images import decode, image_size
from netcalc.data.limited import shown
from netcalc.data.read_ahead import mapped
from netcalc.data.samples import Streamed
from netcalc.diagnostics import CannotRunError


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
        return np.stack([loaded(self.files[index], self.channels, self.size) for index in indices.tolist()])

    def identity(self) -> bytes:
        """Return names and lengths of the files, wherever their folder is."""
        return names_and_lengths(self.files, self.size, self.channels)


def names_and_lengths(files: Sequence[str], *facts: object) -> bytes:
    """Return a digest of how files are read, and of their names and lengths, wherever their folder is."""
    root = os.path.commonpath(files)
    sizes = mapped(os.path.getsize, files)
    named = [(os.path.relpath(file, root), size) for file, size in zip(files, sizes, strict=True)]
    return hashlib.sha256(repr((*facts, named)).encode("utf-8", "surrogateescape")).digest()


def loaded(file: str, channels: int, size: tuple[int, int] | None = None) -> NDArray[np.uint8]:
    """Return the image of a file, scaled to `size` if one is given."""
    return decode(file, shown(file), channels, size)


def common_size(files: Sequence[str]) -> tuple[int, int]:
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


def sound_files(files: Sequence[str], read: Callable[[str], object]) -> NDArray[np.bool_]:
    """Return which files can be read, each tried by `read`, which raises CannotRunError for one that cannot."""

    def is_sound(file: str) -> bool:
        try:
            read(file)
        except CannotRunError:
            return False
        return True

    return np.fromiter(mapped(is_sound, files), bool, len(files))
