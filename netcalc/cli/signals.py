"""SIGINT and SIGTERM while something is under way that should be saved: the first is noted, a second aborts."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_SHOW_CURSOR = "\x1b[?25h"


@contextmanager
def noted_signals() -> Iterator[Callable[[], int | None]]:
    """Yield what tells the first signal that came, None before; a second one ends the process at once.

    Handlers in Python wait for the main thread to come back from compiled code, which may be compiling for minutes.
    So a thread of its own reads the signals, which the interpreter writes to a pipe as they come.
    """
    seen: list[int] = []
    reading, writing = os.pipe()
    os.set_blocking(writing, False)

    def read() -> None:
        while numbers := os.read(reading, 64):
            for number in numbers:
                if number in (signal.SIGINT, signal.SIGTERM):
                    if seen:
                        _abort(number)
                    seen.append(number)

    def note(signum: int, frame: FrameType | None) -> None:
        """Leave it to the thread; without a handler the signal would not be written."""

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    earlier = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    thread = threading.Thread(target=read, name="signals", daemon=True)
    thread.start()
    try:
        yield lambda: seen[0] if seen else None
    finally:
        signal.set_wakeup_fd(earlier)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(writing)
        thread.join()
        os.close(reading)


def _abort(number: int) -> None:
    if sys.stderr.isatty():
        os.write(sys.stderr.fileno(), _SHOW_CURSOR.encode())  # a progress bar hides it
    os._exit(128 + number)
