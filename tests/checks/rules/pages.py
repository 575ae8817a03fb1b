"""What tests of rules read: the examples of manual pages, and specs that say what has to be found in them."""

from __future__ import annotations

import inspect
import re
import textwrap
from pathlib import Path

from netcalc.checks.ruled import ruled
from netcalc.checks.rules import Rule, Subject
from netcalc.diagnostics import Diagnostic
from netcalc.graph import build
from netcalc.spec.load import parse_spec
from tests.conftest import ROOT

SPECS = ROOT / "tests" / "specs" / "rules"
BAD = sorted(SPECS.glob("NC*/bad*.yaml"))
GOOD = sorted(SPECS.glob("NC*/good*.yaml"))


def code_of(path: Path) -> str:
    return path.parent.name


def found_in(text: str, file: str = "spec.yaml") -> list[Diagnostic]:
    """Return what all rules find in a spec; a comment `object_size: 64` in it says what the user cares about."""
    wanted = re.search(r"^# object_size: (\d+)$", text, re.MULTILINE)
    return list(ruled(Subject(build(parse_spec(text, file)), int(wanted[1]) if wanted else None)))


def examples(rule: Rule) -> tuple[str, str]:
    """Return the spec of a rule's page that it finds something in, and the one that it does not."""
    page = inspect.getdoc(rule.find)
    assert page is not None, rule.code
    bad, good = page.split("\nExample:\n")[1].split("\nInstead:\n")
    return textwrap.dedent(bad), textwrap.dedent(good)
