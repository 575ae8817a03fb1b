"""Every spec under tests/specs/bad is refused with the codes, at the lines, that its comments tell."""

import re
from pathlib import Path

import pytest

from netcalc.diagnostics import CODES, SpecError
from netcalc.graph import build_complete
from netcalc.spec.load import load_spec

FOLDER = Path(__file__).parents[1] / "specs" / "bad"
FILES = sorted(FOLDER.glob("*.yaml"))
COMMENT = re.compile(r"# error: (NC\d{3})")
ELSEWHERE = {"NC005", "NC016"}
"""Safety limits and overrides, which no small file can show."""

JARGON = re.compile(
    r"Input should|Value error|Assertion|validation error|valid (tuple|dict|integer|boolean|string)|literal\[|"
    r"pydantic|Traceback|NoneType|\bNone\b|\bTrue\b|\bFalse\b|object at 0x|<class|\w+Error\b|\(\d+,\)",
)


def expected(file):
    lines = file.read_text().splitlines()
    return {(code, number) for number, line in enumerate(lines, 1) for code in COMMENT.findall(line)}


def diagnostics(file):
    with pytest.raises(SpecError) as error:
        build_complete(load_spec(file))
    return error.value.diagnostics


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_errors_are_those_of_the_comments(file):
    assert {(d.code, d.span.line) for d in diagnostics(file)} == expected(file)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_messages_speak_of_the_spec(file):
    for d in diagnostics(file):
        assert d.span.file == str(file)
        assert d.severity == "error"
        assert not JARGON.search(d.message), d.message
        assert not JARGON.search(d.help), d.help
        assert "\n" not in d.message
        assert len(d.message) < 250
        # Where the text is no YAML of a spec, or a node names no layer, there is neither field nor node to name.
        assert "`" in d.message or d.node or d.code in ("NC002", "NC004", "NC014"), d.message


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_nothing_is_reported_twice_in_one_place(file):
    found = [(d.code, d.message, d.span) for d in diagnostics(file)]
    assert len(found) == len(set(found))


def test_a_file_is_named_for_what_it_shows():
    for file in FILES:
        assert file.stem[:5] in {code for code, _ in expected(file)}


def test_every_code_of_a_spec_has_a_bad_spec():
    shown = {code for file in FILES for code, _ in expected(file)}
    assert shown == {code for code in CODES if "NC002" <= code < "NC200"} - ELSEWHERE
