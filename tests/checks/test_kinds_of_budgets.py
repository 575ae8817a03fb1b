"""Every kind of budget: met at the figure itself, missed one unit beyond, and what is said then."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from netcalc.checks.engine import check_graph
from netcalc.checks.figures import FIGURES
from netcalc.checks.files import Request, check_file
from netcalc.diagnostics import Diagnostic, SpecError
from netcalc.graph import Graph, build
from netcalc.spec.budgets import SizeBudget
from netcalc.spec.load import parse_spec

NET = """\
input: [32, 32, 3]
layers:
  - {conv: {filters: 8, kernel: 3}, name: stem}
  - sequence: [{conv: {filters: 16, kernel: 3}}, relu, {conv: {filters: 32, kernel: 3}}]
    name: stage1
  - global_avg_pool
  - {dense: 10, name: head}
"""


def graph_of(budgets: Any) -> Graph:
    return build(parse_spec(f"{NET}budgets: {json.dumps(budgets)}\n", "net.yaml"))


def found(budgets: Any) -> list[Diagnostic]:
    return [d for d in check_graph(graph_of(budgets)) if d.code.startswith("NC4")]


@pytest.mark.parametrize(
    "figure", ["params", "macs", "flops", "training_flops", "activation_bytes", "depth", "file_size"]
)
def test_a_figure_of_the_network(figure: str) -> None:
    kind = FIGURES[figure]
    total = int(kind.of(graph_of({}), SizeBudget(max=0)).total)
    assert total > 0
    assert found({figure: total}) == []
    (missed,) = found({figure: {"max": total - 1}})
    assert (missed.code, missed.severity) == ("NC401", "error")
    assert f"`{figure}` is {kind.shown(total)}" in missed.message
    (warned,) = found({figure: {"max": total - 1, "level": "warn"}})
    assert warned.severity == "warning"
    assert found({figure: {"max": 0, "level": "off"}}) == []


def test_bytes_that_look_alike_are_told_to_the_byte() -> None:
    total = int(FIGURES["activation_bytes"].of(graph_of({}), SizeBudget(max=0)).total)
    (missed,) = found({"activation_bytes": total - 1})
    assert f"({total:,} B)" in missed.message


def test_the_receptive_field_may_not_be_smaller() -> None:
    assert found({"receptive_field": 7}) == []
    (missed,) = found({"receptive_field": {"min": 9}})
    assert missed.message == "`receptive_field` is 7, under the budget of 9 by 2, 22.2%"


def test_memory_on_a_device() -> None:
    assert found({"memory": {"device": "t4", "batch": 64, "max": "90%"}}) == []
    (missed,) = found({"memory": {"device": "t4", "batch": 4_000_000, "max": "90%"}})
    assert "over the budget of" in missed.message
    assert "(90% of t4)" in missed.message
    assert missed.context


def test_memory_without_a_device_is_of_a_gpu() -> None:
    (missed,) = found({"memory": {"batch": 64, "max": "1kB"}})
    assert missed.code == "NC401"
    (inference,) = found({"memory": {"batch": 64, "max": "1kB", "during": "inference"}})
    assert inference.message != missed.message


def test_time_on_a_device() -> None:
    assert found({"time": {"device": "h100", "batch": 8, "max": "1s"}}) == []
    (missed,) = found({"time": {"device": "h100", "batch": 8, "max": "1us"}})
    assert missed.message.startswith("`time` is ")
    assert "µs" in missed.message


def test_nodes_of_a_glob() -> None:
    inside = 8 * 16 * 9 + 16 + 16 * 32 * 9 + 32
    assert found({"nodes": {"stage1.*": {"params": inside}}}) == []
    (missed,) = found({"nodes": {"stage1.*": {"params": {"max": inside - 1}}}})
    assert missed.message.startswith(f"`params of stage1.*` is {inside:,}, over the budget of {inside - 1:,} by 1")
    assert [place.message.split(":")[0] for place in missed.related] == ["stage1.conv2", "stage1.conv1"]
    assert missed.span is not None
    assert missed.span.line == NET.count("\n") + 1


@pytest.mark.parametrize(
    ("budgets", "reason"),
    [
        ({"nodes": {"stag1.*": {"params": 1}}}, "no node is called `stag1.*`"),
        ({"memory": {"device": "t44", "max": "1GB"}}, "unknown device `t44`"),
        ({"memory": {"device": "v5e", "max": "1GB"}}, "memory has no rule for `v5e`"),
        ({"memory": {"optimizer": "adm", "max": "1GB"}}, "unknown optimizer `adm`"),
    ],
)
def test_what_cannot_be_told_is_not_passed_in_silence(budgets: Any, reason: str) -> None:
    (told,) = found(budgets)
    assert (told.code, told.severity) == ("NC402", "error")
    assert reason in told.message


@pytest.mark.parametrize(
    ("budgets", "message"),
    [
        ({"params": {}}, "needs a limit: `max_increase` or `max`"),
        ({"params": "2%"}, "should be a count"),
        ({"params": {"max_increase": "2"}}, "max_increase"),
        ({"memory": {"max": "90%"}}, "needs a `device`"),
        ({"time": {"max": "1s"}}, "`time` needs `device`"),
        ({"time": {"max": "1 fortnight", "device": "t4"}}, "should be a time"),
        ({"receptive_field": 0}, "greater than 0"),
        ({"params": {"max": 3, "level": "loud"}}, "'error', 'warn' or 'off'"),
        ({"nodes": {"a": {"depth": 3}}}, "unknown field `depth`"),
    ],
)
def test_wrong_budgets(budgets: Any, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        graph_of(budgets)
    assert any(message in d.message for d in caught.value.diagnostics), caught.value.diagnostics


def test_growth_without_a_baseline_is_a_warning() -> None:
    (told,) = found({"params": {"max_increase": "2%"}})
    assert (told.code, told.severity) == ("NC403", "warning")
    assert [d.code for d in found({"params": {"max_increase": "2%", "max": 1}})] == ["NC401", "NC403"]


def write(folder: Path, name: str, budgets: Any, filters: int = 8) -> Path:
    path = folder / name
    text = NET.replace("filters: 8", f"filters: {filters}")
    path.write_text(f"{text}budgets: {json.dumps(budgets)}\n")
    return path


def test_growth_against_a_spec_that_is_named(tmp_path: Path) -> None:
    write(tmp_path, "base.yaml", {})
    budgets = {"baseline": "base.yaml", "macs": {"max_increase": "2%"}, "params": {"max_increase": "100%"}}
    assert check_file(write(tmp_path, "same.yaml", budgets), Request(select=("NC4",))).diagnostics == ()
    wider = check_file(write(tmp_path, "wider.yaml", budgets, filters=9), Request())
    (missed,) = [d for d in wider.diagnostics if d.code == "NC401"]
    assert "base.yaml + 2%)" in missed.message
    # Who grew, not who is largest.
    assert [place.message.split(":")[0] for place in missed.related] == ["stage1.conv1", "stem"]
    assert missed.related[0].message.startswith("stage1.conv1: +")


def test_a_baseline_outside_the_root_or_missing(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    write(tmp_path, "base.yaml", {})
    for baseline, reason in (("../base.yaml", "outside the root"), ("none.yaml", "cannot be read")):
        path = write(tmp_path / "in", "net.yaml", {"baseline": baseline, "params": {"max_increase": "2%"}})
        (told,) = (d for d in check_file(path, Request()).diagnostics if d.code.startswith("NC4"))
        assert told.code == "NC402"
        assert reason in told.message
