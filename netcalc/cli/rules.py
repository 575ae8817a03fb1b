"""`netcalc rules`: the rules of design that `netcalc check` looks at."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from netcalc.cli.options import OutputOption
from netcalc.cli.output import console, write_table, write_text

if TYPE_CHECKING:
    from rich.console import RenderableType

    from netcalc.manual import Page

EXAMPLE = "netcalc rules -f markdown"


class RulesFormat(StrEnum):
    """How the rules are written."""

    table = "table"
    json = "json"
    markdown = "markdown"


def rules(
    format: Annotated[
        RulesFormat, typer.Option("--format", "-f", help="How to write the rules; markdown has every page.")
    ] = RulesFormat.table,
    output: OutputOption = None,
) -> None:
    """List the rules of design: code, name, severity, and what each finds."""
    from netcalc.checks.pages import rule_pages
    from netcalc.render.rules import rules_json, rules_markdown, rules_text

    pages = rule_pages()
    match format:
        case RulesFormat.table:
            write_table(rules_text(pages), lambda: _fitted(pages), output)
        case RulesFormat.json:
            write_text(rules_json(pages), output)
        case RulesFormat.markdown:
            write_text(rules_markdown(pages), output)


def _fitted(pages: tuple[Page, ...]) -> RenderableType:
    from rich.text import Text

    from netcalc.render.rules import rules_text

    return Text(rules_text(pages, console().width), end="")
