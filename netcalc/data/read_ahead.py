"""Work done ahead of the one who waits for it, by threads, in order and in bounded memory.

Threads are enough: Pillow lets go of Python's lock while it decodes and scales. The order is that of the indices
that are asked for, whatever thread is done first, so that a training can begin at any batch of any epoch.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from netcalc.data.samples import PerSample, Split

Batch = tuple[NDArray[np.uint8], NDArray[Any]]
"""Images (batch, height, width, channels), and labels (batch, ...): int32 of classes and masks, else float32."""

WORKERS = min(32, os.cpu_count() or 1)
AHEAD = 2
"""Batches that are decoded while one is computed on."""

_PIECE = 8
"""Samples that a thread decodes at a time: few, so that all threads work at the batch that is waited for."""

T = TypeVar("T")
R = TypeVar("R")


class Feed(Iterator[Batch]):
    """Batches, and the seconds that whoever takes them has waited for them."""

    def __init__(self, batches: Iterator[Batch]) -> None:
        self._batches = batches
        self.waited_seconds = 0.0

    def __next__(self) -> Batch:
        began = time.perf_counter()
        try:
            return next(self._batches)
        finally:
            self.waited_seconds += time.perf_counter() - began


def read_ahead(split: Split, chunks: Iterable[NDArray[np.int64]]) -> Iterator[Batch]:
    """Yield the samples at each chunk of indices; what is not in memory is decoded AHEAD chunks early.

    Raises what decoding raises, when the chunk is asked for.
    """
    if split.in_memory:
        for chunk in chunks:
            yield split.images[chunk], split.labels[chunk].astype(_label_type(split.labels), copy=False)
        return
    with ThreadPoolExecutor(WORKERS, thread_name_prefix="netcalc-decode") as pool:
        pending: deque[tuple[Batch, list[Future[None]]]] = deque()
        try:
            for chunk in chunks:
                batch = _empty(split, len(chunk))
                starts = range(0, len(chunk), _PIECE)
                pending.append((batch, [pool.submit(_fill, split, chunk, batch, at) for at in starts]))
                del batch
                if len(pending) > AHEAD:
                    yield _finished(*pending.popleft())
            while pending:
                yield _finished(*pending.popleft())
        finally:
            for _, futures in pending:
                for future in futures:
                    future.cancel()


def mapped(function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """Yield the function of each item, in order, computed by threads a bounded number of items ahead."""
    with ThreadPoolExecutor(WORKERS, thread_name_prefix="netcalc-read") as pool:
        pending: deque[Future[R]] = deque()
        try:
            for item in items:
                pending.append(pool.submit(function, item))
                if len(pending) > 4 * WORKERS:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()


def _label_type(labels: PerSample) -> type[np.int32] | type[np.float32]:
    """Return what labels reach the device in; those that are streamed are masks."""
    return np.float32 if isinstance(labels, np.ndarray) and labels.dtype.kind == "f" else np.int32


def _empty(split: Split, samples: int) -> Batch:
    images = np.empty((samples, *split.images.shape[1:]), np.uint8)
    return images, np.empty((samples, *split.labels.shape[1:]), _label_type(split.labels))


def _fill(split: Split, chunk: NDArray[np.int64], batch: Batch, start: int) -> None:
    for whole, part in zip((split.images, split.labels), batch, strict=True):
        part[start : start + _PIECE] = whole[chunk[start : start + _PIECE]]


def _finished(batch: Batch, futures: list[Future[None]]) -> Batch:
    for future in futures:
        future.result()
    return batch
