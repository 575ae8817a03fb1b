"""Image files in folders: what they hold comes back in order, what is strange or damaged is named."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from netcalc.cli.mask_files import write_mask
from netcalc.data.image_folder import image_files
from netcalc.data.sources import load_dataset
from netcalc.diagnostics import CannotRunError, SpecError
from netcalc.spec.data import ImageFolderData
from tests.data.files import image_file, image_folder, labels_of, pixels

IMAGES, LABELS = pixels(20, 6, 5, 3), labels_of(20, 2)
ALL = np.arange(20)


def spec(path: Path, **fields: Any) -> ImageFolderData:
    return ImageFolderData(source="image_folder", path=str(path), **fields)


def refused(path: Path, **fields: Any) -> CannotRunError:
    with pytest.raises(CannotRunError) as caught:
        read_all(path, **fields)
    return caught.value


def read_all(path: Path, **fields: Any) -> None:
    dataset = load_dataset(spec(path, **fields))
    for part in (dataset.train, dataset.test):
        part.images[np.arange(len(part.labels))]


def parts(root: Path, **files: tuple[Any, Any]) -> Path:
    for name, (images, labels) in files.items():
        image_folder(root / name, images, labels)
    return root


def test_images_come_back_by_class_and_name(tmp_path: Path) -> None:
    found = load_dataset(spec(parts(tmp_path, train=(IMAGES, LABELS), test=(IMAGES[:4], LABELS[:4]))))
    order = np.argsort(LABELS, kind="stable")
    assert found.train.images.shape == (20, 6, 5, 3)
    assert np.array_equal(found.train.images[ALL], IMAGES[order])
    assert np.array_equal(found.train.labels, LABELS[order])
    assert np.array_equal(found.test.images[ALL[:4]], IMAGES[[0, 2, 1, 3]])
    assert (found.classes, found.max_value, found.validation) == (("a", "b"), 255, None)


def test_one_folder_of_classes_is_divided(tmp_path: Path) -> None:
    found = load_dataset(spec(image_folder(tmp_path, IMAGES, LABELS), split={"shares": (0.8, 0.1, 0.1)}))
    assert found.validation is not None
    sizes = [len(part.labels) for part in (found.train, found.validation, found.test)]
    assert sizes == [16, 2, 2]
    seen = set()
    for part in (found.train, found.validation, found.test):
        for image, label in zip(part.images[np.arange(len(part.labels))], part.labels, strict=True):
            seen.add((image.tobytes(), int(label)))
    assert seen == {(image.tobytes(), int(label)) for image, label in zip(IMAGES, LABELS, strict=True)}


@pytest.mark.parametrize("name", ["val", "valid", "validation"])
def test_a_folder_for_validation(tmp_path: Path, name: str) -> None:
    one = (IMAGES[:4], LABELS[:4])
    both = load_dataset(spec(parts(tmp_path / "x", train=(IMAGES, LABELS), test=one, **{name: one})))
    assert both.validation is not None
    assert len(both.validation.labels) == 4
    alone = load_dataset(spec(parts(tmp_path / "y", train=(IMAGES, LABELS), **{name: one})))
    assert (alone.validation, len(alone.test.labels)) == (None, 4)
    with pytest.raises(SpecError, match="has a validation and a test set"):
        load_dataset(spec(tmp_path / "x", split={"shares": (0.5, 0.5)}))


def test_a_class_may_be_named_after_a_part(tmp_path: Path) -> None:
    for name in ("train", "boat"):
        image_file(tmp_path / name / "1.png", IMAGES[0])
        image_file(tmp_path / name / "2.png", IMAGES[0])
    found = load_dataset(spec(tmp_path, split={"shares": (0.5, 0, 0.5)}))
    assert found.classes == ("boat", "train")


def test_resize_is_that_of_prediction_and_channels_are_chosen(tmp_path: Path) -> None:
    from netcalc.data.images import load_image

    root = parts(tmp_path, train=(IMAGES, LABELS), test=(IMAGES, LABELS))
    found = load_dataset(spec(root, resize=(3, 7), channels=1))
    assert found.train.images.shape == (20, 3, 7, 1)
    assert np.array_equal(found.train.images[ALL][0], load_image(root / "train/a/0000.png", (3, 7, 1)))


def test_images_of_different_sizes_need_resize(tmp_path: Path) -> None:
    root = image_folder(tmp_path, IMAGES, LABELS)
    image_file(root / "b" / "0003.png", pixels(1, 9, 5, 3)[0])
    error = refused(root)
    assert str(error) == f"{root}/b/0003.png: 9×5 pixels, where {root}/a/0000.png has 6×5"
    assert "`resize: [height, width]`" in error.help
    assert load_dataset(spec(root, resize=(6, 5))).train.images.shape[1:] == (6, 5, 3)


def test_a_turned_image_has_the_size_that_it_is_shown_in(tmp_path: Path) -> None:
    root = image_folder(tmp_path, IMAGES, LABELS)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.rot90(IMAGES[0])).save(root / "a" / "0000.png", exif=exif)
    found = load_dataset(spec(root, split={"shares": (0.5, 0, 0.5)}))
    everything = [*found.train.images[np.arange(10)], *found.test.images[np.arange(10)]]
    assert any(np.array_equal(image, IMAGES[0]) for image in everything)


def png_bomb(side: int) -> bytes:
    """Return a PNG that claims side² black pixels in a few kilobytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">2I5B", side, side, 1, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(bytes(1000)))
        + chunk(b"IEND", b"")
    )


def damage(root: Path, how: str) -> Path:
    file = root / "a" / "0004.png"
    whole = file.read_bytes()
    match how:
        case "empty":
            file.write_bytes(b"")
        case "text":
            file.write_bytes(b"no image")
        case "cut":
            file.write_bytes(whole[: len(whole) * 2 // 3])
        case "bomb":
            file.write_bytes(png_bomb(12_000))
        case "large bomb":
            file.write_bytes(png_bomb(100_000))
    return file


DAMAGES = ["empty", "text", "cut", "bomb", "large bomb"]


@pytest.mark.parametrize("how", DAMAGES)
@pytest.mark.parametrize("resize", [None, (6, 5)])
def test_a_damaged_image_is_named(tmp_path: Path, how: str, resize: Any) -> None:
    file = damage(image_folder(tmp_path, IMAGES, LABELS), how)
    error = refused(tmp_path, resize=resize, split={"shares": (0.5, 0, 0.5)})
    assert str(error).startswith(f"{file}: ")
    assert ("decompression bomb" in str(error)) == ("bomb" in how)


@pytest.mark.parametrize("how", DAMAGES)
def test_damaged_images_are_skipped_and_counted(tmp_path: Path, how: str) -> None:
    file = damage(image_folder(tmp_path, IMAGES, LABELS), how)
    found = load_dataset(spec(tmp_path, on_corrupt="skip", split={"shares": (0.5, 0, 0.5)}))
    assert found.skipped == (str(file),)
    labels = np.concatenate([found.train.labels, found.test.labels])
    assert np.bincount(labels).tolist() == [9, 10]
    seen = {
        image.tobytes() for part in (found.train, found.test) for image in part.images[np.arange(len(part.labels))]
    }
    assert seen == {image.tobytes() for image in IMAGES} - {IMAGES[4].tobytes()}


def test_a_class_without_a_sound_image_is_named(tmp_path: Path) -> None:
    image_folder(tmp_path, IMAGES, LABELS)
    for file in (tmp_path / "b").iterdir():
        file.write_bytes(b"")
    assert "b: no image of this class can be decoded" in str(refused(tmp_path, on_corrupt="skip"))


def test_folders_that_hold_nothing_are_named(tmp_path: Path) -> None:
    assert str(refused(tmp_path / "no")) == f"{tmp_path}/no: no such folder"
    assert str(refused(tmp_path)) == f"{tmp_path}: no folders of classes"
    image_file(tmp_path / "1.png", IMAGES[0])
    assert str(refused(tmp_path)) == f"{tmp_path}: no folders of classes"
    assert "cannot be read" in str(refused(tmp_path / "1.png"))
    image_folder(tmp_path, IMAGES, LABELS)
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "notes.txt").write_text("-")
    assert str(refused(tmp_path)) == f"{tmp_path}/empty: no images of this class"


def test_one_image_is_too_few(tmp_path: Path) -> None:
    image_file(tmp_path / "a" / "1.png", IMAGES[0])
    assert "all images are of the class `a`" in str(refused(tmp_path))
    image_file(tmp_path / "b" / "1.png", IMAGES[0])
    assert "of 2 images `split` leaves none to test on" in str(refused(tmp_path))


def test_a_class_that_was_not_trained_is_named(tmp_path: Path) -> None:
    parts(tmp_path, train=(IMAGES, LABELS), test=(IMAGES[:3], np.array([0, 1, 2])))
    assert str(refused(tmp_path)) == f"{tmp_path}/test: `c` is no class of the training images"


def test_links_may_go_in_circles(tmp_path: Path) -> None:
    root = parts(tmp_path, train=(IMAGES, LABELS), test=(IMAGES, LABELS))
    image_file(root / "train" / "a" / "deeper" / "9.png", IMAGES[9])
    (root / "train" / "a" / "loop").symlink_to(root / "train" / "a")
    (root / "train" / "a" / "deeper" / "up").symlink_to("..")
    (root / "train" / "a" / "self.png").symlink_to("self.png")
    (root / "train" / "a" / "gone.png").symlink_to("nowhere")
    (root / "train" / "b" / "10.png").symlink_to(root / "train" / "a" / "0000.png")
    assert np.bincount(load_dataset(spec(root)).train.labels).tolist() == [11, 11]


def test_what_is_no_image_by_its_name_is_passed_over(tmp_path: Path) -> None:
    root = parts(tmp_path, train=(IMAGES, LABELS), test=(IMAGES, LABELS))
    for name in (".DS_Store", "._0000.png", "Thumbs.db", "notes.txt"):
        (root / "train" / "a" / name).write_bytes(b"-")
    (root / "train" / "folder.png").write_bytes(b"-")
    (root / "train" / "a" / "0000.png").rename(root / "train" / "a" / "0000.PNG")
    assert len(load_dataset(spec(root)).train.labels) == 20


def test_names_that_are_not_utf8(tmp_path: Path) -> None:
    root = parts(tmp_path, train=(IMAGES, LABELS), test=(IMAGES, LABELS))
    odd = os.fsencode(root / "train" / "a") + b"/caf\xe9.png"
    os.rename(root / "train" / "a" / "0000.png", odd)
    assert np.array_equal(np.sort(load_dataset(spec(root)).train.images[ALL], 0), np.sort(IMAGES, 0))
    with open(odd, "wb") as stream:
        stream.write(b"-")
    message = str(refused(root))
    message.encode()
    assert "caf\N{REPLACEMENT CHARACTER}.png" in message
    os.unlink(odd)
    os.rename(root / "train" / "a", os.fsencode(root / "train") + b"/caf\xe9")
    error = refused(root)
    str(error).encode()
    assert "the name of a class should be UTF-8" in str(error)


def test_what_is_no_regular_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "link.png").symlink_to("pipe.png")
    Image.new("L", (2, 2)).save(tmp_path / "a.png")
    for name in ("pipe.png", "link.png"):
        with pytest.raises(CannotRunError, match=f"{name}: not a regular file"):
            image_files([tmp_path / "a.png", tmp_path / name])
    assert image_files([tmp_path]) == [str(tmp_path / "a.png")]
    with pytest.raises(CannotRunError, match=r"pipe\.png: not a regular file"):
        write_mask(np.zeros((2, 2), np.int32), tmp_path / "pipe.png")
