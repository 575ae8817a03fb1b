"""`netcalc analyze` with a batch, an optimizer, a precision or a device: memory, the least time and its price."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import get_args

import pytest

from netcalc.cli import options
from netcalc.spec.training import OptimizerSpec, Precision, Remat
from tests.analysis.networks import MISFIT
from tests.analysis.test_contract import SCHEMA
from tests.cli.test_terminal import COLOUR, in_terminal
from tests.conftest import ROOT, Cli

SMALL = """\
name: small
input: [16, 16, 3]
layers:
  - {conv: {filters: 16, kernel: 3, bias: false}, name: stem}
  - relu
  - {sequence: [{conv: {filters: 32, kernel: 3}}, relu, max_pool: 2], name: stage}
  - flatten
  - {dense: 10, name: scores}
"""
PRICES = "devices: {t4: {extends: t4, price_per_hour: 3600, currency: EUR}}\n"
ALL = ("--batch", 64, "--optimizer", "adam", "--precision", "mixed", "--device", "t4", "--images", 50_000)
LENET = "configs/lenet5.yaml"


@pytest.fixture
def small(tmp_path: Path) -> Path:
    (tmp_path / "small.yaml").write_text(SMALL)
    (tmp_path / "prices.yaml").write_text(PRICES)
    return tmp_path


@pytest.mark.parametrize(("format", "suffix"), [("table", "txt"), ("markdown", "md")])
def test_all_that_can_be_asked(here: Cli, golden, small: Path, format: str, suffix: str) -> None:
    done = here("analyze", "small.yaml", *ALL, "-f", format, cwd=small)
    assert (done.stderr, done.code) == ("", 0)
    golden(f"demand.{suffix}", done.stdout)


def test_a_folded_table_adds_up_memory_and_time(here: Cli, golden, small: Path) -> None:
    done = here("analyze", "small.yaml", *ALL, "--depth", 1, "--sort", "training_seconds", cwd=small)
    assert (done.stderr, done.code) == ("", 0)
    golden("demand_depth.txt", done.stdout)


def test_folded_figures_are_sums(here: Cli, small: Path) -> None:
    def rows(*words: object) -> dict[str, dict[str, str]]:
        printed = here("analyze", "small.yaml", *ALL, "-f", "csv", *words, cwd=small).stdout
        return {row["name"]: row for row in csv.DictReader(io.StringIO(printed))}

    single, folded = rows(), rows("--depth", 1)
    inner = [row for name, row in single.items() if name.startswith("stage.")]
    assert len(inner) == 3
    for column, kind in (("memory_weights_bytes", int), ("memory_alive_bytes", int), ("seconds_training", float)):
        assert kind(folded["stage"][column]) == pytest.approx(sum(kind(row[column]) for row in inner))
    slowest = max(inner, key=lambda row: float(row["seconds_training"]))
    assert (folded["stage"]["binds"], folded["stage"]["intensity"]) == (slowest["binds"], slowest["intensity"])


def test_the_rest_of_the_report_is_as_without(here: Cli, small: Path) -> None:
    plain = json.loads(here("analyze", "small.yaml", "-f", "json", cwd=small).stdout)
    asked = json.loads(here("analyze", "small.yaml", *ALL, "-f", "json", cwd=small).stdout)
    SCHEMA.validate(asked)
    for name in ("memory", "seconds", "cost", "update"):
        asked["totals"].pop(name), plain["totals"].pop(name)
    for layer in (*asked["layers"], *plain["layers"]):
        layer.pop("memory"), layer.pop("seconds")
    assert (asked.pop("batch"), plain.pop("batch")) == (64, 1)
    assert asked == plain


@pytest.mark.parametrize("words", [("--batch", "2"), ("--optimizer", "sgd"), ("--precision", "mixed"),
                                   ("--remat", "none"), ("--device", "t4")], ids=" ".join)  # fmt: skip
def test_each_option_alone_asks_for_memory(here: Cli, small: Path, words: tuple[object, ...]) -> None:
    done = here("analyze", "small.yaml", *words, cwd=small)
    assert (done.stderr, done.code) == ("", 0)
    assert "training memory" in done.stdout
    assert ("training step" in done.stdout) == (words[0] == "--device")
    assert "training memory" not in here("analyze", "small.yaml", cwd=small).stdout


def test_the_spec_s_own_batch_counts(here: Cli) -> None:
    printed = here("analyze", LENET, "--device", "t4").stdout
    assert "416,520 a sample, 13,328,640 a batch of 32" in printed
    assert "for batch 32, adam, float32" in printed


def test_a_price_of_the_users_own(here: Cli, small: Path) -> None:
    words = ("analyze", "small.yaml", "--device", "t4", "--batch", 64, "--images", 10_000_000)
    priced = here(*words, "--devices", "prices.yaml", cwd=small).stdout
    seconds = json.loads(here(*words, "-f", "json", cwd=small).stdout)["totals"]["seconds"]["epoch"]
    # 3600 an hour is one a second.
    assert f"at least {seconds:,.2f} EUR" in priced
    assert "EUR" not in here(*words, cwd=small).stdout
    cost = json.loads(here(*words, "--devices", "prices.yaml", "-f", "json", cwd=small).stdout)["totals"]["cost"]
    assert cost == {"epoch": pytest.approx(seconds), "currency": "EUR"}


def test_a_tpu_has_no_rule_for_memory(here: Cli, small: Path) -> None:
    done = here("analyze", "small.yaml", "--device", "v5e", cwd=small)
    assert (done.stderr, done.code) == ("", 0)
    assert "no rule for tpu-v5e: `--exact` asks the compiler" in done.stdout
    data = json.loads(here("analyze", "small.yaml", "--device", "v5e", "-f", "json", cwd=small).stdout)
    SCHEMA.validate(data)
    assert data["totals"]["memory"]["training"] is None
    assert data["totals"]["seconds"]["training_step"] > 0


@pytest.mark.parametrize("columns", [40, 60, 80])
def test_figures_are_whole_on_a_narrow_terminal(small: Path, columns: int) -> None:
    done = in_terminal(columns, "analyze", small / "small.yaml", *ALL, env={"NO_COLOR": "1"})
    assert done.code == 0
    wide = (ROOT / "tests" / "golden" / "demand.txt").read_text(encoding="utf-8")
    lines = COLOUR.sub("", done.stdout).splitlines()
    (alive,) = re.findall(r"stage.conv1 .* ([\d,]{5,}) +[\d.]+ +\w+$", wide, flags=re.MULTILINE)
    assert any(alive in line for line in lines)
    for name in ("stem", "stage.conv1", "scores"):
        assert name in done.stdout
    table = [line for line in lines if line.startswith(" ")]
    assert max(map(len, table)) <= columns


# Mistakes


def test_an_unknown_device(here: Cli) -> None:
    done = here("analyze", LENET, "--device", "h101")
    assert (done.stdout, done.code) == ("", 2)
    assert done.stderr == "error: unknown device `h101`\nhelp: did you mean `h100`? `netcalc devices` lists all\n"


@pytest.mark.parametrize("words", [("--images", 100), ("--devices", "prices.yaml"), ("--images", 5, "--batch", 2)])
def test_what_says_something_of_a_device_needs_one(here: Cli, small: Path, words: tuple[object, ...]) -> None:
    done = here("analyze", "small.yaml", *words, cwd=small)
    assert (done.stdout, done.code) == ("", 2)
    assert done.stderr == f"error: {words[0]} needs --device\nhelp: for example --device h100\n"


@pytest.mark.parametrize(
    "words",
    [("--batch", 0), ("--batch", "many"), ("--images", -1), ("--optimizer", "adm"), ("--precision", "float64"),
     ("--remat", "all")], ids=str,
)  # fmt: skip
def test_wrong_values_are_usage_errors(here: Cli, words: tuple[object, ...]) -> None:
    done = here("analyze", LENET, "--device", "t4", *words)
    assert (done.stdout, done.code) == ("", 2)
    assert str(words[0]) in done.stderr
    assert "Traceback" not in done.stderr


def test_devices_of_the_users_own_with_mistakes(here: Cli, small: Path) -> None:
    (small / "wrong.yaml").write_text("devices: {mine: {extends: t4, memory: much}}\n")
    done = here("analyze", "small.yaml", "--device", "mine", "--devices", "wrong.yaml", cwd=small)
    assert (done.stdout, done.code) == ("", 1)
    assert "wrong.yaml:1:" in done.stderr
    absent = here("analyze", "small.yaml", "--device", "mine", "--devices", "absent.yaml", cwd=small)
    assert (absent.stderr, absent.code) == ("error: absent.yaml: no such file\n", 2)


def test_a_network_with_errors_has_no_memory(here: Cli, small: Path) -> None:
    (small / "misfit.yaml").write_text(MISFIT)
    done = here("analyze", "misfit.yaml", *ALL, "-f", "json", cwd=small)
    assert done.code == 1
    assert "error[NC102]" in done.stderr
    data = json.loads(done.stdout)
    SCHEMA.validate(data)
    assert (data["complete"], data["totals"]["memory"], data["totals"]["seconds"]) == (False, None, None)
    assert data["batch"] == 64
    table = here("analyze", "misfit.yaml", *ALL, cwd=small)
    assert table.code == 1
    assert "training memory" not in table.stdout


def test_options_name_what_specs_may_name() -> None:
    assert [name.value for name in options.OptimizerName] == list(OptimizerSpec.model_fields)
    assert {name.value for name in options.Precision} == set(get_args(Precision))
    assert [name.value for name in options.Remat] == list(get_args(Remat))
