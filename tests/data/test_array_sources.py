"""Sources that are read into memory: IDX, npz, CSV, CIFAR; what they hold comes back, what is damaged is named."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from netcalc.data import samples
from netcalc.data.sources import load_dataset
from netcalc.diagnostics import CannotRunError, SpecError
from netcalc.spec.data import CsvData, DownloadedData, IdxData, NpzData, SyntheticData
from tests.data.files import idx, labels_of, pixels, written

IMAGES, LABELS = pixels(40, 5, 4), labels_of(40, 4)
TEST_IMAGES, TEST_LABELS = pixels(8, 5, 4, seed=1), labels_of(8, 4)


def refused(spec: Any) -> str:
    with pytest.raises(CannotRunError) as caught:
        load_dataset(spec)
    return str(caught.value)


def gathered(dataset: Any) -> set[tuple[bytes, int]]:
    """Return all samples, whatever part they are in."""
    parts = [part for part in (dataset.train, dataset.validation, dataset.test) if part is not None]
    return {
        (image.tobytes(), int(label))
        for part in parts
        for image, label in zip(part.images, part.labels, strict=True)
    }


# IDX


def idx_spec(folder: Path, suffix: str = ".gz", **fields: Any) -> IdxData:
    files = {"images": IMAGES, "labels": LABELS, "test_images": TEST_IMAGES, "test_labels": TEST_LABELS}
    paths = {name: written(folder / f"{name}{suffix}", idx(array)) for name, array in files.items()}
    return IdxData(source="idx", **paths | fields)


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_idx_comes_back_in_file_order(tmp_path: Path, suffix: str) -> None:
    found = load_dataset(idx_spec(tmp_path, suffix))
    assert np.array_equal(found.train.images, IMAGES[..., None])
    assert np.array_equal(found.train.labels, LABELS)
    assert np.array_equal(found.test.images, TEST_IMAGES[..., None])
    assert np.array_equal(found.test.labels, TEST_LABELS)
    assert (found.classes, found.max_value, found.validation) == (("0", "1", "2", "3"), 255, None)


def test_idx_may_have_channels(tmp_path: Path) -> None:
    colours = pixels(40, 5, 4, 3)
    found = load_dataset(
        idx_spec(
            tmp_path,
            images=written(tmp_path / "c", idx(colours)),
            test_images=written(tmp_path / "d", idx(colours[:8])),
        )
    )
    assert np.array_equal(found.train.images, colours)


def test_a_source_without_a_test_set_is_divided(tmp_path: Path) -> None:
    spec = idx_spec(tmp_path, test_images=None, test_labels=None)
    found = load_dataset(spec)
    assert found.validation is None
    assert [len(part.labels) for part in (found.train, found.test)] == [32, 8]
    assert gathered(found) == {(image.tobytes(), int(n)) for image, n in zip(IMAGES, LABELS, strict=True)}
    again = load_dataset(spec)
    assert np.array_equal(found.test.images, again.test.images)


def test_a_source_with_a_test_set_has_the_rest_divided(tmp_path: Path) -> None:
    found = load_dataset(idx_spec(tmp_path, split={"shares": (0.75, 0.25), "seed": 3}))
    assert found.validation is not None
    assert (len(found.train.labels), len(found.validation.labels)) == (30, 10)
    assert np.array_equal(found.test.images, TEST_IMAGES[..., None])


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"split": {"shares": (0.8, 0.1, 0.1)}}, "has a test set of its own"),
        ({"split": {"shares": (0.8, 0.2)}, "test_images": None, "test_labels": None}, "has no test set of its own"),
    ],
)
def test_a_division_that_does_not_fit_the_source(tmp_path: Path, fields: dict[str, Any], said: str) -> None:
    with pytest.raises(SpecError, match=said):
        load_dataset(idx_spec(tmp_path, **fields))


GOOD = idx(IMAGES)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "ends after 0 of 4 bytes"),
        (GOOD[:9], "ends after 5 of 12 bytes"),
        (GOOD[:-1], "ends after 799 of 800 bytes"),
        (GOOD + b"\0", "goes on after the 800 bytes"),
        (b"\x89PNG" + GOOD, "not an IDX file (it begins with 89 50 4e 47)"),
        (b"\0\0\x0d\3" + GOOD[4:], "IDX of type 0x0d"),
        (b"\0\0\x08\1" + GOOD[4:], "IDX of 1 axes where 3 or 4"),
        (bytes([0, 0, 8, 3]) + struct.pack(">3I", 0, 5, 4), "holds no samples"),
        (bytes([0, 0, 8, 3]) + struct.pack(">3I", 2**32 - 1, 2**31, 2**31), "netcalc reads up to"),
        (bytes([0, 0, 8, 3]) + struct.pack(">3I", 2**20, 100, 100) + bytes(10), "ends after 10 of 10,485,760,000"),
        (bytes([0, 0, 8, 3]) + struct.pack(">3I", 3, 5, 4) + bytes(60), "40 labels for 3 images"),
    ],
)
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_damaged_idx_is_named(tmp_path: Path, suffix: str, content: bytes, said: str) -> None:
    message = refused(idx_spec(tmp_path, images=written(tmp_path / f"bad{suffix}", content)))
    assert said in message
    assert message.startswith(str(tmp_path))


def test_truncated_and_altered_gzip_is_named(tmp_path: Path) -> None:
    packed = gzip.compress(pixels(100, 28, 28).tobytes())
    packed = gzip.compress(idx(pixels(100, 28, 28)))
    altered = bytearray(packed)
    altered[len(packed) // 2] ^= 0xFF
    for content in (packed[:-20], packed[: len(packed) // 2], bytes(altered), packed[:2]):
        path = tmp_path / "bad.gz"
        path.write_bytes(content)
        assert str(path) in refused(idx_spec(tmp_path, images=str(path)))


def test_gzip_that_unpacks_without_end_is_left_at_what_the_header_tells(tmp_path: Path) -> None:
    bomb = zlib.compressobj(wbits=31)
    content = bomb.compress(idx(IMAGES)) + b"".join(bomb.compress(bytes(2**20)) for _ in range(64)) + bomb.flush()
    path = tmp_path / "bomb.gz"
    path.write_bytes(content)
    assert "goes on after" in refused(idx_spec(tmp_path, images=str(path)))


def test_missing_files_are_named(tmp_path: Path) -> None:
    assert refused(idx_spec(tmp_path, images=str(tmp_path / "no"))) == f"{tmp_path / 'no'}: no such file"
    assert "cannot be read" in refused(idx_spec(tmp_path, images=str(tmp_path)))


def test_names_that_are_not_utf8_can_be_said(tmp_path: Path) -> None:
    message = refused(idx_spec(tmp_path, images=str(tmp_path / "caf\udce9")))
    message.encode()
    assert "no such file" in message


@pytest.mark.parametrize(
    ("labels", "classes", "said"),
    [
        ([0, 1, 2, 7] * 10, ("a", "b"), "the label 7 is outside the 2 names"),
        (LABELS[:-1], None, "39 labels for 40"),
    ],
)
def test_labels_that_do_not_fit(tmp_path: Path, labels: Any, classes: Any, said: str) -> None:
    path = written(tmp_path / "other", idx(np.array(labels)))
    assert said in refused(idx_spec(tmp_path, labels=path, classes=classes))


# npz


def npz_spec(path: Path, arrays: dict[str, Any] | None = None, **fields: Any) -> NpzData:
    np.savez_compressed(path, **arrays or {"images": IMAGES, "labels": LABELS}, allow_pickle=True)
    return NpzData(source="npz", path=str(path), **fields)


def test_npz_comes_back(tmp_path: Path) -> None:
    names = ("north", "east", "south", "west")
    arrays = {"x": np.asfortranarray(IMAGES), "y": LABELS.astype(">i8"), "xt": TEST_IMAGES, "yt": TEST_LABELS}
    fields = {"images": "x", "labels": "y", "test_images": "xt", "test_labels": "yt", "classes": names}
    found = load_dataset(npz_spec(tmp_path / "a.npz", arrays, **fields))
    assert np.array_equal(found.train.images, IMAGES[..., None])
    assert np.array_equal(found.train.labels, LABELS)
    assert np.array_equal(found.test.images, TEST_IMAGES[..., None])
    assert found.classes == names


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"images": np.array([{}], dtype=object)}, "`images` holds pickled objects"),
        ({"labels": np.array(["a", None], dtype=object)}, "`labels` holds pickled objects"),
        ({"images": IMAGES / 255}, "`images` is of float64, images are uint8"),
        ({"images": IMAGES[0]}, "`images` is [5, 4]"),
        ({"images": IMAGES[:, :0]}, "`images` is [40, 0, 4]"),
        ({"images": IMAGES[:0], "labels": LABELS[:0]}, "holds no samples"),
        ({"labels": LABELS[:-1]}, "39 labels for 40 images"),
        ({"labels": LABELS[:, None]}, "`labels` is int32 [40, 1]"),
        ({"labels": LABELS - 1}, "`labels` reaches from -1"),
        ({"labels": LABELS.astype(np.int64) + 2**31}, "`labels` reaches from 2147483648"),
        ({"labels": LABELS + 2**20}, "outside the 100,000 classes at most"),
    ],
)
def test_arrays_that_do_not_fit(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    message = refused(npz_spec(tmp_path / "a.npz", {"images": IMAGES, "labels": LABELS} | change))
    assert said in message
    assert message.startswith(str(tmp_path / "a.npz"))


def test_another_name_of_an_array_is_suggested(tmp_path: Path) -> None:
    with pytest.raises(CannotRunError, match="has no array `image`") as caught:
        load_dataset(npz_spec(tmp_path / "a.npz", images="image"))
    assert caught.value.help == "did you mean `images`?"


def header(shape: str) -> bytes:
    text = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text.encode()


@pytest.mark.parametrize(
    ("member", "said"),
    [
        (header("(1000000, 1000000, 9)"), "netcalc reads up to"),
        (header("(1000000, 32, 32)") + bytes(5), "ends after 5 of 1,024,000,000"),
        (header("(1000000, 32, __import__('os'))"), "not an .npz archive that can be read"),
        (b"\x93NUMPY\3\0" + bytes(200), "is of .npy version 3.0"),
        (b"no array", "not an .npz archive that can be read"),
    ],
)
def test_headers_that_claim_too_much(tmp_path: Path, member: bytes, said: str) -> None:
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("images.npy", member)
    assert said in refused(NpzData(source="npz", path=str(path)))


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples, "MAX_ARRAY_BYTES", 2**20)
    arrays = {"images": np.zeros((2000, 32, 32), np.uint8), "labels": np.zeros(2000, int)}
    spec = npz_spec(tmp_path / "a.npz", arrays)
    assert (tmp_path / "a.npz").stat().st_size < 10_000
    assert "its images take 2.05 MB, netcalc reads up to 1.05 MB" in refused(spec)


@pytest.mark.parametrize("content", [b"", b"PK", b"no archive"])
def test_what_is_no_archive_is_named(tmp_path: Path, content: bytes) -> None:
    path = written(tmp_path / "a.npz", content)
    assert refused(NpzData(source="npz", path=path)).startswith(f"{path}: not an .npz archive")


def test_a_cut_archive_is_named(tmp_path: Path) -> None:
    spec = npz_spec(tmp_path / "a.npz")
    content = bytearray((tmp_path / "a.npz").read_bytes())
    content[200:300] = bytes(100)
    (tmp_path / "a.npz").write_bytes(content)
    assert refused(spec).startswith(str(tmp_path / "a.npz"))


# CSV


def rows(images: Any, labels: Any, last: bool = False) -> str:
    lines = []
    for image, label in zip(images, labels, strict=True):
        values = [str(v) for v in image.ravel()]
        lines.append(",".join([*values, str(label)] if last else [str(label), *values]))
    return "\n".join(lines) + "\n"


def csv_spec(path: Path, text: str | bytes, **fields: Any) -> CsvData:
    content = text.encode() if isinstance(text, str) else text
    return CsvData(source="csv", path=written(path, content), **{"shape": (5, 4, 1)} | fields)


HEADER = ",".join(["kind", *(f"p{n}" for n in range(20))]) + "\n"


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        (rows(IMAGES, LABELS), {}),
        (rows(IMAGES, LABELS, last=True), {"label": -1}),
        (HEADER + rows(IMAGES, LABELS), {"header": True, "label": "kind"}),
        (HEADER + rows(IMAGES, LABELS), {"header": True}),
        ("\ufeff" + rows(IMAGES, LABELS).replace("\n", "\r\n\r\n"), {}),
        (rows(IMAGES, LABELS).replace(",", '","').replace("\n", '"\n"').join(['"', ""])[:-2] + "\n", {}),
    ],
    ids=["first", "last", "named", "header", "windows", "quoted"],
)
@pytest.mark.parametrize("suffix", ["csv", "csv.gz"])
def test_csv_comes_back(tmp_path: Path, suffix: str, text: str, fields: dict[str, Any]) -> None:
    spec = csv_spec(tmp_path / f"a.{suffix}", text, test_path=str(tmp_path / "b.csv"), **fields)
    head = HEADER if spec.header else ""
    written(tmp_path / "b.csv", (head + rows(TEST_IMAGES, TEST_LABELS, spec.label == -1)).encode())
    found = load_dataset(spec)
    assert np.array_equal(found.train.images, IMAGES[..., None])
    assert np.array_equal(found.train.labels, LABELS)
    assert np.array_equal(found.test.images, TEST_IMAGES[..., None])
    assert found.classes == ("0", "1", "2", "3")


def test_labels_of_csv_are_numbered_in_order(tmp_path: Path) -> None:
    found = load_dataset(csv_spec(tmp_path / "a", rows(IMAGES, LABELS * 5 + 2)))
    assert found.classes == ("2", "7", "12", "17")
    found = load_dataset(csv_spec(tmp_path / "b", rows(IMAGES, ["cat", "ant", "dog", "bee"] * 10)))
    assert found.classes == ("ant", "bee", "cat", "dog")
    named = load_dataset(csv_spec(tmp_path / "c", rows(IMAGES, LABELS), classes=("n", "e", "s", "w")))
    assert named.classes == ("n", "e", "s", "w")
    assert gathered(named) == {(image.tobytes(), int(n)) for image, n in zip(IMAGES, LABELS, strict=True)}


@pytest.mark.parametrize(
    ("text", "fields", "said"),
    [
        ("", {}, "holds no samples"),
        (rows(IMAGES[:2], LABELS[:2]) + "1,2,3\n", {}, ":3: 3 columns, where `shape` 5×4×1 and a label need 21"),
        (HEADER + rows(IMAGES, LABELS), {}, ":1: `p0` is no pixel value"),
        (rows(IMAGES[:2] * 0, "ab").replace("0\n", "256\n", 1), {}, ":1: `256` is no pixel value"),
        (rows(IMAGES[:2] * 0, "ab").replace("0\n", "-1\n", 1), {}, ":1: `-1` is no pixel value"),
        (rows(IMAGES[:2] * 0, "ab").replace("0\n", "0.5\n", 1), {}, ":1: `0.5` is no pixel value"),
        (rows(IMAGES[:2] * 0, "ab").replace("0\n", "8\x1d\n", 1), {}, "is no pixel value"),
        (rows(IMAGES[:2] * 0, "ab").replace("0\n", "9" * 500 + "\n", 1), {}, "is no pixel value"),
        (rows(IMAGES[:2] * 0 + 17, "ab"), {"max_value": 16}, ":1: the pixel value 17 is above `max_value` (16)"),
        (rows(IMAGES[:2], ["a", "b" * 300]), {}, ":2: a label of 300 characters"),
        (rows(IMAGES, LABELS * 0), {}, "all rows have the label `0`"),
        (rows(IMAGES, LABELS), {"label": 21}, "has no column 21"),
        (rows(IMAGES, LABELS), {"label": -22}, "has no column -22"),
        (HEADER + rows(IMAGES, LABELS), {"header": True, "label": "kin"}, "has no column `kin`"),
        (rows(IMAGES, LABELS), {"classes": ("a", "b")}, "the label 3 is outside the 2 `classes`"),
        (rows(IMAGES[:2], "ac"), {"classes": ("a", "b")}, "the label `c` is not under `classes`"),
        ("0" * 5000 + "\n", {}, ":1: the line is longer"),
        (b"\xff\xfe1,2\n", {}, ":1: not a row of values"),
        (b'"1,2\n', {}, ":1: not a row of values"),
        (b"\0\0\0\n", {}, ":1: "),
    ],
)
def test_rows_that_do_not_fit(tmp_path: Path, text: str | bytes, fields: dict[str, Any], said: str) -> None:
    message = refused(csv_spec(tmp_path / "a.csv", text, **fields))
    assert said in message
    assert message.startswith(str(tmp_path / "a.csv"))
    assert len(message) < 400


def test_a_test_row_of_an_unknown_class(tmp_path: Path) -> None:
    other = written(tmp_path / "b.csv", rows(IMAGES[:1], [9]).encode())
    assert "the label `9` is no class" in refused(csv_spec(tmp_path / "a", rows(IMAGES, LABELS), test_path=other))


# CIFAR, in a folder


def records(samples: int, label_bytes: int, classes: int, seed: int = 0) -> tuple[bytes, Any, Any]:
    images, labels = pixels(samples, 32, 32, 3, seed=seed), labels_of(samples, classes)
    planes = images.transpose(0, 3, 1, 2).reshape(samples, -1)
    coarse = np.full((samples, label_bytes - 1), 7, np.uint8)
    return np.hstack([coarse, labels[:, None].astype(np.uint8), planes]).tobytes(), images, labels


CIFAR10 = [*(f"data_batch_{n}.bin" for n in range(1, 6)), "test_batch.bin"]


@pytest.mark.parametrize("how", ["plain", "unpacked", "archive"])
@pytest.mark.parametrize(
    ("source", "files", "inner", "label_bytes", "classes"),
    [
        ("cifar10", CIFAR10, "cifar-10-batches-bin", 1, 10),
        ("cifar100", ["train.bin", "test.bin"], "cifar-100-binary", 2, 100),
    ],
)
def test_cifar_comes_back(
    tmp_path: Path, how: str, source: Any, files: list[str], inner: str, label_bytes: int, classes: int
) -> None:
    made = {name: records(4, label_bytes, classes, seed) for seed, name in enumerate(files)}
    contents = {name: content for name, (content, _, _) in made.items()}
    if how == "archive":
        with tarfile.open(tmp_path / f"cifar-{classes}-binary.tar.gz", "w:gz") as archive:
            for name, content in {"readme.html": b"-", **contents}.items():
                member = tarfile.TarInfo(f"{inner}/{name}")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    else:
        for name, content in contents.items():
            written((tmp_path / inner if how == "unpacked" else tmp_path) / name, content)
    found = load_dataset(DownloadedData(source=source, path=str(tmp_path)))
    *train, test = made.values()
    assert np.array_equal(found.train.images, np.concatenate([images for _, images, _ in train]))
    assert np.array_equal(found.train.labels, np.concatenate([labels for _, _, labels in train]))
    assert np.array_equal(found.test.images, test[1])
    assert len(found.classes) == classes


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (records(2, 1, 10)[0][:-1], "no whole number of records of 3,073"),
        (b"", "no whole number of records"),
        (b"\x0a" + records(1, 1, 10)[0][1:], "the label 10 is outside the 10 classes"),
    ],
)
def test_damaged_cifar_is_named(tmp_path: Path, content: bytes, said: str) -> None:
    for name in CIFAR10:
        written(tmp_path / name, content if name == "data_batch_3.bin" else records(2, 1, 10)[0])
    message = refused(DownloadedData(source="cifar10", path=str(tmp_path)))
    assert said in message
    assert "data_batch_3.bin" in message


def test_an_archive_that_is_none_is_named(tmp_path: Path) -> None:
    path = written(tmp_path / "cifar-10-binary.tar.gz", b"no archive")
    assert refused(DownloadedData(source="cifar10", path=str(tmp_path))).startswith(f"{path}: not an archive")
    with tarfile.open(path, "w:gz"):
        pass
    assert refused(DownloadedData(source="cifar10", path=str(tmp_path))) == f"{path}: holds no data_batch_1.bin"


def test_mnist_of_a_folder(tmp_path: Path) -> None:
    images, labels = pixels(20, 28, 28), labels_of(20, 10)
    for prefix in ("train", "t10k"):
        written(tmp_path / f"{prefix}-images-idx3-ubyte", idx(images))
        written(tmp_path / f"{prefix}-labels-idx1-ubyte.gz", idx(labels))
    found = load_dataset(DownloadedData(source="mnist", path=str(tmp_path)))
    assert np.array_equal(found.train.images[..., 0], images)
    written(tmp_path / "t10k-images-idx3-ubyte", idx(pixels(20, 8, 8)))
    assert "of another data set" in refused(DownloadedData(source="mnist", path=str(tmp_path)))


# Synthetic


def test_synthetic_images_are_a_pure_function_of_seed_and_index() -> None:
    spec = SyntheticData(source="synthetic", shape=(6, 9, 2), classes=3, samples=30)
    first, again = load_dataset(spec), load_dataset(spec)
    everything = np.arange(len(first.train.labels))
    assert first.train.images.shape[1:] == (6, 9, 2)
    assert np.array_equal(first.train.images[everything], again.train.images[everything])
    assert np.array_equal(first.train.images[everything][::-1], first.train.images[everything[::-1]])
    other = load_dataset(spec.model_copy(update={"seed": 1}))
    assert not np.array_equal(first.train.images[everything], other.train.images[everything])


def test_synthetic_classes_can_be_told_apart() -> None:
    spec = SyntheticData(source="synthetic", shape=(16, 16, 3), classes=5, samples=500)
    found = load_dataset(spec)
    images = found.train.images[np.arange(400)].reshape(400, -1).astype(float)
    means = np.stack([images[found.train.labels == label].mean(0) for label in range(5)])
    tested = found.test.images[np.arange(100)].reshape(100, -1).astype(float)
    nearest = ((tested[:, None] - means) ** 2).sum(-1).argmin(1)
    assert (nearest == found.test.labels).mean() == 1.0
