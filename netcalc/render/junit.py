"""What a check found as JUnit XML, which GitLab, Jenkins and others show as test results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from xml.etree import ElementTree as ET

from netcalc.checks.outcome import BudgetUse, Checked, Outcome
from netcalc.diagnostics import Diagnostic, Severity, Span
from netcalc.render.checkout import HERE, Checkout
from netcalc.render.findings import Located, RulePage, counted, notes
from netcalc.render.printable import printable

SPEC, SHAPES, TRAINING, BUDGETS = "spec", "shapes", "training", "budgets"
_CASES = {
    "NC1": SHAPES,
    "NC2": TRAINING,
    "NC3": "design",
    "NC405": "suppressions",
    "NC41": "suppressions",
    "NC4": BUDGETS,
}
"""The test that a finding belongs to, by how its code begins, where no rule or budget has its own."""


@dataclass(slots=True)
class _Case:
    """One test: what was found, what there is to tell besides, and why it could not or need not be run."""

    name: str
    found: list[Diagnostic] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    unread: str = ""
    skipped: str = ""


def junit(
    outcome: Outcome,
    rules: Mapping[str, RulePage] | None = None,
    checkout: Checkout = HERE,
    *,
    strict: bool = False,
) -> str:
    """Return a test suite a spec, with a test for its text, its shapes, its training, each rule and each budget.

    `rules` are the pages of design rules by code. A test fails by an error, with `strict` by a warning too;
    what does not let it fail is its output, as is what is suppressed, a budget that is missed included. A file
    that could not be read is an error. The control characters that XML forbids are replaced.
    """
    failing: frozenset[Severity] = frozenset(("error", "warning") if strict else ("error",))
    classes = Counter(_without_suffix(file.file) for file in outcome.files)
    root = ET.Element("testsuites", name="netcalc")
    for file in outcome.files:
        # Viewers tell tests apart by class and name; in a class, Jenkins takes a dot for the end of a package.
        short = _without_suffix(file.file)
        class_name = checkout.name_of(short if classes[short] == 1 else file.file)
        suite = ET.SubElement(root, "testsuite", name=checkout.name_of(file.file))
        for case in _cases(file, rules or {}):
            suite.append(_element(case, file, class_name, checkout, failing))
        _count(suite)
    _count(root)
    del root.attrib["skipped"]  # the schema of Jenkins knows it of suites only
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _without_suffix(file: str) -> str:
    path = PurePath(file)
    return str(path.parent / path.stem)


def _cases(file: Checked, rules: Mapping[str, RulePage]) -> Iterator[_Case]:
    """Yield the tests of a file in the order of codes; one for a file that could not be read."""
    if file.unread:
        yield _Case(SPEC, told=[f"help: {file.help}"] if file.help else [], unread=file.unread)
        return
    cases = {name: _Case(name) for name in (SPEC, SHAPES, TRAINING)}
    cases |= {code: _Case(f"{code} {page.name}") for code, page in rules.items()}
    # A spec and a project file may limit the same figure: that is one test.
    budgets = {name: _Case(f"budget {name}") for name in map(_budget_name, file.budgets)}
    for d in file.diagnostics:
        _case_of(d, cases, budgets).found.append(d)
    for one in file.suppressed:
        told = _case_of(one.diagnostic, cases, budgets).told
        told.append(f"suppressed: {one.diagnostic.message} ({one.reason})")
    for use in file.budgets:
        case = budgets[_budget_name(use)]
        case.told.append(_usage(use))
        case.skipped = "the figure is not known" if use.met is None else ""
    everything = [*cases.values(), *budgets.values()]
    if any(d.severity == "error" for d in cases[SPEC].found):
        for case in everything[1:]:
            case.skipped = "" if case.found else "the spec has errors"
    yield from everything


def _case_of(d: Diagnostic, cases: dict[str, _Case], budgets: Mapping[str, _Case]) -> _Case:
    """Return the test that a finding belongs to: of the budget that it names, or one made where there is none."""
    if d.code.startswith("NC4"):
        for budget, case in budgets.items():
            if d.message.startswith(f"`{budget}`"):
                return case
    group = next((name for start, name in _CASES.items() if d.code.startswith(start)), SPEC)
    name = d.code if d.code in cases else group
    return cases.setdefault(name, _Case(name))


def _budget_name(use: BudgetUse) -> str:
    """Return a budget as messages name it."""
    return f"{use.figure} of {use.scope}" if use.scope else use.figure


def _usage(use: BudgetUse) -> str:
    share = "" if use.used is None else f", {100 * use.used:,.1f} % used"
    return f"{use.figure} is {use.shown}, the limit is {use.limit}{share}"


def _element(
    case: _Case, file: Checked, class_name: str, checkout: Checkout, failing: frozenset[Severity]
) -> ET.Element:
    """Return a test with one failure that tells all that is wrong, as most viewers show one only."""
    wrong = [d for d in case.found if d.severity in failing]
    rest = [d for d in case.found if d.severity not in failing]
    test = ET.Element("testcase", _attributes(case.name, file, class_name, checkout, wrong))
    told = [line for d in rest for line in _lines(d, file, checkout)] + list(map(printable, case.told))
    if case.unread:
        ET.SubElement(test, "error", message=printable(case.unread), type="unread")
    elif wrong:
        message = wrong[0].message if len(wrong) == 1 else counted(wrong)
        failure = ET.SubElement(test, "failure", message=printable(message), type=wrong[0].code)
        failure.text = "\n".join(line for d in wrong for line in _lines(d, file, checkout))
    elif case.skipped:
        ET.SubElement(test, "skipped", message=case.skipped)
    if told:
        ET.SubElement(test, "system-out").text = "\n".join(told)
    return test


def _attributes(
    name: str, file: Checked, class_name: str, checkout: Checkout, wrong: Sequence[Diagnostic] = ()
) -> dict[str, str]:
    """Return what a test is called and where it stands: at the first thing that is wrong, else its spec."""
    attributes = {"classname": class_name, "name": printable(name)}
    place = Located(wrong[0], file.file).span if wrong else None
    if place is None:
        return attributes | {"file": checkout.name_of(file.file)}
    return attributes | {"file": checkout.name_of(place.file), "line": str(place.line)}


def _lines(d: Diagnostic, file: Checked, checkout: Checkout) -> Iterable[str]:
    place: Span = Located(d, file.file).span
    yield f"{checkout.place_of(place)}: {d.severity}[{d.code}]: {printable(d.message)}"
    yield from (f"  {note}" for note in notes(d, checkout))


def _count(suite: ET.Element) -> None:
    """Set how many tests there are below, and how many failed, could not be run or were not."""
    suite.set("tests", str(len(list(suite.iter("testcase")))))
    for counts, kind in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(counts, str(len(list(suite.iter(kind)))))
