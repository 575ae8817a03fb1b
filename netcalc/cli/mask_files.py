"""Masks as image files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from netcalc.diagnostics import CannotRunError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from netcalc.data.preprocessing import Preprocessing

_VOID_OF_16_BITS = 65535


def mask_names(files: Sequence[str]) -> Mapping[str, str]:
    """Return the name of each file's mask: its own with .png; raises CannotRunError where two would be the same."""
    names = {file: f"{Path(file).stem}.png" for file in files}
    taken = Counter(names.values())
    if double := [file for file, name in names.items() if taken[name] > 1]:
        help = "write the masks of each folder into a folder of its own"
        raise CannotRunError(f"--masks: {double[0]} and {double[1]} would have the same mask", help)
    return names


def over_file(mask: NDArray[np.int32], preprocessing: Preprocessing, size: tuple[int, int]) -> NDArray[np.int32]:
    """Return the mask of a file of [height, width] from that of the network's input, of the same pixels.

    An output that is smaller than the input stands for its middle; what it says nothing of is VOID, or 65535 where
    that is a class. Then the padding is cut off, and each pixel of the file has the nearest one.
    """
    import numpy as np

    from netcalc.data.masks import VOID, resized_mask

    height, width, _ = preprocessing.shape
    (top, bottom), (left, right) = preprocessing.pad
    whole = np.full((height, width), VOID if len(preprocessing.classes) <= VOID else _VOID_OF_16_BITS, np.int32)
    first_row, first_column = (height - mask.shape[0]) // 2, (width - mask.shape[1]) // 2
    whole[first_row : first_row + mask.shape[0], first_column : first_column + mask.shape[1]] = mask
    found: NDArray[np.int32] = resized_mask(whole[top : height - bottom, left : width - right], size)
    return found


def write_mask(mask: NDArray[np.int32], path: Path) -> None:
    """Write a mask as a PNG of class indices, 8 bits a pixel or 16; raises CannotRunError where that fails."""
    import numpy as np
    from PIL import Image

    depth = np.uint8 if int(mask.max(initial=0)) < 256 else np.uint16
    if path.exists() and not path.is_file():
        raise CannotRunError(f"{path}: not a regular file")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(mask.astype(depth)).save(path)
    except OSError as error:
        raise CannotRunError(f"{path}: {error.strerror or error}") from None
