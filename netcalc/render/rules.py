"""Rules of design for people and programs: one page, or a list of all."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence
from dataclasses import asdict

from netcalc.manual import Page
from netcalc.render.layout import aligned, escape, table_row

WIDTH = 100

INTRODUCTION = """\
# Rules of design

What `netcalc check` says of a network that is valid and yet no good. A code is permanent; `netcalc rule NC301` and
`netcalc rule redundant-bias` print a page of this list. Of severity *error* is what stops a training, a *warning*
tells of a fault whatever the network is for, and an *info* of something to know.
"""


def page_text(page: Page) -> str:
    """Return a page as plain text."""
    lines = [_heading(page), "", page.summary]
    if page.name:
        lines += ["", *textwrap.wrap(f"Why: {page.why}", WIDTH, break_on_hyphens=False)]
        for title, spec in (("Example", page.example), ("Instead", page.instead)):
            lines += ["", f"{title}:", textwrap.indent(spec, "    ").rstrip()]
    return "\n".join(lines) + "\n"


def page_markdown(page: Page, level: int = 1) -> str:
    """Return a page as Markdown, its heading of a level."""
    lines = [f"{'#' * level} {page.code}{': ' if page.name else ''}{page.name}", "", _prose(page.summary)]
    if page.name:
        lines += ["", f"Severity: {page.severity}."]
        lines += ["", *textwrap.wrap(f"Why: {_prose(page.why)}", 116, break_on_hyphens=False)]
        for title, spec in (("Example", page.example), ("Instead", page.instead)):
            lines += ["", f"{title}:", "", "```yaml", spec.rstrip(), "```"]
    return "\n".join(lines) + "\n"


def rules_text(pages: Sequence[Page], width: int | None = None) -> str:
    """Return one line a rule; with `width`, what it finds on as many lines as it needs."""
    rows = [("code", "name", "severity", "what it finds")]
    for page in pages:
        words = (page.code, page.name, page.severity)
        first, *others = [page.summary] if width is None else textwrap.wrap(page.summary, _room(pages, width))
        rows += [(*words, first), *(("", "", "", line) for line in others)]
    head, *body = aligned(rows, (True,) * 4, gap=2)
    return "\n".join((head, "─" * max(map(len, (head, *body))), *body)) + "\n"


def rules_json(pages: Sequence[Page]) -> str:
    """Return all pages as JSON."""
    return json.dumps({"format": "netcalc.rules/1", "rules": [asdict(page) for page in pages]}, indent=2) + "\n"


def rules_markdown(pages: Sequence[Page]) -> str:
    """Return a table of all rules, and then their pages: the page of the documentation."""
    table = [table_row(("code", "name", "severity", "what it finds")), "|:--|:--|:--|:--|"]
    table += [
        table_row((f"[{page.code}](#{_anchor(page)})", page.name, page.severity, _prose(page.summary)))
        for page in pages
    ]
    return "\n".join((INTRODUCTION, *table, "", *(page_markdown(page, 2) for page in pages)))


def _room(pages: Sequence[Page], width: int) -> int:
    """Return how wide what the rules find may be beside the other columns."""
    return max(20, width - max(len(page.name) for page in pages) - len("NC301  severity") - 3 * 2)


def _heading(page: Page) -> str:
    return f"{page.code}: {page.name} ({page.severity})" if page.name else page.code


def _anchor(page: Page) -> str:
    """Return what the heading of a page is called in links."""
    return f"{page.code.lower()}-{page.name}"


def _prose(text: str) -> str:
    """Return text as Markdown; what stands between backticks stays code."""
    parts = text.split("`")
    return "`".join(part if index % 2 else escape(part) for index, part in enumerate(parts))
