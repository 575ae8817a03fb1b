"""Masks, several labels and values in npz and CSV: what they hold comes back, what cannot be a target is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pydantic
import pytest
from numpy.typing import NDArray

from netcalc.data import samples
from netcalc.data.identity import data_checksum
from netcalc.data.pipeline import training_batches
from netcalc.data.sources import load_dataset
from netcalc.diagnostics import CannotRunError
from netcalc.spec.data import CsvData, NpzData
from tests.data.files import pixels, written

IMAGES, TEST_IMAGES = pixels(40, 5, 4), pixels(8, 5, 4, seed=1)
RANDOM = np.random.default_rng(2)
MASKS = RANDOM.integers(0, 6, (40, 5, 4))
ONES = RANDOM.integers(0, 2, (40, 3))
ONES[0] = [0, 1, 0]
VALUES = RANDOM.normal(size=(40, 2))


def npz(path: Path, labels: Any, **fields: Any) -> NpzData:
    arrays = {"images": IMAGES, "labels": labels, "test_images": TEST_IMAGES, "test_labels": labels[:8]}
    np.savez(path, **arrays, allow_pickle=True)
    return NpzData(source="npz", path=str(path), test_images="test_images", test_labels="test_labels", **fields)


def refused(spec: Any, ignore: int | None = None) -> CannotRunError:
    with pytest.raises(CannotRunError) as caught:
        load_dataset(spec, ignore=ignore)
    return caught.value


@pytest.mark.parametrize(
    ("labels", "target", "classes", "dtype"),
    [
        (MASKS, "mask", 6, np.int32),
        (MASKS.astype(np.uint8), "mask", 6, np.int32),
        (MASKS * 1000, "mask", 5001, np.int32),
        (MASKS > 2, "mask", 2, np.int32),
        (ONES, "multi_label", 3, np.float32),
        (ONES.astype(bool), "multi_label", 3, np.float32),
        (ONES[:, :1], "multi_label", 1, np.float32),
        (VALUES, "values", 0, np.float32),
        (VALUES[:, 0], "values", 0, np.float32),
        (VALUES.astype(np.float16), "values", 0, np.float32),
        (RANDOM.normal(size=(40, 3, 2, 1)), "values", 0, np.float32),
    ],
)
def test_the_array_tells_the_target(tmp_path: Path, labels: Any, target: str, classes: int, dtype: Any) -> None:
    found = load_dataset(npz(tmp_path / "a.npz", labels))
    assert (found.target, len(found.classes)) == (target, classes)
    assert found.train.labels.shape == labels.shape
    batches = list(training_batches(found.train, 7, 0, 1))
    assert {batch[1].dtype for batch in batches} == {np.dtype(dtype)}
    order = np.concatenate(
        [[int(np.argmax((image[..., 0] == IMAGES).all((1, 2)))) for image in b[0]] for b in batches]
    )
    assert np.array_equal(np.concatenate([b[1] for b in batches]), labels[order].astype(dtype))
    assert np.array_equal(found.test.labels[np.arange(8)], labels[:8].astype(dtype))


def test_masks_stay_bytes_in_memory(tmp_path: Path) -> None:
    found = load_dataset(npz(tmp_path / "a.npz", MASKS))
    assert isinstance(found.train.labels, np.ndarray)
    assert found.train.labels.dtype == np.uint8
    with pytest.raises(ValueError, match="read-only"):
        found.train.labels[0] = 0


NAN = VALUES.copy()
NAN[3, 1] = np.nan


@pytest.mark.parametrize(
    ("labels", "fields", "said"),
    [
        (MASKS[:, :4], {}, "`labels` is int64 [40, 4, 4], where images are 5×4, which is no target"),
        (MASKS / 2, {}, "`labels` is float64 [40, 5, 4], which is no target"),
        (ONES + 1, {}, "`labels` is int64 [40, 3] with values from 1 to 2, which is no target"),
        (VALUES * 1j, {}, "`labels` is complex128 [40, 2], which is no target"),
        (np.full(40, "cat"), {}, "`labels` is <U3 [40], which is no target"),
        (VALUES[:, :0], {}, "`labels` is float64 [40, 0], which is no target"),
        (MASKS[..., None], {}, "`labels` is int64 [40, 5, 4, 1], which is no target"),
        (NAN, {}, "`labels` has nan at [3, 1], which is not finite in float32"),
        (VALUES * 1e300, {}, "which is not finite in float32"),
        (VALUES, {"classes": ("a", "b")}, "`labels` holds values, which have no `classes`"),
        (ONES, {"classes": ("a", "b")}, "`labels` has 3 labels a sample, `classes` 2 names"),
        (MASKS, {"classes": ("a", "b")}, "where the classes are 0 to 1"),
        (MASKS - 1, {}, "`labels`: a pixel of -1, where the classes are 0 to 4"),
        (MASKS * 10**6, {}, "a pixel of 5,000,000, where there are 100,000 classes at most"),
        (np.array(3), {}, "1 labels for 40 images"),
    ],
)
def test_arrays_that_are_no_target(tmp_path: Path, labels: Any, fields: dict[str, Any], said: str) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, images=IMAGES, labels=labels, allow_pickle=True)
    error = refused(NpzData(source="npz", path=str(path), **fields))
    assert said in str(error)
    assert str(error).startswith(str(path))


def test_what_is_possible_is_told(tmp_path: Path) -> None:
    assert "0 and 1 are several labels [N, classes]" in refused(npz(tmp_path / "a.npz", ONES + 1)).help


@pytest.mark.parametrize("labels", [VALUES[:, 0], VALUES[:, :1], MASKS[:, 0, 0]])
def test_parts_of_different_targets_are_refused(tmp_path: Path, labels: NDArray[Any]) -> None:
    path = tmp_path / "a.npz"
    arrays = {"images": IMAGES, "labels": VALUES, "test_images": TEST_IMAGES, "other": labels[:8]}
    np.savez(path, **arrays, allow_pickle=True)
    spec = NpzData(source="npz", path=str(path), test_images="test_images", test_labels="other")
    assert "`other` is " in str(refused(spec))
    assert "where `labels` is values [40, 2]" in str(refused(spec))


def test_values_that_claim_too_much_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples, "MAX_ARRAY_BYTES", 2**20)
    spec = npz(tmp_path / "a.npz", np.zeros((40, 100, 10, 10)))
    assert "netcalc reads up to 1.05 MB" in str(refused(spec))


# Pixels of no class


def with_void(masks: NDArray[Any]) -> NDArray[Any]:
    changed = masks.copy()
    changed[9, 2, 1] = 255
    return changed


def test_void_is_no_class_and_passes_where_the_loss_leaves_it_out(tmp_path: Path) -> None:
    spec = npz(tmp_path / "a.npz", with_void(MASKS))
    found = load_dataset(spec, ignore=255)
    assert len(found.classes) == 6
    assert found.train.labels[np.array([9])][0, 2, 1] == 255
    for ignore in (None, 0):
        error = refused(spec, ignore)
        assert "a mask has pixels of 255, which are of no class" in str(error)
        assert error.help.startswith("`ignore: 255`")


def test_with_more_classes_255_is_one(tmp_path: Path) -> None:
    many = MASKS * 80  # up to 400
    found = load_dataset(npz(tmp_path / "a.npz", with_void(many)))
    assert len(found.classes) == 401


def test_masks_of_void_alone_have_two_classes_by_default(tmp_path: Path) -> None:
    found = load_dataset(npz(tmp_path / "a.npz", np.full_like(MASKS, 255)), ignore=255)
    assert found.classes == ("0", "1")


# Division


@pytest.mark.parametrize("labels", [MASKS, ONES, VALUES], ids=["mask", "multi_label", "values"])
def test_other_targets_are_divided_at_random_in_their_shares(tmp_path: Path, labels: NDArray[Any]) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, images=IMAGES, labels=labels, allow_pickle=True)

    def parts(seed: int) -> list[NDArray[Any]]:
        split = {"shares": (0.6, 0.1, 0.3), "seed": seed}
        found = load_dataset(NpzData(source="npz", path=str(path), split=split))
        assert found.validation is not None
        return [part.images[np.arange(part.samples)] for part in (found.train, found.validation, found.test)]

    first, again, other = parts(0), parts(0), parts(1)
    assert [len(part) for part in first] == [24, 4, 12]
    assert all(map(np.array_equal, first, again))
    assert not np.array_equal(first[0], other[0])
    assert {image.tobytes() for part in first for image in part} == {image.tobytes() for image in IMAGES}


def test_the_checksum_tells_targets_apart(tmp_path: Path) -> None:
    ones = npz(tmp_path / "a.npz", ONES)
    values = npz(tmp_path / "b.npz", ONES.astype(np.float32))
    flipped = npz(tmp_path / "c.npz", 1 - ONES)
    assert len({data_checksum(load_dataset(spec)) for spec in (ones, values, flipped)}) == 3
    assert data_checksum(load_dataset(ones)) == data_checksum(load_dataset(ones))


# CSV


def csv_spec(path: Path, rows: list[list[Any]], **fields: Any) -> CsvData:
    text = "\n".join(",".join(map(str, row)) for row in rows) + "\n"
    return CsvData(source="csv", path=written(path, text.encode()), shape=(5, 4, 1), **fields)


def rows_of(values: Any, images: Any = IMAGES) -> list[list[Any]]:
    return [[first, *image.ravel(), second] for image, (first, second) in zip(images, values.tolist(), strict=True)]


HEADER = ["x", *(f"p{n}" for n in range(20)), "y"]


@pytest.mark.parametrize(
    ("columns", "header", "order"),
    [((0, -1), False, [0, 1]), ((-1, 0), False, [1, 0]), (("y", "x"), True, [1, 0]), ((0, "y"), True, [0, 1])],
)
def test_columns_of_values(tmp_path: Path, columns: Any, header: bool, order: list[int]) -> None:
    rows = [HEADER] * header + rows_of(VALUES)
    spec = csv_spec(tmp_path / "a.csv", rows, values=columns, header=header, split={"shares": (0.5, 0, 0.5)})
    found = load_dataset(spec)
    assert (found.target, found.classes) == ("values", ())
    seen = {}
    for part in (found.train, found.test):
        everything = np.arange(part.samples)
        for image, values in zip(part.images[everything], part.labels[everything], strict=True):
            seen[image.tobytes()] = values
    assert len(seen) == 40
    for image, values in zip(IMAGES, VALUES.astype(np.float32)[:, order], strict=True):
        assert np.array_equal(seen[image.tobytes()], values)


def test_values_to_test_on(tmp_path: Path) -> None:
    text = "\n".join(",".join(map(str, row)) for row in rows_of(VALUES[:8], TEST_IMAGES))
    other = written(tmp_path / "b.csv", text.encode())
    found = load_dataset(csv_spec(tmp_path / "a.csv", rows_of(VALUES), values=(0, 21), test_path=other))
    assert np.array_equal(found.test.labels[np.arange(8)], VALUES[:8].astype(np.float32))


@pytest.mark.parametrize(
    ("values", "columns", "said"),
    [
        (VALUES[:2], (0,), ":1: 22 columns, where `shape` 5×4×1 and 1 value need 21"),
        (np.array([["cat", "1"]]), (0, -1), ":1: `cat` is no number, which `values` should be"),
        (np.array([["", "1"]]), (0, -1), ":1: `` is no number"),
        (np.array([["inf", "1"]]), (0, -1), "has inf at [0], which is not finite"),
        (np.array([["nan", "1"]]), (0, -1), "has nan at [0], which is not finite"),
        (np.array([["1e300", "1"]]), (0, -1), "which is not finite in float32"),
        (VALUES[:2], (0, 22), "has no column 22, `values` of 22 columns"),
        (VALUES[:2], (0, -22), "`values` names a column twice"),
    ],
)
def test_values_that_do_not_fit(tmp_path: Path, values: Any, columns: Any, said: str) -> None:
    error = refused(csv_spec(tmp_path / "a.csv", rows_of(values, IMAGES[: len(values)]), values=columns))
    assert said in str(error)
    assert str(error).startswith(str(tmp_path / "a.csv"))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"values": ()}, "should be a list of columns"),
        ({"values": 3}, "should be a list of columns"),
        ({"values": (1.5,)}, "should be the index or the name"),
        ({"values": (1, 1)}, "should name every column once"),
        ({"values": ("x",)}, "`values` has names, which need `header: true`"),
        ({"values": (1,), "label": 3}, "`values` takes the place of `label`"),
        ({"values": (1,), "classes": ("a", "b")}, "`values` has no `classes`"),
    ],
)
def test_fields_that_do_not_go_together(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(pydantic.ValidationError, match=said):
        CsvData(source="csv", path="a", shape=(5, 4, 1), **fields)
