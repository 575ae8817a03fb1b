"""SARIF: held to its schema, and to what the standard says beyond it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from jsonschema import Draft202012Validator

from netcalc.checks.outcome import Checked, Outcome
from netcalc.diagnostics import CODES, Diagnostic, Related, Span
from netcalc.render.checkout import Checkout
from netcalc.render.sarif import FINGERPRINT, ROOT, sarif
from tests.render.outcomes import ABSENT, BIAS, EVIL, KERNEL, MIXED, OVER, RULES, SMALL, WIDE, many, span

SCHEMA = json.loads((Path(__file__).parent / "schemas" / "sarif-2.1.0.json").read_text(encoding="utf-8"))
URI = re.compile(r"[A-Za-z0-9\-._~/%]+")


def read(outcome: Outcome, **options: Any) -> dict[str, Any]:
    """Return the one run of a log that is valid."""
    log = json.loads(sarif(outcome, RULES, **options))
    Draft202012Validator(SCHEMA).validate(log)
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    for place in places(run):
        uri = place["artifactLocation"]["uri"]
        assert URI.fullmatch(uri.removeprefix("file://"))
        assert place["artifactLocation"].get("uriBaseId") in (None, ROOT)
    return dict(run)


def places(value: Any) -> list[dict[str, Any]]:
    """Return every physical location below a value."""
    if isinstance(value, dict):
        own = [value] if "artifactLocation" in value else []
        return own + [place for item in value.values() for place in places(item)]
    return [place for item in value for place in places(item)] if isinstance(value, list) else []


def fingerprints(*found: Diagnostic, file: str = "a.yaml") -> list[str]:
    results = read(Outcome((Checked(file, diagnostics=found),)))["results"]
    return [result["partialFingerprints"][FINGERPRINT] for result in results]


@pytest.mark.parametrize("outcome", [MIXED, EVIL, Outcome(())], ids=["mixed", "hostile", "nothing"])
def test_it_is_valid(outcome: Outcome) -> None:
    assert len(read(outcome)["results"]) == len(outcome.diagnostics) + sum(len(f.suppressed) for f in outcome.files)


def test_the_schema_can_fail() -> None:
    log = json.loads(sarif(MIXED))
    log["runs"][0]["results"][0]["level"] = "fatal"
    assert not Draft202012Validator(SCHEMA).is_valid(log)


def test_every_code_is_a_rule() -> None:
    driver = read(MIXED, version="1.2.3")["tool"]["driver"]
    assert (driver["name"], driver["version"]) == ("netcalc", "1.2.3")
    assert [rule["id"] for rule in driver["rules"]] == list(CODES)
    rules = {rule["id"]: rule for rule in driver["rules"]}
    assert rules["NC301"] == {
        "id": "NC301",
        "name": "RedundantBias",
        "shortDescription": {"text": "A bias just before batch normalisation."},
        "fullDescription": {"text": "A bias just before batch normalisation changes nothing."},
        "help": {"text": "Why: ...", "markdown": "Why: ..."},
        "defaultConfiguration": {"level": "warning"},
    }
    assert rules["NC302"]["defaultConfiguration"] == {"level": "note"}
    assert rules["NC101"]["defaultConfiguration"] == {"level": "error"}
    assert "version" not in read(MIXED)["tool"]["driver"]


def test_a_result_has_its_rule_place_and_message() -> None:
    run = read(Outcome((SMALL,)))
    result, warning = run["results"]
    assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"] == "NC101"
    assert (result["level"], warning["level"]) == ("error", "warning")
    assert result["message"]["text"].splitlines() == [
        "`kernel` (5) is larger than the input's height (4)",
        "node: conv3",
        "input: 4×4×16",
        "help: use a kernel of at most 4",
    ]
    assert result["locations"] == [
        {
            "physicalLocation": {
                "artifactLocation": {"uri": "nets/small.yaml", "uriBaseId": ROOT},
                "region": {"startLine": 9, "startColumn": 34, "endLine": 9, "endColumn": 35},
            },
            "logicalLocations": [{"fullyQualifiedName": "conv3"}],
        }
    ]
    assert run["columnKind"] == "unicodeCodePoints"
    assert ROOT in run["originalUriBaseIds"]


def test_related_places_have_numbers_and_overrides_are_no_place() -> None:
    related = (*OVER.related, Related(Span("--set a=1", 1, 1, 1, 1), "set here"))
    (result,) = read(Outcome((Checked("a", diagnostics=(replace(OVER, related=related),)),)))["results"]
    (place,) = result["relatedLocations"]
    assert place["id"] == 1
    assert place["message"] == {"text": "dense1: 650 (100.0%)"}
    assert place["physicalLocation"]["artifactLocation"]["uri"] == "blocks/head.yaml"
    assert "set here" in result["message"]["text"]


def test_what_a_comment_keeps_quiet_is_suppressed_with_its_reason() -> None:
    found, quiet = read(Outcome((WIDE,)))["results"]
    assert found["suppressions"] == []
    (suppression,) = quiet["suppressions"]
    assert (suppression["kind"], suppression["justification"]) == ("inSource", "as published")
    assert suppression["location"]["physicalLocation"]["region"]["startColumn"] == 30
    without = replace(WIDE, suppressed=(replace(WIDE.suppressed[0], reason=""),))
    assert "justification" not in read(Outcome((without,)))["results"][1]["suppressions"][0]


def test_what_specs_share_is_told_once() -> None:
    assert len(read(Outcome((WIDE, replace(WIDE, file="b.yaml"))))["results"]) == 2


def test_a_file_that_is_not_read_is_a_notification() -> None:
    (invocation,) = read(Outcome((ABSENT, SMALL)))["invocations"]
    assert invocation["executionSuccessful"] is False
    (note,) = invocation["toolExecutionNotifications"]
    assert note["level"] == "error"
    assert note["message"]["text"] == "nets/absent.yaml: no such file\nhelp: did you mean `absend.yaml`?"
    assert note["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "nets/absent.yaml"
    assert read(Outcome((SMALL,)))["invocations"] == [
        {"executionSuccessful": True, "toolExecutionNotifications": []}
    ]


@pytest.mark.parametrize("name", ["a b.yaml", "a:b.yaml", "50%.yaml", "ä#?.yaml", "\udcff.yaml", "[x](y).yaml"])
def test_uris_are_percent_encoded(name: str) -> None:
    (result,) = read(Outcome((Checked(name, diagnostics=(replace(KERNEL, span=span(name, 1)),)),)))["results"]
    uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert unquote(uri, errors="surrogateescape") == name


def test_files_below_the_checkout_are_relative_others_are_not() -> None:
    checkout = Checkout("/ws/nets", "/ws")
    found = tuple(
        replace(KERNEL, span=span(name, 1)) for name in ("a.yaml", "/ws/b.yaml", "/elsewhere/c d.yaml", "../../d")
    )
    results = read(Outcome((Checked("a.yaml", diagnostics=found),)), checkout=checkout)["results"]
    artifacts = [result["locations"][0]["physicalLocation"]["artifactLocation"] for result in results]
    assert artifacts == [
        {"uri": "nets/a.yaml", "uriBaseId": ROOT},
        {"uri": "b.yaml", "uriBaseId": ROOT},
        {"uri": "file:///elsewhere/c%20d.yaml"},
        {"uri": "file:///d"},
    ]


def test_fingerprints_stay_when_lines_move_and_figures_change() -> None:
    grown = replace(OVER, message=OVER.message.replace("650", "1,651").replace("8.3", "175.2"))
    moved = replace(grown, span=span("nets/wide.yaml", 70, 3), help="another", context=("more",))
    assert fingerprints(OVER) == fingerprints(grown) == fingerprints(moved)


@pytest.mark.parametrize(
    "other",
    [
        replace(BIAS, code="NC302"),
        replace(BIAS, node="conv2"),
        replace(BIAS, message=BIAS.message.replace("conv1", "conv2")),
        replace(BIAS, span=span("nets/other.yaml", 3, 5, 9)),
    ],
    ids=["code", "node", "name", "file"],
)
def test_fingerprints_tell_findings_apart(other: Diagnostic) -> None:
    assert fingerprints(BIAS) != fingerprints(other)


def test_alike_findings_have_fingerprints_of_their_own() -> None:
    alike = [replace(BIAS, span=span("nets/small.yaml", line)) for line in (3, 4, 5)]
    found = fingerprints(*alike)
    assert len(set(found)) == 3
    assert found == fingerprints(*(replace(d, span=span("nets/small.yaml", 9 + n)) for n, d in enumerate(alike)))


def test_messages_hold_no_placeholders_and_no_links() -> None:
    for result in read(EVIL)["results"]:
        for text in (
            result["message"]["text"],
            *(place["message"]["text"] for place in result["relatedLocations"]),
        ):
            assert text.replace("\n", "").isprintable()
            assert not re.search(r"(?<!\{)(?:\{\{)*\{(?!\{)", text)
            assert "](" not in text
            assert "[e] (http://f) {{0}}" in text


def test_it_is_ascii_whatever_the_spec_says() -> None:
    assert sarif(EVIL).isascii()


def test_many_findings() -> None:
    results = read(many(3_000))["results"]
    assert len({result["partialFingerprints"][FINGERPRINT] for result in results}) == len(results) == 3_000
