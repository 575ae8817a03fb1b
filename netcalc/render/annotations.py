"""Findings as annotations of GitHub: workflow commands, which a job prints to its log."""

from __future__ import annotations

from collections.abc import Sequence

from netcalc.checks.outcome import Checked, Outcome
from netcalc.diagnostics import Severity, Span, cut
from netcalc.render.checkout import HERE, Checkout
from netcalc.render.findings import NOUNS, Located, located, notes
from netcalc.render.printable import printable
from netcalc.units import plural

COMMANDS: dict[Severity, str] = {"error": "error", "warning": "warning", "info": "notice"}
SHOWN = 10
"""Annotations of a kind that GitHub shows for one step; those behind them are in the log only."""
_LONGEST = 8_000


def github_annotations(outcome: Outcome, checkout: Checkout = HERE) -> str:
    """Return one workflow command a line, errors first, and how many of them GitHub will not show.

    Whatever a spec says stays inside its command: every line starts with a command of ours, and control
    characters are gone.
    """
    lines: dict[Severity, list[str]] = {severity: [] for severity in COMMANDS}
    lines["error"] += (_unread(file, checkout) for file in outcome.unread)
    for finding in located(outcome):
        lines[finding.diagnostic.severity].append(_annotation(finding, checkout))
    hidden = _hidden(lines, room=SHOWN)
    if any(hidden.values()):
        hidden = _hidden(lines, room=SHOWN - 1)
        counts = ", ".join(f"{plural(n, NOUNS[severity])}" for severity, n in hidden.items() if n)
        # It comes before the other notices, to be among those that are shown.
        more = _command("notice", {"title": "netcalc"}, [f"{counts} more: see the log or the summary of the job"])
        lines["info"].insert(0, more)
    return "".join(f"{line}\n" for found in lines.values() for line in found)


def _hidden(lines: dict[Severity, list[str]], *, room: int) -> dict[Severity, int]:
    """Return how many of each kind are not shown, with room for so many notices."""
    return {
        severity: max(0, len(found) - (room if severity == "info" else SHOWN)) for severity, found in lines.items()
    }


def _annotation(finding: Located, checkout: Checkout) -> str:
    d, span = finding.diagnostic, finding.span
    properties = {"file": checkout.name_of(span.file), **_region(span), "title": f"netcalc {d.code}"}
    return _command(COMMANDS[d.severity], properties, [printable(d.message), *notes(d, checkout)])


def _unread(file: Checked, checkout: Checkout) -> str:
    properties = {"file": checkout.name_of(file.file), "title": "netcalc"}
    return _command(
        "error", properties, [printable(file.unread), *([f"help: {printable(file.help)}"] if file.help else [])]
    )


def _region(span: Span) -> dict[str, str]:
    """Return lines, and columns within one line: GitHub takes none for a region of several."""
    region = {"line": str(span.line), "endLine": str(span.end_line)}
    if span.line == span.end_line:
        region |= {"col": str(span.column), "endColumn": str(span.end_column)}
    return region


def _command(name: str, properties: dict[str, str], lines: Sequence[str]) -> str:
    given = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
    return f"::{name} {given}::{_data(cut(chr(10).join(lines), _LONGEST))}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
