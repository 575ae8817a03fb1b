"""Random changes of a batch of images on the device, each a pure function of a key.

Images are (batch, height, width, channels) with pixels in [0, 1] before normalisation, so that zero is black. A
mask moves with its image: the same function takes both, with the same key.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.ndimage import map_coordinates

from netcalc.spec.augment import (
    Augmentation,
    CutMix,
    Cutout,
    Flip,
    Jitter,
    MixUp,
    RandomCrop,
    RandomErasing,
    RandomResizedCrop,
    Rotation,
    Scale,
    Translation,
)
from netcalc.spec.data import Target

Key = jax.Array
Image = jax.Array
"""(height, width, channels)."""

GREY = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in a pixel's grey (ITU-R BT.601)."""


class Sampling(NamedTuple):
    """How pixels are read between the pixels, as the order of a spline, and what comes from outside."""

    order: int
    fill: int


_OF_IMAGES = Sampling(order=1, fill=0)
"""Bilinear, and black from outside."""


Move = Callable[[Any, Key, Image, Sampling], Image]


class Mixture(NamedTuple):
    """Images that hold parts of two: `share` () of the first, and where the second was pasted: (height, width)."""

    images: jax.Array
    share: jax.Array
    pasted: jax.Array


class Mixed(NamedTuple):
    """A batch whose images may hold parts of two: `share` (batch,) of `labels`, the rest of `others`."""

    images: jax.Array
    labels: jax.Array
    others: jax.Array
    share: jax.Array


def augmented(
    changes: Sequence[Augmentation],
    key: Key,
    images: jax.Array,
    labels: jax.Array,
    target: Target = "class",
    fill: int = 0,
) -> Mixed:
    """Return a batch with every change made in order; where two mix images, each batch takes one of them.

    With the target `mask`, labels (batch, height, width) of the images' size move with them, nearest pixel by
    nearest pixel; what comes from outside is of the class `fill`. Where a rectangle of another image is pasted, so
    is that of its mask, and `share` stays 1. Labels of other targets stay as they are, wherever an image is moved.
    """
    kinds = [change.kind for change in changes]
    single = [(index, change) for index, change in enumerate(changes) if change.kind not in _MIXING]
    for index, change in single:
        keys = jax.random.split(jax.random.fold_in(key, index), len(images))
        if change.kind in _MOVING:
            if target == "mask":
                labels = _moved(change, keys, labels[..., None], Sampling(order=0, fill=fill))[..., 0]
            images = _moved(change, keys, images, _OF_IMAGES)
        else:
            images = jax.vmap(_COVERING[change.kind], in_axes=(None, 0, 0))(change.chosen, keys, images)
    ones = jnp.ones(len(images), images.dtype)
    mixing = [change for change in changes if change.kind in _MIXING]
    if not mixing:
        return Mixed(images, labels, labels, ones)
    chosen, order, weight = jax.random.split(jax.random.fold_in(key, len(kinds)), 3)
    partner = jax.random.permutation(order, len(images))
    branches = [_mixer(change) for change in mixing]
    number = jax.random.randint(chosen, (), 0, len(branches))
    images, share, pasted = jax.lax.switch(number, branches, weight, images, images[partner])
    others = labels[partner]
    if target == "mask":
        labels = jnp.where(pasted, others, labels)
        share = jnp.where(pasted.any(), 1, share)
    return Mixed(images, labels, others, share * ones)


def mixes(changes: Sequence[Augmentation], target: Target = "class") -> bool:
    """Tell whether losses are of two labels, as where images hold parts of two; a mask pasted in is one label."""
    return any(change.kind in _MIXING and (change.kind, target) != ("cutmix", "mask") for change in changes)


def _moved(change: Augmentation, keys: Key, images: jax.Array, how: Sampling) -> jax.Array:
    move = _MOVING[change.kind]
    moved: jax.Array = jax.vmap(lambda key, image: move(change.chosen, key, image, how))(keys, images)
    return moved


def _crop(spec: RandomCrop, key: Key, image: Image, how: Sampling) -> Image:
    pad = spec.padding
    row, column = jax.random.randint(key, (2,), 0, 2 * pad + 1)
    wide = jnp.pad(image, ((pad, pad), (pad, pad), (0, 0)), constant_values=how.fill)
    return jax.lax.dynamic_slice(wide, (row, column, 0), image.shape)


def _resized_crop(spec: RandomResizedCrop, key: Key, image: Image, how: Sampling) -> Image:
    """Sizes are drawn as in Inception's training; where one does not fit the image it is cut to its side."""
    sizes, aspects, rows, columns = jax.random.split(key, 4)
    height, width, _ = image.shape
    area = jax.random.uniform(sizes, minval=spec.area[0], maxval=spec.area[1])
    log_aspect = jax.random.uniform(aspects, minval=math.log(spec.aspect[0]), maxval=math.log(spec.aspect[1]))
    root, slant = jnp.sqrt(area), jnp.exp(log_aspect / 2)
    high, wide = jnp.minimum(root / slant, 1.0), jnp.minimum(root * slant, 1.0)
    top = jax.random.uniform(rows) * (1 - high) * height
    left = jax.random.uniform(columns) * (1 - wide) * width
    # Pixel i of the result is the middle of its share of the window, in pixels of the image.
    y = top + (jnp.arange(height) + 0.5) * high - 0.5
    x = left + (jnp.arange(width) + 0.5) * wide - 0.5
    rows_seen, columns_seen = jnp.meshgrid(y, x, indexing="ij")
    return _sampled(image, rows_seen, columns_seen, how, "nearest")


def _flip(axis: int) -> Move:
    def flip(spec: Flip, key: Key, image: Image, how: Sampling) -> Image:
        return jnp.where(jax.random.bernoulli(key, spec.probability), jnp.flip(image, axis), image)

    return flip


def _rotation(spec: Rotation, key: Key, image: Image, how: Sampling) -> Image:
    most = math.radians(spec.degrees)
    angle = jax.random.uniform(key, minval=-most, maxval=most)
    y, x = _from_centre(image)
    sine, cosine = jnp.sin(angle), jnp.cos(angle)
    return _at_centre(image, cosine * y - sine * x, sine * y + cosine * x, how)


def _scale(spec: Scale, key: Key, image: Image, how: Sampling) -> Image:
    factor = jax.random.uniform(key, minval=1 - spec.amount, maxval=1 + spec.amount)
    y, x = _from_centre(image)
    return _at_centre(image, y / factor, x / factor, how)


def _translation(axis: int) -> Move:
    def translate(spec: Translation, key: Key, image: Image, how: Sampling) -> Image:
        pads = [(0, 0)] * 3
        pads[axis] = (spec.pixels, spec.pixels)
        start = jax.random.randint(key, (), 0, 2 * spec.pixels + 1)
        wide = jnp.pad(image, pads, constant_values=how.fill)
        return jax.lax.dynamic_slice_in_dim(wide, start, image.shape[axis], axis)

    return translate


def _brightness(spec: Jitter, key: Key, image: Image) -> Image:
    return jnp.clip(image * _factor(spec, key), 0, 1)


def _contrast(spec: Jitter, key: Key, image: Image) -> Image:
    mean = jnp.mean(_grey(image))
    return jnp.clip(mean + (image - mean) * _factor(spec, key), 0, 1)


def _saturation(spec: Jitter, key: Key, image: Image) -> Image:
    grey = _grey(image)
    return jnp.clip(grey + (image - grey) * _factor(spec, key), 0, 1)


def _cutout(spec: Cutout, key: Key, image: Image) -> Image:
    height, width, _ = image.shape
    rows, columns = jax.random.split(key)
    top = jax.random.randint(rows, (), 0, height) - spec.size // 2
    left = jax.random.randint(columns, (), 0, width) - spec.size // 2
    hole = _rectangle(image.shape, top, left, jnp.asarray(spec.size), jnp.asarray(spec.size))
    return jnp.where(hole, 0, image)


def _erasing(spec: RandomErasing, key: Key, image: Image) -> Image:
    height, width, _ = image.shape
    often, sizes, aspects, rows, columns, noise = jax.random.split(key, 6)
    area = jax.random.uniform(sizes, minval=spec.area[0], maxval=spec.area[1]) * (height * width)
    log_aspect = jax.random.uniform(aspects, minval=math.log(spec.aspect[0]), maxval=math.log(spec.aspect[1]))
    high = jnp.clip(jnp.round(jnp.sqrt(area * jnp.exp(-log_aspect))), 1, height).astype(int)
    wide = jnp.clip(jnp.round(jnp.sqrt(area * jnp.exp(log_aspect))), 1, width).astype(int)
    top = jax.random.randint(rows, (), 0, height - high + 1)
    left = jax.random.randint(columns, (), 0, width - wide + 1)
    hole = _rectangle(image.shape, top, left, high, wide) & jax.random.bernoulli(often, spec.probability)
    return jnp.where(hole, jax.random.uniform(noise, image.shape, image.dtype), image)


def _mixup(spec: MixUp, key: Key, images: jax.Array, others: jax.Array) -> Mixture:
    weight = jax.random.beta(key, spec.alpha, spec.alpha).astype(images.dtype)
    return Mixture(weight * images + (1 - weight) * others, weight, jnp.zeros(images.shape[1:3], bool))


def _cutmix(spec: CutMix, key: Key, images: jax.Array, others: jax.Array) -> Mixture:
    weights, rows, columns = jax.random.split(key, 3)
    _, height, width, _ = images.shape
    side = jnp.sqrt(1 - jax.random.beta(weights, spec.alpha, spec.alpha))
    high, wide = (jnp.round(side * extent).astype(int) for extent in (height, width))
    top = jax.random.randint(rows, (), 0, height) - high // 2
    left = jax.random.randint(columns, (), 0, width) - wide // 2
    hole = _rectangle((height, width, 1), top, left, high, wide)
    # What hangs over the edge is cut off, and the weight is of what is left.
    return Mixture(jnp.where(hole, others, images), 1 - jnp.mean(hole.astype(images.dtype)), hole[..., 0])


_MOVING: Mapping[str, Move] = MappingProxyType(
    {
        "random_crop": _crop,
        "random_resized_crop": _resized_crop,
        "horizontal_flip": _flip(1),
        "vertical_flip": _flip(0),
        "rotation": _rotation,
        "horizontal_translation": _translation(1),
        "vertical_translation": _translation(0),
        "scale": _scale,
    }
)
"""What moves the pixels of one image, or of its mask as an image of one channel."""

_COVERING: Mapping[str, Callable[[Any, Key, Image], Image]] = MappingProxyType(
    {
        "brightness": _brightness,
        "contrast": _contrast,
        "saturation": _saturation,
        "cutout": _cutout,
        "random_erasing": _erasing,
    }
)
"""What changes the values of pixels where they are; what was there before stays the label."""

_MIXING: Mapping[str, Callable[[Any, Key, jax.Array, jax.Array], Mixture]] = MappingProxyType(
    {"mixup": _mixup, "cutmix": _cutmix}
)
"""What is done to a batch and its images in another order."""


def _mixer(change: Augmentation) -> Callable[[Key, jax.Array, jax.Array], Mixture]:
    mix, spec = _MIXING[change.kind], change.chosen
    return lambda key, images, others: mix(spec, key, images, others)


def _factor(spec: Jitter, key: Key) -> jax.Array:
    return jax.random.uniform(key, minval=1 - spec.amount, maxval=1 + spec.amount)


def _grey(image: Image) -> jax.Array:
    """Return (height, width, 1): the grey of colour images, the mean of other channels."""
    if image.shape[-1] == len(GREY):
        return jnp.sum(image * jnp.asarray(GREY, image.dtype), axis=-1, keepdims=True)
    return jnp.mean(image, axis=-1, keepdims=True)


def _rectangle(
    shape: Sequence[int], top: jax.Array, left: jax.Array, height: jax.Array, width: jax.Array
) -> jax.Array:
    """Return a mask (height, width, 1) of the pixels within a rectangle."""
    rows, columns = jnp.arange(shape[0])[:, None, None], jnp.arange(shape[1])[None, :, None]
    return (rows >= top) & (rows < top + height) & (columns >= left) & (columns < left + width)


def _from_centre(image: Image) -> tuple[jax.Array, jax.Array]:
    """Return the row and the column of each pixel, from the middle of the image."""
    height, width, _ = image.shape
    y, x = jnp.arange(height) - (height - 1) / 2, jnp.arange(width) - (width - 1) / 2
    rows, columns = jnp.meshgrid(y, x, indexing="ij")
    return rows, columns


def _at_centre(image: Image, y: jax.Array, x: jax.Array, how: Sampling) -> Image:
    """Return the image sampled at places from its middle; `how.fill` outside."""
    height, width, _ = image.shape
    return _sampled(image, y + (height - 1) / 2, x + (width - 1) / 2, how, "constant")


def _sampled(image: Image, y: jax.Array, x: jax.Array, how: Sampling, mode: str) -> Image:
    """Return the image at rows y and columns x."""

    def channel(plane: jax.Array) -> jax.Array:
        values: jax.Array = map_coordinates(plane, [y, x], order=how.order, mode=mode, cval=how.fill)
        return values

    sampled: jax.Array = jax.vmap(channel, in_axes=-1, out_axes=-1)(image)
    return sampled
