"""`runs`: what became of each, from its files alone."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from netcalc.cli.run_rows import runs_text
from netcalc.train.run_list import list_runs
from tests.cli.conftest import Trained
from tests.conftest import Cli
from tests.test_imports import RUN, imported_by

CPU = ("--device", "cpu")


@pytest.fixture(scope="module")
def several(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run, one of another metric that a kill left, a failed one, and damaged ones."""
    folder = tmp_path_factory.mktemp("several")
    for name in ("tiny-1", "tiny-2", "tiny-10", "broken-1", "old-1"):
        shutil.copytree(trained.run, folder / name, symlinks=True)
    changed(folder / "tiny-2", state="running", best=["train_loss", "min"])
    changed(folder / "tiny-10", state="failed", reason="disk: no space left\x1b[31m on it, none at all")
    (folder / "broken-1" / "metrics.jsonl").write_text("{\n")
    (folder / "old-1" / "run.json").unlink()
    (folder / "no run").mkdir()
    return folder


def changed(run: Path, **values: object) -> None:
    record = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**record, **values}))


def test_json_tells_everything(here: Cli, trained: Trained, several: Path) -> None:
    done = here("runs", several, "-f", "json")
    assert (done.code, done.stderr) == (0, "")
    document = json.loads(done.stdout)
    assert document["format"] == "netcalc.runs/1"
    found = {Path(run["run"]).name: run for run in document["runs"]}
    assert list(found) == ["broken-1", "old-1", "tiny-1", "tiny-2", "tiny-10"]
    lines = [json.loads(line) for line in (trained.run / "metrics.jsonl").read_text().splitlines()]
    best = max(lines, key=lambda line: line["test_accuracy"])
    tiny = found["tiny-1"]
    assert (tiny["state"], tiny["reason"], tiny["spec"]) == ("finished", "complete", "tiny")
    assert (tiny["epoch"], tiny["epochs"], tiny["step"], tiny["steps"]) == (3, 3, 129, 129)
    assert (tiny["metric"], tiny["best"], tiny["best_epoch"]) == (
        "test_accuracy",
        best["test_accuracy"],
        best["epoch"],
    )
    assert tiny["params"] == 8 * 9 + 8 + 16 + 8 * 9 * 10 + 10
    assert 0 < tiny["seconds"] < 600
    assert (found["tiny-2"]["state"], found["tiny-2"]["best"]) == (
        "interrupted", min(line["train_loss"] for line in lines[1:])
    )  # fmt: skip
    assert found["tiny-10"]["state"] == "failed"
    for name, file in (("broken-1", "metrics.jsonl: line 1"), ("old-1", "run.json")):
        assert (found[name]["state"], found[name]["best"]) == ("unreadable", None)
        assert file in found[name]["problem"]


def test_the_table_has_a_line_a_run(here: Cli, several: Path) -> None:
    done = here("runs", several)
    lines = done.stdout.splitlines()
    assert (done.code, done.stderr) == (0, "")
    assert [line.split()[0] for line in lines[2:7]] == ["broken-1", "old-1", "tiny-1", "tiny-2", "tiny-10"]
    assert "\x1b" not in done.stdout
    assert [line.partition(":")[0] for line in lines[7:]] == ["broken-1", "old-1"]


@pytest.mark.parametrize("width", [40, 50, 60, 80, 120])
def test_the_table_fits_a_narrow_terminal(several: Path, width: int) -> None:
    runs = [run for run in list_runs(several) if not run.problem]
    of_long_names = [replace(run, run=f"runs/{'very-' * 9}long-{number}") for number, run in enumerate(runs)]
    for some in (runs, of_long_names):
        head, rule, *lines = runs_text(some, width).splitlines()
        assert len(lines) == 3
        assert max(map(len, (head, rule, *lines))) <= width
        assert {"run", "state", "best"} <= set(head.split())
    names = [line.split()[0] for line in runs_text(of_long_names, width).splitlines()[2:]]
    assert [name.rpartition("-")[2] for name in names] == ["0", "1", "2"]
    assert [line.split()[0] for line in runs_text(runs, width).splitlines()[2:]] == ["tiny-1", "tiny-2", "tiny-10"]


def test_the_best_comes_first_within_its_metric(here: Cli, several: Path) -> None:
    done = here("runs", several, "--sort", "best", "-f", "json")
    names = [Path(run["run"]).name for run in json.loads(done.stdout)["runs"]]
    assert names[:3] in (["tiny-1", "tiny-10", "tiny-2"], ["tiny-10", "tiny-1", "tiny-2"])


def test_one_run_and_none(here: Cli, trained: Trained, tmp_path: Path) -> None:
    assert len(json.loads(here("runs", trained.run, "-f", "json").stdout)["runs"]) == 1
    assert here("runs", tmp_path).stdout == "no runs\n"
    done = here("runs", tmp_path / "none")
    assert (done.code, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: {tmp_path / 'none'}: No such file or directory")


def test_listing_starts_no_jax(several: Path) -> None:
    code, names = imported_by(RUN, json.dumps(["runs", str(several)]))
    assert code == 0
    assert isinstance(names, list)
    assert not {"jax", "jaxlib", "optax"} & set(names)
