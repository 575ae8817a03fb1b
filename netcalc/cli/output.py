"""Where output goes: data to stdout, diagnostics and progress to stderr; colours only where a person reads."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from netcalc.diagnostics import CannotRunError, Diagnostic

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

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
        sys.stdout.write(text)
        sys.stdout.flush()
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CannotRunError(f"{output}: {error.strerror or error}") from None


def write_renderable(renderable: RenderableType, output: Path | None) -> None:
    """Print to stdout, or write to a file as plain text of unbounded width."""
    if output is None:
        console().print(renderable)
        sys.stdout.flush()
        return
    from rich.console import Console

    text = io.StringIO()
    Console(file=text, width=_UNBOUNDED, color_system=None, highlight=False).print(renderable)
    write_text(text.getvalue(), output)


def print_diagnostics(diagnostics: Iterable[Diagnostic]) -> None:
    """Print findings to stderr with the lines they are about, and how many there are."""
    from netcalc.render.diagnostics import render_diagnostic, tally
    from netcalc.spec.load import quotable_lines

    found = tuple(diagnostics)
    out = console(stderr=True)
    lines_of = cache(quotable_lines)
    for diagnostic in found:
        out.print(render_diagnostic(diagnostic, lines_of), soft_wrap=True)
    if found:
        out.print(tally(found), soft_wrap=True)


def print_cannot_run(error: CannotRunError) -> None:
    """Print why netcalc could not do its work, and the way out."""
    out = console(stderr=True)
    out.print(f"error: {error}", style="bold red", soft_wrap=True)
    if error.help:
        out.print(f"help: {error.help}", soft_wrap=True)
