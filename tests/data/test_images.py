"""Image files as people have them: transparent, turned, of few colours."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from netcalc.data.images import decode, load_image
from netcalc.diagnostics import CannotRunError

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


WIDE = np.array([[0, 128, 129, 257], [32767, 32768, 65406, 65407]], np.uint16)
NARROW = [[0, 0, 1, 1], [127, 128, 254, 255]]
"""The nearest of 8 bits, where white is 65535."""


@pytest.mark.parametrize("suffix", [".png", ".tif", ".pgm"])
@pytest.mark.parametrize("channels", [1, 3])
def test_grey_of_16_bits_becomes_the_nearest_of_8(tmp_path: Path, suffix: str, channels: int) -> None:
    file = saved(tmp_path / f"wide{suffix}", Image.fromarray(WIDE))
    found = load_image(file, (2, 4, channels))
    assert found.tolist() == [[[value] * channels for value in row] for row in NARROW]
    found = decode(io.BytesIO(file.read_bytes()), "row 1", channels)
    assert found[..., 0].tolist() == NARROW


def test_grey_of_16_bits_in_the_other_byte_order(tmp_path: Path) -> None:
    image = Image.frombytes("I;16B", (4, 2), WIDE.astype(">u2").tobytes())
    file = saved(tmp_path / "wide.tif", image)
    with Image.open(file) as written:
        assert written.mode == "I;16B"
    assert load_image(file, (2, 4, 1))[..., 0].tolist() == NARROW


def test_grey_of_16_bits_is_turned_and_its_transparent_value_is_black(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    file = saved(tmp_path / "turned.png", Image.fromarray(np.rot90(WIDE).copy()), exif=exif)
    assert load_image(file, (2, 4, 1))[..., 0].tolist() == NARROW
    file = saved(tmp_path / "holes.png", Image.fromarray(WIDE), transparency=32768)
    assert load_image(file, (2, 4, 1))[..., 0].tolist() == [NARROW[0], [127, 0, 254, 255]]
    assert load_image(file, (2, 4, 4))[..., 3].tolist() == [[255] * 4, [255, 0, 255, 255]]


@pytest.mark.parametrize(("kind", "said"), [(np.float32, "floating point"), (np.int32, "whole numbers of neither")])
def test_pixels_of_which_white_is_not_known_are_refused(tmp_path: Path, kind: type, said: str) -> None:
    file = saved(tmp_path / "wide.tif", Image.fromarray(np.full((2, 2), 200, kind)))
    with pytest.raises(CannotRunError, match=f"wide.tif: its pixels are {said}"):
        load_image(file, (2, 2, 1))
    with pytest.raises(CannotRunError, match="row 7: its pixels are"):
        decode(io.BytesIO(file.read_bytes()), "row 7", 3)


def test_grey_of_12_bits_is_refused(tmp_path: Path) -> None:
    tags = [(256, 3, 2), (257, 3, 1), (258, 3, 12), (259, 3, 1), (262, 3, 1), (273, 4, 8), (277, 3, 1), (279, 4, 3)]
    directory = struct.pack("<H", len(tags)) + b"".join(
        struct.pack("<HHII", tag, kind, 1, v) for tag, kind, v in tags
    )
    file = tmp_path / "twelve.tif"
    file.write_bytes(b"II*\0" + struct.pack("<I", 12) + b"\xff\xff\xff\0" + directory + bytes(4))
    with pytest.raises(CannotRunError, match="neither 8 nor 16 bits"):
        load_image(file, (1, 2, 1))
