"""JUnit XML: what fails, what is skipped, what is only told."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from netcalc.checks.outcome import BudgetUse, Checked, Outcome, Suppressed
from netcalc.diagnostics import Diagnostic, Severity
from netcalc.render.checkout import Checkout
from netcalc.render.junit import junit
from tests.render.outcomes import ABSENT, BIAS, CLEAN, EVIL, KERNEL, MIXED, OVER, RULES, SMALL, WIDE, many, span


def read(outcome: Outcome, *, strict: bool = False, checkout: Checkout | None = None) -> ET.Element:
    """Return the root, after a look at its counts and that no two tests of a class have one name."""
    text = junit(outcome, RULES, checkout or Checkout(), strict=strict)
    root = ET.fromstring(text.encode())
    for suite in (root, *root):
        below = {kind: len(suite.findall(f".//{kind}")) for kind in ("testcase", "failure", "error", "skipped")}
        counts = {"tests": "testcase", "failures": "failure", "errors": "error", "skipped": "skipped"}
        found = {name: below[kind] for name, kind in counts.items() if suite is not root or name != "skipped"}
        assert {name: int(suite.get(name, "")) for name in found} == found
    names = [(case.get("classname"), case.get("name")) for case in root.iter("testcase")]
    assert len(set(names)) == len(names)
    return root


def verdicts(outcome: Outcome, *, strict: bool = False) -> dict[str, str]:
    """Return what became of each test of the only file: failure, error, skipped, or nothing."""
    (suite,) = read(outcome, strict=strict)
    return {
        case.get("name", ""): next((e.tag for e in case if e.tag != "system-out"), "")
        for case in suite.iter("testcase")
    }


def case(outcome: Outcome, name: str, **options: bool) -> ET.Element:
    (found,) = [test for test in read(outcome, **options).iter("testcase") if test.get("name") == name]
    return found


def told(test: ET.Element) -> str:
    return test.findtext("system-out", "")


def test_every_file_is_a_suite_and_every_rule_a_test() -> None:
    root = read(MIXED)
    assert [suite.get("name") for suite in root] == [file.file for file in MIXED.files]
    assert verdicts(Outcome((CLEAN,))) == {
        "spec": "", "shapes": "", "training": "", "NC301 redundant-bias": "", "NC302 dropped-pixels": ""
    }  # fmt: skip
    assert {test.get("classname") for test in root.iter("testcase")} == {
        "nets/small", "nets/wide", "nets/clean", "nets/absent"
    }  # fmt: skip


def test_an_error_fails_and_a_warning_is_told() -> None:
    found = verdicts(Outcome((SMALL,)))
    assert [name for name, verdict in found.items() if verdict] == ["shapes"]
    failed = case(Outcome((SMALL,)), "shapes")
    assert (failed.get("file"), failed.get("line")) == ("nets/small.yaml", "9")
    failure = failed.find("failure")
    assert failure is not None
    assert failure.attrib == {"message": KERNEL.message, "type": "NC101"}
    assert failure.text == (
        f"nets/small.yaml:9:34: error[NC101]: {KERNEL.message}\n"
        "  node: conv3\n  input: 4×4×16\n  help: use a kernel of at most 4"
    )
    assert told(case(Outcome((SMALL,)), "NC301 redundant-bias")).startswith(
        f"nets/small.yaml:3:5: warning[NC301]: {BIAS.message}\n"
    )


def test_strict_lets_warnings_fail() -> None:
    found = verdicts(Outcome((SMALL,)), strict=True)
    assert [name for name, verdict in found.items() if verdict] == ["shapes", "NC301 redundant-bias"]
    note = replace(BIAS, severity="info")
    assert not any(verdicts(Outcome((replace(SMALL, diagnostics=(note,)),)), strict=True).values())


def test_several_findings_are_one_failure() -> None:
    twice = replace(SMALL, diagnostics=(KERNEL, replace(KERNEL, span=span("nets/small.yaml", 12), node="conv4")))
    (failure,) = case(Outcome((twice,)), "shapes").findall("failure")
    assert failure.get("message") == "2 errors"
    assert (failure.text or "").count("error[NC101]") == 2


def test_each_budget_is_a_test_and_says_how_far_it_is_used() -> None:
    assert {name: v for name, v in verdicts(Outcome((WIDE,))).items() if name[:2] != "NC"} == {
        "spec": "", "shapes": "", "training": "", "budget params": "failure", "budget macs of head.*": "",
        "budget memory": "skipped",
    }  # fmt: skip
    missed = case(Outcome((WIDE,)), "budget params")
    assert missed.find("failure") is not None
    assert missed.get("line") == "7"
    assert told(missed) == "params is 650, the limit is 600, 108.3 % used"
    assert told(case(Outcome((WIDE,)), "budget macs of head.*")) == "macs is 640, the limit is 1,000, 64.0 % used"


@pytest.mark.parametrize(
    ("severity", "strict", "verdict"),
    [("error", False, "failure"), ("warning", False, ""), ("warning", True, "failure")],
)
def test_a_missed_budget_fails_by_its_level(severity: Severity, strict: bool, verdict: str) -> None:
    missed = replace(WIDE, diagnostics=(replace(OVER, severity=severity),))
    assert verdicts(Outcome((missed,)), strict=strict)["budget params"] == verdict


def test_a_miss_that_is_not_reported_fails_nothing() -> None:
    comment = Suppressed(OVER, "agreed", span("nets/wide.yaml", 7, 30, 60))
    quiet = Outcome((replace(WIDE, diagnostics=(), suppressed=(comment,)),))
    deselected = Outcome((replace(WIDE, diagnostics=(), suppressed=()),))
    for outcome in (quiet, deselected):
        assert not outcome.fails(strict=True)
        assert "failure" not in verdicts(outcome, strict=True).values()
    usage = "params is 650, the limit is 600, 108.3 % used"
    assert told(case(quiet, "budget params")) == f"suppressed: {OVER.message} (agreed)\n{usage}"
    assert told(case(deselected, "budget params")) == usage


def test_a_finding_goes_to_the_budget_that_it_names() -> None:
    head = replace(OVER, message="`params of head.*` is 640, over the budget of 600 by 40, 6.7%")
    budgets = tuple(BudgetUse("params", scope, 640.0, "640", "600", "error", met=False) for scope in ("", "head.*"))
    outcome = Outcome((replace(WIDE, diagnostics=(head, OVER), budgets=budgets),))
    for name, found in (("budget params of head.*", head), ("budget params", OVER)):
        failure = case(outcome, name).find("failure")
        assert failure is not None
        assert failure.get("message") == found.message


def test_two_limits_of_one_figure_are_one_test() -> None:
    uses = tuple(
        BudgetUse("params", "", 650, "650", limit, "error", met=limit == "700") for limit in ("600", "700")
    )
    test = case(Outcome((replace(CLEAN, diagnostics=(OVER,), budgets=uses),)), "budget params")
    failure = test.find("failure")
    assert failure is not None
    assert failure.get("message") == OVER.message
    assert told(test) == "params is 650, the limit is 600\nparams is 650, the limit is 700"


def test_a_finding_without_a_test_of_its_own_gets_one() -> None:
    gone = replace(OVER, code="NC406", message="a spec with budgets is gone")
    found = (gone, replace(BIAS, code="NC399"), replace(BIAS, code="NC410"), replace(BIAS, code="NC405"))
    checked = replace(CLEAN, diagnostics=found)
    failed = verdicts(Outcome((checked,)), strict=True)
    assert {name for name, verdict in failed.items() if verdict} == {"budgets", "design", "suppressions"}
    (failure,) = case(Outcome((checked,)), "suppressions", strict=True).findall("failure")
    assert [code in (failure.text or "") for code in ("NC405", "NC410", "NC406")] == [True, True, False]


def test_what_could_not_be_looked_at_is_skipped() -> None:
    wrong = Diagnostic("NC013", "unknown layer `rleu`", span("nets/clean.yaml", 2))
    found = verdicts(Outcome((replace(CLEAN, diagnostics=(wrong, BIAS)),)))
    assert found.pop("spec") == "failure"
    # What was found all the same is told.
    assert found.pop("NC301 redundant-bias") == ""
    assert set(found.values()) == {"skipped"}


def test_a_file_that_is_not_read_is_an_error() -> None:
    test = case(Outcome((ABSENT,)), "spec")
    error = test.find("error")
    assert error is not None
    assert error.get("message") == ABSENT.unread
    assert told(test) == "help: did you mean `absend.yaml`?"
    assert verdicts(Outcome((ABSENT,))) == {"spec": "error"}


def test_what_a_comment_keeps_quiet_is_told() -> None:
    assert f"suppressed: {BIAS.message} (as published)" in told(case(Outcome((WIDE,)), "NC301 redundant-bias"))


def test_specs_of_one_stem_keep_their_suffix() -> None:
    names = [replace(CLEAN, file=file) for file in ("a/x.yaml", "a/x.yml", "b/x.yaml")]
    classes = {test.get("classname") for test in read(Outcome(tuple(names))).iter("testcase")}
    assert classes == {"a/x.yaml", "a/x.yml", "b/x"}


def test_files_are_named_from_the_top_of_the_checkout() -> None:
    root = read(Outcome((SMALL,)), checkout=Checkout("/ws/models", "/ws"))
    assert {test.get("file") for test in root.iter("testcase")} == {"models/nets/small.yaml"}


def test_hostile_text_is_text() -> None:
    root = read(EVIL, strict=True)
    assert {element.tag for element in root.iter()} == {
        "testsuites", "testsuite", "testcase", "failure", "error", "system-out", "skipped"
    } - ({"skipped"} if root.find(".//skipped") is None else set())  # fmt: skip
    failure = root.find(".//failure")
    assert failure is not None
    assert "]]> <script>alert('&')</script>" in (failure.text or "")
    assert junit(EVIL).replace("\n", "").isprintable()


@pytest.mark.parametrize("file", [".", "/", "", "..", "a.", ".yaml"])
def test_odd_names_of_files(file: str) -> None:
    assert len(read(Outcome((Checked(file, unread="not read"),)))) == 1


def test_many_findings() -> None:
    (failure,) = case(many(10_000), "shapes").findall("failure")
    assert failure.get("message") == "10,000 errors"
    assert (failure.text or "").count("error[NC101]") == 10_000


def test_nothing_checked() -> None:
    assert read(Outcome(())).get("tests") == "0"
