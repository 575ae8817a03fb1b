"""The lecture's memory rule: its worked example, its closed form, and what is not known."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from netcalc.analysis.report import analyze_graph
from netcalc.analysis.textbook import textbook_memory
from tests.analysis.networks import MISFIT
from tests.analysis.test_contract import KEYS, SCHEMA
from tests.configs.zoo import CONFIGS, load
from tests.conftest import Cli

STRIDE2 = "configs/lecture/stride2.yaml"


def test_the_worked_example() -> None:
    rule = textbook_memory(66_970_728, 656_200)
    assert asdict(rule) == {
        "params_bytes": 267_882_912,
        "activation_bytes": 2_624_800,
        "training_activation_bytes": 5_249_600,
        "memory_bytes": 8 * 10**9,
        "copies": 1_523,
        "copies_beside_params": 1_472,
    }
    assert analyze_graph(load("lecture/stride2"), textbook=True).totals.textbook == rule


def test_copies_are_as_many_as_fit_and_no_more() -> None:
    # 100 activations: 400 bytes, 800 with gradients; 10 parameters: 40 bytes.
    for memory, copies, beside in ((799, 0, 0), (800, 1, 0), (839, 1, 0), (840, 1, 1), (1640, 2, 2), (30, 0, 0)):
        rule = textbook_memory(10, 100, memory)
        assert (rule.copies, rule.copies_beside_params) == (copies, beside)


def test_what_is_not_known_is_null() -> None:
    assert textbook_memory(None, 100).copies_beside_params is None
    assert textbook_memory(None, 100).copies == 8 * 10**9 // 800
    unknown = textbook_memory(10, None)
    assert (unknown.params_bytes, unknown.training_activation_bytes, unknown.copies) == (40, None, None)


def test_a_network_without_weights_stores_nothing_and_has_no_number_of_copies() -> None:
    rule = textbook_memory(0, 0)
    assert (rule.training_activation_bytes, rule.copies, rule.copies_beside_params) == (0, None, None)


@pytest.mark.parametrize("config", CONFIGS)
def test_the_rule_is_about_the_totals(config: str) -> None:
    totals = analyze_graph(load(config), textbook=True).totals
    assert totals.textbook is not None
    assert totals.textbook.params_bytes == 4 * ((totals.params.trainable or 0) + (totals.params.frozen or 0))
    assert totals.textbook.training_activation_bytes == 8 * (totals.activations.weighted_output_elements or 0)
    assert analyze_graph(load(config)).totals.textbook is None


@pytest.mark.parametrize(("format", "suffix"), [("table", "txt"), ("markdown", "md")])
def test_the_block_after_the_summary(here: Cli, golden, format: str, suffix: str) -> None:
    done = here("analyze", STRIDE2, "--rule", "textbook", "-f", format)
    assert (done.stderr, done.code) == ("", 0)
    plain = here("analyze", STRIDE2, "-f", format).stdout
    assert done.stdout.startswith(plain)
    golden(f"textbook_stride2.{suffix}", done.stdout.removeprefix(plain))


def test_json_has_the_rule_only_where_it_was_asked_for(here: Cli) -> None:
    asked = json.loads(here("analyze", STRIDE2, "--rule", "textbook", "-f", "json").stdout)["totals"]
    plain = json.loads(here("analyze", STRIDE2, "-f", "json").stdout)["totals"]
    assert asked.pop("textbook").keys() == KEYS["totals.textbook"]
    assert plain.pop("textbook") is None
    assert asked == plain


def test_a_misfit_leaves_it_unknown(here: Cli, tmp_path: Path) -> None:
    (tmp_path / "misfit.yaml").write_text(MISFIT)
    done = here("analyze", "misfit.yaml", "--rule", "textbook", cwd=tmp_path)
    assert done.code == 1
    assert "?, parameters left out; ? beside one set of parameters" in done.stdout
    found = json.loads(here("analyze", "misfit.yaml", "--rule", "textbook", "-f", "json", cwd=tmp_path).stdout)
    SCHEMA.validate(found)
    assert found["totals"]["textbook"]["params_bytes"] is None


def test_another_rule_is_a_usage_error(here: Cli) -> None:
    done = here("analyze", STRIDE2, "--rule", "textbok")
    assert done.code == 2
    assert "textbook" in done.stderr
