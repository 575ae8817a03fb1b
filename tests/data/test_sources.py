from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import pytest

from netcalc.data import packaged
from netcalc.data.catalog import BUILT_INS
from netcalc.data.samples import Dataset
from netcalc.data.sources import load_dataset
from netcalc.diagnostics import CannotRunError
from netcalc.spec.data import PackagedData

Name = Literal["mnist5k", "digits"]

BUILTIN = Path(packaged.__file__).parent / "builtin"

# name: (side, max_value, training samples of each class, test samples of each class)
FACTS: dict[Name, tuple[int, int, list[int], list[int]]] = {
    "mnist5k": (28, 255, [400] * 10, [100] * 10),
    "digits": (
        8,
        16,
        [133, 136, 133, 137, 136, 136, 136, 134, 131, 135],
        [45, 46, 44, 46, 45, 46, 45, 45, 43, 45],
    ),
}

every_source = pytest.mark.parametrize("name", FACTS)


def load(name: Name) -> Dataset:
    return load_dataset(PackagedData(source=name))


def damaged(monkeypatch: pytest.MonkeyPatch, folder: Path, content: bytes | None) -> Path:
    """Let the packaged `digits.npz` be a file with this content, or missing."""
    file = folder / "builtin" / "digits.npz"
    file.parent.mkdir()
    if content is not None:
        file.write_bytes(content)
    monkeypatch.setattr(packaged, "files", lambda package: folder)
    return file


def test_table_holds_what_specs_may_name() -> None:
    assert tuple(BUILT_INS) == get_args(PackagedData.model_fields["source"].annotation)
    assert {f"{name}.npz" for name in BUILT_INS} == {file.name for file in BUILTIN.glob("*.npz")}


@every_source
def test_shapes_and_dtypes(name: Name) -> None:
    side, _, train, test = FACTS[name]
    dataset = load(name)
    for split, count in ((dataset.train, sum(train)), (dataset.test, sum(test))):
        assert split.images.shape == (count, side, side, 1)
        assert split.images.dtype == np.uint8
        assert split.labels.shape == (count,)
        assert split.labels.dtype == np.int32


@every_source
def test_samples_of_each_class(name: Name) -> None:
    _, _, train, test = FACTS[name]
    dataset = load(name)
    assert dataset.name == name
    assert dataset.classes == tuple("0123456789")
    assert np.bincount(dataset.train.labels).tolist() == train
    assert np.bincount(dataset.test.labels).tolist() == test


@every_source
def test_pixels_reach_from_zero_to_max_value(name: Name) -> None:
    dataset = load(name)
    assert dataset.max_value == FACTS[name][1]
    for split in (dataset.train, dataset.test):
        assert (split.images.min(), split.images.max()) == (0, dataset.max_value)


@every_source
def test_splits_keep_the_order_of_the_file(name: Name) -> None:
    dataset = load(name)
    with np.load(BUILTIN / f"{name}.npz", allow_pickle=False) as arrays:
        images, labels, test = arrays["images"], arrays["labels"], arrays["test"]
    taken = {False: 0, True: 0}
    for image, label, is_test in zip(images, labels, test.tolist(), strict=True):
        split = dataset.test if is_test else dataset.train
        assert np.array_equal(split.images[taken[is_test]], image)
        assert split.labels[taken[is_test]] == label
        taken[is_test] += 1
    assert taken == {False: len(dataset.train.labels), True: len(dataset.test.labels)}


@every_source
def test_the_catalog_tells_what_the_files_hold(name: Name) -> None:
    known, dataset = BUILT_INS[name], load(name)
    assert dataset.train.images.shape == (known.train_images, *known.shape)
    assert dataset.test.images.shape == (known.test_images, *known.shape)
    assert set(dataset.train.labels.tolist()) == set(range(len(known.classes)))
    assert dataset.classes == known.classes
    assert dataset.max_value == known.max_value == max(s.images.max() for s in (dataset.train, dataset.test))


def test_only_the_source_of_the_spec_is_used() -> None:
    plain = load("digits")
    prepared = load_dataset(PackagedData(source="digits", resize=(16, 16), pad=2, normalize="none"))
    assert np.array_equal(prepared.train.images, plain.train.images)
    assert np.array_equal(prepared.test.images, plain.test.images)


def test_arrays_cannot_be_changed() -> None:
    dataset = load("digits")
    for split in (dataset.train, dataset.test):
        with pytest.raises(ValueError, match="read-only"):
            split.images[0] = 0
        with pytest.raises(ValueError, match="read-only"):
            split.labels[0] = 0


def _cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def _altered(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes(100) + content[middle + 100 :]


@pytest.mark.parametrize(
    "content",
    [
        None,
        b"",
        b"no archive",
        _cut((BUILTIN / "digits.npz").read_bytes()),
        _altered((BUILTIN / "digits.npz").read_bytes()),
    ],
    ids=["missing", "empty", "text", "cut", "altered"],
)
def test_unreadable_file_is_named(content: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = damaged(monkeypatch, tmp_path, content)
    with pytest.raises(CannotRunError) as caught:
        load("digits")
    assert str(file) in str(caught.value)
    assert "`digits`" in str(caught.value)
    assert "reinstall netcalc" in caught.value.help
    assert caught.value.__cause__ is not None


def test_file_without_our_arrays_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "other.npz"
    np.savez_compressed(other, pixels=np.zeros(3, np.uint8))
    file = damaged(monkeypatch, tmp_path, other.read_bytes())
    with pytest.raises(CannotRunError, match="images is not a file in the archive") as caught:
        load("digits")
    assert str(file) in str(caught.value)


def test_pickled_arrays_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "other.npz"
    np.savez_compressed(other, images=np.array([{}], dtype=object))
    damaged(monkeypatch, tmp_path, other.read_bytes())
    with pytest.raises(CannotRunError, match="allow_pickle=False"):
        load("digits")


def test_sources_leave_jax_alone() -> None:
    code = (
        "import sys; from netcalc.data.sources import load_dataset; from netcalc.spec.data import PackagedData; "
        "load_dataset(PackagedData(source='digits')); assert not {'jax', 'optax'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
