"""What a check found as Markdown for the summary page of a CI job."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from netcalc.checks.outcome import BudgetUse, Checked, Outcome, Suppressed
from netcalc.diagnostics import Span
from netcalc.render.checkout import HERE, Checkout, percent_encoded
from netcalc.render.findings import NOUNS, Located, counted, located, notes
from netcalc.render.layout import escape, table_row
from netcalc.render.printable import printable
from netcalc.units import plural

NONE = "–"
LONGEST_BYTES = 1_000_000
"""What a summary may take, less than the 1 MiB beyond which GitHub refuses it."""
_SECTIONS = 4
_GRAVEST = tuple(NOUNS)
_CODE = re.compile(r"`([^`]+)`")


def summary_markdown(outcome: Outcome, checkout: Checkout = HERE, source: str = "") -> str:
    """Return a headline, tables of networks and budgets, the findings, and those that are suppressed, folded.

    `source` is the address under which the files of the checkout can be read, as
    `https://github.com/OWNER/REPOSITORY/blob/COMMIT`; with it places are links. Each part is cut where it would
    take more than its share of LONGEST_BYTES, and says how much is left out.
    """
    places = _Places(checkout, source)
    parts = [[f"### {_headline(outcome)}"]]
    if outcome.files:
        columns = ("network", "file", "params", "MACs", "findings")
        parts.append(_table(columns, "llrrl", (_network(file, places) for file in outcome.files)))
    if any(file.budgets for file in outcome.files):
        limits = ("network", "budget", "value", "limit", "used", "met")
        uses = ((file, use) for file in outcome.files for use in file.budgets)
        parts.append(_table(limits, "llrrrl", (_budget(file, use) for file, use in uses)))
    found = sorted(located(outcome), key=lambda finding: _GRAVEST.index(finding.diagnostic.severity))
    items = (*(_unread(file, places) for file in outcome.unread), *(_finding(one, places) for one in found))
    if items:
        parts.append(_fitting(map("\n".join, items)))
    if suppressed := outcome.suppressed:
        lines = _fitting(_suppressed(one, places) for one in suppressed)
        folded = f"<details><summary>{plural(len(suppressed), 'suppressed finding')}</summary>"
        parts.append([folded, "", *lines, "", "</details>"])
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


class _Places:
    """Names places, as links where it is known what they lead to."""

    def __init__(self, checkout: Checkout, source: str) -> None:
        self.checkout, self.source = checkout, source

    def file(self, file: str, line: int | None = None, text: str = "") -> str:
        """Return a file in Markdown, linked to a line of it."""
        shown = _text(text or self.checkout.name_of(file))
        path = self.checkout.path_of(file)
        if not self.source or path is None:
            return shown
        address = f"{self.source}/{percent_encoded(path)}"
        return f"[{shown}]({address}{'' if line is None else f'#L{line}'})"

    def span(self, span: Span) -> str:
        """Return a place in Markdown."""
        return self.file(span.file, span.line, self.checkout.place_of(span))


def _headline(outcome: Outcome) -> str:
    read = len(outcome.files) - len(outcome.unread)
    unread = [f"{plural(len(outcome.unread), 'file')} not read"] if outcome.unread else []
    found = counted(finding.diagnostic for finding in located(outcome)) or "no findings"
    return ", ".join((f"netcalc: {plural(read, 'network')} checked", *unread, found))


def _network(file: Checked, places: _Places) -> tuple[str, ...]:
    figures = (f"{file.totals[name]:,}" if name in file.totals else NONE for name in ("params", "macs"))
    found = "not read" if file.unread else counted(file.diagnostics) or NONE
    return (_text(file.name) or NONE, places.file(file.file), *figures, found)


def _budget(file: Checked, use: BudgetUse) -> tuple[str, ...]:
    figure = f"{use.figure} of {use.scope}" if use.scope else use.figure
    used = NONE if use.used is None else f"{100 * use.used:,.1f} %"
    verdict = "not known" if use.met is None else "yes" if use.met else "**no**"
    name = file.name or file.file
    return (_text(name), _text(figure), _text(use.shown), _text(use.limit), used, verdict)


def _finding(finding: Located, places: _Places) -> Iterator[str]:
    d = finding.diagnostic
    yield f"- **{d.severity}** {d.code} {places.span(finding.span)}: {_prose(d.message)}"
    yield from (f"  - {_prose(note)}" for note in notes(d, places.checkout))


def _unread(file: Checked, places: _Places) -> Iterator[str]:
    yield f"- **not read** {places.file(file.file)}: {_prose(file.unread)}"
    if file.help:
        yield f"  - {_prose(f'help: {file.help}')}"


def _suppressed(one: Suppressed, places: _Places) -> str:
    d = one.diagnostic
    reason = _prose(one.reason) or "no reason given"
    return f"- {d.code} {places.span(one.span)}: {_prose(d.message)} ({reason})"


def _table(head: tuple[str, ...], sides: str, rows: Iterable[tuple[str, ...]]) -> list[str]:
    rule = "|".join(":--" if side == "l" else "--:" for side in sides)
    return [table_row(head), f"|{rule}|", *_fitting(map(table_row, rows), row=True)]


def _fitting(blocks: Iterable[str], *, row: bool = False) -> list[str]:
    """Return the blocks that fit into one share of the page, and how many more there are."""
    room_bytes = LONGEST_BYTES // _SECTIONS - 1_000
    kept: list[str] = []
    rest = iter(blocks)
    for block in rest:
        room_bytes -= len(block.encode()) + 1
        if room_bytes < 0:
            more = f"{1 + sum(1 for _ in rest):,} more, see the log"
            return [*kept, f"| {more} |" if row else f"- {more}"]
        kept.append(block)
    return kept


def _text(text: str) -> str:
    """Return text in Markdown, literally and without links."""
    return escape(printable(text)).replace("~", "\\~").replace("://", ":\\//")


def _prose(text: str) -> str:
    """Return a message in Markdown: what stands in backticks as code, the rest literally."""
    pieces = _CODE.split(printable(text))
    pieces[::2] = map(_text, pieces[::2])
    pieces[1::2] = (f"`{piece}`" for piece in pieces[1::2])
    return "".join(pieces)
