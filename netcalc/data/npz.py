"""Arrays of a NumPy archive: nothing in it is unpickled, and no more is unpacked than the headers tell."""

from __future__ import annotations

import math
import zipfile
import zlib
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from netcalc.data.array_labels import array_labels
from netcalc.data.limited import read_exactly, shown
from netcalc.data.samples import Collection, check_array_bytes, check_labels, frozen_split
from netcalc.diagnostics import CannotRunError, did_you_mean
from netcalc.spec.data import NpzData

_MOST_MEMBERS = 10_000


def read_npz(spec: NpzData) -> Collection:
    """Return the images and labels of an archive; raises CannotRunError, naming the file and the array."""
    name = shown(spec.path)
    try:
        with zipfile.ZipFile(spec.path) as archive:
            parts = [_samples(archive, spec.images, spec.labels, name)]
            if spec.test_images is not None and spec.test_labels is not None:
                parts.append(_samples(archive, spec.test_images, spec.test_labels, name))
    except FileNotFoundError:
        raise CannotRunError(f"{name}: no such file") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise CannotRunError(f"{name}: not an .npz archive that can be read ({error})") from None
    except OSError as error:
        raise CannotRunError(f"{name}: cannot be read ({error.strerror or error})") from None
    images, labels = zip(*parts, strict=True)
    _, height, width, _ = images[0].shape
    if any(found.shape[1:] != images[0].shape[1:] for found in images):
        raise CannotRunError(f"{name}: `{spec.test_images}` has images of another shape than `{spec.images}`")
    names = [array for array in (spec.labels, spec.test_labels) if array is not None]
    found = array_labels(labels, names, (height, width), spec.classes, name)
    train, *test = map(frozen_split, images, found.parts)
    return Collection(train, found.classes, test=test[0] if test else None, target=found.target)


def _samples(archive: zipfile.ZipFile, images: str, labels: str, name: str) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the images [N, H, W, C] and their labels, whatever these are."""
    pixels, numbers = _array(archive, images, name), _array(archive, labels, name)
    if pixels.dtype != np.uint8:
        help = "scale them to 0-255 and store them with .astype(numpy.uint8)"
        raise CannotRunError(f"{name}: `{images}` is of {pixels.dtype}, images are uint8", help)
    if pixels.ndim not in (3, 4) or 0 in pixels.shape[1:]:
        raise CannotRunError(f"{name}: `{images}` is {list(pixels.shape)}, not [N, H, W] or [N, H, W, C]")
    check_labels(numbers, len(pixels), name)
    return pixels[..., np.newaxis] if pixels.ndim == 3 else pixels, numbers


def _array(archive: zipfile.ZipFile, array: str, name: str) -> NDArray[Any]:
    """Return one array: its header is checked before memory is asked for, as np.load does not."""
    members = archive.namelist()[:_MOST_MEMBERS]
    if f"{array}.npy" not in members:
        known = [member.removesuffix(".npy") for member in members]
        raise CannotRunError(f"{name}: has no array `{array}`", help=did_you_mean(array, known))
    with archive.open(f"{array}.npy") as stream:
        version = npy.read_magic(stream)
        if version not in ((1, 0), (2, 0)):
            raise CannotRunError(f"{name}: `{array}` is of .npy version {version[0]}.{version[1]}")
        read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, fortran, dtype = read_header(stream)
        if dtype.hasobject:
            raise CannotRunError(f"{name}: `{array}` holds pickled objects, which netcalc does not load")
        check_array_bytes((*shape, dtype.itemsize), name)
        data = read_exactly(stream, math.prod(shape) * dtype.itemsize, f"{name}: `{array}`")
    found: NDArray[Any] = np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C")
    return np.ascontiguousarray(found)
