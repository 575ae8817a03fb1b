"""Files of every source, as small as can be, written by the tests themselves."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def pixels(samples: int, *shape: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (samples, *shape), dtype=np.uint8)


def labels_of(samples: int, classes: int) -> NDArray[np.int32]:
    return (np.arange(samples) % classes).astype(np.int32)


def idx(array: NDArray[Any]) -> bytes:
    lengths = struct.pack(f">{array.ndim}I", *array.shape)
    return bytes([0, 0, 8, array.ndim]) + lengths + array.astype(np.uint8).tobytes()


def written(path: Path, content: bytes) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return str(path)


def image_file(path: Path, image: NDArray[np.uint8]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(path)
    return path


def image_folder(
    root: Path, images: NDArray[np.uint8], labels: NDArray[np.int32], names: str = "abcdefghij"
) -> Path:
    """Write images as PNG files `class/number.png`."""
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        image_file(root / names[label] / f"{number:04}.png", image)
    return root
