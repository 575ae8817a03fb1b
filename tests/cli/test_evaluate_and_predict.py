"""`evaluate` and `predict`: each class, the confusion matrix, folders, and runs of every kind of target."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from netcalc.data.sources import load_dataset
from netcalc.spec.data import PackagedData
from tests.cli.conftest import Trained
from tests.conftest import Cli

CPU = ("--device", "cpu")
DIGITS = load_dataset(PackagedData(source="digits"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The held-out images of `digits` as PNG files, in a folder a class."""
    root = tmp_path_factory.mktemp("digits")
    for index, (image, label) in enumerate(zip(DIGITS.test.images[:, ..., 0], DIGITS.test.labels, strict=True)):
        (root / str(label)).mkdir(exist_ok=True)
        pixels = np.round(image * (255 / DIGITS.max_value)).astype(np.uint8)
        Image.fromarray(pixels).save(root / str(label) / f"{index:03d}.png")
    return root


def rows(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


def test_the_confusion_matrix_is_of_all_samples_and_agrees_with_accuracy(here: Cli, trained: Trained) -> None:
    done = here("evaluate", trained.run, "--confusion", "--per-class", "-f", "json", *CPU)
    assert (done.stderr, done.code) == ("", 0)
    found = json.loads(done.stdout)
    counts = np.array(found["confusion_matrix"]["counts"])
    assert counts.sum(1).tolist() == np.bincount(DIGITS.test.labels).tolist()
    assert np.trace(counts) / 450 == pytest.approx(found["metrics"]["accuracy"])
    for number, one in enumerate(found["classes"]):
        right = counts[number, number]
        assert one["name"] == str(number)
        assert one["support"] == counts[number].sum()
        assert "iou" not in one
        assert one["recall"] == pytest.approx(right / counts[number].sum())
        assert one["precision"] == pytest.approx(right / counts[:, number].sum())
    table = rows(here("evaluate", trained.run, "--confusion", "-f", "csv", *CPU).stdout)
    assert table[0] == ["true", *"0123456789"]
    assert np.array_equal(np.array([list(map(int, row[1:])) for row in table[1:]]), counts)
    each = rows(here("evaluate", trained.run, "--per-class", "-f", "csv", *CPU).stdout)
    assert each[0] == ["class", "support", "precision", "recall", "f1"]
    assert [float(row[3]) for row in each[1:]] == pytest.approx([one["recall"] for one in found["classes"]])
    metrics = dict(rows(here("evaluate", trained.run, "-f", "csv", *CPU).stdout)[1:])
    assert {name: float(value) for name, value in metrics.items()} == pytest.approx(found["metrics"])


def test_evaluation_in_words(here: Cli, trained: Trained, tmp_path: Path) -> None:
    done = here("evaluate", trained.run, "--per-class", "--confusion", "-o", tmp_path / "out.txt", *CPU)
    assert (done.stdout, done.stderr, done.code) == ("", "", 0)
    text = (tmp_path / "out.txt").read_text()
    metrics, classes, confusion = text.split("\n\n")
    assert metrics.startswith("loss ")
    assert classes.splitlines()[0].split() == ["class", "samples", "precision", "recall", "F1"]
    assert len(classes.splitlines()) == 12
    assert confusion.splitlines()[0].split()[-10:] == list("0123456789")
    assert all(len(line.split()) == 11 for line in confusion.splitlines()[1:])


def test_a_folder_of_labelled_images_is_evaluated(here: Cli, trained: Trained, folder: Path) -> None:
    own = json.loads(here("evaluate", trained.run, "-f", "json", *CPU).stdout)
    done = here("evaluate", trained.run, folder, "-f", "json", *CPU)
    assert (done.stderr, done.code) == ("", 0)
    found = json.loads(done.stdout)
    assert found["data"] == {"source": str(folder), "split": None, "samples": 450}
    # 17 grey values became 256, so a sample at the edge of two classes may change.
    assert found["metrics"]["accuracy"] == pytest.approx(own["metrics"]["accuracy"], abs=2 / 450)


def test_predictions_of_a_folder(here: Cli, trained: Trained, folder: Path, tmp_path: Path) -> None:
    done = here("predict", trained.run, folder, "--top", 2, "-f", "csv", "-o", tmp_path / "out.csv", *CPU)
    assert (done.stdout, done.stderr, done.code) == ("", "", 0)
    head, *found = rows((tmp_path / "out.csv").read_text())
    assert head == ["file", "class_1", "score_1", "class_2", "score_2"]
    assert [row[0] for row in found] == sorted(str(path) for path in folder.rglob("*.png"))
    own = json.loads(here("evaluate", trained.run, folder, "-f", "json", *CPU).stdout)
    hits = sum(Path(row[0]).parent.name == row[1] for row in found)
    assert hits / 450 == pytest.approx(own["metrics"]["accuracy"])
    assert all(float(row[2]) >= float(row[4]) for row in found)
    one = here("predict", trained.run, Path(found[7][0]), *CPU)
    assert one.stdout.startswith(f"{found[7][0]}: {found[7][1]} {float(found[7][2]):.4f}, ")


def test_a_file_that_cannot_be_decoded_is_an_error_or_left_out(
    here: Cli, trained: Trained, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "a.png").write_bytes(b"no picture")
    good = next((folder / "3").iterdir())
    (tmp_path / "b.png").write_bytes(good.read_bytes())
    done = here("predict", trained.run, tmp_path, *CPU)
    assert (done.code, done.stdout) == (2, "")
    assert f"{tmp_path / 'a.png'}: not an image that can be read" in done.stderr
    done = here("predict", trained.run, tmp_path, "--on-corrupt", "skip", *CPU)
    assert (done.code, len(done.stdout.splitlines())) == (0, 1)
    assert f"skipped one file that cannot be decoded, the first {tmp_path / 'a.png'}" in done.stderr.replace(
        "1 file", "one file"
    )
    (tmp_path / "b.png").unlink()
    done = here("predict", trained.run, tmp_path, "--on-corrupt", "skip", "-f", "csv", *CPU)
    assert (done.code, done.stdout) == (0, "file\n")


def test_names_of_files_do_nothing_to_a_terminal(here: Cli, trained: Trained, folder: Path, tmp_path: Path) -> None:
    good = next((folder / "3").iterdir()).read_bytes()
    hostile = tmp_path / "b\x1b[31m\nc.png"
    hostile.write_bytes(good)
    (tmp_path / "a\x1b]0;.png").write_bytes(b"no picture")
    done = here("predict", trained.run, tmp_path, "--on-corrupt", "skip", *CPU)
    assert done.code == 0
    assert "\x1b" not in done.stdout + done.stderr
    (line,) = done.stdout.splitlines()
    assert line.startswith(f"{tmp_path}/b\N{REPLACEMENT CHARACTER}[31m\N{REPLACEMENT CHARACTER}c.png: ")
    assert "the first " + str(tmp_path / "a\N{REPLACEMENT CHARACTER}]0;.png") in done.stderr
    found = here("predict", trained.run, tmp_path, "--on-corrupt", "skip", "-f", "json", *CPU).stdout
    assert json.loads(found)["predictions"][0]["file"] == str(hostile)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["evaluate", "RUN", "FOLDER", "--split", "test"], "--split is of the run's own data"),
        (["evaluate", "RUN", "--per-class", "--confusion", "-f", "csv"], "CSV holds one table"),
        (["evaluate", "RUN", "EMPTY"], "no folders of classes"),
        (["evaluate", "RUN", "OTHER"], "`cats` is no class of the run"),
        (["evaluate", "RUN", "NOWHERE"], "no such folder"),
        (["predict", "RUN", "EMPTY"], "no images in this folder"),
        (["predict", "RUN", "NOWHERE"], "no such file"),
        (["predict", "RUN", "FOLDER", "--masks", "masks"], "was not trained on masks"),
    ],
)
def test_what_does_not_fit_is_said(
    here: Cli, trained: Trained, folder: Path, tmp_path: Path, words: list[str], said: str
) -> None:
    empty, other = tmp_path / "empty", tmp_path / "other"
    empty.mkdir()
    (other / "cats").mkdir(parents=True)
    Image.new("L", (8, 8)).save(other / "cats" / "a.png")
    places = {"RUN": trained.run, "FOLDER": folder, "EMPTY": empty, "OTHER": other, "NOWHERE": tmp_path / "no"}
    done = here(*(places.get(word, word) for word in words), *CPU)
    assert (done.code, done.stdout) == (2, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


TARGETS = {
    "mask": """\
input: [16, 16, 3]
layers:
  - {conv: {filters: 8, kernel: 3, padding: 0}}
  - relu
  - {conv: {filters: 3, kernel: 3, padding: 0}}
train:
  data: {source: synthetic, shape: [16, 16, 3], target: mask, classes: 3, samples: 60, split: [0.5, 0.2, 0.3]}
  loss: {cross_entropy: {class_weights: balanced, ignore: 255}}
  epochs: 2
  augment: [horizontal_flip, {rotation: 10}, cutmix]
""",
    "values": """\
input: [16, 16, 1]
layers: [flatten, {dense: 3}]
train:
  data: {source: synthetic, shape: [16, 16, 1], target: values, samples: 60}
  loss: {huber: 0.5}
  epochs: 2
  early_stopping: {metric: test_mae, patience: 9}
""",
    "multi_label": """\
input: [16, 16, 1]
layers: [flatten, {dense: 4}, sigmoid]
train:
  data: {source: synthetic, shape: [16, 16, 1], target: multi_label, classes: 4, samples: 60}
  loss: {binary_cross_entropy: {positive_weight: 2}}
  epochs: 2
""",
    "one_of_two": """\
input: [16, 16, 1]
layers: [flatten, {dense: 1}, sigmoid]
train:
  data: {source: synthetic, shape: [16, 16, 1], classes: 2, samples: 60}
  loss: binary_cross_entropy
  epochs: 2
""",
}
MEASURES = {
    "mask": ["loss", "accuracy", "mean_iou"],
    "values": ["loss", "mse", "mae"],
    "multi_label": ["loss", "accuracy"],
    "one_of_two": ["loss", "accuracy"],
}


@pytest.mark.parametrize("kind", TARGETS)
def test_every_kind_of_target_trains_is_evaluated_and_predicted(here: Cli, tmp_path: Path, kind: str) -> None:
    (tmp_path / "net.yaml").write_text(f"name: net\n{TARGETS[kind]}")
    done = here("train", tmp_path / "net.yaml", "--runs", tmp_path / "runs", *CPU)
    assert done.code == 0, done.stderr
    run = tmp_path / "runs" / "net-1"
    last = json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])
    found = json.loads(here("evaluate", run, "-f", "json", *CPU).stdout)
    assert list(found["metrics"]) == MEASURES[kind]
    assert found["metrics"] == {name: last[f"test_{name}"] for name in MEASURES[kind]}
    assert last["train_loss"] < json.loads((run / "metrics.jsonl").read_text().splitlines()[1])["train_loss"]
    images = tmp_path / "images"
    images.mkdir()
    rng = np.random.default_rng(0)
    for name in "ab":
        Image.fromarray(rng.integers(0, 256, (20, 20, 3), dtype=np.uint8)).save(images / f"{name}.png")
    predictions = json.loads(here("predict", run, images, "-f", "json", *CPU).stdout)["predictions"]
    assert [Path(one["file"]).name for one in predictions] == ["a.png", "b.png"]
    match kind:
        case "values":
            assert len(predictions[0]["values"]) == 3
        case "mask":
            assert sum(one["score"] for one in predictions[0]["classes"]) == pytest.approx(1)
            here("predict", run, images, "--masks", tmp_path / "masks", *CPU)
            mask = np.asarray(Image.open(tmp_path / "masks" / "a.png"))
            assert mask.shape == (20, 20)
            first = np.unique(np.array([round((n + 0.5) * 16 / 20 - 0.5) for n in range(20)]), return_index=True)[1]
            assert len(first) == 16
            mask = mask[np.ix_(first, first)]
            inner = mask[2:14, 2:14]  # two convolutions without padding take two pixels off each side
            shares = {str(n): float((inner == n).mean()) for n in range(3)}
            assert (mask == 255).sum() == 16 * 16 - 12 * 12 == (mask == 255).sum() - (inner == 255).sum()
            assert all(shares[one["class"]] == pytest.approx(one["score"]) for one in predictions[0]["classes"])
            classes = json.loads(here("evaluate", run, "--per-class", "-f", "json", *CPU).stdout)["classes"]
            assert sum(one["support"] for one in classes) == 18 * 12 * 12
            known = [one["iou"] for one in classes if one["iou"] is not None]
            assert np.mean(known) == pytest.approx(found["metrics"]["mean_iou"])
            table = rows(here("evaluate", run, "--per-class", "-f", "csv", *CPU).stdout)
            assert table[0] == ["class", "support", "precision", "recall", "f1", "iou"]
        case "multi_label":
            for one in predictions:
                assert one["present"] == [c["class"] for c in one["classes"] if c["score"] > 0.5]
        case "one_of_two":
            assert sum(one["score"] for one in predictions[0]["classes"]) == pytest.approx(1)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            "train.best=test_mean_iou",
            "`test_mean_iou` is not measured: the targets of `synthetic` are one class a sample",
        ),
        ("train.best=test_top5_accuracy", "`test_top5_accuracy` is not measured"),
        ("train.best=validation_loss", "have no validation samples"),
        ("train.loss={cross_entropy: {class_weights: [1, 2]}}", "`class_weights` has 2 numbers, the data have 4"),
        ("train.loss={cross_entropy: {class_weights: 3}}", "`class_weights` should be balanced or a list"),
        ("train.loss={cross_entropy: {label_smoothing: 1}}", "`label_smoothing` should be less than 1"),
        ("train.loss={huber: 0}", "`delta` should be greater than 0"),
        ("train.loss=crossentropy", "`loss`"),
        ("train.losses={auxiliary: huber}", "`losses` names `auxiliary`, which is no output"),
        ("train.losses.dense1.huber.delta=0", "`delta` should be greater than 0"),
        ("train.losses.dense1.huber.delt=1", "unknown field `delt` of `huber`"),
        ("train.losses.dense1=hubert", "unknown `dense1`: `hubert`"),
        ("train.loss={cross_entropy: {class_weights: [0, 0, 0, 0]}}", "`class_weights` should weigh one class"),
        ("train.loss={cross_entropy: {ignore: 3}}", "`ignore` is of masks"),
    ],
)
def test_losses_and_metrics_that_do_not_fit_name_their_line(
    here: Cli, tmp_path: Path, change: str, said: str
) -> None:
    data = "{source: synthetic, shape: [16, 16, 1], classes: 4, samples: 60}"
    (tmp_path / "net.yaml").write_text(
        f"input: [16, 16, 1]\nlayers: [flatten, {{dense: 4}}]\ntrain:\n  data: {data}\n  epochs: 1\n"
    )
    done = here("train", tmp_path / "net.yaml", "--set", change, "--runs", tmp_path / "runs", *CPU)
    assert done.code == 1, done.stderr
    assert said in done.stderr
    assert not (tmp_path / "runs").exists()
