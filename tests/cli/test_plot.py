"""`netcalc plot`: which pictures it writes, what it tells, and what it needs."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("matplotlib")

from PIL import Image

from netcalc.cli.plot import PICTURES
from netcalc.cli.run_curves import epochs_of, runs_curves
from netcalc.diagnostics import CannotRunError
from netcalc.train.records import EpochRecord
from netcalc.train.run_record import RunRecord
from tests.cli.conftest import TINY, Trained
from tests.conftest import ROOT, Cli, command_env


@pytest.fixture
def run(trained: Trained, tmp_path: Path) -> Path:
    """A copy of the trained run."""
    return Path(shutil.copytree(trained.run, tmp_path / "tiny-1", symlinks=True))


def test_all_pictures_are_written_and_told(here: Cli, run: Path) -> None:
    done = here("plot", run)
    assert (done.stderr, done.code) == ("", 0)
    assert done.stdout.splitlines() == [str(run / "plots" / f"{name}.png") for name in PICTURES]
    for name in PICTURES:
        with Image.open(run / "plots" / f"{name}.png") as image:
            assert image.width > 300, name


def test_pictures_can_be_picked_and_are_the_same_each_time(here: Cli, run: Path, tmp_path: Path) -> None:
    files = []
    for folder in ("a", "b"):
        done = here("plot", run, "--only", "filters,curves", "-f", "svg", "-o", tmp_path / folder)
        assert done.code == 0
        assert sorted(path.name for path in (tmp_path / folder).iterdir()) == ["curves.svg", "filters.svg"]
        files.append([path.read_bytes() for path in sorted((tmp_path / folder).iterdir())])
    assert files[0] == files[1]
    assert all(file.startswith(b"<?xml") for file in files[0])


def test_curves_are_those_of_the_records(run: Path) -> None:
    (found,) = runs_curves([run])
    records = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert found.name == "tiny-1"
    assert found.curves["test_accuracy"].epochs == (0, 1, 2, 3)
    assert list(found.curves["test_accuracy"].values) == [record["test_accuracy"] for record in records]
    assert found.curves["train_loss"].epochs == (1, 2, 3)
    assert found.best is not None
    assert found.best.value == max(record["test_accuracy"] for record in records)
    assert found.rates is not None
    assert set(found.rates.values) == {0.01}


def test_rates_are_those_of_the_schedule(run: Path) -> None:
    spec = run / "spec.yaml"
    before = spec.read_text()
    assert "schedule:" not in before
    spec.write_text(
        before.replace("\n  epochs: ", "\n  schedule: {step: {every_epochs: 1, factor: 0.5}}\n  epochs: ")
    )
    (found,) = runs_curves([run])
    assert found.rates is not None
    of_epoch = {int(epoch): rate for epoch, rate in zip(found.rates.epochs, found.rates.values, strict=True)}
    assert of_epoch == {0: 0.01, 1: 0.005, 2: 0.0025}
    spec.write_text(before.replace("\n  epochs: ", "\n  schedule: plateau\n  epochs: "))
    assert runs_curves([run])[0].rates is None


def test_curves_need_neither_data_nor_jax_nor_checkpoints(run: Path) -> None:
    shutil.rmtree(run / "checkpoints")
    code = f"""
import sys
sys.argv = ["netcalc", "plot", {str(run)!r}, "--only", "curves"]
from netcalc.cli.app import main
try:
    main()
finally:
    assert not {{"jax", "optax", "matplotlib.pyplot"}} & set(sys.modules), "heavy"
"""
    env = command_env({"MPLCONFIGDIR": str(run)})  # where Matplotlib may list its fonts
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )
    assert (done.stderr, done.returncode) == ("", 0)
    assert (run / "plots" / "curves.png").is_file()


def test_a_run_that_was_killed_has_curves_as_far_as_it_came(here: Cli, run: Path) -> None:
    lines = (run / "metrics.jsonl").read_text().splitlines()
    (run / "metrics.jsonl").write_text("\n".join([*lines[:2], lines[2][:20]]))
    record = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps(record | {"state": "running", "reason": ""}))
    assert runs_curves([run])[0].curves["test_loss"].epochs == (0, 1)
    assert here("plot", run, "--only", "curves").code == 0


def test_before_the_first_record_there_is_nothing_to_draw(here: Cli, run: Path) -> None:
    (run / "metrics.jsonl").write_text("")
    done = here("plot", run, "--only", "curves")
    assert done.code == 2
    assert done.stderr == "no picture of curves: nothing is measured yet\nerror: nothing to draw\n"
    assert not (run / "plots").exists()


def test_what_is_not_finite_is_told(here: Cli, run: Path) -> None:
    records = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    for record in records[2:]:
        record["test_loss"] = None
    (run / "metrics.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    done = here("plot", run, "--only", "curves")
    assert (done.code, done.stderr) == (0, "tiny-1: test loss is not finite in 2 records, from epoch 2\n")


def test_several_runs_share_one_picture_of_curves(here: Cli, run: Path, tmp_path: Path) -> None:
    other = shutil.copytree(run, tmp_path / "other" / "tiny-1", symlinks=True)
    done = here("plot", run, other, "-o", tmp_path / "both")
    assert (done.code, done.stdout) == (0, f"{tmp_path / 'both' / 'curves.png'}\n")
    assert [found.name for found in runs_curves([run, other])] == [str(run), str(other)]


def test_a_run_that_is_named_twice_is_drawn_once(here: Cli, run: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(run)
    once = here("plot", run, "--only", "curves", "-f", "svg", "-o", tmp_path / "once")
    twice = here(
        "plot", run, f"{run}/.", tmp_path / "link", "--only", "curves", "-f", "svg", "-o", tmp_path / "twice"
    )
    assert (once.code, twice.code) == (0, 0)
    assert (tmp_path / "once" / "curves.svg").read_bytes() == (tmp_path / "twice" / "curves.svg").read_bytes()
    assert here("plot", run, run, "--only", "curves").stdout == f"{run / 'plots' / 'curves.png'}\n"


def test_mistakes_of_the_command_line(here: Cli, run: Path, tmp_path: Path) -> None:
    other = shutil.copytree(run, tmp_path / "other", symlinks=True)
    for words, code, said in (
        ((run, "--only", "curve"), 2, "did you mean `curves`?"),
        ((run, other, "--only", "confusion"), 2, "--only confusion is of one run"),
        ((tmp_path,), 2, "not a run directory"),
        ((run, "--only", "filters", "--checkpoint", "step-9"), 2, "no checkpoint `step-9`"),
        ((run, "--only", "mistakes", "--split", "validation"), 2, "have no validation split"),
        ((run, "--only", "curves", "-o", run / "spec.yaml"), 2, "spec.yaml"),
    ):
        done = here("plot", *words)
        assert (done.code, said in done.stderr) == (code, True), done.stderr
        assert "Traceback" not in done.stderr


def test_curves_are_written_where_the_data_are_missing(
    here: Cli, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: object) -> None:
        raise CannotRunError("digits: no such file")

    monkeypatch.setattr("netcalc.train.plan.load_dataset", missing)
    done = here("plot", run)
    assert (done.code, done.stderr) == (2, "error: digits: no such file\n")
    assert done.stdout.splitlines() == [str(run / "plots" / "curves.png"), str(run / "plots" / "filters.png")]


@pytest.fixture(scope="module")
def values(tmp_path_factory: pytest.TempPathFactory, cli: Cli) -> Path:
    """A run that has learnt everything: no mistakes, and no layer whose weights are images."""
    folder = tmp_path_factory.mktemp("easy")
    (folder / "easy.yaml").write_text(
        "name: easy\ninput: [8, 8, 1]\nlayers: [{avg_pool: 2}, flatten, {dense: 2}]\n"
        "train: {data: {source: synthetic, shape: [8, 8, 1], classes: 2, samples: 100}, epochs: 8, "
        "optimizer: {adam: {learning_rate: 0.05}}}\n"
    )
    done = cli("train", folder / "easy.yaml", "--runs", folder / "runs", "--device", "cpu")
    assert done.code == 0, done.stderr
    return folder / "runs" / "easy-1"


def test_what_makes_no_sense_is_told_and_the_rest_is_written(here: Cli, values: Path, tmp_path: Path) -> None:
    done = here("plot", values, "-o", tmp_path)
    assert done.code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["confusion.png", "curves.png"]
    assert done.stderr.splitlines() == [
        "no picture of filters: the weights of `dense1`, the first layer that has any, are no images",
        "no picture of mistakes: all 20 samples of the test split are answered right",
    ]


def record(epoch: int, step: int) -> EpochRecord:
    return EpochRecord(epoch, step, 1.0)


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([(0, 0)], [0]),
        ([(0, 0), (1, 5), (1, 10), (2, 15), (2, 20)], [0, 0.5, 1, 1.5, 2]),
        ([(0, 0), (1, 5)], [0, 0.5]),  # under way: as many updates as planned
        ([(0, 0), (1, 8), (2, 12)], [0, 1, 1.5]),  # as many as the epoch before
        ([(0, 0), (1, 20), (2, 25), (3, 30)], [0, 1, 2, 3]),  # another batch size from the second epoch on
    ],
)
def test_records_within_an_epoch_stand_between(steps: list[tuple[int, int]], expected: list[float]) -> None:
    run = RunRecord(
        name="net", state="running", reason="", params=1, epochs=3, steps=30, best=("test_loss", "min"), data={},
        sessions=[],
    )  # fmt: skip
    assert epochs_of([record(*pair) for pair in steps], run) == expected


def test_without_matplotlib_the_extra_is_named(here: Cli, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netcalc.cli.plot.find_spec", lambda name: None)
    done = here("plot", run)
    assert done.code == 2
    assert done.stderr == "error: pictures need Matplotlib\nhelp: pip install 'netcalc-nn[plots]'\n"


def test_event_files_go_on_with_a_resumed_run(here: Cli, cli: Cli, tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX")
    from tests.train.test_tensorboard import points

    (tmp_path / "tiny.yaml").write_text(TINY)
    words = ("--runs", tmp_path / "runs", "--device", "cpu", "--set", "train.epochs=2")
    assert cli("train", tmp_path / "tiny.yaml", "--tensorboard", *words).code == 0
    run = tmp_path / "runs" / "tiny-1"
    assert len(points(run, "accuracy/test")) == 3
    first = next(iter(run.glob("checkpoints/step-*"))).name
    for more in (("--from", first), ()):
        done = cli("train", "--resume", run, *more, "--set", "train.epochs=3", "--device", "cpu")
        assert done.code == 0, done.stderr
        records = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        found = points(run, "accuracy/test")
        assert {step: pytest.approx(value) for step, (value, _) in found.items()} == {
            record["step"]: record["test_accuracy"] for record in records
        }
    assert cli("train", tmp_path / "tiny.yaml", *words).code == 0
    assert not list((tmp_path / "runs" / "tiny-2").glob("events*"))
