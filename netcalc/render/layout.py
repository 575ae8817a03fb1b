"""Rows of cells as aligned text and as Markdown, and text as Markdown shows it literally."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

_SPECIAL = str.maketrans({c: f"\\{c}" for c in "\\`*_[]<>|#&$"})


def aligned(rows: Sequence[Sequence[str]], left: Sequence[bool], *, gap: int) -> list[str]:
    """Return one line a row, its cells as wide as their column, words flush left and figures flush right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        (" " * gap)
        .join(
            cell.ljust(width) if is_left else cell.rjust(width)
            for cell, width, is_left in zip(cells, widths, left, strict=True)
        )
        .rstrip()
        for cells in rows
    ]


def table_row(cells: Iterable[str]) -> str:
    """Return a row of a table."""
    return "| " + " | ".join(cells) + " |"


def escape(text: str) -> str:
    """Return the text with what Markdown would read as markup escaped."""
    return text.translate(_SPECIAL)
