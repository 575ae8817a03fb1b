"""Masks of image files: they stay with their images; what is strange, damaged or missing is named."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pydantic
import pytest
from numpy.typing import NDArray
from PIL import Image

from netcalc.data.identity import data_checksum
from netcalc.data.masks import decode_mask, nearest, resized_mask
from netcalc.data.pipeline import training_batches
from netcalc.data.preprocessing import statistics
from netcalc.data.read_ahead import AHEAD, WORKERS
from netcalc.data.sources import load_dataset
from netcalc.diagnostics import CannotRunError
from netcalc.spec.data import ImageFolderData
from tests.data.files import image_file, pixels
from tests.data.test_image_folder import png_bomb

IMAGES = pixels(20, 6, 5, 3)
MASKS = np.random.default_rng(3).integers(0, 4, (20, 6, 5), dtype=np.uint8)
HALF = {"shares": (0.5, 0, 0.5)}


def folders(root: Path, images: Any = IMAGES, masks: Any = MASKS, part: str = "") -> Path:
    """Write images to a folder and another below it, and their masks."""
    for number, (image, mask) in enumerate(zip(images, masks, strict=True)):
        name = f"{'deep/er' if number % 2 else '.'}/{number:04}"
        image_file(root / "images" / part / f"{name}.png", image)
        image_file(root / "masks" / part / f"{name}.png", mask[..., None])
    return root


def spec(root: Path, **fields: Any) -> ImageFolderData:
    paths = {"path": str(root / "images"), "masks": str(root / "masks")}
    return ImageFolderData(source="image_folder", **paths | {"split": HALF} | fields)


def gathered(found: Any) -> dict[bytes, NDArray[Any]]:
    """Return the mask of each image, whatever part it is in."""
    pairs = {}
    for part in (found.train, found.validation, found.test):
        if part is not None:
            everything = np.arange(part.samples)
            pairs |= {i.tobytes(): m for i, m in zip(part.images[everything], part.labels[everything], strict=True)}
    return pairs


def refused(root: Path, ignore: int | None = None, **fields: Any) -> CannotRunError:
    with pytest.raises(CannotRunError) as caught:
        gathered(load_dataset(spec(root, **fields), ignore=ignore))
    return caught.value


def test_every_mask_comes_back_with_its_image(tmp_path: Path) -> None:
    found = load_dataset(spec(folders(tmp_path)))
    assert (found.target, found.classes) == ("mask", ("0", "1", "2", "3"))
    assert (found.train.labels.shape, found.test.labels.shape) == ((10, 6, 5), (10, 6, 5))
    pairs = gathered(found)
    assert len(pairs) == 20
    assert all(np.array_equal(pairs[i.tobytes()], m) for i, m in zip(IMAGES, MASKS, strict=True))


def test_train_val_and_test_below_both(tmp_path: Path) -> None:
    for part, few in (("train", slice(0, 12)), ("val", slice(12, 16)), ("test", slice(16, 20))):
        folders(tmp_path, IMAGES[few], MASKS[few], part)
    found = load_dataset(spec(tmp_path, split=None))
    assert found.validation is not None
    assert [part.samples for part in (found.train, found.validation, found.test)] == [12, 4, 4]
    assert all(np.array_equal(gathered(found)[i.tobytes()], m) for i, m in zip(IMAGES, MASKS, strict=True))


def test_batches_hold_masks_as_int32_beside_their_images(tmp_path: Path) -> None:
    train = load_dataset(spec(folders(tmp_path))).train
    own = {i.tobytes(): m for i, m in zip(IMAGES, MASKS, strict=True)}
    seen = 0
    for images, masks in training_batches(train, 4, 0, 1):
        assert masks.dtype == np.int32
        for image, mask in zip(images, masks, strict=True):
            assert np.array_equal(own[image.tobytes()], mask)
            seen += 1
    assert seen == 10


def test_resized_masks_keep_their_classes_and_their_place(tmp_path: Path) -> None:
    """An image that is its mask: of blocks that are enlarged by a whole number, the middles agree exactly."""
    masks = np.kron(MASKS, np.ones((2, 2), np.uint8))
    folders(tmp_path, np.repeat(masks[..., None] * 60, 3, -1), masks)
    for image, mask in zip(*_all_of(load_dataset(spec(tmp_path, resize=(36, 30)))), strict=True):
        assert mask.shape == (36, 30)
        assert set(np.unique(mask)) <= set(range(4))
        middle = np.arange(2, 36, 6), np.arange(2, 30, 6)
        assert np.array_equal(image[..., 0][np.ix_(*middle)], mask[np.ix_(*middle)] * 60)


def _all_of(found: Any) -> tuple[NDArray[Any], NDArray[Any]]:
    everything = np.arange(found.train.samples)
    return found.train.images[everything], found.train.labels[everything]


@pytest.mark.parametrize(("length", "wanted"), [(5, 5), (5, 10), (10, 5), (7, 3), (3, 7), (1, 4), (4, 1)])
def test_the_nearest_pixel_is_that_of_pillow(length: int, wanted: int) -> None:
    line = np.arange(length, dtype=np.uint8)
    by_pillow = Image.fromarray(line[None]).resize((wanted, 1), Image.Resampling.NEAREST)
    assert nearest(length, wanted).tolist() == np.asarray(by_pillow)[0].tolist()
    square = np.arange(length * length, dtype=np.uint8).reshape(length, length)
    by_pillow = Image.fromarray(square).resize((wanted, wanted), Image.Resampling.NEAREST)
    assert np.array_equal(resized_mask(square, (wanted, wanted)), np.asarray(by_pillow))


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> io.BytesIO:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream


WIDE = MASKS[0].astype(np.uint16) * 20_000
PALETTE = Image.fromarray(MASKS[0], "P")
PALETTE.putpalette([9, 9, 9, 200, 0, 0, 0, 200, 0, 0, 0, 200])


@pytest.mark.parametrize(
    ("stream", "values"),
    [
        (encoded(Image.fromarray(MASKS[0])), MASKS[0]),
        (encoded(Image.fromarray(MASKS[0]), "BMP"), MASKS[0]),
        (encoded(Image.fromarray(MASKS[0]), "TIFF"), MASKS[0]),
        (encoded(PALETTE), MASKS[0]),  # indices, not colours
        (encoded(PALETTE, bits=2), MASKS[0]),
        (encoded(PALETTE, "TIFF"), MASKS[0]),
        (encoded(Image.fromarray(MASKS[0] > 1)), MASKS[0] > 1),
        (encoded(Image.fromarray(MASKS[0] > 1), "TIFF"), MASKS[0] > 1),
        (encoded(Image.fromarray(WIDE)), WIDE),
        (encoded(Image.fromarray(WIDE), "TIFF"), WIDE),
    ],
)
def test_whole_numbers_of_every_kind_are_read_as_they_are(stream: io.BytesIO, values: NDArray[Any]) -> None:
    assert np.array_equal(decode_mask(stream, "x", (6, 5)), values)


@pytest.mark.parametrize("bits", [2, 4])
def test_grey_of_few_bits_is_not_stretched_to_white(bits: int) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    values = np.arange(2**bits, dtype=np.uint8)[None].repeat(3, 0)
    rows = b""
    for row in values:
        whole = 0
        for value in row.tolist():
            whole = whole << bits | value
        rows += b"\0" + whole.to_bytes(len(row) * bits // 8, "big")
    head = struct.pack(">2I5B", values.shape[1], 3, bits, 0, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    assert np.array_equal(decode_mask(io.BytesIO(png), "x", values.shape), values)


def turned(image: NDArray[Any], path: Path) -> None:
    """Write an image on its side, with the orientation that shows it upright."""
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.rot90(image)).save(path, exif=exif)


def test_a_mask_is_of_the_image_as_it_is_shown(tmp_path: Path) -> None:
    root = folders(tmp_path)
    turned(IMAGES[0], root / "images" / "0000.png")
    turned(IMAGES[2], root / "images" / "0002.png")
    turned(MASKS[2], root / "masks" / "0002.png")
    pairs = gathered(load_dataset(spec(root)))
    assert all(np.array_equal(pairs[i.tobytes()], m) for i, m in zip(IMAGES, MASKS, strict=True))
    Image.fromarray(np.rot90(MASKS[0])).save(root / "masks" / "0000.png")
    error = refused(root)
    assert str(error) == f"{root}/masks/0000.png: the mask is 5×6 pixels, its image 6×5"
    assert "turned as its EXIF orientation says" in error.help


def damage(root: Path, how: str) -> Path:
    file = root / "masks" / "0004.png"
    match how:
        case "empty":
            file.write_bytes(b"")
        case "cut":
            file.write_bytes(file.read_bytes()[: len(file.read_bytes()) * 2 // 3])
        case "bomb":
            file.write_bytes(png_bomb(12_000))
        case "large bomb":
            file.write_bytes(png_bomb(100_000))
        case "colours":
            Image.fromarray(IMAGES[4]).save(file)
        case "grey and alpha":
            Image.fromarray(MASKS[4]).convert("LA").save(file)
        case "floats":
            file.write_bytes(encoded(Image.fromarray(MASKS[4].astype(np.float32)), "TIFF").getvalue())
        case "JPEG":
            file.write_bytes(encoded(Image.fromarray(MASKS[4]), "JPEG").getvalue())
        case "size":
            Image.fromarray(MASKS[4][:5]).save(file)
    return file


DAMAGES = {
    "empty": "not an image that can be read",
    "cut": "not an image that can be read",
    "bomb": "decompression bomb",
    "large bomb": "decompression bomb",
    "colours": "holds colours (RGB), which is no mask",
    "grey and alpha": "holds colours (LA), which is no mask",
    "floats": "holds colours (F), which is no mask",
    "JPEG": "is JPEG, which is no mask",
    "size": "the mask is 5×5 pixels, its image 6×5",
}


@pytest.mark.parametrize("how", DAMAGES)
@pytest.mark.parametrize("fields", [{}, {"classes": ("a", "b", "c", "d")}, {"resize": (6, 5)}])
def test_what_is_no_mask_is_named(tmp_path: Path, how: str, fields: Any) -> None:
    file = damage(folders(tmp_path), how)
    error = refused(tmp_path, **fields)
    assert str(error).startswith(f"{file}: ")
    assert DAMAGES[how] in str(error)


@pytest.mark.parametrize("how", DAMAGES)
def test_images_without_a_sound_mask_are_skipped_and_counted(tmp_path: Path, how: str) -> None:
    damage(folders(tmp_path), how)
    (tmp_path / "images" / "0006.png").write_bytes(b"no image")
    found = load_dataset(spec(tmp_path, on_corrupt="skip"))
    assert found.skipped == (f"{tmp_path}/images/0004.png", f"{tmp_path}/images/0006.png")
    pairs = gathered(found)
    assert pairs.keys() == {i.tobytes() for n, i in enumerate(IMAGES) if n not in (4, 6)}


def test_missing_and_doubled_masks_are_named(tmp_path: Path) -> None:
    root = folders(tmp_path)
    doubled = root / "masks" / "0002.bmp"
    doubled.write_bytes(encoded(Image.fromarray(MASKS[2]), "BMP").getvalue())
    assert "0002.bmp is a mask of the same image" in str(refused(root))
    (root / "masks" / "0002.png").unlink()
    assert gathered(load_dataset(spec(root)))
    doubled.unlink()
    for on_corrupt in ("error", "skip"):
        error = refused(root, on_corrupt=on_corrupt)
        assert str(error) == f"{root}/images/0002.png: no mask, which would be {root}/masks/0002.png"


def test_masks_without_images_do_not_matter(tmp_path: Path) -> None:
    root = folders(tmp_path)
    image_file(root / "masks" / "extra.png", MASKS[0][..., None])
    (root / "masks" / "notes.txt").write_text("-")
    assert len(gathered(load_dataset(spec(root)))) == 20


def test_folders_that_hold_nothing_are_named(tmp_path: Path) -> None:
    assert str(refused(tmp_path)) == f"{tmp_path}/images: no such folder"
    (tmp_path / "images").mkdir()
    assert str(refused(tmp_path)) == f"{tmp_path}/images: no images"
    image_file(tmp_path / "images" / "1.png", IMAGES[0])
    assert str(refused(tmp_path)) == f"{tmp_path}/masks: no such folder"


def test_classes_bound_the_values(tmp_path: Path) -> None:
    root = folders(tmp_path)
    named = load_dataset(spec(root, classes=("a", "b", "c", "d")))
    assert named.classes == ("a", "b", "c", "d")
    error = refused(root, classes=("a", "b", "c"))
    assert "a pixel of 3, where the classes are 0 to 2" in str(error)
    assert ".png: " in str(error)


def test_255_is_void(tmp_path: Path) -> None:
    masks = MASKS.copy()
    masks[7, 0, 0] = 255
    root = folders(tmp_path, masks=masks)
    for fields in ({}, {"classes": ("a", "b", "c", "d")}):
        found = load_dataset(spec(root, **fields), ignore=255)
        assert len(found.classes) == 4
        assert gathered(found)[IMAGES[7].tobytes()][0, 0] == 255
        assert "pixels of 255, which are of no class" in str(refused(root, **fields))


def test_the_checksum_reads_no_mask_and_tells_data_apart(tmp_path: Path) -> None:
    named = {"classes": ("a", "b", "c", "d")}
    sums = []
    for name in ("x", "y"):
        root = folders(tmp_path / name)
        sums.append(data_checksum(load_dataset(spec(root, **named))))
    assert sums[0] == sums[1]
    (root / "masks" / "0000.png").write_bytes(b"no mask")
    assert data_checksum(load_dataset(spec(root, **named))) != sums[0]


def test_classes_are_of_masks() -> None:
    with pytest.raises(pydantic.ValidationError, match="without masks each folder names its class"):
        ImageFolderData(source="image_folder", path="x", classes=("a", "b"))


def test_statistics_decode_no_mask(tmp_path: Path) -> None:
    root = folders(tmp_path)
    train = load_dataset(spec(root, classes=("a", "b", "c", "d"))).train
    expected = statistics(train, 255)
    for file in (root / "masks").rglob("*.png"):
        file.write_bytes(b"no mask")
    assert statistics(train, 255) == expected


def test_streamed_masks_hold_a_few_batches_however_large_the_data_set(tmp_path: Path) -> None:
    """78 MB of images and masks stand behind 200 files; the peak may not grow with them."""
    side, batch_size = 236, 10
    image = image_file(tmp_path / "images" / "0.png", np.zeros((side, side, 3), np.uint8))
    mask = image_file(tmp_path / "masks" / "0.png", np.ones((side, side, 1), np.uint8))
    for number in range(1, 200):
        (tmp_path / "images" / f"{number}.png").symlink_to(image)
        (tmp_path / "masks" / f"{number}.png").symlink_to(mask)
    tracemalloc.start()
    try:
        train = load_dataset(spec(tmp_path, split={"shares": (0.9, 0, 0.1)})).train
        for images, masks in training_batches(train, batch_size, 0, 1):
            assert images.shape[1:] == (side, side, 3)
            assert masks.min() == masks.max() == 1
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    pixels_of_one = side * side
    of_batches = (2 + AHEAD) * batch_size * pixels_of_one * (3 + 4)
    # Each thread decodes eight samples, and stacks them.
    at_most = of_batches + 2 * WORKERS * 8 * pixels_of_one * (3 + 4)
    assert peak_bytes < at_most
    assert 200 * pixels_of_one * (3 + 4) > 2 * at_most or WORKERS > 4
