"""What machine formats need of findings beside their message: a file for each, notes in plain lines, a count."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from netcalc.checks import pages
from netcalc.checks.outcome import Outcome
from netcalc.checks.rules import RULES
from netcalc.diagnostics import Diagnostic, Severity, Span
from netcalc.render.checkout import Checkout
from netcalc.render.printable import printable
from netcalc.render.rules import page_markdown
from netcalc.units import plural

NOUNS: dict[Severity, str] = {"error": "error", "warning": "warning", "info": "note"}
"""What findings are called, the gravest first."""


class RulePage(NamedTuple):
    """What is told of a rule: its name in words and dashes, one line, its page in Markdown, how much it weighs."""

    name: str
    line: str
    page: str
    severity: Severity = "warning"


def rule_pages() -> dict[str, RulePage]:
    """Return the page of every design rule by its code."""
    severities = {code: rule.severity for code, rule in RULES.items()}
    return {
        page.code: RulePage(page.name, page.summary, page_markdown(page), severities[page.code])
        for page in pages.rule_pages()
    }


@dataclass(frozen=True, slots=True)
class Located:
    """A finding and the spec that it was found in, which is its place where it has none in a file of its own."""

    diagnostic: Diagnostic
    spec: str

    @property
    def span(self) -> Span:
        """Where the finding stands; the head of the spec for one about a value that stands in no file."""
        span = self.diagnostic.span
        return Span(self.spec, 1, 1, 1, 1) if span is None or span.virtual else span


def located(outcome: Outcome) -> tuple[Located, ...]:
    """Return every finding once, with the first spec that has it."""
    found: dict[tuple[str, str, Span | None], Located] = {}
    for file in outcome.files:
        for d in file.diagnostics:
            found.setdefault((d.code, d.message, d.span), Located(d, file.file))
    return tuple(found.values())


def notes(d: Diagnostic, checkout: Checkout) -> list[str]:
    """Return what stands below a message, a line each: override, node, facts, other places, the way out."""
    override = [f"set by {d.span}"] if d.span is not None and d.span.virtual else []
    node = [f"node: {d.node}"] if d.node else []
    # Facts may name the same places already.
    related = [
        f"{checkout.place_of(place.span)}: {place.message}"
        for place in d.related
        if not any(place.message in fact for fact in d.context)
    ]
    help = [f"help: {d.help}"] if d.help else []
    return [printable(line) for line in (*override, *node, *d.context, *related, *help)]


def counted(diagnostics: Iterable[Diagnostic]) -> str:
    """Return `1 error, 2 warnings, 3 notes`, empty where there is nothing."""
    severities = [d.severity for d in diagnostics]
    return ", ".join(plural(n, noun) for severity, noun in NOUNS.items() if (n := severities.count(severity)))
