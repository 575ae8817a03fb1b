"""`netcalc rule` and `netcalc rules`: pages of codes, by code and by name."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from netcalc.checks.pages import find_page, rule_pages
from netcalc.checks.rules import RULES
from netcalc.diagnostics import CODES, CannotRunError
from netcalc.manual import read_page
from netcalc.render.rules import rules_text
from tests.checks.rules.pages import examples
from tests.conftest import Cli


def test_pages_hold_the_specs_of_the_docstrings() -> None:
    for page, rule in zip(rule_pages(), RULES.values(), strict=True):
        assert (page.code, page.name, page.severity) == (rule.code, rule.name, rule.severity)
        bad, good = examples(rule)
        assert (page.example, page.instead) == (f"{bad.strip()}\n", f"{good.strip()}\n")
        assert page.summary.endswith(".")
        assert page.why


@pytest.mark.parametrize("word", ["NC301", "nc301", "redundant-bias", "Redundant-Bias"])
def test_a_page_is_found_by_code_and_by_name(word: str) -> None:
    assert find_page(word) == rule_pages()[list(RULES).index("NC301")]


@pytest.mark.parametrize("code", sorted(CODES))
def test_every_code_has_a_page(here: Cli, code: str) -> None:
    page = find_page(code)
    assert page.code == code
    if code not in RULES:
        assert page.summary == CODES[code]
        assert page.name == page.why == page.example == ""


def test_a_page_as_text(here: Cli) -> None:
    done = here("rule", "redundant-bias")
    assert (done.stderr, done.code) == ("", 0)
    lines = done.stdout.splitlines()
    assert lines[:3] == ["NC301: redundant-bias (warning)", "", find_page("NC301").summary]
    assert lines[4].startswith("Why: the normalisation subtracts the batch mean")
    assert "    input: [32, 32, 3]" in lines[lines.index("Example:") + 1 : lines.index("Instead:")]
    assert max(map(len, lines)) <= 100


def test_a_page_as_markdown_and_in_a_file(here: Cli, tmp_path: Path) -> None:
    printed = here("rule", "NC302", "-f", "markdown").stdout
    assert printed.startswith("# NC302: dropped-pixels\n")
    assert printed.count("```yaml\n") == printed.count("```\n") == 2
    done = here("rule", "NC302", "-f", "markdown", "-o", tmp_path / "page.md")
    assert (done.stdout, done.code) == ("", 0)
    assert (tmp_path / "page.md").read_text(encoding="utf-8") == printed


def test_a_code_that_is_no_rule_prints_its_meaning(here: Cli) -> None:
    assert here("rule", "NC101").stdout == f"NC101\n\n{CODES['NC101']}\n"


@pytest.mark.parametrize(
    ("word", "help"),
    [
        ("redundent-bias", "did you mean `redundant-bias`?"),
        ("NC34", "did you mean `NC340`?"),
        ("x" * 1000, "`netcalc rules` lists all rules"),
        ("", "`netcalc rules` lists all rules"),
        ("[bold]", "`netcalc rules` lists all rules"),
    ],
)
def test_an_unknown_word_is_an_error_with_a_way_out(here: Cli, word: str, help: str) -> None:
    done = here("rule", word)
    assert (done.stdout, done.code) == ("", 2)
    assert "is no code and no name of a rule" in done.stderr
    assert f"help: {help}" in done.stderr
    with pytest.raises(CannotRunError):
        find_page(word)


def test_the_list_has_every_rule(here: Cli) -> None:
    lines = here("rules").stdout.splitlines()
    assert [tuple(line.split()[:3]) for line in lines[2:]] == [
        (rule.code, rule.name, rule.severity) for rule in RULES.values()
    ]
    data = json.loads(here("rules", "-f", "json").stdout)
    assert data == {"format": "netcalc.rules/1", "rules": [asdict(page) for page in rule_pages()]}


@pytest.mark.parametrize("width", [70, 80, 100, 120, 200])
def test_a_narrow_list_says_the_same_on_more_lines(width: int) -> None:
    lines = rules_text(rule_pages(), width).splitlines()
    assert max(map(len, lines)) <= width
    words = " ".join(rules_text(rule_pages(), width).replace("─", "").split())
    assert all(
        f"{page.code} {page.name} {page.severity} {page.summary.split()[0]}" in words for page in rule_pages()
    )
    found = [line[lines[0].index("what it finds") :].strip() for line in lines[2:]]
    assert " ".join(found) == " ".join(page.summary for page in rule_pages())


def test_links_of_the_table_lead_to_headings(here: Cli) -> None:
    printed = here("rules", "-f", "markdown").stdout
    headings = {line.removeprefix("## ") for line in printed.splitlines() if line.startswith("## ")}
    anchors = {heading.lower().replace(":", "").replace(" ", "-") for heading in headings}
    assert len(anchors) == len(RULES)
    assert all(f"](#{anchor})" in printed for anchor in anchors)


@pytest.mark.parametrize(
    "docstring", ["", "One line.", "One.\n\n    Why: x\n\n    Example:\n        a\n", "One.\n\nExample:\na"]
)
def test_a_docstring_without_all_parts_is_no_page(docstring: str) -> None:
    with pytest.raises(ValueError, match="needs Why, Example and Instead"):
        read_page("NC999", "a", "info", docstring)
