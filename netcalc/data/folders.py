"""Folders of image files: what is in them, in the order of the names' bytes, and those of train, val and test."""

from __future__ import annotations

import os
from collections.abc import Sequence

from netcalc.data.limited import shown
from netcalc.diagnostics import CannotRunError

SUFFIXES = (
    ".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm", ".pbm",
)  # fmt: skip
"""Files with other names are passed over."""

_PARTS = {"train": "train", "val": "validation", "valid": "validation", "validation": "validation", "test": "test"}
_DEEPEST = 32


def part_folders(path: str) -> dict[str, str]:
    """Return the folders of the parts; all images are for training where no folder is named after a part."""
    names = [entry.name for entry in entries(path) if entry.is_dir()]
    if "train" not in names or not all(name in _PARTS for name in names):
        return {"train": path}
    found: dict[str, str] = {}
    for name in names:
        if _PARTS[name] in found:
            raise CannotRunError(f"{shown(path)}: has several folders of images for validation: {', '.join(names)}")
        found[_PARTS[name]] = os.path.join(path, name)
    return found


def files_below(folder: str, suffixes: Sequence[str] = SUFFIXES) -> list[str]:
    """Return the files in a folder and those below it, each folder once: links may go in circles."""
    found: list[str] = []
    seen: set[tuple[int, int]] = set()
    pending = [(folder, 0)]
    while pending:
        path, depth = pending.pop()
        children = entries(path)
        here = os.stat(path)
        if (here.st_dev, here.st_ino) in seen or depth > _DEEPEST:
            continue
        seen.add((here.st_dev, here.st_ino))
        for entry in children:
            if entry.is_dir():
                pending.append((entry.path, depth + 1))
            elif entry.name.lower().endswith(tuple(suffixes)) and entry.is_file():
                found.append(entry.path)
    return sorted(found, key=os.fsencode)


def entries(folder: str) -> list[os.DirEntry[str]]:
    """Return what a folder holds in the order of the names' bytes, hidden entries and broken links aside."""
    try:
        with os.scandir(folder) as scanned:
            found = [entry for entry in scanned if not entry.name.startswith(".") and os.path.exists(entry.path)]
    except FileNotFoundError:
        raise CannotRunError(f"{shown(folder)}: no such folder") from None
    except OSError as error:
        raise CannotRunError(f"{shown(folder)}: cannot be read ({error.strerror or error})") from None
    return sorted(found, key=lambda entry: os.fsencode(entry.name))
