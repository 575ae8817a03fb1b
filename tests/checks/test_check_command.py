"""`netcalc check`: formats, several specs, `--strict`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import Cli

WARNED = (
    "input: [8, 8, 1]\nlayers:\n  - conv: {filters: 4, kernel: 3}\n  - batch_norm\n  - {max_pool: 4, name: pool}\n"
)
OVER = "input: [8, 8, 1]\nlayers: [flatten, {dense: 10}]\nbudgets: {params: 600}\n"
CLEAN = "input: [8, 8, 1]\nlayers: [flatten, {dense: 10}]\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in (
        ("warned", WARNED),
        ("over", OVER),
        ("clean", CLEAN),
        ("wrong", "input: [8]\nlayers: [rleu]\n"),
    ):
        (tmp_path / f"{name}.yaml").write_text(text)
    return tmp_path


def test_concise_is_one_line_a_finding_on_stdout(here: Cli, folder: Path) -> None:
    done = here("check", "warned.yaml", "over.yaml", "wrong.yaml", "-f", "concise", cwd=folder)
    assert (done.stderr, done.code) == ("", 1)
    assert done.stdout.splitlines() == [
        "warned.yaml:3:5: warning[NC301]: the bias of `conv1` is cancelled by `batch_norm1` (set `bias: false`)",
        "warned.yaml:5:6: warning[NC302]: the stride of `pool` drops 2 of the last pixels of its 6×6 input "
        "(sides that fit: 4 or 8)",
        "over.yaml:3:19: error[NC401]: `params` is 650, over the budget of 600 by 50, 8.3% "
        "(make the largest layers smaller, or raise the budget)",
        "wrong.yaml:2:10: error[NC013]: unknown layer or block `rleu` (did you mean `relu`?)",
    ]


def test_json_holds_the_same_findings(here: Cli, folder: Path) -> None:
    words = ("check", "warned.yaml", "over.yaml", "wrong.yaml")
    done = here(*words, "-f", "json", cwd=folder)
    assert (done.stderr, done.code) == ("", 1)
    data = json.loads(done.stdout)
    assert set(data) == {"format", "diagnostics", "files", "skipped"}
    assert data["format"] == "netcalc.diagnostics/1"
    keys = {"code", "severity", "message", "help", "file", "line", "column", "end_line", "end_column",
            "node", "context", "related"}  # fmt: skip
    assert all(set(finding) == keys for finding in data["diagnostics"])
    concise = [
        f"{d['file']}:{d['line']}:{d['column']}: {d['severity']}[{d['code']}]: {d['message']} ({d['help']})"
        for d in data["diagnostics"]
    ]
    assert concise == here(*words, "-f", "concise", cwd=folder).stdout.splitlines()


def test_full_shows_lines_and_a_tally_on_stdout(here: Cli, folder: Path) -> None:
    done = here("check", "warned.yaml", "over.yaml", cwd=folder)
    assert (done.stderr, done.code) == ("", 1)
    assert done.stdout.endswith("\n1 error, 2 warnings\n")
    assert "5 |   - {max_pool: 4, name: pool}\n  |      ^^^^^^^^\n  = node: pool   input: 6×6×4\n" in done.stdout


@pytest.mark.parametrize("format", ["full", "concise", "json"])
def test_strict_lets_warnings_fail(here: Cli, folder: Path, format: str) -> None:
    words = ("check", "warned.yaml", "-f", format)
    plain, strict = here(*words, cwd=folder), here(*words, "--strict", cwd=folder)
    assert (plain.code, strict.code) == (0, 1)
    assert plain.output == strict.output
    assert "NC301" in plain.output
    assert here("check", "clean.yaml", "--strict", "-f", format, cwd=folder).code == 0


def test_clean_specs(here: Cli, folder: Path) -> None:
    done = here("check", "clean.yaml", "clean.yaml", cwd=folder)
    assert (done.stdout, done.stderr, done.code) == ("1 checked, no findings\n", "", 0)
    done = here("check", "clean.yaml", "-f", "concise", cwd=folder)
    assert (done.stdout, done.stderr, done.code) == ("", "", 0)
    done = here("check", "clean.yaml", "-f", "json", cwd=folder)
    assert json.loads(done.stdout)["diagnostics"] == []
    assert done.code == 0


def test_an_override_reaches_every_spec(here: Cli, folder: Path) -> None:
    (folder / "wider.yaml").write_text(CLEAN.replace("10", "11"))
    words = ("check", "over.yaml", "clean.yaml", "wider.yaml", "--set", "budgets.params=649", "-f", "concise")
    lines = here(*words, cwd=folder).stdout.splitlines()
    # The first two have the same finding at the same place, the override: it is shown once.
    assert [line.partition("`params` is ")[2][:31] for line in lines] == [
        "650, over the budget of 649 by ", "715, over the budget of 649 by "
    ]  # fmt: skip


def test_the_configs_are_clean(here: Cli) -> None:
    done = here("check", "configs/lenet5.yaml", "configs/resnet50.yaml", "--strict")
    assert (done.stdout, done.stderr, done.code) == ("2 checked, no findings\n", "", 0)
