"""Diagnostics for people: place, code, the line with a caret, the node, the way out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import chain

from rich.text import Text

from netcalc.diagnostics import Diagnostic, Severity, Span
from netcalc.render.printable import printable
from netcalc.units import plural

_STYLES = {"error": "bold red", "warning": "bold yellow", "info": "bold cyan"}
_WIDEST = 160


def render_diagnostic(d: Diagnostic, lines_of: Callable[[str], list[str]]) -> Text:
    """Return one finding with the line it is about; `lines_of` gives a file's lines, none if not to be quoted."""
    text = Text()
    if d.span is not None:
        text.append(f"{printable(str(d.span))}: ", "bold")
    text.append(f"{d.severity}[{d.code}]", _STYLES[d.severity])
    text.append(f": {printable(d.message)}\n", "bold")
    gutter = ""
    if d.span is not None and not d.span.virtual:
        lines = lines_of(d.span.file)
        if d.span.line <= len(lines):
            gutter = " " * len(str(d.span.line)) + " "
            line, caret = _excerpt(printable(lines[d.span.line - 1].expandtabs(1)), d.span)
            text.append(f"{gutter}|\n{d.span.line} | {line}\n{gutter}| ")
            text.append(f"{caret}\n", _STYLES[d.severity])
    node = f"node: {d.node}   " if d.node else ""
    facts = [node + d.context[0], *d.context[1:]] if d.context else [node.rstrip()] if node else []
    notes = chain((("", fact) for fact in facts), ((("help: ", d.help),) if d.help else ()))
    for label, note in notes:
        text.append(f"{gutter}= ")
        text.append(label, "bold cyan")
        text.append(printable(note) + "\n")
    return text


def concise(d: Diagnostic) -> str:
    """Return one finding on one line."""
    where = f"{d.span}: " if d.span else ""
    return printable(f"{where}{d.severity}[{d.code}]: {d.message}" + (f" ({d.help})" if d.help else ""))


def tally(diagnostics: Iterable[Diagnostic]) -> str:
    """Return `2 errors, 1 warning, 3 notes`."""
    severities = [d.severity for d in diagnostics]
    nouns: dict[Severity, str] = {"error": "error", "warning": "warning", "info": "note"}
    found = [plural(n, noun) for severity, noun in nouns.items() if (n := severities.count(severity))]
    return ", ".join(found) or "no findings"


def _excerpt(line: str, span: Span) -> tuple[str, str]:
    """Return the part of a line that is shown, and carets below the span."""
    start, last = span.column - 1, span.end_column - 1 if span.end_line == span.line else len(line)
    cut = 0 if start < _WIDEST else start - _WIDEST // 2
    shown = ("…" + line[cut + 1 :] if cut else line)[:_WIDEST]
    width = max(1, min(last - cut, len(shown)) - (start - cut))
    return shown, " " * (start - cut) + "^" * width
