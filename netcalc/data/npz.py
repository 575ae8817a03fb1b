"""Arrays of a NumPy archive: nothing in it is unpickled, and no more is unpacked than the headers tell."""

from __future__ import annotations

import math
import zipfile
import zlib
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from netcalc.data.limited import read_exactly, shown
from netcalc.data.samples import Collection, Split, check_array_bytes, check_labels, frozen_split, numbered_classes
from netcalc.diagnostics import CannotRunError, did_you_mean
from netcalc.spec.data import NpzData

_MOST_MEMBERS = 10_000


def read_npz(spec: NpzData) -> Collection:
    """Return the images and labels of an archive; raises CannotRunError, naming the file and the array."""
    name = shown(spec.path)
    try:
        with zipfile.ZipFile(spec.path) as archive:
            train = _samples(archive, spec.images, spec.labels, name)
            test = None
            if spec.test_images is not None and spec.test_labels is not None:
                test = _samples(archive, spec.test_images, spec.test_labels, name)
    except FileNotFoundError:
        raise CannotRunError(f"{name}: no such file") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise CannotRunError(f"{name}: not an .npz archive that can be read ({error})") from None
    except OSError as error:
        raise CannotRunError(f"{name}: cannot be read ({error.strerror or error})") from None
    if test is not None and test.images.shape[1:] != train.images.shape[1:]:
        raise CannotRunError(f"{name}: `{spec.test_images}` has images of another shape than `{spec.images}`")
    labels = [split.labels for split in (train, test) if split is not None]
    return Collection(train, numbered_classes(labels, spec.classes, name), test=test)


def _samples(archive: zipfile.ZipFile, images: str, labels: str, name: str) -> Split:
    pixels, numbers = _array(archive, images, name), _array(archive, labels, name)
    if pixels.dtype != np.uint8:
        help = "scale them to 0-255 and store them with .astype(numpy.uint8)"
        raise CannotRunError(f"{name}: `{images}` is of {pixels.dtype}, images are uint8", help)
    if pixels.ndim not in (3, 4) or 0 in pixels.shape[1:]:
        raise CannotRunError(f"{name}: `{images}` is {list(pixels.shape)}, not [N, H, W] or [N, H, W, C]")
    if numbers.ndim != 1 or numbers.dtype.kind not in "iu":
        what = f"{numbers.dtype} {list(numbers.shape)}"
        raise CannotRunError(f"{name}: `{labels}` is {what}, not one whole number a sample")
    check_labels(numbers, len(pixels), name)
    if int(numbers.max()) > np.iinfo(np.int32).max or int(numbers.min()) < 0:
        raise CannotRunError(f"{name}: `{labels}` reaches from {numbers.min()} to {numbers.max()}")
    return frozen_split(pixels[..., np.newaxis] if pixels.ndim == 3 else pixels, numbers)


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
