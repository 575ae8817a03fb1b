"""Comments that keep a finding quiet: `# netcalc: ignore[NC301] reason`."""

from __future__ import annotations

import re
from bisect import bisect_right
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
    has none, nor has a project file: its strings are not told from comments as those of YAML are.
    """
    if "netcalc:" not in text or file.endswith(".toml"):
        return ()
    lines = text.splitlines()
    matches = [(number, match) for number, line in enumerate(lines, 1) if (match := _COMMENT.search(line))]
    if not matches:
        return ()
    try:
        quoted = _scalars(text)
    except (yaml.YAMLError, UnicodeError):
        return ()
    following = _following(lines)
    found = []
    for line, match in matches:
        column = match.start() + 1
        if _is_within(quoted, (line, column)):
            continue
        before = lines[line - 1][: column - 1].strip()
        target = line if before else following[line - 1]
        subject = before or lines[target - 1].partition(" #")[0].strip()
        span = Span(file, line, column, line, column + len(match[0].rstrip()))
        found.append(Suppression(tuple(_CODE.findall(match[1] or "")), target, match[2].strip(), span, subject))
    return tuple(found)


def _following(lines: list[str]) -> list[int]:
    """Return for each line the number of the next that holds more than a comment, its own where none does."""
    following: list[int] = []
    content = 0
    for number in range(len(lines), 0, -1):
        following.append(content or number)
        text = lines[number - 1].strip()
        if text and not text.startswith("#"):
            content = number
    return following[::-1]


_Mark = tuple[int, int]
"""A line and a column, from 1."""


def _is_within(ranges: list[tuple[_Mark, _Mark]], mark: _Mark) -> bool:
    """Tell whether one of the ranges, which are in order and apart, holds a mark."""
    index = bisect_right(ranges, mark, key=lambda pair: pair[0]) - 1
    return index >= 0 and mark < ranges[index][1]


def _scalars(text: str) -> list[tuple[_Mark, _Mark]]:
    """Return where scalars that may hold a `#` begin and end, as lines and columns from 1."""
    return list(_quoted(yaml.scan(text, Loader=_Loader)))


def _quoted(tokens: Iterator[Any]) -> Iterator[tuple[_Mark, _Mark]]:
    for token in tokens:
        if isinstance(token, yaml.ScalarToken) and token.style is not None:
            start, end = token.start_mark, token.end_mark
            yield (start.line + 1, start.column + 1), (end.line + 1, end.column + 1)
