"""Checks many files: one after another, and by several processes once that pays."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path

from netcalc.checks.files import Request, check_file
from netcalc.checks.outcome import Checked

PAYS_SECONDS = 4.0
"""Work that is left, at the pace so far, from which on other processes are started: each takes half a second to
import what it needs."""

_AHEAD = 4
"""Files that wait for each process, so that results do not pile up."""

_SAFE_PATH = "PYTHONSAFEPATH"


def check_files(
    files: Sequence[Path],
    request: Request,
    *,
    processes: int | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> tuple[Checked, ...]:
    """Return what is found in each file, in their order.

    What is wrong with one file hides nothing of the others, a process that dies included: its file is told as one
    that could not be checked.
    """
    workers = min(processes or _cores(), len(files))
    results: list[Checked] = []
    start = clock()
    for done, path in enumerate(files):
        rest = len(files) - done
        if done and workers > 1 and rest > workers and (clock() - start) / done * rest > PAYS_SECONDS:
            return (*results, *_in_processes(files[done:], request, workers))
        results.append(check_file(path, request))
    return tuple(results)


def _in_processes(files: Sequence[Path], request: Request, workers: int) -> Iterable[Checked]:
    results: dict[Path, Checked] = {}
    try:
        with _pool(workers) as pool:
            waiting: list[tuple[Path, Future[Checked]]] = []
            for path in files:
                waiting.append((path, pool.submit(check_file, path, request)))
                if len(waiting) >= workers * _AHEAD:
                    done, future = waiting.pop(0)
                    results[done] = future.result()
            for done, future in waiting:
                results[done] = future.result()
    except BrokenProcessPool:
        for path in files:
            if path not in results:
                results[path] = _alone(path, request)
    return (results[path] for path in files)


def _alone(path: Path, request: Request) -> Checked:
    """Return what is found in a file by a process of its own, which may die."""
    try:
        with _pool(1) as pool:
            return pool.submit(check_file, path, request).result()
    except BrokenProcessPool:
        return Checked(os.fspath(path), unread=f"{path}: the process that checked it ended", help="was it killed?")


@contextmanager
def _pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Yield processes that take nothing in the current folder, which may be a stranger's checkout, for a module.

    They start as `python -c`, which looks there first: not even multiprocessing itself would be Python's own.
    """
    before = os.environ.get(_SAFE_PATH)
    os.environ[_SAFE_PATH] = "1"
    try:
        with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
            yield pool
    finally:
        if before is None:
            del os.environ[_SAFE_PATH]
        else:
            os.environ[_SAFE_PATH] = before


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
