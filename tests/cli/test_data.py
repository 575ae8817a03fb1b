"""Training on data of one's own, from the spec to a prediction."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import Cli
from tests.data.files import image_file, image_folder

CPU = ("--device", "cpu")
SPEC = """
name: shapes
input: [8, 8, 3]
layers: [flatten, {dense: 2}]
train:
  data: {source: image_folder, path: images, resize: [8, 8], split: [0.6, 0.2, 0.2], on_corrupt: skip}
  epochs: 4
  batch_size: 10
"""


def two_kinds(root: Path) -> Path:
    """Write images of two classes that a linear network tells apart: bright above, or bright below."""
    random = np.random.default_rng(0)
    images = random.integers(0, 60, (50, 12, 9, 3), dtype=np.uint8)
    labels = np.arange(50) % 2
    images[labels == 0, :6] += 150
    images[labels == 1, 6:] += 150
    return image_folder(root, images, labels.astype(np.int32))


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    two_kinds(folder / "images")
    (folder / "shapes.yaml").write_text(SPEC)
    return folder / "shapes.yaml"


def test_a_folder_of_images_from_the_spec_to_a_prediction(cli: Cli, here: Cli, spec: Path, tmp_path: Path) -> None:
    damaged = spec.parent / "images" / "a" / "0004.png"
    damaged.write_bytes(damaged.read_bytes()[:50])
    done = cli("train", spec, "--runs", tmp_path / "runs", *CPU)
    assert done.code == 0, done.stderr
    assert f"skipped 1 image that cannot be decoded, the first {damaged}" in done.stderr
    done_training = done.stderr
    run = tmp_path / "runs" / "shapes-1"
    assert f"path: {spec.parent / 'images'}" in (run / "spec.yaml").read_text()
    last = json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])
    assert last["test_accuracy"] == 1.0

    done = here("evaluate", run, "-f", "json", *CPU)
    answer = json.loads(done.stdout)
    assert answer["metrics"] == {"loss": last["test_loss"], "accuracy": 1.0}
    assert answer["data"] == {"source": "image_folder", "split": "test", "samples": 10}
    for split, samples in (("train", 29), ("validation", 10)):
        answer = json.loads(here("evaluate", run, "--split", split, "-f", "json", *CPU).stdout)
        assert answer["data"] == {"source": "image_folder", "split": split, "samples": samples}
    assert answer["metrics"] == {"loss": last["validation_loss"], "accuracy": last["validation_accuracy"]}
    assert "validation accuracy 100.00 %" in done_training
    assert 0 < last["waited_seconds"] < last["seconds"]

    pixels = np.full((30, 20, 3), 10, np.uint8)
    pixels[15:] = 200
    picture = image_file(tmp_path / "one.png", pixels)
    shutil.rmtree(spec.parent / "images")
    done = here("predict", run, picture, *CPU)
    assert (done.code, done.stderr) == (0, "")
    assert done.stdout.startswith(f"{picture}: b 0.")
    assert here("evaluate", run, *CPU).code == 2


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("{source: image_folder, path: nowhere}", "nowhere: no such folder"),
        ("{source: npz, path: shapes.yaml}", "shapes.yaml: not an .npz archive"),
        (
            "{source: image_folder, path: images}",
            "the network reads 8×8×3, the images of `image_folder` are 12×9×3",
        ),
        ("{source: image_folder, path: images, resize: 8, channels: 1}", "`image_folder` are 8×8×1 after"),
        ("{source: image_folder, path: images, resize: 8, split: [0.5, 0.5]}", "has no test set of its own"),
        (
            "{source: image_folder, path: images, resize: 8, normalize: {mean: [0], std: [1]}}",
            "`mean` has 1 values",
        ),
        ("{source: synthetic, shape: [8, 8, 3]}", "does not match the 10 classes of `synthetic`"),
    ],
)
def test_mistakes_are_answered_without_a_traceback(here: Cli, spec: Path, data: str, said: str) -> None:
    done = here("train", spec, "--set", f"train.data={data}", "--runs", spec.parent / "runs", *CPU, cwd=spec.parent)
    assert done.code in (1, 2)
    assert said in done.stderr
    assert "Traceback" not in done.output
    assert not (spec.parent / "runs").exists()


def test_a_run_without_a_validation_split_says_so(here: Cli, spec: Path, tmp_path: Path) -> None:
    words = ("--set", "train.data.split=[0.8,0,0.2]", "--set", "train.epochs=1", "--runs", tmp_path / "runs", *CPU)
    assert here("train", spec, *words).code == 0
    done = here("evaluate", tmp_path / "runs" / "shapes-1", "--split", "validation", *CPU)
    assert done.code == 2
    assert "its data `image_folder` have no validation split" in done.stderr


@pytest.mark.parametrize("field", ["best", "early_stopping"])
def test_validation_may_choose_the_best_and_the_end(here: Cli, spec: Path, tmp_path: Path, field: str) -> None:
    words = ("--set", f"train.{field}=validation_loss", "--runs", tmp_path / "runs", *CPU)
    done = here("train", spec, *words)
    assert done.code == 0, done.stderr
    refused = here("train", spec, *words, "--set", "train.data.split=[0.8,0,0.2]")
    assert refused.code == 1
    assert "`validation_loss` is not measured: the data `image_folder` have no validation samples" in refused.stderr


def analyzed(here: Cli, spec: Path, data: str, *words: object) -> dict[str, object]:
    done = here("analyze", spec, "--set", f"train.data={data}", "--batch", 100, "-f", "json", *words)
    assert done.code == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


def test_analyze_reads_no_data(here: Cli, spec: Path) -> None:
    shutil.rmtree(spec.parent / "images")
    for data in (
        "{source: image_folder, path: /nowhere}",
        "{source: parquet, path: /nowhere}",
        "{source: idx, images: /nowhere, labels: /nowhere}",
        "{source: npz, path: /nowhere}",
        "{source: csv, path: /nowhere, shape: [8, 8, 3]}",
        "{source: synthetic, shape: [8, 8, 3]}",
        "mnist",
    ):
        analyzed(here, spec, data)


@pytest.mark.parametrize(
    ("data", "image_bytes"),
    [
        ("{source: image_folder, path: /nowhere, resize: 6, pad: 1}", 6 * 6 * 3),
        ("{source: cifar10, resize: 8}", 32 * 32 * 3),
    ],
)
def test_the_compiler_is_asked_without_data(cli: Cli, spec: Path, data: str, image_bytes: int) -> None:
    words = ("--set", f"train.data={data}", "--exact", "--device", "cpu", "--batch", 4, "-f", "json")
    done = cli("analyze", spec, *words)
    assert done.code == 0, done.output
    label_bytes = 4
    assert json.loads(done.stdout)["totals"]["memory"]["exact"]["parts"]["batch"] == 4 * (image_bytes + label_bytes)
