"""`netcalc rule`: the manual page of a rule or code."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from netcalc.cli.options import OutputOption
from netcalc.cli.output import write_text

EXAMPLE = "netcalc rule NC301"


class PageFormat(StrEnum):
    """How a page is written."""

    text = "text"
    markdown = "markdown"


def rule(
    code: Annotated[str, typer.Argument(metavar="CODE", help="A code such as NC301, or a rule's name.")],
    format: Annotated[PageFormat, typer.Option("--format", "-f", help="How to write the page.")] = PageFormat.text,
    output: OutputOption = None,
) -> None:
    """Print what a code means, and of a rule why it is one, with a spec that it finds and a better one."""
    from netcalc.checks.pages import find_page
    from netcalc.render.rules import page_markdown, page_text

    page = find_page(code)
    write_text(page_text(page) if format is PageFormat.text else page_markdown(page), output)
