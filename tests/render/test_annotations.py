"""Annotations of GitHub, read back as the runner reads its log."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from netcalc.checks.outcome import Checked, Outcome
from netcalc.diagnostics import Diagnostic, Related, Span
from netcalc.render.annotations import SHOWN, github_annotations
from netcalc.render.checkout import Checkout
from tests.render.outcomes import BIAS, EVIL, KERNEL, MIXED, OVER, SMALL, many


@dataclass(frozen=True)
class Command:
    name: str
    properties: dict[str, str]
    data: str


def unescaped(text: str, *more: tuple[str, str]) -> str:
    for code, character in (("%0D", "\r"), ("%0A", "\n"), *more, ("%25", "%")):
        text = text.replace(code, character)
    return text


def read(log: str) -> list[Command]:
    """Return the commands of a log; every line must be one."""
    commands = []
    for line in log.split("\n")[:-1]:
        assert line.isprintable()
        empty, info, data = line.split("::", 2)
        assert not empty
        name, _, properties = info.partition(" ")
        pairs = [pair.split("=", 1) for pair in properties.split(",")]
        values = {key: unescaped(value, ("%3A", ":"), ("%2C", ",")) for key, value in pairs}
        assert len(values) == len(pairs)
        commands.append(Command(name, values, unescaped(data)))
    return commands


def test_an_annotation_names_place_and_way_out() -> None:
    assert read(github_annotations(Outcome((SMALL,)))) == [
        Command(
            "error",
            {
                "file": "nets/small.yaml",
                "line": "9",
                "endLine": "9",
                "col": "34",
                "endColumn": "35",
                "title": "netcalc NC101",
            },
            "`kernel` (5) is larger than the input's height (4)\n"
            "node: conv3\ninput: 4×4×16\nhelp: use a kernel of at most 4",
        ),
        Command(
            "warning",
            {
                "file": "nets/small.yaml",
                "line": "3",
                "endLine": "3",
                "col": "5",
                "endColumn": "9",
                "title": "netcalc NC301",
            },
            "the bias of `conv1` is cancelled by `batch_norm1`\nnode: conv1\nhelp: set `bias: false`",
        ),
    ]


def test_errors_come_first_and_files_that_are_not_read_are_errors() -> None:
    info = replace(BIAS, severity="info", code="NC302")
    commands = read(github_annotations(Outcome((Checked("a.yaml", diagnostics=(info, BIAS)), *MIXED.files))))
    assert [(c.name, c.properties["title"]) for c in commands] == [
        ("error", "netcalc"),
        ("error", "netcalc NC101"),
        ("error", "netcalc NC401"),
        ("warning", "netcalc NC301"),
        ("notice", "netcalc NC302"),
    ]
    assert commands[0].properties["file"] == "nets/absent.yaml"
    assert commands[0].data == "nets/absent.yaml: no such file\nhelp: did you mean `absend.yaml`?"


def test_files_are_named_from_the_top_of_the_checkout() -> None:
    checkout = Checkout("/github/workspace/models", "/github/workspace")
    (command,) = read(github_annotations(Outcome((Checked("a", diagnostics=(OVER,)),)), checkout))
    assert command.properties["file"] == "models/nets/wide.yaml"
    assert "\nmodels/blocks/head.yaml:2:5: dense1: 650 (100.0%)\n" in command.data


def test_places_that_the_facts_name_are_not_named_twice() -> None:
    told = replace(OVER, context=("dense1: 650 (100.0%), line 2",))
    (command,) = read(github_annotations(Outcome((Checked("a", diagnostics=(told,)),))))
    assert command.data.count("dense1") == 1


def test_a_region_of_several_lines_has_no_columns() -> None:
    found = Diagnostic("NC011", "odd", Span("a.yaml", 3, 5, 6, 2))
    (command,) = read(github_annotations(Outcome((Checked("a.yaml", diagnostics=(found,)),))))
    assert command.properties == {"file": "a.yaml", "line": "3", "endLine": "6", "title": "netcalc NC011"}


@pytest.mark.parametrize("place", [None, Span("--set layers.0=1", 1, 1, 1, 1)])
def test_what_stands_in_no_file_is_at_the_head_of_its_spec(place: Span | None) -> None:
    found = Diagnostic("NC011", "odd", place, related=(Related(Span("--set x=2", 1, 1, 1, 1), "here too"),))
    (command,) = read(github_annotations(Outcome((Checked("a.yaml", diagnostics=(found,)),))))
    assert (command.properties["file"], command.properties["line"]) == ("a.yaml", "1")
    assert command.data.endswith("\n--set x=2: here too")
    assert ("set by --set layers.0=1" in command.data) == (place is not None)


def test_a_finding_that_specs_share_is_told_once() -> None:
    assert len(read(github_annotations(Outcome((SMALL, replace(SMALL, file="other.yaml")))))) == 2


def test_nothing_found_says_nothing() -> None:
    assert github_annotations(Outcome(())) == ""
    assert github_annotations(Outcome((Checked("a.yaml"),))) == ""


def test_a_hostile_spec_starts_no_command_of_its_own() -> None:
    commands = read(github_annotations(EVIL))
    assert [c.name for c in commands] == ["error", "error", "warning", "notice"]
    assert all(set(c.properties) <= {"file", "line", "endLine", "col", "endColumn", "title"} for c in commands)
    for command in commands:
        message = command.data.split("\n")[0]
        # What is left is what stood there, each control character replaced.
        assert message.startswith("::error::x\ufffd\ufffd::stop-commands::t #\ufffd[error]y %0A%25 ]]>")
        assert "::error::x" in command.properties["file"]


@pytest.mark.parametrize(("number", "more"), [(SHOWN, None), (SHOWN + 1, "1 error"), (10_000, "9,990 errors")])
def test_how_many_are_not_shown_is_told(number: int, more: str | None) -> None:
    commands = read(github_annotations(many(number)))
    assert [c.name for c in commands[:number]] == ["error"] * number
    assert [c.data for c in commands[number:]] == (
        [f"{more} more: see the log or the summary of the job"] if more else []
    )


def test_the_notice_of_the_rest_is_among_those_that_are_shown() -> None:
    notes = tuple(replace(KERNEL, severity="info", message=str(n)) for n in range(SHOWN + 2))
    commands = read(github_annotations(Outcome((Checked("a", diagnostics=notes),))))
    assert commands[0].data.startswith("3 notes more")
    assert len(commands) == SHOWN + 3
