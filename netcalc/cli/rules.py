"""`netcalc rules`: the rules of design that `netcalc check` looks at."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from netcalc.cli.options import OutputOption
from netcalc.cli.output import write_text

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
            text = rules_text(pages)
        case RulesFormat.json:
            text = rules_json(pages)
        case RulesFormat.markdown:
            text = rules_markdown(pages)
    write_text(text, output)
