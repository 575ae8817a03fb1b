"""Diagnostics for people: place, code, the line with a caret, the node, the way out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import chain

from rich.text import Text

from netcalc.diagnostics import Diagnostic, Span
from netcalc.units import plural

_STYLES = {"error": "bold red", "warning": "bold yellow", "info": "bold cyan"}
_WIDEST = 160


def render_diagnostic(d: Diagnostic, lines_of: Callable[[str], list[str]]) -> Text:
    """Return one finding with the line it is about; `lines_of` gives a file's lines, none if not to be quoted."""
    text = Text()
    if d.span is not None:
        text.append(f"{_printable(d.span.file)}:{d.span.line}:{d.span.column}: ", "bold")
    text.append(f"{d.severity}[{d.code}]", _STYLES[d.severity])
    text.append(f": {_printable(d.message)}\n", "bold")
    gutter = ""
    if d.span is not None:
        lines = lines_of(d.span.file)
        if d.span.line <= len(lines):
            gutter = " " * len(str(d.span.line)) + " "
            line = _printable(lines[d.span.line - 1].expandtabs(1))
            text.append(f"{gutter}|\n{d.span.line} | {line[:_WIDEST]}\n{gutter}| ")
            text.append(_caret(d.span, len(line)) + "\n", _STYLES[d.severity])
    node = f"node: {d.node}   " if d.node else ""
    facts = [node + d.context[0], *d.context[1:]] if d.context else [node.rstrip()] if node else []
    notes = chain((("", fact) for fact in facts), ((("help: ", d.help),) if d.help else ()))
    for label, note in notes:
        text.append(f"{gutter}= ")
        text.append(label, "bold cyan")
        text.append(_printable(note) + "\n")
    return text


def concise(d: Diagnostic) -> str:
    """Return one finding on one line."""
    where = f"{d.span.file}:{d.span.line}:{d.span.column}: " if d.span else ""
    return _printable(f"{where}{d.severity}[{d.code}]: {d.message}" + (f" ({d.help})" if d.help else ""))


def tally(diagnostics: Iterable[Diagnostic]) -> str:
    """Return `2 errors, 1 warning`."""
    severities = [d.severity for d in diagnostics]
    found = [plural(n, s) for s in ("error", "warning") if (n := severities.count(s))]
    return ", ".join(found) or "no findings"


def _caret(span: Span, length: int) -> str:
    end = span.end_column if span.end_line == span.line else length + 1
    width = max(1, min(end, length + 1, _WIDEST) - span.column)
    return " " * (span.column - 1) + "^" * width


def _printable(text: str) -> str:
    """Return the text without control characters: a spec may be hostile."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
