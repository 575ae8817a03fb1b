"""Text that is safe on a terminal."""

from __future__ import annotations


def printable(text: str) -> str:
    """Return the text without control characters: a spec and the names of files may be hostile.

    The runners of CI services read `##[command]` anywhere in a line, so it is taken apart as well.
    """
    text = text.replace("##[", "#\N{REPLACEMENT CHARACTER}[")
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
