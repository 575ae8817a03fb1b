"""Masks: a class for each pixel of an image, read from image files by index and never blended between pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, ImageOps

from netcalc.data.images import unreadable
from netcalc.data.samples import MAX_CLASSES, PerSample
from netcalc.diagnostics import CannotRunError

VOID = 255
"""The value of a pixel that is of no class, as the masks of PASCAL VOC and Cityscapes have it."""

_FORMATS = ("PNG", "BMP", "TIFF")
"""What keeps every pixel as it was written; JPEG does not."""

_MODES = ("1", "L", "P", "I", "I;16", "I;16L", "I;16B")
"""Pillow's names of one whole number a pixel: of a palette it is the index, not the colour."""

_WIDENED = {"L;2": 85, "L;4": 17}
"""Grey of fewer than eight bits, which Pillow multiplies so that white is 255."""


def decode_mask(
    file: str | IO[bytes], name: str, image_size: tuple[int, int], size: tuple[int, int] | None = None
) -> NDArray[Any]:
    """Return the mask of an image of a [height, width], its nearest pixels in `size` if one is given.

    It is turned as its own EXIF orientation says, and has the size of the image as that is shown. Raises
    CannotRunError, with `name`, for what is missing, damaged, dangerously large, of another size or in colours.
    """
    try:
        with Image.open(file) as image:
            kind, mode = image.format, image.mode
            written_by = _written_by(image)
            turned = ImageOps.exif_transpose(image) if kind in _FORMATS and mode in _MODES else None
            values = None if turned is None else np.asarray(turned)
    except Exception as error:
        raise unreadable(error, name) from None
    if values is None:
        what = f"is {kind}" if kind not in _FORMATS else f"holds colours ({mode})"
        raise CannotRunError(
            f"{name}: {what}, which is no mask",
            help="PNG, BMP or TIFF of one whole number a pixel, or of a palette",
        )
    if values.shape != image_size:
        sizes = f"{values.shape[0]}×{values.shape[1]} pixels, its image {image_size[0]}×{image_size[1]}"
        raise CannotRunError(
            f"{name}: the mask is {sizes}",
            help="a mask is of the image as it is shown, turned as its EXIF orientation says",
        )
    values = values.astype(np.uint8) if values.dtype == bool else values // written_by
    return values if size is None else resized_mask(values, size)


def resized_mask(mask: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    """Return the nearest pixels of a mask [height, width] in another size."""
    rows, columns = (nearest(length, wanted) for length, wanted in zip(mask.shape, size, strict=True))
    return mask[rows[:, None], columns]


def nearest(length: int, wanted: int) -> NDArray[np.int64]:
    """Return the pixel that the middle of each of `wanted` pixels lies in, along an axis of `length` pixels."""
    return (2 * np.arange(wanted) + 1) * length // (2 * wanted)


def check_mask(values: NDArray[Any], classes: int, name: str) -> None:
    """Raise CannotRunError, with the name, for a pixel that is neither one of the classes nor VOID."""
    strange = (values < 0) | (values >= classes)
    if not strange.any():
        return
    strange &= values != VOID
    if strange.any():
        message = f"{name}: a pixel of {values[strange].flat[0]}, where the classes are 0 to {classes - 1}"
        raise CannotRunError(message, help=f"{VOID} stands for pixels of no class")


def largest_class(values: NDArray[Any]) -> int:
    """Return the largest class of a mask, −1 where it has none.

    VOID counts as a class only where there are larger ones.
    """
    largest = int(values.max())
    return largest if largest != VOID else int(np.where(values == VOID, -1, values.astype(np.int64)).max())


def mask_classes(largest: int, names: Sequence[str] | None, file: str) -> tuple[str, ...]:
    """Return the classes of masks: `names`, or numbers up to the largest class found.

    Raises CannotRunError, naming the file, for more than there can be.
    """
    if names is not None:
        return tuple(names)
    if largest >= MAX_CLASSES:
        raise CannotRunError(f"{file}: a pixel of {largest:,}, where there are {MAX_CLASSES:,} classes at most")
    return tuple(str(number) for number in range(max(largest + 1, 2)))


@dataclass(frozen=True, slots=True)
class WithoutVoid:
    """Streamed masks of which every pixel is to have a class, since the loss leaves none out."""

    masks: PerSample
    source: str

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, H, W)."""
        return self.masks.shape

    def __getitem__(self, indices: NDArray[np.int64], /) -> NDArray[Any]:
        """Return the masks at the indices; raises CannotRunError where a pixel has no class."""
        found: NDArray[Any] = self.masks[indices]
        check_no_void(found, self.source)
        return found


def check_no_void(masks: NDArray[Any], source: str) -> None:
    """Raise CannotRunError where a pixel of masks is VOID."""
    if (masks == VOID).any():
        raise CannotRunError(
            f"`{source}`: a mask has pixels of {VOID}, which are of no class",
            help=f"`ignore: {VOID}` of the loss leaves them out",
        )


def _written_by(image: ImageFile.ImageFile) -> int:
    """Return what Pillow multiplies the whole numbers of a file by."""
    args = image.tile[0][3] if image.tile else ""
    raw = args if isinstance(args, str) else args[0] if args else ""
    return _WIDENED.get(raw, 1) if isinstance(raw, str) else 1
