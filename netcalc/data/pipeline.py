"""Batches: their order on the host, their preparation on the device."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike, NDArray

from netcalc.data.masks import nearest
from netcalc.data.preprocessing import Preprocessing
from netcalc.data.read_ahead import Batch, Feed, read_ahead
from netcalc.data.samples import Split
from netcalc.spec.data import Target


def epoch_order(samples: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """Return the order of the training samples: a pure function of (seed, epoch)."""
    return np.random.Generator(np.random.PCG64([seed, epoch])).permutation(samples)


def training_batches(split: Split, batch_size: int, seed: int, epoch: int, start: int = 0) -> Feed:
    """Return the batches of one epoch from number `start` on: every sample once, at most `batch_size` at a time.

    Where the size does not divide, the samples are spread so that batches differ by one at most: a small last
    batch would make an update as large as any other from a few samples. Those before `start` are not read.
    """
    order = epoch_order(split.samples, seed, epoch)
    chunks = np.array_split(order, -(-len(order) // batch_size))
    return Feed(read_ahead(split, chunks[start:]))


def split_batch(batch: tuple[ArrayLike, ArrayLike], size: int) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    """Yield the parts of a batch, at most `size` samples each and as evenly as it goes."""
    images, labels = map(np.asarray, batch)
    parts = -(-len(labels) // size)
    yield from zip(np.array_split(images, parts), np.array_split(labels, parts), strict=True)


def evaluation_batches(split: Split, batch_size: int) -> Iterator[tuple[Batch, NDArray[np.float32]]]:
    """Yield batches of one size in file order with a weight a sample: 0 for what fills up the last batch."""
    samples = split.samples
    starts = range(0, samples, batch_size)
    chunks = (np.minimum(np.arange(start, start + batch_size), samples - 1) for start in starts)
    for start, batch in zip(starts, read_ahead(split, chunks), strict=True):
        yield batch, (np.arange(start, start + batch_size) < samples).astype(np.float32)


def prepare(images: jax.Array, preprocessing: Preprocessing, max_value: int) -> jax.Array:
    """Return the network's input for raw images (batch, height, width, channels) whose white is `max_value`."""
    return normalized(scaled(images, preprocessing, max_value), preprocessing)


def scaled(images: jax.Array, preprocessing: Preprocessing, max_value: int) -> jax.Array:
    """Return images of the network's size with pixels in [0, 1]."""
    x = images.astype(jnp.float32) / max_value
    if preprocessing.resize is not None:
        shape = (x.shape[0], *preprocessing.resize, x.shape[3])
        x = jax.image.resize(x, shape, method="bilinear", antialias=True)
    return jnp.pad(x, ((0, 0), *preprocessing.pad, (0, 0)))


def prepared_labels(
    labels: jax.Array, preprocessing: Preprocessing, target: Target = "class", fill: int = 0
) -> jax.Array:
    """Return labels of what `scaled` makes of their images.

    Masks (batch, height, width) are resized to the pixels nearest to those of the resized images, and padded with
    the class `fill`; other labels stay as they are.
    """
    if target != "mask":
        return labels
    if preprocessing.resize is not None:
        sizes = zip(labels.shape[1:], preprocessing.resize, strict=True)
        rows, columns = (nearest(length, wanted) for length, wanted in sizes)
        labels = labels[:, rows[:, None], columns]
    return jnp.pad(labels, ((0, 0), *preprocessing.pad), constant_values=fill)


def normalized(x: jax.Array, preprocessing: Preprocessing) -> jax.Array:
    """Return (x − mean) / std per channel."""
    return (x - jnp.array(preprocessing.mean)) / jnp.array(preprocessing.std)
