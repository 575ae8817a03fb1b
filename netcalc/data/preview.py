"""A sheet of training images as training sees them, with their classes."""

from __future__ import annotations

import math
from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from netcalc.data.augment import augmented
from netcalc.data.pipeline import epoch_order, scaled
from netcalc.data.preprocessing import unfitted
from netcalc.data.sources import load_dataset
from netcalc.diagnostics import CannotRunError, Span
from netcalc.spec.training import TrainingSpec

MOST = 400
"""Images of one sheet."""

_SIDE = 64
"""Pixels that an image is at least shown with, by whole multiples."""
_LINE = 12
"""Pixels of a line of text."""
_GAP = 4


def preview(spec: TrainingSpec, places: Mapping[str, Span], count: int, seed: int) -> Image.Image:
    """Return a sheet of the first images of an epoch, each changed as in one update of that seed.

    Of images that hold parts of two, both classes are told, with their shares. `places` tells where fields stand.
    Raises CannotRunError for data that cannot be read or shown, SpecError for fields that do not fit them.
    """
    dataset = load_dataset(spec.data, places)
    shape = dataset.train.images.shape[1:]
    if len(shape) != 3 or shape[2] not in (1, 2, 3, 4):
        raise CannotRunError(f"images of {shape[-1]} channels cannot be shown")
    prepared = unfitted(shape, spec.data, places)
    chosen = epoch_order(dataset.train.samples, seed, 1)[: min(count, MOST)]
    images = scaled(jnp.asarray(dataset.train.images[chosen]), prepared, dataset.max_value)
    labels = dataset.train.labels[chosen]
    mixed = augmented(spec.augment, jax.random.key(seed), images, jnp.asarray(labels))
    names = [
        _caption(dataset.classes, int(own), int(other), float(share))
        for own, other, share in zip(labels, mixed.others, mixed.share, strict=True)
    ]
    return _sheet(np.asarray(mixed.images), names)


def _caption(classes: tuple[str, ...], own: int, other: int, share: float) -> str:
    if share > 0.995 or own == other:
        return classes[own]
    return f"{classes[own]} {share:.0%} {classes[other]}"


def _sheet(images: NDArray[np.float32], names: list[str]) -> Image.Image:
    """Return the images side by side, each above its caption."""
    count, height, width, _ = images.shape
    times = max(1, math.ceil(_SIDE / max(height, width)))
    columns = math.ceil(math.sqrt(count))
    cell_width, cell_height = width * times + _GAP, height * times + _LINE + _GAP
    sheet = Image.new(
        "RGB", (columns * cell_width + _GAP, math.ceil(count / columns) * cell_height + _GAP), "white"
    )
    draw = ImageDraw.Draw(sheet)
    for number, (pixels, name) in enumerate(zip(images, names, strict=True)):
        left = _GAP + number % columns * cell_width
        top = _GAP + number // columns * cell_height
        image = _picture(pixels).resize((width * times, height * times), Image.Resampling.NEAREST)
        sheet.paste(image, (left, top))
        room = max(1, width * times // 6)  # the built-in font is six pixels wide
        draw.text((left, top + height * times), name if len(name) <= room else name[: room - 1] + "…", fill="black")
    return sheet


def _picture(pixels: NDArray[np.float32]) -> Image.Image:
    """Return pixels in [0, 1] as colours; of two channels the first is shown."""
    values = np.clip(np.round(pixels * 255), 0, 255).astype(np.uint8)
    if values.shape[2] < 3:
        return Image.fromarray(values[..., 0]).convert("RGB")
    return Image.fromarray(np.ascontiguousarray(values[..., :3]))
