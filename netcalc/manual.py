"""Manual pages of diagnostic codes, as plain data."""

from __future__ import annotations

import inspect
import textwrap
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Page:
    """What there is to say of a code: a line; of a rule also its name, why, a spec it finds, and a better one.

    A code that is no rule has its meaning as `summary` and nothing else.
    """

    code: str
    summary: str
    name: str = ""
    severity: str = ""
    why: str = ""
    example: str = ""
    instead: str = ""


def read_page(code: str, name: str, severity: str, docstring: str) -> Page:
    """Return the page that a docstring holds: a first line, `Why: ...`, and indented specs.

    The specs stand under `Example:` and `Instead:`. Raises ValueError where a part is missing.
    """
    head, found, rest = inspect.cleandoc(docstring).partition("\n\nExample:\n")
    summary, _, why = head.partition("\n\nWhy: ")
    example, instead_found, instead = rest.partition("\n\nInstead:\n")
    if not (found and why and instead_found):
        raise ValueError(f"the page of {code} needs Why, Example and Instead")
    example, instead = (f"{textwrap.dedent(spec).strip()}\n" for spec in (example, instead))
    return Page(code, " ".join(summary.split()), name, severity, " ".join(why.split()), example, instead)
