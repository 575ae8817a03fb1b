"""Image files for prediction, decoded by Pillow."""

from __future__ import annotations

import os
import warnings

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from netcalc.diagnostics import CannotRunError

MAX_VALUE = 255
"""The value of white in what `load_image` returns."""

_MODES = {1: "L", 3: "RGB", 4: "RGBA"}


def load_image(path: str | os.PathLike[str], shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Return an image file as [height, width, channels], scaled to `shape` if it has another size.

    It is turned as its EXIF orientation says. Where `shape` has no alpha channel, transparency lies over black, the
    background of the built-in data.

    Raises CannotRunError, naming the file, for what is missing, damaged or dangerously large.
    """
    height, width, channels = shape
    if channels not in _MODES:
        raise CannotRunError(f"image files have 1, 3 or 4 channels, the run's data have {channels}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                decoded = _decoded(image, _MODES[channels])
        if decoded.size != (width, height):
            decoded = decoded.resize((width, height), Image.Resampling.BILINEAR)
    except FileNotFoundError:
        raise CannotRunError(f"{os.fspath(path)}: no such file") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise CannotRunError(f"{os.fspath(path)}: {error}") from None
    except (OSError, UnidentifiedImageError, SyntaxError, ValueError) as error:
        raise CannotRunError(f"{os.fspath(path)}: not an image that can be read ({error})") from None
    return np.asarray(decoded, dtype=np.uint8).reshape(height, width, channels)


def _decoded(image: Image.Image, mode: str) -> Image.Image:
    image = ImageOps.exif_transpose(image)
    if mode != "RGBA" and image.has_transparency_data:
        # Conversion alone would drop alpha and show the colour of what is transparent, often white.
        opaque = Image.new("RGBA", image.size, "black")
        image = Image.alpha_composite(opaque, image.convert("RGBA"))
    return image.convert(mode)
