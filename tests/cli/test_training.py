"""`train`, `evaluate` and `predict`: figures repeat, images are classified, damage is named."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import jax
import numpy as np
import pytest
from PIL import Image

from netcalc.data.sources import load_dataset
from netcalc.spec.data import PackagedData
from tests.cli.conftest import TINY, Trained
from tests.cli.test_terminal import in_terminal
from tests.conftest import ROOT, Cli, command, command_env

CPU = ("--device", "cpu")
MODEL = Path("checkpoints", "last", "model.safetensors")


@pytest.fixture
def copy(trained: Trained, tmp_path: Path) -> Path:
    """A copy of the run, to damage."""
    return shutil.copytree(trained.run, tmp_path / "copy", symlinks=True)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The held-out images of `digits` as PNG files, in order."""
    folder = tmp_path_factory.mktemp("images")
    dataset = load_dataset(PackagedData(source="digits"))
    files = []
    for index, image in enumerate(dataset.test.images[..., 0]):
        files.append(folder / f"{index:03d}.png")
        Image.fromarray(np.round(image * (255 / dataset.max_value)).astype(np.uint8)).save(files[-1])
    return files


def records(run: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("precision", ["mixed", "bfloat16"])
def test_a_run_of_any_precision_is_evaluated_as_it_was_trained(
    cli: Cli, spec: Path, tmp_path: Path, precision: str
) -> None:
    changes = (
        "train.epochs=null", "train.steps=8", f"train.precision={precision}", "train.remat=conv_outputs",
        "train.clip={norm: 1}", "train.ema=0.5",
    )  # fmt: skip
    words = [word for change in changes for word in ("--set", change)]
    done = cli("train", spec, *words, "--runs", tmp_path / "runs", *CPU)
    assert done.code == 0, done.stderr
    run = tmp_path / "runs" / "tiny-1"
    stored = (run / "spec.yaml").read_text()
    for line in (f"precision: {precision}", "remat: conv_outputs", "ema: 0.5"):
        assert line in stored
    first, last = records(run)[0], records(run)[-1]
    assert last["step"] == 8
    assert last["test_loss"] < first["test_loss"]
    again = cli("evaluate", run, "--device", "cpu")
    assert (again.code, "Traceback" in again.output) == (0, False), again.stderr
    assert f"loss {last['test_loss']:.4f}" in again.stdout


def test_train_prints_its_figures_on_stdout_and_the_rest_on_stderr(trained: Trained) -> None:
    loss, accuracy, top5, *best = trained.printed.stdout.splitlines()
    last = records(trained.run)[-1]
    assert loss == f"test loss {last['test_loss']:.4f}"
    assert accuracy == f"test accuracy {100 * last['test_accuracy']:.2f} %"
    assert top5 == f"test top-5 accuracy {100 * last['test_top5_accuracy']:.2f} %"
    assert all(line.startswith("best test accuracy ") for line in best)
    first, *epochs, memory, update, following = trained.printed.stderr.splitlines()
    assert re.fullmatch(rf"run {re.escape(str(trained.run))}   device cpu \(.+\)", first)
    assert [line.split("  ")[0] for line in epochs] == ["epoch 0/3", "epoch 1/3", "epoch 2/3", "epoch 3/3"]
    assert re.fullmatch(
        r"memory  predicted .+B \(the model of a step on a GPU\), measured [0-9.]+ MB \(growth .+\)",
        memory,
    )
    assert re.fullmatch(r"update  predicted unknown \(.+\), measured .+s \(median, .+\)", update)
    assert following == f"next: netcalc evaluate {trained.run}"


def test_training_learns(trained: Trained) -> None:
    first, *_, last = records(trained.run)
    assert first["test_accuracy"] < 0.3
    assert last["test_accuracy"] > 0.9


def test_evaluate_repeats_the_figures_of_training_to_the_last_digit(cli: Cli, trained: Trained) -> None:
    # Compiled anew, as it would be on another day.
    done = cli("evaluate", trained.run, "-f", "json", *CPU, env={"JAX_COMPILATION_CACHE_DIR": None})
    assert (done.stderr, done.code) == ("", 0)
    evaluation, last = json.loads(done.stdout), records(trained.run)[-1]
    assert evaluation["metrics"] == {n: last[f"test_{n}"] for n in ("loss", "accuracy", "top5_accuracy")}
    assert evaluation == {
        "format": "netcalc.evaluation/1",
        "metrics": evaluation["metrics"],
        "run": str(trained.run),
        "checkpoint": {"name": "last", "step": last["step"], "epoch": 3},
        "data": {"source": "digits", "split": "test", "samples": 450},
    }


def test_evaluate_in_words_repeats_what_training_printed(here: Cli, trained: Trained) -> None:
    done = here("evaluate", trained.run, *CPU)
    assert (done.stderr, done.code) == ("", 0)
    assert [f"test {line}" for line in done.stdout.splitlines()] == trained.printed.stdout.splitlines()[:3]


def test_evaluate_reads_the_best_checkpoint(here: Cli, trained: Trained) -> None:
    best = max(records(trained.run), key=lambda record: record["test_accuracy"])
    done = here("evaluate", trained.run, "--checkpoint", "best", "-f", "json", *CPU)
    assert json.loads(done.stdout)["metrics"] == {
        name: best[f"test_{name}"] for name in ("loss", "accuracy", "top5_accuracy")
    }


def test_predictions_on_files_are_as_good_as_the_evaluation(
    here: Cli, trained: Trained, images: list[Path]
) -> None:
    done = here("predict", trained.run, *images, "--top", 10, "-f", "json", *CPU)
    assert (done.stderr, done.code) == ("", 0)
    answer = json.loads(done.stdout)
    assert answer["format"] == "netcalc.prediction/1"
    assert [p["file"] for p in answer["predictions"]] == list(map(str, images))
    labels = load_dataset(PackagedData(source="digits")).test.labels
    hits = 0
    for prediction, label in zip(answer["predictions"], labels, strict=True):
        scores = [c["score"] for c in prediction["classes"]]
        assert scores == sorted(scores, reverse=True)
        assert sum(scores) == pytest.approx(1, abs=1e-5)
        assert sorted(c["class"] for c in prediction["classes"]) == list("0123456789")
        hits += prediction["classes"][0]["class"] == str(label)
    # A file holds 256 levels where the data have 17: a pixel may differ by half a level.
    assert abs(hits / 450 - records(trained.run)[-1]["test_accuracy"]) <= 2 / 450


def test_predict_takes_images_of_other_sizes_and_modes(
    here: Cli, trained: Trained, images: list[Path], tmp_path: Path
) -> None:
    with Image.open(images[0]) as image:
        image.resize((64, 64), Image.Resampling.NEAREST).convert("RGB").save(tmp_path / "large.png")
        image.convert("RGBA").save(tmp_path / "alpha.png")
        image.convert("P").save(tmp_path / "palette.gif")
    names = ["large.png", "alpha.png", "palette.gif"]
    done = here("predict", trained.run, images[0], *names, "--top", 1, *CPU, cwd=tmp_path)
    assert (done.stderr, done.code) == ("", 0)
    first, *others = done.stdout.splitlines()
    answer = re.fullmatch(rf"{re.escape(str(images[0]))}: ([0-9]) [01]\.[0-9]{{4}}", first)
    assert answer is not None
    for line, name in zip(others, names, strict=True):
        assert re.fullmatch(rf"{name}: {answer[1]} [01]\.[0-9]{{4}}", line), line


def broken_files(folder: Path, image: Path) -> Iterator[Path]:
    whole = image.read_bytes()
    for name, data in {
        "cut.png": whole[: len(whole) // 2],
        "flipped.png": whole[:45] + bytes([whole[45] ^ 0xFF]) + whole[46:],
        "head.png": whole[:8],
        "empty.png": b"",
        "text.png": b"this is no picture\n",
    }.items():
        (folder / name).write_bytes(data)
        yield folder / name
    yield folder / "none.png"


def test_predict_names_the_image_that_it_cannot_read(
    here: Cli, trained: Trained, images: list[Path], tmp_path: Path
) -> None:
    for file in broken_files(tmp_path, images[0]):
        done = here("predict", trained.run, images[1], file, *CPU)
        assert (done.stdout, done.code) == ("", 2), file
        assert done.stderr.startswith(f"error: {file}: "), done.stderr
        assert "Traceback" not in done.stderr


def damage_cut(run: Path) -> str:
    (run / MODEL).write_bytes((run / MODEL).read_bytes()[:-1])
    return MODEL.name


def damage_bit(run: Path) -> str:
    data = bytearray((run / MODEL).read_bytes())
    data[-1] ^= 1
    (run / MODEL).write_bytes(data)
    return MODEL.name


def damage_model_gone(run: Path) -> str:
    (run / MODEL).unlink()
    return MODEL.name


def damage_meta(run: Path) -> str:
    (run / MODEL).with_name("checkpoint.json").write_text("{")
    return "checkpoint.json"


def damage_preprocessing(run: Path) -> str:
    (run / "preprocessing.json").write_text('{"format": "netcalc.preprocessing/1"}')
    return "preprocessing.json"


def damage_spec(run: Path) -> str:
    (run / "spec.yaml").unlink()
    return "spec.yaml"


def damage_pointer(run: Path) -> str:
    (run / "checkpoints" / "last").unlink()
    return "last"


@pytest.mark.parametrize(
    "damage",
    [damage_cut, damage_bit, damage_model_gone, damage_meta, damage_preprocessing, damage_spec, damage_pointer],
    ids=lambda damage: damage.__name__.removeprefix("damage_"),
)
def test_evaluate_names_what_is_damaged(here: Cli, copy: Path, damage) -> None:
    name = damage(copy)
    done = here("evaluate", copy, *CPU)
    assert (done.stdout, done.code) == ("", 2), done.output
    assert name in done.stderr
    assert str(copy) in done.stderr
    assert "Traceback" not in done.stderr


def test_a_damaged_model_in_a_process_of_its_own(cli: Cli, copy: Path) -> None:
    damage_bit(copy)
    done = cli("evaluate", copy, *CPU)
    assert (done.stdout, done.code) == ("", 2)
    assert re.match(rf"error: {re.escape(str(copy / MODEL))}: damaged, its checksum", done.stderr)


def test_what_is_no_run(here: Cli, tmp_path: Path, spec: Path) -> None:
    for path in (tmp_path, tmp_path / "none", spec):
        done = here("evaluate", path, *CPU)
        assert (done.stdout, done.code) == ("", 2)
        assert done.stderr.startswith(f"error: {path}: not a run directory")
        assert "netcalc train" in done.stderr


def test_a_checkpoint_that_is_not_there(here: Cli, trained: Trained) -> None:
    done = here("evaluate", trained.run, "--checkpoint", "first", *CPU)
    assert (done.stdout, done.code) == ("", 2)
    assert "no checkpoint `first`; it has best, last, step-" in done.stderr


def test_json_has_no_nan(here: Cli, spec: Path, images: list[Path]) -> None:
    words = ("--set", "train.optimizer.adam=1e38", "--set", "train.epochs=1", "--runs", "runs")
    words += ("--set", "train.on_nonfinite=skip")
    spec.write_text(
        "name: tiny\ninput: [8, 8, 1]\nlayers: [flatten, {dense: 9}, {dense: 10}]\ntrain: {data: digits}\n"
    )
    diverged = here("train", spec, *words, *CPU, cwd=spec.parent)
    assert diverged.code == 0, diverged.stderr
    assert diverged.stdout.startswith("test loss nan\n")
    done = here("evaluate", "runs/tiny-1", "-f", "json", *CPU, cwd=spec.parent)

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    assert json.loads(done.stdout, parse_constant=refuse)["metrics"]["loss"] is None
    done = here("predict", "runs/tiny-1", images[0], "-f", "json", *CPU, cwd=spec.parent)
    classes = json.loads(done.stdout, parse_constant=refuse)["predictions"][0]["classes"]
    assert [c["score"] for c in classes] == [None] * 3


@pytest.mark.skipif(jax.default_backend() == "gpu", reason="JAX sees a GPU")
def test_an_absent_device_is_an_error(here: Cli, spec: Path, trained: Trained, images: list[Path]) -> None:
    platforms = sorted({device.platform for device in jax.devices()})
    runs = spec.parent / "runs"
    for words in (("train", spec, "--runs", runs), ("evaluate", trained.run), ("predict", trained.run, images[0])):
        done = here(*words, "--device", "gpu")
        assert (done.stdout, done.code) == ("", 2)
        assert done.stderr.startswith(f"error: no gpu here: JAX sees {', '.join(platforms)}\n")
        assert "--device" in done.stderr
    assert not runs.exists()


@pytest.mark.parametrize("platforms", ["cuda", "abacus"])
@pytest.mark.skipif(jax.default_backend() == "gpu", reason="JAX sees a GPU")
def test_a_platform_that_jax_cannot_start_is_an_error(cli: Cli, spec: Path, platforms: str) -> None:
    words = ("train", spec, "--runs", spec.parent / "runs")
    for device in ("auto", "gpu"):
        done = cli(*words, "--device", device, env={"JAX_PLATFORMS": platforms})
        assert (done.stdout, done.code) == ("", 2), done.output
        # A plug-in for the platform that is there but cannot start says so first, in its own words.
        of_plugin, _, said = f"\n{done.stderr}".partition("\nerror: ")
        assert said.startswith("JAX finds no device here")
        assert f"help: JAX_PLATFORMS is `{platforms}`" in said
        assert "Traceback" not in said
        assert not of_plugin or platforms == "cuda"


def test_a_run_is_made_in_any_locale(cli: Cli, spec: Path) -> None:
    named = spec.rename(spec.with_name("réseau.yaml"))
    env = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    words = ("--runs", spec.parent / "runs", "--set", "train.epochs=1", *CPU)
    done = cli("train", named, *words, env=env)
    assert done.code == 0, done.stderr
    assert cli("evaluate", spec.parent / "runs" / "tiny-1", *CPU, env=env).code == 0


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("train: {data: digits}", "NC200"),
        ("dense: 10", "NC202"),
        ("input: [8, 8, 1]", "NC201"),
        ("filters: 8", "NC011"),
    ],
)
def test_specs_that_cannot_be_trained(here: Cli, spec: Path, change: str, code: str) -> None:
    if code == "NC200":
        text = TINY[: TINY.index("train:")]
    else:
        text = TINY.replace(change, {"NC202": "dense: 7", "NC201": "input: [9, 8, 1]", "NC011": "filters: 0"}[code])
    spec.write_text(text)
    done = here("train", spec, "--runs", spec.parent / "runs", *CPU)
    assert (done.stdout, done.code) == ("", 1)
    assert f"error[{code}]" in done.stderr
    assert not (spec.parent / "runs").exists()


def test_a_run_needs_a_place(here: Cli, spec: Path) -> None:
    for runs in (spec, spec / "runs"):
        done = here("train", spec, "--runs", runs, *CPU)
        assert (done.stdout, done.code) == ("", 2)
        assert done.stderr.startswith(f"error: {runs}: a run directory cannot be made")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_training_is_saved(cli: Cli, spec: Path, number: int, code: int) -> None:
    runs = spec.parent / "runs"
    with subprocess.Popen(
        command("train", spec, "--runs", runs, "--set", "train.epochs=1000000", *CPU),
        cwd=ROOT, env=command_env(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stderr is not None
        lines = []
        for line in process.stderr:
            lines.append(line)
            if line.startswith("epoch") and "before training" not in line:
                process.send_signal(number)
                break
        stdout, rest = process.communicate(timeout=60)
    assert process.returncode == code, (lines, rest)
    assert "Traceback" not in rest
    run = runs / "tiny-1"
    said = re.search(
        rf"interrupted after ([0-9]+) updates; saved in {re.escape(str(run))}\n"
        rf"to go on: netcalc train --resume {re.escape(str(run))}\n$",
        rest,
    )
    assert said is not None, rest
    assert (stdout, json.loads((run / "run.json").read_text())["state"]) == ("", "interrupted")
    done = cli("evaluate", run, "-f", "json", *CPU)
    assert json.loads(done.stdout)["checkpoint"]["step"] == int(said[1]) >= 43


SWALLOWED = """
import os, signal, sys, time
from netcalc.cli import app
from netcalc.spec import load

def interrupted_where_everything_is_caught(*args):
    try:
        os.kill(os.getpid(), signal.{name})
        time.sleep(10)
    except BaseException:
        pass
    raise ImportError("disguised")

load.load_spec = load.parse_spec = interrupted_where_everything_is_caught
sys.argv = ["netcalc", "{command}", "configs/lenet5.yaml"]
app.main()
"""


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
@pytest.mark.parametrize("word", ["analyze", "check", "train"])
def test_an_interrupt_before_the_work_ends_it_at_once(word: str, name: str, code: int) -> None:
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", SWALLOWED.format(name=name, command=word)],
        cwd=ROOT, env=command_env(), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.stdout, done.stderr, done.returncode) == ("", "", code)
    assert time.monotonic() - began < 8


def test_forced_colour_draws_no_bar_in_a_log(cli: Cli, spec: Path) -> None:
    words = ("train", spec, "--runs", spec.parent / "runs", "--set", "train.epochs=1", *CPU)
    done = cli(*words, env={"FORCE_COLOR": "1"})
    assert done.code == 0
    assert max(map(len, done.stderr.splitlines())) < 300
    assert "\x1b[?25l" not in done.stderr  # hides the cursor
    assert "━" not in done.stderr


def test_a_narrow_terminal_sees_the_training(spec: Path) -> None:
    words = ("train", spec, "--runs", spec.parent / "runs", "--set", "train.epochs=2", *CPU)
    done = in_terminal(40, *words)
    assert done.code == 0
    assert re.search(r"test accuracy [0-9.]+ %", done.stdout)
    assert re.search(r"epoch 2/2  loss [0-9.]+", done.stdout)
    # The cursor that the bar hides is shown again.
    assert done.stdout.count("\x1b[?25l") == done.stdout.count("\x1b[?25h")


def test_runs_get_the_next_free_number(here: Cli, spec: Path) -> None:
    os.makedirs(spec.parent / "runs" / "tiny-7")
    done = here(
        "train", spec, "--runs", "runs", "--set", "train.steps=1", "--set", "train.epochs=", *CPU, cwd=spec.parent
    )
    assert done.code == 0, done.stderr
    assert done.stderr.startswith("run runs/tiny-8 ")
    assert here("evaluate", "runs/tiny-8", *CPU, cwd=spec.parent).code == 0
