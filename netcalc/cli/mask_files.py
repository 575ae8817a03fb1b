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


def mask_names(files: Sequence[str]) -> Mapping[str, str]:
    """Return the name of each file's mask: its own with .png; raises CannotRunError where two would be the same."""
    names = {file: f"{Path(file).stem}.png" for file in files}
    taken = Counter(names.values())
    if double := [file for file, name in names.items() if taken[name] > 1]:
        help = "write the masks of each folder into a folder of its own"
        raise CannotRunError(f"--masks: {double[0]} and {double[1]} would have the same mask", help)
    return names


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
