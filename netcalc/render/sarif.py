"""What a check found as SARIF 2.1.0, the format of code scanning (OASIS standard, errata 01)."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from netcalc.checks.outcome import Checked, Outcome, Suppressed
from netcalc.diagnostics import CODES, Severity, Span
from netcalc.render.checkout import HERE, Checkout, percent_encoded
from netcalc.render.findings import Located, RulePage, located, notes
from netcalc.render.printable import printable

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
ROOT = "SRCROOT"
"""What files are relative to: the top folder of the checkout, wherever that is."""
FINGERPRINT = "netcalcFinding/v1"
LEVELS: dict[Severity, str] = {"error": "error", "warning": "warning", "info": "note"}

Json: TypeAlias = dict[str, Any]


def sarif(
    outcome: Outcome,
    rules: Mapping[str, RulePage] | None = None,
    checkout: Checkout = HERE,
    *,
    version: str = "",
) -> str:
    """Return one run as JSON: every code as a rule, every finding as a result, the suppressed ones marked as such.

    `rules` are the pages of design rules by code. Fingerprints hold a finding against the same one of another run
    although lines have moved and figures changed.
    """
    codes = list(CODES)
    findings = [(finding, None) for finding in located(outcome)]
    quiet = [(Located(one.diagnostic, one.span.file), _suppression(one, checkout)) for one in outcome.suppressed]
    seen: Counter[str] = Counter()
    results = [_result(finding, codes, seen, checkout, why) for finding, why in (*findings, *quiet)]
    driver: Json = {"name": "netcalc", "rules": [_rule(code, (rules or {}).get(code)) for code in codes]}
    if version:
        driver["version"] = version
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        # The line breaks of YAML 1.1, by which libyaml counts.
        "newlineSequences": ["\r\n", "\n", "\r", "\x85", "\u2028", "\u2029"],
        "originalUriBaseIds": {ROOT: {"description": {"text": "The top folder of the checkout."}}},
        "invocations": [
            {
                "executionSuccessful": not outcome.unread,
                "toolExecutionNotifications": [_notification(file, checkout) for file in outcome.unread],
            }
        ],
        "results": results,
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2, allow_nan=False) + "\n"


def _rule(code: str, page: RulePage | None) -> Json:
    meaning = _sentence(CODES[code])
    rule: Json = {"id": code, "shortDescription": {"text": meaning}}
    if page is None:
        # Code scanning asks for a help text of every rule.
        told = {"fullDescription": {"text": meaning}, "help": {"text": meaning}}
        return rule | told | {"defaultConfiguration": {"level": "error"}}
    return rule | {
        "name": "".join(word.capitalize() for word in re.split(r"\W+", page.name)),
        "fullDescription": {"text": _sentence(page.line)},
        "help": {"text": page.page, "markdown": page.page},
        "defaultConfiguration": {"level": LEVELS[page.severity]},
    }


def _result(
    finding: Located, codes: list[str], seen: Counter[str], checkout: Checkout, suppression: Json | None
) -> Json:
    d = finding.diagnostic
    key = _fingerprint(finding, checkout)
    seen[key] += 1
    result: Json = {"ruleId": d.code}
    if d.code in CODES:
        result["ruleIndex"] = codes.index(d.code)
    location: Json = {"physicalLocation": _place(finding.span, checkout)}
    if d.node:
        location |= {"logicalLocations": [{"fullyQualifiedName": printable(d.node)}]}
    result |= {
        "level": LEVELS[d.severity],
        "message": {"text": _message([d.message, *notes(d, checkout)])},
        "locations": [location],
        "partialFingerprints": {FINGERPRINT: f"{key}:{seen[key]}"},
    }
    related = [place for place in d.related if not place.span.virtual]
    if related:
        result["relatedLocations"] = [
            {
                "id": number,
                "physicalLocation": _place(place.span, checkout),
                "message": {"text": _message([place.message])},
            }
            for number, place in enumerate(related, start=1)
        ]
    # Where some results have suppressions, all must have the property (3.27.23).
    result["suppressions"] = [] if suppression is None else [suppression]
    return result


def _suppression(one: Suppressed, checkout: Checkout) -> Json:
    where: Json = {"kind": "inSource", "location": {"physicalLocation": _place(one.span, checkout)}}
    return where | ({"justification": printable(one.reason)} if one.reason else {})


def _notification(file: Checked, checkout: Checkout) -> Json:
    return {
        "level": "error",
        "message": {"text": _message([file.unread, *([f"help: {file.help}"] if file.help else [])])},
        "locations": [{"physicalLocation": {"artifactLocation": _artifact(file.file, checkout)}}],
    }


def _place(span: Span, checkout: Checkout) -> Json:
    region = {
        "startLine": span.line,
        "startColumn": span.column,
        "endLine": span.end_line,
        "endColumn": span.end_column,
    }
    return {"artifactLocation": _artifact(span.file, checkout), "region": region}


def _artifact(file: str, checkout: Checkout) -> Json:
    path = checkout.path_of(file)
    if path is not None:
        return {"uri": percent_encoded(path), "uriBaseId": ROOT}
    outside = checkout.full_path(file)
    return {"uri": f"{'file://' if os.path.isabs(outside) else ''}{percent_encoded(outside)}"}


def _fingerprint(finding: Located, checkout: Checkout) -> str:
    """Return what stays of a finding when lines move and figures change: code, file, node, words of the message."""
    d = finding.diagnostic
    pieces = d.message.split("`")
    pieces[::2] = (re.sub(r"\d[\d.,]*", "#", piece) for piece in pieces[::2])
    words = (d.code, checkout.name_of(finding.span.file), d.node, "`".join(pieces))
    return hashlib.sha256("\0".join(words).encode(errors="replace")).hexdigest()[:32]


def _message(lines: Iterable[str]) -> str:
    """Return lines as SARIF reads them: braces doubled, and no links (3.11.5, 3.11.6)."""
    text = "\n".join(printable(line) for line in lines)
    return text.replace("{", "{{").replace("}", "}}").replace("](", "] (")


def _sentence(text: str) -> str:
    text = text[:1].upper() + text[1:]
    return text if text.endswith(".") else f"{text}."
