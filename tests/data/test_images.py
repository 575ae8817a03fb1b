"""Image files as people have them: transparent, turned, of few colours."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from netcalc.data.images import load_image

STROKE = np.zeros((4, 6), np.uint8)
STROKE[1, 2:5] = 255


def saved(path: Path, image: Image.Image, **options: object) -> Path:
    image.save(path, **options)
    return path


def white_with(alpha: np.ndarray) -> Image.Image:
    pixels = np.full((*alpha.shape, 4), 255, np.uint8)
    pixels[..., 3] = alpha
    return Image.fromarray(pixels)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
@pytest.mark.parametrize("channels", [1, 3])
def test_transparency_lies_over_black(tmp_path: Path, mode: str, channels: int) -> None:
    file = saved(tmp_path / "stroke.png", white_with(STROKE).convert(mode))
    found = load_image(file, (4, 6, channels))
    assert np.array_equal(found, np.repeat(STROKE[..., None], channels, axis=2))


def test_half_transparent_white_is_grey(tmp_path: Path) -> None:
    file = saved(tmp_path / "grey.png", white_with(np.full((2, 2), 128, np.uint8)))
    assert load_image(file, (2, 2, 1)).tolist() == [[[128], [128]], [[128], [128]]]


def test_a_transparent_palette_entry_is_black(tmp_path: Path) -> None:
    image = Image.new("P", (6, 4))
    image.putpalette([255, 255, 255, 255, 255, 255])
    image.putdata((STROKE > 0).astype(np.uint8).ravel().tolist())
    file = saved(tmp_path / "palette.gif", image, transparency=0)
    assert np.array_equal(load_image(file, (4, 6, 1))[..., 0], STROKE)


def test_alpha_stays_where_the_network_reads_it(tmp_path: Path) -> None:
    file = saved(tmp_path / "stroke.png", white_with(STROKE))
    found = load_image(file, (4, 6, 4))
    assert np.array_equal(found[..., 3], STROKE)
    assert (found[..., :3] == 255).all()


def test_an_image_is_turned_as_its_orientation_says(tmp_path: Path) -> None:
    upright = np.arange(24, dtype=np.uint8).reshape(4, 6) * 10
    exif = Image.Exif()
    exif[0x0112] = 6  # stored a quarter turn counterclockwise
    file = saved(tmp_path / "turned.png", Image.fromarray(np.rot90(upright)), exif=exif)
    assert np.array_equal(load_image(file, (4, 6, 1))[..., 0], upright)
