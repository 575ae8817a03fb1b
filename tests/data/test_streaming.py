"""Batches that are decoded ahead: the same as from memory, in bounded memory, with what was waited for."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
import tracemalloc
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from netcalc.data import read_ahead as module
from netcalc.data.identity import data_checksum
from netcalc.data.pipeline import epoch_order, evaluation_batches, training_batches
from netcalc.data.preprocessing import fit_preprocessing, statistics
from netcalc.data.read_ahead import AHEAD, mapped
from netcalc.data.samples import Dataset, Split, Streamed
from netcalc.data.sources import load_dataset
from netcalc.diagnostics import CannotRunError
from netcalc.spec.data import ImageFolderData, SyntheticData
from tests.data.files import image_file, image_folder, labels_of, pixels

IMAGES, LABELS = pixels(50, 4, 3, 2), labels_of(50, 5)


@dataclass(frozen=True)
class Slow(Streamed):
    """Images whose reading takes time, longer for some than for those after them; counts what was read."""

    images: NDArray[np.uint8] = field(default_factory=lambda: IMAGES)
    seconds: float = 0.0
    broken: int | None = None
    read: list[int] = field(default_factory=list)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.images.shape

    def __getitem__(self, indices: NDArray[np.int64], /) -> NDArray[np.uint8]:
        if self.broken in indices:
            raise CannotRunError("file 7: damaged")
        time.sleep(self.seconds * (1 + int(indices[0]) % 3))
        self.read.extend(indices.tolist())
        return self.images[indices]

    def identity(self) -> bytes:
        return b"slow"


def slow(**fields: Any) -> Split:
    return Split(Slow(**fields), LABELS)


@pytest.mark.parametrize("batch_size", [1, 7, 8, 50, 64])
@pytest.mark.parametrize("start", [0, 1, 3])
def test_streamed_batches_are_those_from_memory(batch_size: int, start: int) -> None:
    expected = list(training_batches(Split(IMAGES, LABELS), batch_size, seed=3, epoch=2))[start:]
    found = list(training_batches(slow(seconds=0.001), batch_size, 3, 2, start))
    assert len(found) == len(expected)
    for (images, labels), (other_images, other_labels) in zip(found, expected, strict=True):
        assert np.array_equal(images, other_images)
        assert np.array_equal(labels, other_labels)


def test_what_comes_before_the_start_is_not_read() -> None:
    split = slow()
    list(training_batches(split, 10, 0, 1, 3))
    assert sorted(split.images.read) == sorted(epoch_order(50, 0, 1)[30:].tolist())  # type: ignore[attr-defined]


def test_evaluation_streams_the_same() -> None:
    pairs = zip(evaluation_batches(slow(), 8), evaluation_batches(Split(IMAGES, LABELS), 8), strict=True)
    for ((images, labels), weights), ((other_images, other_labels), other_weights) in pairs:
        assert np.array_equal(images, other_images)
        assert np.array_equal(labels, other_labels)
        assert np.array_equal(weights, other_weights)


def test_a_damaged_sample_is_told_when_its_batch_is_asked_for() -> None:
    where = int(np.flatnonzero(epoch_order(50, 0, 1) == 33)[0]) // 5
    batches = training_batches(slow(broken=33), 5, 0, 1)
    for _ in range(where):
        next(batches)
    with pytest.raises(CannotRunError, match="file 7: damaged"):
        next(batches)


def test_no_more_is_read_ahead_than_agreed() -> None:
    split = slow()
    batches = training_batches(split, 5, 0, 1)
    next(batches)
    time.sleep(0.1)
    assert len(split.images.read) == 5 * (1 + AHEAD)  # type: ignore[attr-defined]


def test_a_feed_that_is_dropped_leaves_no_threads() -> None:
    batches = training_batches(slow(seconds=0.001), 5, 0, 1)
    next(batches)
    del batches
    names = [thread.name for thread in threading.enumerate() if thread.name.startswith("netcalc")]
    assert names == []


def test_waiting_is_measured() -> None:
    eager = training_batches(slow(seconds=0.02), 25, 0, 1)
    list(eager)
    assert eager.waited_seconds > 0.02
    unhurried = training_batches(slow(seconds=0.002), 10, 0, 1)
    next(unhurried)
    first = unhurried.waited_seconds
    for _ in range(4):
        time.sleep(0.1)
        next(unhurried)
    assert unhurried.waited_seconds - first < 0.1
    at_once = training_batches(Split(IMAGES, LABELS), 10, 0, 1)
    list(at_once)
    assert at_once.waited_seconds < 0.1


def test_mapping_keeps_the_order_and_ends_with_the_first_error() -> None:
    assert list(mapped(lambda n: time.sleep(0.001 * (n % 3)) or n, range(100))) == list(range(100))  # type: ignore[func-returns-value]
    results = mapped(lambda n: 1 // (n - 3), range(10))
    assert [next(results) for _ in range(3)] == [-1, -1, -1]
    with pytest.raises(ZeroDivisionError):
        next(results)


@pytest.mark.parametrize("side", [1, 3, 40])
def test_statistics_are_exact_whatever_is_read_at_a_time(side: int, monkeypatch: pytest.MonkeyPatch) -> None:
    images = pixels(30, side, side, 3)
    labels = labels_of(30, 2)
    values = images.reshape(-1, 3).astype(object)
    means = [Fraction(int(channel.sum()), 255 * len(channel)) for channel in values.T]
    squares = [Fraction(int((channel * channel).sum()), 255**2 * len(channel)) for channel in values.T]
    variances = [square - mean**2 for square, mean in zip(squares, means, strict=True)]
    for chunk in (1, 700, 2**22):
        monkeypatch.setattr("netcalc.data.preprocessing._CHUNK_BYTES", chunk)
        for split in (Split(images, labels), Split(Slow(images), labels)):
            mean, std = statistics(split, 255)
            assert mean == tuple(map(float, means))
            np.testing.assert_allclose(std, np.sqrt([float(variance) for variance in variances]), rtol=4e-16)


def test_the_variance_of_nearly_equal_pixels_does_not_cancel() -> None:
    images = np.full((1000, 100, 100, 1), 254, np.uint8)
    images[0, 0, 0, 0] = 255
    _, (std,) = statistics(Split(images, np.zeros(1000, np.int32)), 255)
    share = 1e-7
    assert std == pytest.approx(np.sqrt(share * (1 - share)) / 255, rel=1e-12)


def test_images_that_are_resized_when_they_are_decoded_are_not_resized_again(tmp_path: Path) -> None:
    spec = ImageFolderData(
        source="image_folder",
        path=str(image_folder(tmp_path, pixels(20, 6, 5, 3), labels_of(20, 2))),
        resize=(4, 9),
    )
    fitted = fit_preprocessing(load_dataset(spec), spec, {})
    assert (fitted.source, fitted.resize, fitted.shape) == ((4, 9, 3), None, (4, 9, 3))


def test_streaming_holds_a_few_batches_however_large_the_data_set(tmp_path: Path) -> None:
    """32 MiB of pixels stand behind 200 files; the peak may not grow with them."""
    side, batch_size = 236, 10
    file = image_file(tmp_path / "a" / "0.png", np.zeros((side, side, 3), np.uint8))
    for name in "ab":
        (tmp_path / name).mkdir(exist_ok=True)
        for number in range(1, 101):
            (tmp_path / name / f"{number}.png").symlink_to(file)
    spec = ImageFolderData(source="image_folder", path=str(tmp_path))
    tracemalloc.start()
    try:
        dataset = load_dataset(spec)
        statistics(dataset.train, 255)
        for images, _ in training_batches(dataset.train, batch_size, 0, 1):
            assert images.shape == (batch_size, side, side, 3) or len(images) < batch_size
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    image_bytes = side * side * 3
    whole = 201 * image_bytes
    # Training holds AHEAD batches and two in hand; the statistics chunks of half a MiB, some as 8-byte integers.
    at_most = max((2 + AHEAD) * batch_size * image_bytes, 24 * 2**19) + 4 * module.WORKERS * image_bytes
    assert peak_bytes < at_most
    assert whole > 2 * at_most or module.WORKERS > 4


BOUNDED = """
import resource, sys
from netcalc.data.pipeline import training_batches
from netcalc.data.sources import load_dataset
from netcalc.spec.data import SyntheticData
samples = int(sys.argv[1])
spec = SyntheticData(source="synthetic", shape=(64, 64, 3), samples=samples)
train = load_dataset(spec).train
for images, labels in training_batches(train, 50, 0, 1): pass
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_the_process_does_not_grow_with_the_data_set() -> None:
    """Ten times the images, 123 MB of pixels in all, take no more memory."""
    small, large = (
        int(subprocess.run([sys.executable, "-c", BOUNDED, n], check=True, capture_output=True, text=True).stdout)
        for n in ("1000", "10000")
    )
    assert large - small < 20_000  # KiB


def checksum(images: Any, labels: Any = LABELS, classes: tuple[str, ...] = tuple("abcde")) -> str:
    return data_checksum(Dataset("x", Split(images, labels), Split(IMAGES, LABELS), classes, 255))


def test_the_checksum_tells_data_sets_apart(tmp_path: Path) -> None:
    other = IMAGES.copy()
    other[3, 2, 1, 0] ^= 1
    found = {
        checksum(IMAGES),
        checksum(other),
        checksum(IMAGES, LABELS[::-1]),
        checksum(IMAGES, LABELS, tuple("vwxyz")),
    }
    assert len(found) == 4
    assert checksum(IMAGES.copy()) == checksum(IMAGES)


def test_the_checksum_of_streamed_images_reads_none_of_them(tmp_path: Path) -> None:
    split = slow()
    checksum(split.images)
    assert split.images.read == []  # type: ignore[attr-defined]
    folders = [image_folder(tmp_path / name, pixels(20, 6, 5, 3), labels_of(20, 2)) for name in ("x", "y")]
    spec = ImageFolderData(source="image_folder", path=str(folders[0]), split={"shares": (0.5, 0.2, 0.3)})  # type: ignore[arg-type]
    moved = spec.model_copy(update={"path": str(folders[1])})
    first = data_checksum(load_dataset(spec))
    assert data_checksum(load_dataset(moved)) == first
    image_file(folders[1] / "a" / "0000.png", pixels(1, 6, 5, 3, seed=9)[0] // 64)
    assert data_checksum(load_dataset(moved)) != first
    made = SyntheticData(source="synthetic", shape=(4, 4, 1), samples=40)
    assert len({data_checksum(load_dataset(made.model_copy(update={"seed": seed}))) for seed in (0, 1)}) == 2
