"""Diagnostics for people: the line, the caret below the right letters, the notes."""

from __future__ import annotations

import pytest

from netcalc.diagnostics import Diagnostic, Span
from netcalc.render.diagnostics import concise, render_diagnostic, tally

LINE = "  - conv: {filters: 32, groups: 5}"


def shown(line: str, column: int, end: int, *, end_line: int = 7, **fields: object) -> list[str]:
    """Render a diagnostic at line 7 of a file of such lines."""
    span = Span("spec.yaml", 7, column, end_line, end)
    diagnostic = Diagnostic("NC102", "`groups` does not divide", span, **fields)  # type: ignore[arg-type]
    return render_diagnostic(diagnostic, lambda _: [*[""] * 6, line]).plain.splitlines()


def test_the_caret_stands_below_the_span() -> None:
    start = LINE.index("groups") + 1
    assert shown(LINE, start, start + 6, help="use 4", node="c2", context=("input: 8×8×4",)) == [
        f"spec.yaml:7:{start}: error[NC102]: `groups` does not divide",
        "  |",
        f"7 | {LINE}",
        "  | " + " " * (start - 1) + "^^^^^^",
        "  = node: c2   input: 8×8×4",
        "  = help: use 4",
    ]


@pytest.mark.parametrize(
    ("column", "end", "end_line", "carets"),
    [
        (1, 2, 7, 1),
        (5, 5, 7, 1),
        (5, 9, 7, 4),
        (5, 3, 9, len(LINE) - 4),
        (5, 500, 7, len(LINE) - 4),
        (500, 501, 7, 1),
    ],
)
def test_carets_stay_within_the_line(column: int, end: int, end_line: int, carets: int) -> None:
    *_, line, caret = shown(LINE, column, end, end_line=end_line)
    assert caret.count("^") == carets
    if column <= len(LINE):
        assert caret == "  | " + " " * (column - 1) + "^" * carets
        assert line == f"7 | {LINE}"


@pytest.mark.parametrize("before", [0, 100, 155, 158, 161, 400, 5_000])
def test_long_lines_are_cut_around_the_span(before: int) -> None:
    line = "x" * before + "groups" + "y" * 5_000
    *_, excerpt, caret = shown(line, before + 1, before + 7)
    assert len(excerpt) <= 170
    assert len(caret) <= len(excerpt)
    marked = excerpt[caret.index("^") : caret.rindex("^") + 1]
    assert "groups".startswith(marked)
    if before <= 150 or before > 160:
        assert marked == "groups"


def test_control_characters_are_stripped_everywhere() -> None:
    hostile = "a\x1b[31m\x07\u202eb"
    span = Span(hostile, 1, 1, 1, 3)
    found = Diagnostic("NC011", hostile, span, hostile, node="n", context=(hostile,))
    for text in (render_diagnostic(found, lambda _: [hostile]).plain, concise(found)):
        assert not {"\x1b", "\x07", "\u202e"} & set(text)
        assert text.count("a\N{REPLACEMENT CHARACTER}[31m") >= 3


def test_markup_is_text() -> None:
    found = Diagnostic("NC011", "[bold]x[/bold] :smile:", None, "[red]")
    text = render_diagnostic(found, lambda _: [])
    assert text.plain == "error[NC011]: [bold]x[/bold] :smile:\n= help: [red]\n"


def test_tabs_do_not_move_the_caret() -> None:
    line = "\tconv:\tx"
    *_, excerpt, caret = shown(line, line.index("x") + 1, line.index("x") + 2)
    assert excerpt[caret.index("^")] == "x"


def test_a_line_that_is_not_there_is_not_quoted() -> None:
    found = Diagnostic("NC011", "odd", Span("spec.yaml", 99, 1, 99, 2), "mend it")
    text = render_diagnostic(found, lambda _: ["only one"]).plain
    assert text == "spec.yaml:99:1: error[NC011]: odd\n= help: mend it\n"


def test_the_tally_counts_by_severity() -> None:
    error, warning = Diagnostic("NC011", "x"), Diagnostic("NC301", "x", severity="warning")
    assert tally([]) == "no findings"
    assert tally([error]) == "1 error"
    assert tally([warning, error, warning]) == "1 error, 2 warnings"
    assert tally([warning] * 1234) == "1,234 warnings"
