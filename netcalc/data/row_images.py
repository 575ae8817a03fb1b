"""Images and masks in the rows of a table, decoded and scaled to one size when they are asked for."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netcalc.data.images import decode, image_size, resized
from netcalc.data.masks import check_mask, decode_mask
from netcalc.data.samples import Streamed
from netcalc.diagnostics import CannotRunError


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


@dataclass(frozen=True, slots=True)
class RowMasks(Streamed):
    """Masks of the rows of a table, encoded like images, decoded and scaled to one size when they are asked for."""

    column: Any  # a pyarrow.ChunkedArray
    images: RowImages
    size: tuple[int, int]
    classes: int

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, H, W)."""
        return (len(self.column), *self.size)

    def __getitem__(self, indices: NDArray[np.int64], /) -> NDArray[Any]:
        """Return the masks at the indices; raises CannotRunError, naming the row, for one that is no such mask."""
        return np.stack([self._checked(index) for index in indices.tolist()])

    def identity(self) -> bytes:
        """Return how rows are read; the lengths of the files are told of the images."""
        return repr((self.size, self.classes)).encode()

    def mask(self, index: int, size: tuple[int, int] | None = None) -> NDArray[Any]:
        """Return one mask, scaled to `size` if one is given."""
        row = self._row(index)
        stored = self.images.pixel_shape[:2] if self.images.pixel_shape else self.images.stored_size(index)
        return decode_mask(io.BytesIO(_encoded(self.column[index], row)), row, stored, size)

    def _checked(self, index: int) -> NDArray[Any]:
        mask = self.mask(index, self.size)
        check_mask(mask, self.classes, self._row(index))
        return mask

    def _row(self, index: int) -> str:
        return f"{self.images.name}: the mask of row {index}"


def holds_files(kind: Any) -> bool:
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
