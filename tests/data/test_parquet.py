"""Parquet and Arrow files, as Hugging Face's datasets are kept."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pydantic
import pytest
from numpy.typing import NDArray
from PIL import Image

from netcalc.data.sources import load_dataset
from netcalc.diagnostics import CannotRunError
from netcalc.spec.data import ParquetData
from tests.data.files import labels_of, pixels

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

IMAGES, LABELS = pixels(40, 6, 5, 3), labels_of(40, 4)
ALL = np.arange(40)


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    return folder


def png(image: Any) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "png")
    return stream.getvalue()


def table(images: Any = IMAGES, labels: Any = LABELS, names: Any = None, **columns: Any) -> Any:
    """Return a table as datasets makes it: a struct of bytes and path, class names in the metadata."""
    encoded = [image if isinstance(image, bytes | None) else png(image) for image in images]
    rows = [{"bytes": data, "path": f"{number}.png"} for number, data in enumerate(encoded)]
    found = pa.table({"image": rows, "label": pa.array(labels), "id": list(range(len(rows)))} | columns)
    if names is None:
        return found
    features = {"image": {"_type": "Image"}, "label": {"names": names, "_type": "ClassLabel"}}
    return found.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})


def stored(path: Path, found: Any, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        pq.write_table(found, path, **options)
    else:
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, found.schema) as writer:
            writer.write_table(found, max_chunksize=7)
    return path


def spec(path: Path, **fields: Any) -> ParquetData:
    return ParquetData(source="parquet", path=str(path), **fields)


def both(root: Path, suffix: str = "parquet", first: Any = None) -> Path:
    stored(root / "data" / f"train-00000-of-00002.{suffix}", first or table(IMAGES[:30], LABELS[:30]))
    stored(root / "data" / f"train-00001-of-00002.{suffix}", table(IMAGES[30:], LABELS[30:]))
    stored(root / "data" / f"test-00000-of-00001.{suffix}", table(IMAGES[:8], LABELS[:8]))
    return root


def refused(path: Path, **fields: Any) -> CannotRunError:
    with pytest.raises(CannotRunError) as caught:
        read_all(path, **fields)
    return caught.value


def read_all(path: Path, **fields: Any) -> None:
    dataset = load_dataset(spec(path, **fields))
    for part in (dataset.train, dataset.test):
        part.images[np.arange(len(part.labels))]


@pytest.mark.parametrize("suffix", ["parquet", "arrow"])
def test_rows_come_back_in_the_order_of_the_files(tmp_path: Path, suffix: str) -> None:
    found = load_dataset(spec(both(tmp_path, suffix)))
    assert found.train.images.shape == (40, 6, 5, 3)
    assert np.array_equal(found.train.images[ALL], IMAGES)
    assert np.array_equal(found.train.images[ALL[::-3]], IMAGES[::-3])
    assert np.array_equal(found.train.labels, LABELS)
    assert np.array_equal(found.test.images[ALL[:8]], IMAGES[:8])
    assert found.classes == ("0", "1", "2", "3")


def test_a_saved_dictionary_of_datasets(tmp_path: Path) -> None:
    for part in ("train", "validation", "test"):
        stored(tmp_path / part / "data-00000-of-00001.arrow", table(names=["n", "e", "s", "w"]))
        stored(tmp_path / part / "cache-1234.arrow", pa.table({"other": [1]}))
    (tmp_path / "dataset_dict.json").write_text("{}")
    found = load_dataset(spec(tmp_path))
    assert found.validation is not None
    assert found.classes == ("n", "e", "s", "w")
    assert np.array_equal(found.validation.images[ALL], IMAGES)


def test_one_file_is_divided_and_small_row_groups_do_not_matter(tmp_path: Path) -> None:
    path = stored(tmp_path / "a.parquet", table(), row_group_size=3)
    found = load_dataset(spec(path, split={"shares": (0.8, 0.1, 0.1)}))
    assert found.validation is not None
    assert [len(part.labels) for part in (found.train, found.validation, found.test)] == [32, 4, 4]
    for part in (found.train, found.validation, found.test):
        for image, label in zip(part.images[np.arange(len(part.labels))], part.labels, strict=True):
            (where,) = np.flatnonzero((image == IMAGES).all((1, 2, 3)))
            assert LABELS[where] == label


@pytest.mark.parametrize("kind", ["flat", "nested", "fixed", "signed"])
def test_lists_of_pixels(tmp_path: Path, kind: str) -> None:
    flat = IMAGES.reshape(40, -1)
    column = {
        "flat": pa.array(flat.tolist(), pa.list_(pa.uint8())),
        "nested": pa.array(IMAGES.tolist(), pa.list_(pa.list_(pa.list_(pa.uint8())))),
        "fixed": pa.FixedSizeListArray.from_arrays(pa.array(flat.ravel()), 90),
        "signed": pa.array(flat.tolist(), pa.list_(pa.int64())),
    }[kind]
    path = stored(tmp_path / "train.parquet", pa.table({"pixels": column, "y": LABELS}))
    stored(tmp_path / "test.parquet", pa.table({"pixels": column, "y": LABELS}))
    names = {"image": "pixels", "label": "y"}
    found = load_dataset(spec(path.parent, shape=(6, 5, 3), **names))
    assert np.array_equal(found.train.images[ALL], IMAGES)
    assert load_dataset(spec(path.parent, shape=(6, 5, 3), resize=(4, 4), **names)).train.images.shape == (
        40,
        4,
        4,
        3,
    )
    assert "which needs `shape`" in str(refused(path.parent, **names))
    assert "90 values of" in str(refused(path.parent, shape=(6, 6, 3), **names))


def test_labels_of_text(tmp_path: Path) -> None:
    words = ["cat", "ant", "dog", "bee"] * 10
    for index, column in enumerate((pa.array(words), pa.array(words).dictionary_encode())):
        stored(tmp_path / f"{index}" / "train.parquet", table().set_column(1, "label", column))
        stored(tmp_path / f"{index}" / "test.parquet", table().set_column(1, "label", column))
        found = load_dataset(spec(tmp_path / f"{index}"))
        assert found.classes == ("ant", "bee", "cat", "dog")
        assert [found.classes[n] for n in found.train.labels] == words


def test_resize_and_sizes_that_differ(tmp_path: Path) -> None:
    images = [*IMAGES[:39], pixels(1, 9, 5, 3)[0]]
    root = both(tmp_path, first=table(images, LABELS))
    assert "row 39: 9×5 pixels, where others have 6×5" in str(refused(root))
    assert load_dataset(spec(root, resize=(3, 4))).train.images[ALL].shape == (40, 3, 4, 3)


def test_a_test_image_of_another_size_is_named(tmp_path: Path) -> None:
    root = both(tmp_path)
    stored(root / "data" / "test-00000-of-00001.parquet", table(pixels(8, 7, 5, 3), LABELS[:8]))
    assert "row 0: 7×5 pixels, where others have 6×5" in str(refused(root))


@pytest.mark.parametrize("bad", [b"", b"no image", png(IMAGES[0])[:60]])
def test_damaged_images_are_named_or_skipped(tmp_path: Path, bad: bytes) -> None:
    root = both(tmp_path, first=table([*IMAGES[:17], bad, *IMAGES[18:]], LABELS))
    assert ": row 17" in str(refused(root, resize=(6, 5)))
    found = load_dataset(spec(root, on_corrupt="skip"))
    assert [name.endswith(": row 17") for name in found.skipped] == [True]
    expected = np.delete(np.concatenate([IMAGES, IMAGES[30:]]), 17, axis=0)
    assert np.array_equal(found.train.images[np.arange(49)], expected)
    assert np.array_equal(found.train.labels, np.delete(np.concatenate([LABELS, LABELS[30:]]), 17))


def test_a_row_without_an_image_is_named(tmp_path: Path) -> None:
    root = both(tmp_path, first=table([None, *IMAGES[1:]], LABELS))
    assert ": row 0 holds no image" in str(refused(root, resize=(6, 5)))


@pytest.mark.parametrize(
    ("found", "fields", "said"),
    [
        (table(labels=[None, *LABELS[1:].tolist()]), {}, "`label` has 1 rows without a label"),
        (table(labels=[True, False] * 20), {}, "`label` is of bool; labels are whole numbers or text"),
        (table(labels=[[0.5]] * 39 + [[0.5, 1]]), {}, "`label` has lists of values of different lengths"),
        (table(labels=[[0.5, None]] * 40), {}, "`label` has lists with 40 empty places"),
        (table(labels=[[0.5, float("inf")]] * 40), {}, "`label` has inf at [0, 1], which is not finite"),
        (table(labels=[np.nan] * 40), {}, "which is not finite in float32"),
        (table(labels=[["a"]] * 40), {}, "`label` is of list<"),
        (table(labels=[[True]] * 39 + [[True, False]]), {}, "lists of 0 and 1 of different lengths"),
        (table(labels=[[0, 1]] * 40), {"classes": ("a", "b", "c")}, "has 2 labels a sample, `classes` 3 names"),
        (table(labels=[[0, -1]] * 40), {}, "the label -1 is outside"),
        (table(labels=[[7]] * 40), {"classes": ("a", "b")}, "the label 7 is outside the 2 names"),
        (table(labels=pa.array([[]] * 40, pa.list_(pa.int64()))), {}, "`label` has empty lists alone"),
        (table(labels=LABELS / 2), {"classes": ("a", "b")}, "`label` holds values, which have no `classes`"),
        (table(labels=["cat", "dog"] * 20), {"classes": ("cat", "cow")}, "the label `dog` is not under `classes`"),
        (table(), {"mask": "outline"}, "has no column `outline`"),
        (table(), {"mask": "id"}, "`id` holds int64; masks are encoded like images"),
        (table(labels=LABELS - 1), {}, "the label -1 is outside"),
        (table(names=["a", "b"]), {}, "the label 3 is outside the 2 names"),
        (table(), {"label": "labl"}, "has no column `labl`"),
        (table(), {"image": "img"}, "has no column `img`"),
        (table(), {"image": "id"}, "`id` holds int64, which needs `shape`"),
        (table(), {"shape": (6, 5, 3)}, "`image` holds encoded images, whose shape is their own"),
        (table(), {"image": "id", "shape": (1, 1, 1)}, "holds no list of pixels"),
        (table()[:0], {}, "holds no samples"),
    ],
)
def test_tables_that_do_not_fit(tmp_path: Path, found: Any, fields: dict[str, Any], said: str) -> None:
    path = stored(tmp_path / "train.parquet", found)
    message = str(refused(path, split={"shares": (0.5, 0, 0.5)}, **fields))
    assert said in message
    assert message.startswith(str(tmp_path))


@pytest.mark.parametrize("suffix", ["parquet", "arrow"])
@pytest.mark.parametrize("how", ["empty", "text", "cut", "altered head"])
def test_damaged_files_are_named(tmp_path: Path, suffix: str, how: str) -> None:
    path = stored(tmp_path / f"a.{suffix}", table())
    content = path.read_bytes()
    damaged = {
        "empty": b"",
        "text": b"no table" * 10,
        "cut": content[: len(content) // 2],
        "altered head": bytes(40) + content[40:],
    }[how]
    path.write_bytes(damaged)
    if how == "altered head" and suffix == "parquet":
        damaged = content[:-60] + bytes(52) + content[-8:]  # Parquet's head is at the end
        path.write_bytes(damaged)
    assert str(refused(path)).startswith(f"{path}: not a table that can be read")


def test_names_of_files(tmp_path: Path) -> None:
    assert str(refused(tmp_path / "no.parquet")).endswith("no.parquet: no such file")
    assert "holds no files that end in .parquet" in str(refused(tmp_path))
    stored(tmp_path / "train.parquet", table())
    stored(tmp_path / "other.parquet", table())
    assert "other.parquet: the name tells no split" in str(refused(tmp_path))


def test_a_parquet_file_is_copied_once_and_anew_when_it_changes(tmp_path: Path, cache: Path) -> None:
    path = stored(tmp_path / "a.parquet", table())
    load_dataset(spec(path))
    (copy,) = (cache / "netcalc/data/arrow").iterdir()
    made = copy.stat().st_mtime_ns
    load_dataset(spec(path))
    assert copy.stat().st_mtime_ns == made
    stored(path, table(IMAGES[::-1]))
    os.utime(path, ns=(1, 1))
    found = load_dataset(spec(path, split={"shares": (0.5, 0, 0.5)}))
    assert {image.tobytes() for image in found.train.images[ALL[:20]]} <= {image.tobytes() for image in IMAGES}
    (other,) = (cache / "netcalc/data/arrow").iterdir()
    assert other != copy


# Several labels and values


def labels_in_order(path: Path, **fields: Any) -> tuple[Any, NDArray[Any]]:
    """Return the data set and the labels of all rows in file order."""
    found = load_dataset(spec(path, split={"shares": (0.5, 0, 0.5)}, **fields))
    own = {image.tobytes(): row for row, image in enumerate(IMAGES)}
    labels = np.full((40, *found.train.labels.shape[1:]), np.nan)
    for part in (found.train, found.test):
        everything = np.arange(part.samples)
        for image, label in zip(part.images[everything], part.labels[everything], strict=True):
            labels[own[image.tobytes()]] = label
    return found, labels


RANDOM = np.random.default_rng(4)
SEVERAL = RANDOM.integers(0, 2, (40, 3))
LISTED = [np.flatnonzero(row).tolist() for row in SEVERAL]
SEQUENCE = {"_type": "Sequence", "feature": {"names": ["a", "b", "c"], "_type": "ClassLabel"}}


@pytest.mark.parametrize("suffix", ["parquet", "arrow"])
@pytest.mark.parametrize(
    "labels",
    [
        pa.array(SEVERAL.tolist()),
        pa.array(SEVERAL.astype(bool).tolist()),
        pa.array(SEVERAL.tolist(), pa.list_(pa.int8(), 3)),
        pa.array(SEVERAL.tolist(), pa.large_list(pa.uint8())),
        pa.array(LISTED),
    ],
    ids=["ints", "bools", "fixed", "large", "classes"],
)
def test_lists_are_several_labels(tmp_path: Path, suffix: str, labels: Any) -> None:
    found, read = labels_in_order(stored(tmp_path / f"a.{suffix}", table(labels=labels)))
    assert (found.target, found.classes) == ("multi_label", ("0", "1", "2"))
    assert np.array_equal(read, SEVERAL)


@pytest.mark.parametrize("feature", [SEQUENCE, [SEQUENCE["feature"]]], ids=["named", "listed"])
def test_lists_of_named_classes_are_classes_even_where_all_are_0_or_1(tmp_path: Path, feature: Any) -> None:
    pairs = [[0, 1], [1, 0]] * 20
    metadata = {"huggingface": json.dumps({"info": {"features": {"label": feature}}})}
    path = stored(tmp_path / "a.arrow", table(labels=pairs).replace_schema_metadata(metadata))
    found, read = labels_in_order(path)
    assert found.classes == ("a", "b", "c")
    assert np.array_equal(read, [[1, 1, 0]] * 40)
    bare = stored(tmp_path / "b.arrow", table(labels=pairs))
    assert np.array_equal(labels_in_order(bare)[1], pairs)


@pytest.mark.parametrize("shape", [(40,), (40, 3)])
def test_floats_are_values(tmp_path: Path, shape: tuple[int, ...]) -> None:
    values = RANDOM.normal(size=shape)
    found, read = labels_in_order(stored(tmp_path / "a.parquet", table(labels=values.tolist())))
    assert (found.target, found.classes) == ("values", ())
    assert np.array_equal(read, values.astype(np.float32))


def test_names_for_whole_numbers_and_for_text(tmp_path: Path) -> None:
    path = stored(tmp_path / "a.parquet", table(names=["a", "b", "c", "d"]))
    assert load_dataset(spec(path, classes=("n", "e", "s", "w"))).classes == ("n", "e", "s", "w")
    words = stored(tmp_path / "b.parquet", table(labels=["cat", "ant"] * 20))
    found, read = labels_in_order(words, classes=("cat", "ant"))
    assert found.classes == ("cat", "ant")
    assert np.array_equal(read, [0, 1] * 20)


# Masks

MASKS = RANDOM.integers(0, 3, (40, 6, 5), dtype=np.uint8)


def masked(masks: Any = MASKS) -> Any:
    return table(outline=[{"bytes": m if isinstance(m, bytes | None) else png(m), "path": ""} for m in masks])


def test_masks_stand_beside_their_images(tmp_path: Path) -> None:
    found, read = labels_in_order(stored(tmp_path / "a.parquet", masked()), mask="outline")
    assert (found.target, found.classes) == ("mask", ("0", "1", "2"))
    assert np.array_equal(read, MASKS)


def test_masks_are_resized_with_their_images(tmp_path: Path) -> None:
    path = stored(tmp_path / "a.parquet", masked())
    found = load_dataset(spec(path, mask="outline", resize=(12, 15), classes=("a", "b", "c")))
    assert found.train.labels.shape == (32, 12, 15)
    enlarged = {np.kron(mask, np.ones((2, 3), np.uint8)).tobytes() for mask in MASKS}
    assert {mask.tobytes() for mask in found.train.labels[np.arange(32)]} <= enlarged


@pytest.mark.parametrize(
    ("damaged", "said"),
    [
        (None, "holds no image"),
        (b"no image", "not an image that can be read"),
        (png(MASKS[3][:5]), "the mask is 5×5 pixels, its image 6×5"),
        (png(IMAGES[3]), "holds colours (RGB), which is no mask"),
    ],
)
def test_a_damaged_mask_is_named_or_skipped(tmp_path: Path, damaged: Any, said: str) -> None:
    path = stored(tmp_path / "a.arrow", masked([*MASKS[:3], damaged, *MASKS[4:]]))
    message = str(refused(path, mask="outline"))
    assert message.startswith(f"{path}: the mask of row 3")
    assert said in message
    found, read = labels_in_order(path, mask="outline", on_corrupt="skip")
    assert found.skipped == (f"{path}: row 3",)
    kept = np.delete(np.arange(40), 3)
    assert np.array_equal(read[kept], MASKS[kept])
    assert np.isnan(read[3]).all()


def test_void_in_streamed_masks_is_told_when_it_is_met(tmp_path: Path) -> None:
    masks = MASKS.copy()
    masks[5, 0, 0] = 255
    path = stored(tmp_path / "a.arrow", masked(masks))
    found = load_dataset(spec(path, mask="outline", on_corrupt="skip"), ignore=255)
    assert len(found.classes) == 3
    strict = load_dataset(spec(path, mask="outline"))
    parts = [(part, np.arange(part.samples)) for part in (strict.train, strict.test)]
    with pytest.raises(CannotRunError, match="pixels of 255"):
        [part.labels[everything] for part, everything in parts]


def test_one_column_is_not_two_things() -> None:
    for fields in ({"mask": "image"}, {"label": "image"}, {"mask": "outline", "label": "kind"}):
        with pytest.raises(pydantic.ValidationError):
            ParquetData(source="parquet", path="x", **fields)
