"""Comments that keep a finding quiet: `# netcalc: ignore[NC301] reason`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from netcalc.diagnostics import Span

_COMMENT = re.compile(r"(?:^|(?<=\s))#\s*netcalc:\s*ignore\b\s*(?:\[([^\]#\r\n]*)\])?[ \t]*([^\r\n]*)")
_CODE = re.compile(r"[A-Za-z0-9-]+")

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Suppression:
    """What a comment keeps quiet: codes, on one line, and why; `span` is the place of the comment.

    `subject` is the text of the line without the comment: what it is about, wherever the line moves to.
    """

    codes: tuple[str, ...]
    line: int
    reason: str
    span: Span
    subject: str


def suppressions(text: str, file: str) -> tuple[Suppression, ...]:
    """Return the suppressions of a YAML text, in order; `file` names it in their places.

    A comment behind a value is about its own line; one on a line of its own about the next line that holds more
    than a comment. What only looks like a comment, inside a quoted or folded text, is none. Text that is no YAML
    has none.
    """
    matches = list(_COMMENT.finditer(text)) if "netcalc:" in text else []
    if not matches:
        return ()
    lines = text.splitlines()
    try:
        quoted = _scalars(text)
    except (yaml.YAMLError, UnicodeError):
        return ()
    found = []
    for match in matches:
        line = text.count("\n", 0, match.start()) + 1
        column = match.start() - (text.rfind("\n", 0, match.start()) + 1) + 1
        if line > len(lines) or any(start <= (line, column) < end for start, end in quoted):
            continue
        before = lines[line - 1][: column - 1].strip()
        target = line if before else _next_line(lines, line)
        subject = before or lines[target - 1].partition(" #")[0].strip()
        span = Span(file, line, column, line, column + len(match[0].rstrip()))
        found.append(Suppression(tuple(_CODE.findall(match[1] or "")), target, match[2].strip(), span, subject))
    return tuple(found)


def _next_line(lines: list[str], line: int) -> int:
    for number in range(line + 1, len(lines) + 1):
        content = lines[number - 1].strip()
        if content and not content.startswith("#"):
            return number
    return line


def _scalars(text: str) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Return where scalars that may hold a `#` begin and end, as lines and columns from 1."""
    return list(_quoted(yaml.scan(text, Loader=_Loader)))


def _quoted(tokens: Iterator[Any]) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    for token in tokens:
        if isinstance(token, yaml.ScalarToken) and token.style is not None:
            start, end = token.start_mark, token.end_mark
            yield (start.line + 1, start.column + 1), (end.line + 1, end.column + 1)
