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
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from netcalc.data.samples import Split

Batch = tuple[NDArray[np.uint8], NDArray[np.int32]]
"""Images (batch, height, width, channels) and labels (batch,)."""

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
            yield split.images[chunk], split.labels[chunk]
        return
    with ThreadPoolExecutor(WORKERS, thread_name_prefix="netcalc-decode") as pool:
        pending: deque[tuple[NDArray[np.int64], NDArray[np.uint8], list[Future[None]]]] = deque()
        try:
            for chunk in chunks:
                batch = np.empty((len(chunk), *split.images.shape[1:]), np.uint8)
                starts = range(0, len(chunk), _PIECE)
                pending.append((chunk, batch, [pool.submit(_fill, split, chunk, batch, at) for at in starts]))
                del batch
                if len(pending) > AHEAD:
                    yield _finished(split, *pending.popleft())
            while pending:
                yield _finished(split, *pending.popleft())
        finally:
            for _, _, futures in pending:
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


def _fill(split: Split, chunk: NDArray[np.int64], batch: NDArray[np.uint8], start: int) -> None:
    batch[start : start + _PIECE] = split.images[chunk[start : start + _PIECE]]


def _finished(
    split: Split, chunk: NDArray[np.int64], batch: NDArray[np.uint8], futures: list[Future[None]]
) -> Batch:
    for future in futures:
        future.result()
    return batch, split.labels[chunk]
