"""`netcalc data preview`: the sheet has the images, the changes and the captions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from netcalc.data.pipeline import epoch_order
from netcalc.data.sources import load_dataset
from netcalc.spec.load import parse_spec
from tests.conftest import Cli

SPEC = "input: [8, 8, 1]\nlayers: [flatten, {dense: 10}]\ntrain: {data: digits, augment: [%s]}\n"


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "net.yaml"
    path.write_text(SPEC % "")
    return path


def test_images_stand_in_the_order_of_the_first_epoch(here: Cli, spec: Path, tmp_path: Path) -> None:
    done = here("data", "preview", spec, "-o", tmp_path / "a.png", "--count", "5", "--seed", "3")
    assert (done.stderr, done.code) == ("", 0)
    with Image.open(tmp_path / "a.png") as image:
        pixels = np.asarray(image.convert("L"), float)
    train = parse_spec(SPEC % "").train
    assert train is not None
    data = load_dataset(train.data)
    first = np.asarray(data.train.images[epoch_order(len(data.train.labels), 3, 1)[:1]])[0, :, :, 0] / 16 * 255
    shown = pixels[4 : 4 + 64 : 8, 4 : 4 + 64 : 8]
    np.testing.assert_allclose(shown, first, atol=1)


def test_changes_are_seen_and_are_the_seeds(here: Cli, spec: Path, tmp_path: Path) -> None:
    sheets = []
    for name, augment, seed in (
        ("a", "", 0),
        ("b", "{cutout: 4}, mixup", 0),
        ("c", "{cutout: 4}, mixup", 0),
        ("d", "{cutout: 4}, mixup", 1),
    ):
        spec.write_text(SPEC % augment)
        assert here("data", "preview", spec, "-o", tmp_path / f"{name}.png", "--seed", seed).code == 0
        sheets.append((tmp_path / f"{name}.png").read_bytes())
    assert sheets[1] == sheets[2]
    assert len(set(sheets)) == 3


def test_mistakes(here: Cli, spec: Path, tmp_path: Path) -> None:
    done = here("data", "preview", spec, "-o", tmp_path / "a.jpg")
    assert (done.code, "the sheet is a PNG" in done.stderr) == (2, True)
    done = here("data", "preview", spec, "-o", tmp_path / "none" / "a.png")
    assert (done.code, "No such file" in done.stderr) == (2, True)
    spec.write_text("input: [8]\nlayers: [relu]\n")
    done = here("data", "preview", spec, "-o", tmp_path / "a.png")
    assert (done.code, "NC200" in done.stderr) == (1, True)


TARGETS = """
input: [32, 32, 3]
layers: [{conv: {filters: 4, kernel: 1}}]
train:
  data: {source: synthetic, shape: [32, 32, 3], samples: 20, %s}
  augment: [%s]
"""


def sheet(here: Cli, folder: Path, data: str, augment: str = "") -> np.ndarray:
    (folder / "net.yaml").write_text(TARGETS % (data, augment))
    done = here("data", "preview", folder / "net.yaml", "-o", folder / "a.png", "--count", "4", "--seed", "0")
    assert (done.stderr, done.code) == ("", 0)
    with Image.open(folder / "a.png") as image:
        return np.asarray(image.convert("RGB"), int)


def test_masks_lie_over_images_in_the_colours_of_the_legend(here: Cli, tmp_path: Path) -> None:
    data = "target: mask, classes: 4"
    found = sheet(here, tmp_path, data)
    train = parse_spec(TARGETS % (data, "")).train
    assert train is not None
    part = load_dataset(train.data).train
    shown = epoch_order(part.samples, 0, 1)[:4]
    first = shown[:1]
    colours = np.array([[0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0]])  # those of PASCAL VOC
    expected = (part.images[first][0] + colours[part.labels[first][0]]) / 2
    np.testing.assert_allclose(found[4 : 4 + 64 : 2, 4 : 4 + 64 : 2], expected, atol=1)
    legend = {tuple(colour) for colour in found[-14:, :].reshape(-1, 3).tolist()}
    there = np.unique(part.labels[shown])
    assert len(there) > 2
    assert {tuple(colour) for colour in colours[there].tolist()} <= legend
    assert not {tuple(colour) for colour in np.delete(colours, there, 0).tolist()} & legend


@pytest.mark.parametrize("data", ["target: multi_label, classes: 3", "target: values"])
def test_other_targets_are_written_below(here: Cli, tmp_path: Path, data: str) -> None:
    plain, mixed = sheet(here, tmp_path, data), sheet(here, tmp_path, data, "mixup")
    below = slice(4 + 64, 4 + 64 + 12)
    assert (plain[below] < 128).any()
    assert plain.shape[0] == mixed.shape[0]
    assert not np.array_equal(plain[below, :60], mixed[below, :60]) or plain.shape[1] != mixed.shape[1]
