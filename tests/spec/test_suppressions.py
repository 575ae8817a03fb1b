"""Comments that keep findings quiet: where they count, and what only looks like one."""

from __future__ import annotations

import pytest

from netcalc.spec.suppressions import suppressions


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a: 1  # netcalc: ignore[NC301] why", [(1, ("NC301",), "why", "a: 1")]),
        ("a: 1 #netcalc:ignore[ NC301 , NC302 ]", [(1, ("NC301", "NC302"), "", "a: 1")]),
        ("# netcalc: ignore[NC301] why\n\n# more\n  - b\n", [(4, ("NC301",), "why", "- b")]),
        ("# netcalc: ignore[NC301]\n", [(1, ("NC301",), "", "# netcalc: ignore[NC301]")]),
        ("a: 1  # netcalc: ignore why", [(1, (), "why", "a: 1")]),
        ("a: 1  # netcalc: ignore[] why", [(1, (), "why", "a: 1")]),
        ("a: 1\nb: 'x # netcalc: ignore[NC301] y'\n", []),
        ('b: "x\n  # netcalc: ignore[NC301] y"\n', []),
        (
            "b: |\n  text\n  # netcalc: ignore[NC301] y\nc: 2  # netcalc: ignore[NC302]\n",
            [(4, ("NC302",), "", "c: 2")],
        ),
        ("a: x# netcalc: ignore[NC301]", []),
        ("a: 1  # netcalc: ignored[NC301]", []),
        ("a: 1  # see netcalc: ignore[NC301]", []),
        ("a: 1  # netcalc: ignore[NC301\nb: 2", [(1, (), "[NC301", "a: 1")]),
        ("a: '1  # netcalc: ignore[NC301]", []),
        ("", []),
    ],
)
def test_comments(text: str, found: list[tuple[int, tuple[str, ...], str, str]]) -> None:
    assert [(s.line, s.codes, s.reason, s.subject) for s in suppressions(text, "f.yaml")] == found


@pytest.mark.parametrize("file", ["netcalc.toml", "a/pyproject.toml"])
def test_a_project_file_has_none(file: str) -> None:
    text = "[[budgets]]  # netcalc: ignore[NC401] why\n"
    assert suppressions(text, "f.txt") != ()
    assert suppressions(text, file) == ()


def test_the_place_of_a_comment() -> None:
    (one,) = suppressions("a: 1\nb: 2  # netcalc: ignore[NC301] why  \n", "f.yaml")
    assert (str(one.span), one.span.end_column) == ("f.yaml:2:7", 35)


def test_many_comments_take_time_in_proportion() -> None:
    text = "".join(f"k{i}: 'a'  # netcalc: ignore[NC301] x\n" for i in range(20_000))
    assert len(suppressions(text, "f.yaml")) == 20_000
