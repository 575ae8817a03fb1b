"""What holds for every rule: its page, its specs, and that it lives with whatever graph there is."""

from __future__ import annotations

import inspect
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest

from netcalc.checks.ruled import ruled
from netcalc.checks.rules import RULES, Rule, Subject
from netcalc.diagnostics import CODES
from netcalc.graph import Graph, build
from netcalc.spec.load import load_spec, parse_spec
from tests.checks.rules.pages import BAD, GOOD, SPECS, code_of, examples, found_in
from tests.configs.zoo import CONFIGS
from tests.conftest import ROOT

every_rule = pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.code)


def test_every_rule_has_two_specs_of_each_kind() -> None:
    bad, good = Counter(map(code_of, BAD)), Counter(map(code_of, GOOD))
    assert bad.keys() == good.keys() == RULES.keys() == {path.name for path in SPECS.iterdir()}
    assert min(bad.values()) >= 2
    assert min(good.values()) >= 2


@pytest.mark.parametrize("path", BAD, ids=lambda path: f"{code_of(path)}-{path.stem}")
def test_what_a_bad_spec_names_is_found_at_its_line_and_nothing_else(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    (line,) = (number for number, text_of_line in enumerate(text.splitlines(), 1) if "# finds:" in text_of_line)
    code = code_of(path)
    assert f"# finds: {code}" in text.splitlines()[line - 1]
    found = found_in(text)
    assert [(finding.code, finding.span and finding.span.line) for finding in found] == [(code, line)]
    (finding,) = found
    assert finding.severity == RULES[code].severity
    assert finding.help


@pytest.mark.parametrize("path", GOOD, ids=lambda path: f"{code_of(path)}-{path.stem}")
def test_nothing_of_its_code_is_found_in_a_good_spec(path: Path) -> None:
    assert code_of(path) not in {finding.code for finding in found_in(path.read_text(encoding="utf-8"))}


@every_rule
def test_the_example_of_a_page_is_found_and_what_it_says_instead_is_not(rule: Rule) -> None:
    bad, good = examples(rule)
    assert rule.code in {finding.code for finding in found_in(bad)}
    assert rule.code not in {finding.code for finding in found_in(good)}


@every_rule
def test_a_page_has_its_parts(rule: Rule) -> None:
    page = inspect.getdoc(rule.find)
    assert page is not None
    first, empty, why, *_ = page.splitlines()
    assert first.endswith(".")
    assert len(first) <= 116
    assert empty == ""
    assert why.startswith("Why: ")
    assert page.count("\nExample:\n") == page.count("\nInstead:\n") == 1
    assert not re.search(r"\bTODO\b", page)


def test_codes_and_names_are_declared_once_and_in_order() -> None:
    assert list(RULES) == sorted(RULES)
    assert set(RULES) <= set(CODES)
    assert {code for code in CODES if code.startswith("NC3")} <= set(RULES)
    names = [rule.name for rule in RULES.values()]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", name) for name in names)
    assert all(rule.code == code for code, rule in RULES.items())


def forgotten(graph: Graph, keep: int) -> Graph:
    """Return a graph in which a layer does not fit: what follows the first `keep` nodes is unknown."""
    nodes = {
        name: node if index < keep else replace(node, facts=None)
        for index, (name, node) in enumerate(graph.nodes.items())
    }
    return Graph(graph.spec, MappingProxyType(nodes))


@pytest.mark.parametrize("config", CONFIGS)
def test_rules_live_with_every_config_and_with_unknown_facts(config: str) -> None:
    graph = build(load_spec(ROOT / "configs" / f"{config}.yaml"))
    for keep in (len(graph.nodes), 0, len(graph.nodes) // 2):
        list(ruled(Subject(forgotten(graph, keep), object_size=100)))


@pytest.mark.parametrize("path", [*BAD, *GOOD], ids=lambda path: f"{code_of(path)}-{path.stem}")
def test_rules_live_with_any_nodes_unknown(path: Path) -> None:
    graph = build(parse_spec(path.read_text(encoding="utf-8"), "spec.yaml"))
    for keep in range(len(graph.nodes)):
        list(ruled(Subject(forgotten(graph, keep), object_size=100)))


@pytest.mark.parametrize("config", CONFIGS)
def test_configs_have_no_error(config: str) -> None:
    found = ruled(Subject(build(load_spec(ROOT / "configs" / f"{config}.yaml"))))
    assert [finding for finding in found if finding.severity == "error"] == []


def test_nodes_of_one_line_are_one_finding_that_counts_them() -> None:
    layers = "  - repeat: 4\n    sequence: [{conv: {filters: 1, kernel: 2}}, batch_norm, relu]\n"
    text = f"input: [9, 9, 1]\nlayers:\n{layers}"
    (finding,) = (finding for finding in found_in(text) if finding.code == "NC301")
    assert finding.node == "sequence1.1.conv1"
    assert finding.context == ("input: 9×9×1", "and 3 more nodes that the same line stands for")


def test_a_finding_in_a_block_tells_where_the_block_is_used() -> None:
    text = "input: [9, 9, 1]\nblocks:\n  b:\n    layers: [{dropout: 0}]\nlayers:\n  - b\n"
    (finding,) = (finding for finding in found_in(text) if finding.code == "NC336")
    assert finding.span is not None
    assert finding.span.line == 4
    assert finding.context == ("input: 9×9×1", "in a block used at spec.yaml:6")


def test_a_section_that_is_not_written_is_told_at_the_one_around_it() -> None:
    text = "input: [8, 8, 1]\nlayers: [flatten, dense: 10]\ntrain:\n  data: digits\n  optimizer: {adam: 1}\n"
    (finding,) = found_in(text)
    assert (finding.code, finding.node) == ("NC329", "")
    assert finding.span is not None
    assert finding.span.line == 5
