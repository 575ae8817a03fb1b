"""Masks that `predict` writes lie over their image files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from netcalc.cli.mask_files import over_file, write_mask
from netcalc.data.preprocessing import Pads, Preprocessing
from tests.conftest import Cli

CPU = ("--device", "cpu")
SPEC = """\
name: copy
input: [21, 17, 1]
layers: [{conv: {filters: 2, kernel: 1}}]
train:
  data:
    {source: npz, path: bright.npz, test_images: images, test_labels: labels, resize: 16, pad: [[1, 4], [0, 1]]}
  batch_size: 8
  epochs: 20
  optimizer: {adam: {learning_rate: 0.1}}
"""


def test_the_mask_of_a_network_that_copies_pixels_is_the_file(here: Cli, tmp_path: Path) -> None:
    """Whether a pixel is bright, from files that are scaled to 8×8, resized to 16×16 and padded to 21×17."""
    images = np.random.default_rng(0).integers(0, 2, (40, 8, 8), np.uint8) * 255
    np.savez(tmp_path / "bright.npz", images=images, labels=(images > 0).astype(np.int32))
    (tmp_path / "copy.yaml").write_text(SPEC)
    done = here("train", "copy.yaml", *CPU, cwd=tmp_path)
    assert done.code == 0, done.stderr
    files = {name: np.zeros((16, 24), np.uint8) for name in ("rows", "columns")}
    files["rows"][:4] = 255
    files["columns"][:, 9:15] = 255
    for name, pixels in files.items():
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
    exif = Image.Exif()
    exif[0x0112] = 6  # stored a quarter turn counterclockwise
    Image.fromarray(np.rot90(files["rows"]).copy()).save(tmp_path / "turned.png", exif=exif)
    names = ("rows", "columns", "turned")
    done = here("predict", "runs/copy-1", *(f"{n}.png" for n in names), "--masks", "masks", *CPU, cwd=tmp_path)
    assert done.code == 0, done.stderr
    for name in names:
        mask = np.asarray(Image.open(tmp_path / "masks" / f"{name}.png"))
        assert np.array_equal(mask, files.get(name, files["rows"]) // 255), name


@pytest.mark.parametrize(
    ("output", "pad", "size"),
    [
        ((10, 12), ((0, 0), (0, 0)), (10, 12)),
        ((10, 12), ((1, 2), (3, 0)), (5, 31)),
        ((7, 8), ((0, 0), (0, 0)), (30, 36)),
        ((5, 11), ((2, 0), (1, 4)), (8, 7)),
        ((1, 1), ((1, 1), (1, 1)), (1, 1)),
    ],
)
@pytest.mark.parametrize(("classes", "void"), [(255, 255), (256, 65535)])
def test_each_pixel_of_a_file_has_the_nearest_of_the_output(
    tmp_path: Path, output: tuple[int, int], pad: Pads, size: tuple[int, int], classes: int, void: int
) -> None:
    (top, bottom), (left, right) = pad
    source = 10 - top - bottom, 12 - left - right
    mask = np.random.default_rng(0).integers(0, classes, output, np.int32)
    kept = Preprocessing((*source, 1), None, pad, (0.0,), (1.0,), tuple(map(str, range(classes))), "mask")
    expected = np.full(size, void)
    for row in range(size[0]):
        for column in range(size[1]):
            above = top + int((row + 0.5) * source[0] / size[0]) - (10 - output[0]) // 2
            beside = left + int((column + 0.5) * source[1] / size[1]) - (12 - output[1]) // 2
            if 0 <= above < output[0] and 0 <= beside < output[1]:
                expected[row, column] = mask[above, beside]
    found = over_file(mask, kept, size)
    assert np.array_equal(found, expected)
    write_mask(found, tmp_path / "mask.png")
    assert np.array_equal(np.asarray(Image.open(tmp_path / "mask.png")), expected)
