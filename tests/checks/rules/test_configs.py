"""Every warning on a published network is looked at: it is true of the design, and a comment there says why."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from netcalc.checks.ruled import ruled
from netcalc.checks.rules import Subject
from netcalc.graph import build
from netcalc.spec.load import load_spec
from tests.configs.zoo import CONFIGS
from tests.conftest import ROOT

FOLDER = ROOT / "configs"
IGNORE = re.compile(r"# netcalc: ignore\[([A-Z0-9, ]+)\] \S")


@cache
def ignored(file: str) -> frozenset[tuple[int, str]]:
    """Return the lines of a file with the codes that a comment at their end, or on the line above, takes back."""
    lines = Path(file).read_text(encoding="utf-8").splitlines()
    return frozenset(
        (number + line.lstrip().startswith("#"), code)
        for number, line in enumerate(lines, 1)
        if (match := IGNORE.search(line))
        for code in re.findall(r"NC\d{3}", match[1])
    )


@cache
def warnings(config: str) -> frozenset[tuple[str, int, str]]:
    """Return file, line and code of every warning."""
    found = ruled(Subject(build(load_spec(FOLDER / f"{config}.yaml"))))
    return frozenset(
        (finding.span.file, finding.span.line, finding.code)
        for finding in found
        if finding.severity == "warning" and finding.span is not None
    )


@pytest.mark.parametrize("config", CONFIGS)
def test_warnings_are_taken_back_where_they_stand(config: str) -> None:
    assert {found for found in warnings(config) if found[1:] not in {*ignored(found[0])}} == set()


def test_no_comment_takes_back_what_is_not_found() -> None:
    found = {(Path(file).resolve(), line, code) for config in CONFIGS for file, line, code in warnings(config)}
    written = {(path, *mark) for path in FOLDER.rglob("*.yaml") for mark in ignored(str(path))}
    assert {(path.resolve(), line, code) for path, line, code in written} == found
