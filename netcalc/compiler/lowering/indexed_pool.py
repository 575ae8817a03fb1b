"""Max pooling that keeps one byte an output for its backward pass: which tap of the window won.

XLA's own gradient of a windowed maximum keeps the input, or several 32-bit index tensors. Here the forward pass
walks the k² taps as strided slices with a running maximum, and the backward pass lays dy back tap by tap.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from netcalc.layers.base import WindowAxis
from netcalc.layers.pool import INDEXED_TAPS


class Slide(NamedTuple):
    """A window along one axis of so many elements."""

    side: int
    size: int
    stride: int
    padding: tuple[int, int]


def covering(axis: WindowAxis) -> tuple[int, int]:
    """Return the padding that also holds what ceil rounding lets hang over the end."""
    low, high = axis.padding
    return low, high + max(0, -axis.unused)


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def max_pool_by_index(x: jax.Array, slides: tuple[Slide, ...]) -> jax.Array:
    """Return the largest value of each window of x (batch, ..., channels); NaN where a window holds one.

    Of equal values the first in reading order receives the gradient.
    """
    result: jax.Array = lax.reduce_window(
        x,
        -jnp.inf,
        lax.max,
        window_dimensions=(1, *(slide.size for slide in slides), 1),
        window_strides=(1, *(slide.stride for slide in slides), 1),
        padding=((0, 0), *(slide.padding for slide in slides), (0, 0)),
    )
    return result


def _forward(x: jax.Array, slides: tuple[Slide, ...]) -> tuple[jax.Array, jax.Array]:
    padded = lax.pad(x, jnp.array(-jnp.inf, x.dtype), [(0, 0, 0), *((*s.padding, 0) for s in slides), (0, 0, 0)])
    sides = [(n - s.size) // s.stride + 1 for n, s in zip(padded.shape[1:-1], slides, strict=True)]
    best = index = None
    for tap, offsets in enumerate(_taps(slides)):
        ends = (o + (n - 1) * s.stride + 1 for o, n, s in zip(offsets, sides, slides, strict=True))
        values = lax.slice(
            padded,
            (0, *offsets, 0),
            (x.shape[0], *ends, x.shape[-1]),
            (1, *(slide.stride for slide in slides), 1),
        )
        if best is None or index is None:
            best, index = values, jnp.zeros(values.shape, jnp.uint8)
        else:
            wins = (values > best) | jnp.isnan(values)
            best, index = jnp.where(wins, values, best), jnp.where(wins, jnp.uint8(tap), index)
    # The barrier keeps XLA from computing the index anew in the backward pass, which would keep x for it.
    best, index = lax.optimization_barrier((best, index))
    return best, index


def _backward(slides: tuple[Slide, ...], index: jax.Array, dy: jax.Array) -> tuple[jax.Array]:
    if all(slide.size == slide.stride and slide.padding == (0, 0) for slide in slides):
        return (_tiled(slides, index, dy),)
    zero = jnp.zeros((), dy.dtype)
    dx = None
    for tap, offsets in enumerate(_taps(slides)):
        margins = []
        for offset, slide, outputs in zip(offsets, slides, dy.shape[1:-1], strict=True):
            before = offset - slide.padding[0]
            margins.append((before, slide.side - 1 - before - (outputs - 1) * slide.stride, slide.stride - 1))
        laid = lax.pad(jnp.where(index == tap, dy, zero), zero, [(0, 0, 0), *margins, (0, 0, 0)])
        dx = laid if dx is None else dx + laid
    assert dx is not None
    return (dx,)


def _tiled(slides: tuple[Slide, ...], index: jax.Array, dy: jax.Array) -> jax.Array:
    """Return dx of windows that tile the input: every element belongs to one window, so that nothing is summed."""
    apart = (slice(None), *(part for _ in slides for part in (slice(None), None)), slice(None))
    sizes = [slide.size for slide in slides]
    taps = jnp.arange(math.prod(sizes), dtype=jnp.uint8).reshape([n for size in sizes for n in (1, size)])
    laid = jnp.where(index[apart] == taps[None, ..., None], dy[apart], jnp.zeros((), dy.dtype))
    tiled = [outputs * size for outputs, size in zip(dy.shape[1:-1], sizes, strict=True)]
    dx = laid.reshape(dy.shape[0], *tiled, dy.shape[-1])
    left_over = [(0, slide.side - side, 0) for slide, side in zip(slides, tiled, strict=True)]
    return lax.pad(dx, jnp.zeros((), dy.dtype), [(0, 0, 0), *left_over, (0, 0, 0)])


max_pool_by_index.defvjp(_forward, _backward)


def _taps(slides: tuple[Slide, ...]) -> Iterator[tuple[int, ...]]:
    """Yield the offsets of each tap of the window, in reading order."""
    assert math.prod(slide.size for slide in slides) <= INDEXED_TAPS
    yield from itertools.product(*(range(slide.size) for slide in slides))
