"""Where output goes: data to stdout, diagnostics and progress to stderr; colours only where a person reads."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from netcalc.diagnostics import CannotRunError, Diagnostic

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

_LONG = 500
_UNBOUNDED = 10_000
"""Columns for output that goes to a file or pipe: tables are not cut at 80."""


def console(*, stderr: bool = False) -> Console:
    """Return a console on stdout or stderr that honours NO_COLOR, FORCE_COLOR, pipes and narrow terminals."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else _UNBOUNDED
    return Console(file=stream, width=width, highlight=False, markup=False, emoji=False)


def write_text(text: str, output: Path | None) -> None:
    """Write data to a file, or to stdout as it is; raises CannotRunError where that fails."""
    if output is None:
        with _stdout_may_fail():
            sys.stdout.write(text)
            sys.stdout.flush()
        return
    try:
        # Names of files need not be Unicode.
        output.write_text(text, encoding="utf-8", errors="replace")
    except OSError as error:
        raise CannotRunError(f"{output}: {error.strerror or error}") from None


def write_bytes(data: bytes, output: Path) -> None:
    """Write a file, making its folder where there is none; raises CannotRunError where that fails."""
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_bytes(data)
    except OSError as error:
        raise CannotRunError(f"{output}: {error.strerror or error}") from None


def write_table(text: str, fitted: Callable[[], RenderableType], output: Path | None) -> None:
    """Write a table as plain text, or print the form that fits a terminal.

    A long table is plain text on a terminal too if that is wide enough: fitting takes time with every row.
    """
    out = console()
    lines = text.splitlines()
    fits = max(map(len, lines), default=0) <= out.width
    if output is not None or not out.is_terminal or (fits and len(lines) > _LONG):
        write_text(text, output)
        return
    with _stdout_may_fail(), out.capture() as captured:
        out.print(fitted(), crop=False)
    write_text(captured.get(), None)


def print_diagnostics(
    diagnostics: Iterable[Diagnostic],
    *,
    stderr: bool = True,
    lines_of: Callable[[str], list[str]] | None = None,
) -> None:
    """Print findings with the lines they are about, and how many there are.

    To stderr where they say why a command does not go on, to stdout where they are what it was asked for.
    `lines_of` gives the lines of a file where its name is not its path.
    """
    found = tuple(diagnostics)
    out = console(stderr=stderr)
    if stderr:
        _print_found(out, found, lines_of)
        return
    with out.capture() as captured:
        _print_found(out, found, lines_of)
    write_text(captured.get(), None)


def diagnostics_text(diagnostics: Iterable[Diagnostic]) -> str:
    """Return findings as they are printed, for a file."""
    from netcalc.render.diagnostics import render_diagnostic, tally
    from netcalc.spec.load import quotable_lines

    found, lines_of = tuple(diagnostics), cache(quotable_lines)
    return "".join(f"{render_diagnostic(d, lines_of).plain}\n" for d in found) + f"{tally(found)}\n"


def _print_found(out: Console, found: tuple[Diagnostic, ...], lines_of: Callable[[str], list[str]] | None) -> None:
    from netcalc.render.diagnostics import render_diagnostic, tally
    from netcalc.spec.load import quotable_lines

    cached = cache(lines_of or quotable_lines)
    for diagnostic in found:
        out.print(render_diagnostic(diagnostic, cached), soft_wrap=True)
    if found:
        out.print(tally(found), soft_wrap=True)


def print_cannot_run(error: CannotRunError) -> None:
    """Print why netcalc could not do its work, and the way out."""
    from netcalc.render.printable import printable

    out = console(stderr=True)
    out.print(f"error: {printable(str(error))}", style="bold red", soft_wrap=True)
    if error.help:
        out.print(f"help: {printable(error.help)}", soft_wrap=True)


@contextmanager
def _stdout_may_fail() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        # What is left in the buffer must not fail again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        # The reader of a pipe, such as `head`, may have seen enough.
        if not isinstance(error, BrokenPipeError):
            raise CannotRunError(f"stdout: {error.strerror or error}") from None
