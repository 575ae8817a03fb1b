"""`netcalc compare-tools`: its formats and its mistakes."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from tests.conftest import Cli

LENET = "configs/lenet5.yaml"


@pytest.mark.parametrize(
    ("format", "suffix"), [("table", "txt"), ("json", "json"), ("csv", "csv"), ("markdown", "md")]
)
def test_every_format(here: Cli, golden, tmp_path: Path, format: str, suffix: str) -> None:
    done = here("compare-tools", LENET, "-f", format)
    assert (done.stderr, done.code) == ("", 0)
    golden(f"compare_tools_lenet5.{suffix}", done.stdout)
    target = tmp_path / "tools"
    assert here("compare-tools", LENET, "-f", format, "-o", target).output == ""
    assert target.read_text(encoding="utf-8") == done.stdout


def test_formats_agree(here: Cli) -> None:
    found = json.loads(here("compare-tools", "configs/resnet18.yaml", "-f", "json").stdout)
    assert found["format"] == "netcalc.tools/1"
    rows = list(csv.DictReader(io.StringIO(here("compare-tools", "configs/resnet18.yaml", "-f", "csv").stdout)))
    table = here("compare-tools", "configs/resnet18.yaml").stdout
    for tool in found["tools"]:
        mine = [row for row in rows if row["tool"] == tool["tool"]]
        if tool["printed"] is None:
            assert [row["printed"] for row in mine] == [""]
            continue
        assert {row["printed"] for row in mine} == {str(tool["printed"])}
        assert sum(int(row["macs"]) for row in mine) == tool["counted"]
        assert f"{tool['printed']:,}" in table


def test_how_a_layer_is_written_changes_the_figures(here: Cli) -> None:
    plain = here("compare-tools", "configs/mobilenet_v2.yaml").stdout
    told = here("compare-tools", "configs/mobilenet_v2.yaml", "--written", "global_avg_pool=function").stdout
    assert ("327,550,720" in plain, "327,486,720" in told) == (True, True)


def test_overrides_reach_the_comparison(here: Cli) -> None:
    assert "13,004,888" in here("compare-tools", "configs/googlenet.yaml", "--set", "params.aux=true").stdout


@pytest.mark.parametrize(
    ("words", "lines"),
    [
        (("--written", "relu"), ["error: --written relu: should be LAYER=FORM", "help: for example"]),
        (("--written", "=function"), ["error: --written =function: should be LAYER=FORM", "help: for example"]),
        (
            ("--written", "tanh=functoin"),
            ["error: --written tanh=functoin: `functoin` is no form", "help: did you mean `function`?"],
        ),
        (("--written", "tahn=method"), ["error: there is no layer `tahn` in lenet5", "help: did you mean `tanh"]),
        (("--written", "c1=method"), ["error: `c1` has weights and can only be a module", "help: name layers"]),
    ],
)
def test_mistakes_are_told_with_a_way_out(here: Cli, words: tuple[str, ...], lines: list[str]) -> None:
    done = here("compare-tools", LENET, *words)
    assert (done.stdout, done.code) == ("", 2)
    for found, start in zip(done.stderr.splitlines(), lines, strict=True):
        assert found.startswith(start)


def test_a_network_that_does_not_fit_has_no_figures(here: Cli, tmp_path: Path) -> None:
    (tmp_path / "misfit.yaml").write_text("input: [8, 8, 1]\nlayers: [{conv: {filters: 4, kernel: 9}}]\n")
    done = here("compare-tools", "misfit.yaml", "-f", "json", cwd=tmp_path)
    assert (done.stdout, done.code) == ("", 1)
    assert "error[NC101]" in done.stderr
