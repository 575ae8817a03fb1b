"""What the commands print, to the character."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, Cli, command, command_env

LENET, STRIDE2 = "configs/lenet5.yaml", "configs/lecture/stride2.yaml"
RESNET = "configs/resnet18.yaml"
COMMANDS = (
    "analyze",
    "check",
    "rule",
    "rules",
    "compare-tools",
    "diff",
    "fit",
    "devices",
    "train",
    "evaluate",
    "predict",
)

SEVERAL_ERRORS = """\
name: several
input: [16, 16, 3]
layers:
  - conv: {filters: 8, kernal: 3}        # a misspelt field, and the one it stands for is missing
  - batchnorm                            # a misspelt layer
  - {dense: 10, name: 2nd}               # no name
  - {relu: , from: nowhere}
  - dense: $(width * 2)
budgets:
  params: {max: many}
"""

DOES_NOT_FIT = """\
name: misfit
input: [8, 8, 3]
layers:
  - conv: {filters: 8, kernel: 3}
  - conv: {filters: 10, kernel: 3, groups: 5}
  - relu
"""

OVER_BUDGET = """\
name: heavy
input: [16, 16, 3]
layers:
  - {conv: {filters: 8, kernel: 3}, name: first}
  - relu
  - {conv: {filters: 16, kernel: 3}, name: second}
  - relu
  - flatten
  - {dense: 10, name: output}
budgets:
  params: {max: 20k}
  macs: {max: 200k}
"""


@pytest.mark.parametrize(
    ("format", "suffix"), [("table", "txt"), ("json", "json"), ("csv", "csv"), ("markdown", "md")]
)
def test_analyze_lenet5(cli: Cli, golden, format: str, suffix: str) -> None:
    done = cli("analyze", LENET, "--format", format)
    assert (done.stderr, done.code) == ("", 0)
    golden(f"analyze_lenet5.{suffix}", done.stdout)


def test_analyze_stride2(cli: Cli, golden) -> None:
    done = cli("analyze", STRIDE2)
    assert (done.stderr, done.code) == ("", 0)
    golden("analyze_stride2.txt", done.stdout)


VIEWS = {
    "columns.txt": (LENET, "--columns", "name,output,macs,macs_percent,receptive_field,stride,padding"),
    "columns_all.txt": (LENET, "--columns", "all"),
    "columns.csv": (LENET, "--columns", "macs,name,receptive_field", "-f", "csv"),
    "depth.txt": (RESNET, "--depth", 1),
    "depth.csv": (RESNET, "--depth", 1, "-f", "csv"),
    "depth.md": (RESNET, "--depth", 2, "--columns", "name,type,layers,inputs,macs", "-f", "markdown"),
    "sort.txt": (LENET, "--sort", "params"),
    "sort_name_reverse.txt": (LENET, "--sort", "name", "-r"),
    "top.txt": (RESNET, "--sort", "macs", "--top", 5),
    "top.md": (RESNET, "--sort", "macs", "--top", 5, "-f", "markdown"),
    "depth_top.txt": (
        RESNET,
        "--depth",
        2,
        "--sort",
        "training_macs",
        "--top",
        3,
        "--columns",
        "name,training_macs",
    ),
}


@pytest.mark.parametrize(("name", "words"), VIEWS.items(), ids=VIEWS)
def test_what_is_shown_can_be_chosen(here: Cli, golden, name: str, words: tuple[object, ...]) -> None:
    done = here("analyze", *words)
    assert (done.stderr, done.code) == ("", 0)
    golden(f"view/{name}", done.stdout)


def test_analyze_shows_totals_of_a_batch(here: Cli) -> None:
    done = here("analyze", LENET, "--batch", 32)
    assert "416,520 a sample, 13,328,640 a batch of 32" in done.stdout


@pytest.mark.parametrize("command", ["analyze", "check"])
def test_every_error_is_shown_with_its_place(here: Cli, golden, tmp_path: Path, command: str) -> None:
    (tmp_path / "several.yaml").write_text(SEVERAL_ERRORS)
    done = here(command, "several.yaml", cwd=tmp_path)
    # Findings are what `check` is asked for; for `analyze` they are the reason why there is nothing to show.
    found, other = (done.stdout, done.stderr) if command == "check" else (done.stderr, done.stdout)
    assert (other, done.code) == ("", 1)
    golden("several_errors.txt", found)


def test_what_does_not_fit_is_unknown(here: Cli, golden, tmp_path: Path) -> None:
    (tmp_path / "misfit.yaml").write_text(DOES_NOT_FIT)
    done = here("analyze", "misfit.yaml", cwd=tmp_path)
    assert done.code == 1
    golden("misfit.txt", done.stdout)
    golden("misfit_errors.txt", done.stderr)
    chosen = here("analyze", "misfit.yaml", "--columns", "all", "--sort", "macs", cwd=tmp_path)
    assert (chosen.stderr, chosen.code) == (done.stderr, 1)
    golden("view/misfit.txt", chosen.stdout)


def test_check_names_who_spends_most(here: Cli, golden, tmp_path: Path) -> None:
    (tmp_path / "heavy.yaml").write_text(OVER_BUDGET)
    done = here("check", "heavy.yaml", cwd=tmp_path)
    assert (done.stderr, done.code) == ("", 1)
    golden("over_budget.txt", done.stdout)


@pytest.mark.parametrize("name", [None, *COMMANDS])
def test_help_has_an_example_that_names_the_command(cli: Cli, name: str | None) -> None:
    done = cli(*filter(None, [name]), "--help")
    assert (done.stderr, done.code) == ("", 0)
    (example,) = [line.strip() for line in done.stdout.splitlines() if "Example:" in line]
    assert example.startswith(f"Example: netcalc {name or 'analyze'} ")


def test_help_lists_every_command(here: Cli) -> None:
    words = here("-h").stdout.split()
    assert set(COMMANDS) <= set(words)


def test_examples_of_help_run(here: Cli, tmp_path: Path) -> None:
    for name in ("analyze", "check", "compare-tools", "diff", "fit", "devices"):
        (line,) = [line for line in here(name, "--help").stdout.splitlines() if "Example:" in line]
        words = line.split()[2:]
        shutil.copytree(ROOT / "configs", tmp_path / "configs", dirs_exist_ok=True)
        done = here(*words, cwd=tmp_path)
        assert (done.code, done.stderr) == (0, ""), words


@pytest.mark.parametrize("columns", [20, 40, 80, 500])
def test_piped_output_does_not_depend_on_the_width_of_a_terminal(cli: Cli, golden, columns: int) -> None:
    env = {"COLUMNS": str(columns)}
    golden("analyze_lenet5.txt", cli("analyze", LENET, env=env).stdout)


def test_a_file_holds_what_stdout_would(here: Cli, golden, tmp_path: Path) -> None:
    for format, suffix in (("table", "txt"), ("json", "json"), ("csv", "csv"), ("markdown", "md")):
        target = tmp_path / f"report.{suffix}"
        done = here("analyze", LENET, "-f", format, "-o", target)
        assert (done.output, done.code) == ("", 0)
        golden(f"analyze_lenet5.{suffix}", target.read_text(encoding="utf-8"))


def test_the_table_keeps_every_figure_in_a_pipe_of_a_long_network(tmp_path: Path) -> None:
    # The shell's own pipe, and a reader that stops after one line.
    (tmp_path / "long.yaml").write_text("input: [8, 8, 1]\nlayers:\n" + "  - relu\n" * 5000)
    for format in ("table", "csv", "json", "markdown"):
        words = " ".join([sys.executable, "-m", "netcalc", "analyze", str(tmp_path / "long.yaml"), "-f", format])
        done = subprocess.run(
            ["bash", "-c", f"set -o pipefail; {words} | head -1"],
            cwd=ROOT, env=command_env(), capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert (done.stderr, done.returncode, len(done.stdout.splitlines())) == ("", 0, 1)


@pytest.mark.parametrize("format", ["table", "csv", "json", "markdown"])
def test_a_reader_that_went_away_is_no_error(format: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            command("analyze", LENET, "-f", format),
            cwd=ROOT, env=command_env(), stdout=writing, stderr=subprocess.PIPE, timeout=60, check=False,
        )  # fmt: skip
    finally:
        os.close(writing)
    assert (done.stderr, done.returncode) == (b"", 0)


def test_a_reader_that_went_away_does_not_hide_an_error(tmp_path: Path) -> None:
    (tmp_path / "misfit.yaml").write_text(DOES_NOT_FIT)
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            command("analyze", tmp_path / "misfit.yaml"),
            cwd=ROOT, env=command_env(), stdout=writing, stderr=subprocess.PIPE, timeout=60, check=False,
        )  # fmt: skip
    finally:
        os.close(writing)
    assert done.returncode == 1
    assert b"error[NC102]" in done.stderr


def test_a_reader_of_findings_that_went_away_changes_no_exit_code(tmp_path: Path) -> None:
    (tmp_path / "warned.yaml").write_text(
        "input: [8, 8, 1]\nlayers: [{conv: {filters: 2, kernel: 3}}, batch_norm]\n"
    )
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            command("check", tmp_path / "warned.yaml"),
            cwd=ROOT, env=command_env(), stdout=writing, stderr=subprocess.PIPE, timeout=60, check=False,
        )  # fmt: skip
    finally:
        os.close(writing)
    assert (done.stderr, done.returncode) == (b"", 0)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
@pytest.mark.parametrize("words", [("analyze", LENET), ("analyze", LENET, "-f", "json"), ("check", LENET)])
def test_a_full_disk_is_said(words: tuple[str, ...]) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            command(*words),
            cwd=ROOT, env=command_env(), stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False,
        )  # fmt: skip
    assert (done.stderr, done.returncode) == ("error: stdout: No space left on device\n", 2)


def test_closed_streams_are_no_crash(tmp_path: Path) -> None:
    (tmp_path / "misfit.yaml").write_text(DOES_NOT_FIT)
    for spec, redirect, code in ((LENET, ">&-", 0), (LENET, ">&- 2>&-", 0), (tmp_path / "misfit.yaml", "2>&-", 1)):
        words = " ".join(command("analyze", spec, "-f", "json"))
        done = subprocess.run(
            ["bash", "-c", f"{words} {redirect}"],
            cwd=ROOT, env=command_env(), capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert (done.stderr, done.returncode) == ("", code), redirect
