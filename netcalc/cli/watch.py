"""Does something again whenever one of the files that it reads changes.

Files are looked at a few times a second rather than watched through the system: that works on network disks and in
containers, needs no package, and costs a few microseconds a file.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NoReturn, TypeAlias

from netcalc.cli.output import console, print_cannot_run, print_diagnostics
from netcalc.diagnostics import CannotRunError, SpecError
from netcalc.units import plural

POLL_SECONDS = 0.3
_SETTLING_POLLS = 10
"""For how long a file that is being written is waited for."""
_SHOWN = 3
_CLEAR = "\x1b[2J\x1b[3J\x1b[H"
"""Clears a terminal and what has scrolled away, and goes to its first line."""

State: TypeAlias = tuple[int, int, int]
"""What changes with a file: when it was modified, its size, and which file has the name."""


def watch(
    files_of: Callable[[], Iterable[Path]],
    run: Callable[[], object],
    *,
    pause: Callable[[float], None] = time.sleep,
) -> NoReturn:
    """Call `run` at once and whenever a file of `files_of` changes, appears or vanishes, until interrupted.

    `files_of` is asked before each run; a folder among its files stands for the names in it. What is wrong with a
    spec, or cannot be read, is printed and does not end the watch. On a terminal each run starts on a clear screen.
    """
    files: tuple[Path, ...] = ()
    while True:
        files = _files(files_of, files)
        before = _states(files)
        if sys.stdout.isatty() and os.environ.get("TERM") != "dumb":
            sys.stdout.write(_CLEAR)
            sys.stdout.flush()
        _attempt(run)
        _say(f"watching {plural(len(files), 'file')}, Ctrl-C ends")
        changed = _changes(before, _settled(files, before, pause))
        _say(f"changed: {', '.join(map(str, changed[:_SHOWN]))}{', ...' if len(changed) > _SHOWN else ''}")


def _files(files_of: Callable[[], Iterable[Path]], before: tuple[Path, ...]) -> tuple[Path, ...]:
    """Return the files to look at; those of before where they cannot be told, as folders vanish while listed."""
    try:
        return tuple(dict.fromkeys(files_of()))
    except (OSError, CannotRunError, SpecError):
        return before


def _attempt(run: Callable[[], object]) -> None:
    """Call `run`, and print why it could not do its work."""
    try:
        run()
    except SpecError as error:
        print_diagnostics(error.diagnostics)
    except CannotRunError as error:
        print_cannot_run(error)


def _settled(
    files: tuple[Path, ...], before: Mapping[Path, State | None], pause: Callable[[float], None]
) -> Mapping[Path, State | None]:
    """Wait for a change, and then until nothing changes any more: a file may be half written."""
    last = before
    while last == before:
        pause(POLL_SECONDS)
        last = _states(files)
    for _ in range(_SETTLING_POLLS):
        pause(POLL_SECONDS)
        now = _states(files)
        if now == last:
            break
        last = now
    return last


def _states(files: Iterable[Path]) -> dict[Path, State | None]:
    return {file: _state(file) for file in files}


def _state(file: Path) -> State | None:
    """Return the state of a file, None where there is none or none that can be seen."""
    try:
        found = os.stat(file)
    except (OSError, ValueError):
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _changes(before: Mapping[Path, State | None], now: Mapping[Path, State | None]) -> list[Path]:
    return [file for file, state in now.items() if state != before[file]]


def _say(text: str) -> None:
    from netcalc.render.printable import printable

    console(stderr=True).print(printable(text), style="dim", soft_wrap=True)
