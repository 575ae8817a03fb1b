"""Image files decoded by Pillow, under limits: for prediction, and as training asks for them."""

from __future__ import annotations

import os
import warnings
from typing import IO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, ImageOps

from netcalc.data.limited import shown
from netcalc.diagnostics import CannotRunError

MAX_VALUE = 255
"""The value of white in what is decoded."""

_MODES = {1: "L", 3: "RGB", 4: "RGBA"}
_WIDE_MODES = ("I", "I;16", "I;16L", "I;16B", "I;16N", "F")
_STEP = 257
"""Between neighbouring values of 8 bits, in 16: 65535 is 255 such steps."""
_ORIENTATION = 0x0112
_ON_ITS_SIDE = (5, 6, 7, 8)

# For good, since what is changed for a while by one thread holds for the others too.
warnings.simplefilter("error", Image.DecompressionBombWarning)


def load_image(path: str | os.PathLike[str], shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Return an image file as [height, width, channels], scaled to `shape` if it has another size.

    It is turned as its EXIF orientation says. Where `shape` has no alpha channel, transparency lies over black, the
    background of the built-in data. Grey of 16 bits becomes the nearest of 8.

    Raises CannotRunError, naming the file, for what is missing, damaged or dangerously large, and for floats.
    """
    height, width, channels = shape
    if channels not in _MODES:
        raise CannotRunError(f"image files have 1, 3 or 4 channels, the run's data have {channels}")
    file = os.fspath(path)
    return decode(file, shown(file), channels, (height, width))


def decode(
    file: str | IO[bytes], name: str, channels: int, size: tuple[int, int] | None = None
) -> NDArray[np.uint8]:
    """Return an image as [height, width, channels], scaled to `size` if one is given; `name` is for messages."""
    try:
        with Image.open(file) as image:
            decoded = _decoded(image, _MODES[channels], name)
        if size is not None and decoded.size != (size[1], size[0]):
            decoded = _scaled(decoded, size)
        pixels = np.asarray(decoded, dtype=np.uint8)
    except CannotRunError:
        raise
    except Exception as error:
        raise unreadable(error, name) from None
    return pixels.reshape(decoded.height, decoded.width, channels)


def resized(pixels: NDArray[np.uint8], size: tuple[int, int], name: str) -> NDArray[np.uint8]:
    """Return an image [height, width, channels] scaled to [height, width], as `decode` scales."""
    channels = pixels.shape[2]
    if channels not in _MODES:
        raise CannotRunError(f"{name}: images of {channels} channels cannot be resized; 1, 3 and 4 can")
    image = Image.fromarray(pixels[..., 0] if channels == 1 else pixels)
    return np.asarray(_scaled(image, size), dtype=np.uint8).reshape(*size, channels)


def _scaled(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    return image.resize((size[1], size[0]), Image.Resampling.BILINEAR)


def image_size(file: str | IO[bytes], name: str) -> tuple[int, int]:
    """Return height and width of an image, turned as its orientation says, from its header alone."""
    try:
        with Image.open(file) as image:
            width, height = image.size
            # A PNG without EXIF in its head would be decoded to look for one behind the pixels.
            has_exif = image.format != "PNG" or "exif" in image.info
            on_its_side = has_exif and image.getexif().get(_ORIENTATION) in _ON_ITS_SIDE
    except Exception as error:
        raise unreadable(error, name) from None
    return (width, height) if on_its_side else (height, width)


def unreadable(error: Exception, name: str) -> CannotRunError:
    """Return what to say of a file; Pillow's formats each have exceptions of their own for damaged data."""
    match error:
        case FileNotFoundError():
            return CannotRunError(f"{name}: no such file")
        case Image.DecompressionBombError() | Image.DecompressionBombWarning():
            return CannotRunError(f"{name}: {error}")
        case MemoryError():
            raise error
    return CannotRunError(f"{name}: not an image that can be read ({error})")


def _decoded(image: Image.Image, mode: str, name: str) -> Image.Image:
    if image.mode in _WIDE_MODES:
        image = _in_bytes(image, name)
    image = ImageOps.exif_transpose(image)
    if mode != "RGBA" and image.has_transparency_data:
        # Conversion alone would drop alpha and show the colour of what is transparent, often white.
        opaque = Image.new("RGBA", image.size, "black")
        image = Image.alpha_composite(opaque, image.convert("RGBA"))
    return image.convert(mode)


def _in_bytes(image: Image.Image, name: str) -> Image.Image:
    """Return grey of 16 bits as the nearest of 8, where Pillow's own conversion would cut all off at white.

    Raises CannotRunError for floats, and for whole numbers of which it is not known what white is.
    """
    # Pillow's `I` is of 32 bits, and also how it reads PNG and PGM of 16.
    if (
        image.mode == "F"
        or (image.mode == "I" and image.format not in ("PNG", "PPM"))
        or _raw_mode(image) == "I;12"
    ):
        what = "floating point" if image.mode == "F" else "whole numbers of neither 8 nor 16 bits"
        raise CannotRunError(f"{name}: its pixels are {what}", help="save it with 8 or 16 bits a channel")
    orientation = image.getexif().get(_ORIENTATION)
    values = np.asarray(image).astype(np.int64)
    grey = Image.fromarray(((values + _STEP // 2) // _STEP).astype(np.uint8))
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        grey.putalpha(Image.fromarray(np.where(values == transparent, 0, 255).astype(np.uint8)))
    if orientation is not None:
        grey.getexif()[_ORIENTATION] = orientation
    return grey


def _raw_mode(image: Image.Image) -> str | None:
    """Return how pixels lie in a file, in Pillow's terms."""
    tiles = image.tile if isinstance(image, ImageFile.ImageFile) else []
    args = tiles[0][3] if tiles else None
    found = args[0] if isinstance(args, tuple) and args else args
    return found if isinstance(found, str) else None
