"""A sheet of training images as training sees them, with their targets."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from netcalc.data.augment import Mixed, augmented
from netcalc.data.masks import VOID
from netcalc.data.pipeline import epoch_order, prepared_labels, scaled
from netcalc.data.preprocessing import unfitted
from netcalc.data.read_ahead import read_ahead
from netcalc.data.samples import Dataset
from netcalc.data.sources import load_dataset
from netcalc.diagnostics import CannotRunError, Span
from netcalc.spec.data import Target
from netcalc.spec.training import TrainingSpec

MOST = 400
"""Images of one sheet."""

_SIDE = 64
"""Pixels that an image is at least shown with, by whole multiples."""
_LINE = 12
"""Pixels of a line of text."""
_LETTER = 6
"""Pixels of a letter of the built-in font."""
_GAP = 4
_CAPTION = 24
"""Letters of several labels or values that room is made for; the rest is cut."""

_VOID_COLOUR = (224, 224, 192)


def preview(
    spec: TrainingSpec, places: Mapping[str, Span], count: int, seed: int, ignore: int | None = None
) -> Image.Image:
    """Return a sheet of the first images of an epoch, each changed as in one update of that seed.

    Masks lie over their images, with the names of the classes below; other targets are written under them. Of
    images that hold parts of two, both are told, with their shares. `places` tells where fields stand, `ignore` is
    the class that the loss leaves out. Raises CannotRunError for data that cannot be read or shown, SpecError for
    fields that do not fit them.
    """
    dataset = load_dataset(spec.data, places, ignore)
    shape = dataset.train.images.shape[1:]
    if len(shape) != 3 or shape[2] not in (1, 2, 3, 4):
        raise CannotRunError(f"images of {shape[-1]} channels cannot be shown")
    prepared = unfitted(shape, spec.data, places)
    chosen = epoch_order(dataset.train.samples, seed, 1)[: min(count, MOST)]
    ((images, labels),) = read_ahead(dataset.train, [chosen])
    fill = 0 if ignore is None else ignore
    x = scaled(jnp.asarray(images), prepared, dataset.max_value)
    y = prepared_labels(jnp.asarray(labels), prepared, dataset.target, fill)
    mixed = augmented(spec.augment, jax.random.key(seed), x, y, dataset.target, fill)
    pictures = [_picture(pixels) for pixels in np.asarray(mixed.images)]
    if dataset.target != "mask":
        return _sheet(pictures, _captions(mixed, dataset), 0 if dataset.target == "class" else _CAPTION)
    masks = np.asarray(mixed.labels)
    void = VOID if len(dataset.classes) <= VOID else None
    laid_over = [_laid_over(*pair, void) for pair in zip(pictures, masks, strict=True)]
    shown = [(dataset.classes[number], _colour(number)) for number in np.unique(masks) if number != void]
    return _with_legend(_sheet(laid_over, _captions(mixed, dataset), 0), shown)


def _captions(mixed: Mixed, dataset: Dataset) -> list[str]:
    """Return what is written below each image."""
    found = []
    for own, other, share in zip(*map(np.asarray, (mixed.labels, mixed.others, mixed.share)), strict=True):
        first, second = (_in_words(label, dataset.target, dataset.classes) for label in (own, other))
        whole = float(share) > 0.995 or np.array_equal(own, other)
        found.append(first if whole else f"{first} {float(share):.0%} {second}".strip())
    return found


def _in_words(label: NDArray[np.generic], target: Target, classes: Sequence[str]) -> str:
    """Return a label as text; a mask is drawn, not told."""
    if target == "class":
        return classes[int(label)]
    if target == "multi_label":
        return ", ".join(classes[number] for number in np.flatnonzero(label).tolist()) or "-"
    if target == "values":
        # More than the room for a caption are not told.
        return " ".join(f"{value:.3g}" for value in np.ravel(label)[:_CAPTION])
    return ""


def _sheet(pictures: Sequence[Image.Image], names: Sequence[str], letters: int) -> Image.Image:
    """Return the images side by side, each above its caption, for which there is room for so many letters."""
    width, height = pictures[0].size
    times = max(1, math.ceil(_SIDE / max(height, width)))
    columns = math.ceil(math.sqrt(len(pictures)))
    caption_width = max(width * times, min(max(map(len, names)), letters) * _LETTER)
    cell_width, cell_height = caption_width + _GAP, height * times + _LINE + _GAP
    sheet = Image.new(
        "RGB", (columns * cell_width + _GAP, math.ceil(len(pictures) / columns) * cell_height + _GAP), "white"
    )
    draw = ImageDraw.Draw(sheet)
    for number, (picture, name) in enumerate(zip(pictures, names, strict=True)):
        left = _GAP + number % columns * cell_width
        top = _GAP + number // columns * cell_height
        sheet.paste(picture.resize((width * times, height * times), Image.Resampling.NEAREST), (left, top))
        room = max(1, caption_width // _LETTER)
        draw.text((left, top + height * times), name if len(name) <= room else name[: room - 1] + "…", fill="black")
    return sheet


def _with_legend(sheet: Image.Image, classes: Sequence[tuple[str, tuple[int, int, int]]]) -> Image.Image:
    """Return the sheet above lines of classes, each beside its colour."""
    places, left, line = [], _GAP, 0
    for name, _ in classes:
        width = _LINE + _GAP + len(name) * _LETTER + 2 * _GAP
        if left > _GAP and left + width > sheet.width:
            left, line = _GAP, line + 1
        places.append((left, sheet.height + line * (_LINE + _GAP)))
        left += width
    whole = Image.new("RGB", (sheet.width, sheet.height + (line + 1) * (_LINE + _GAP)), "white")
    whole.paste(sheet, (0, 0))
    draw = ImageDraw.Draw(whole)
    for (name, colour), (x, y) in zip(classes, places, strict=True):
        draw.rectangle((x, y, x + _LINE - 2, y + _LINE - 2), fill=colour, outline="black")
        draw.text((x + _LINE + _GAP, y), name, fill="black")
    return whole


def _laid_over(picture: Image.Image, mask: NDArray[np.int32], void: int | None) -> Image.Image:
    """Return an image with half of the colour of each pixel's class."""
    numbers, places = np.unique(mask, return_inverse=True)
    colours = np.array([_VOID_COLOUR if number == void else _colour(int(number)) for number in numbers], np.uint8)
    return Image.blend(picture, Image.fromarray(colours[places.reshape(mask.shape)]), 0.5)


def _colour(number: int) -> tuple[int, int, int]:
    """Return the colour of a class as PASCAL VOC draws it: the bits of its number dealt out to the channels."""
    red, green, blue = (
        sum((number >> (3 * place + channel) & 1) << (7 - place) for place in range(8)) for channel in range(3)
    )
    return red, green, blue


def _picture(pixels: NDArray[np.float32]) -> Image.Image:
    """Return pixels in [0, 1] as colours; of two channels the first is shown."""
    values = np.clip(np.round(pixels * 255), 0, 255).astype(np.uint8)
    if values.shape[2] < 3:
        return Image.fromarray(values[..., 0]).convert("RGB")
    return Image.fromarray(np.ascontiguousarray(values[..., :3]))
