"""The synthetic source: pure functions of seed and index, whose targets can be read off the images."""

from __future__ import annotations

from typing import Any

import numpy as np
import pydantic
import pytest

from netcalc.data.identity import data_checksum
from netcalc.data.sources import load_dataset
from netcalc.spec.data import SyntheticData

TARGETS = ("class", "mask", "multi_label", "values")


def spec(target: str, **fields: Any) -> SyntheticData:
    classes = {} if target == "values" else {"classes": 3}
    made = {"source": "synthetic", "shape": (24, 30, 2), "target": target, "samples": 60} | classes | fields
    return SyntheticData.model_validate(made)


def all_of(part: Any) -> tuple[Any, Any]:
    everything = np.arange(part.samples)
    return part.images[everything], part.labels[everything]


@pytest.mark.parametrize("target", TARGETS)
def test_samples_are_pure_functions_of_seed_and_index(target: str) -> None:
    found = load_dataset(spec(target))
    images, labels = all_of(found.train)
    assert found.target == target
    assert images.shape == (48, 24, 30, 2)
    backwards = np.arange(48)[::-1]
    assert np.array_equal(found.train.images[backwards], images[::-1])
    assert np.array_equal(found.train.labels[backwards], labels[::-1])
    again, other = load_dataset(spec(target)), load_dataset(spec(target, seed=1))
    assert np.array_equal(again.train.images[np.arange(48)], images)
    assert not np.array_equal(other.train.images[np.arange(48)], images)
    assert data_checksum(found) == data_checksum(again) != data_checksum(other)


@pytest.mark.parametrize("target", ["mask", "multi_label", "values"])
def test_more_samples_leave_those_before_as_they_are(target: str) -> None:
    few, more = (load_dataset(spec(target, samples=n, split={"shares": (1 - 1 / n, 0, 1 / n)})) for n in (60, 90))
    pairs = []
    for found in (few, more):
        images, labels = all_of(found.train)
        pairs.append({(image.tobytes(), label.tobytes()) for image, label in zip(images, labels, strict=True)})
    assert len(pairs[0] - pairs[1]) <= 1  # the one that is tested on


def test_the_shapes_of_labels() -> None:
    shapes = {target: load_dataset(spec(target)).train.labels.shape for target in TARGETS}
    assert shapes == {"class": (48,), "mask": (48, 24, 30), "multi_label": (48, 3), "values": (48, 3)}
    assert load_dataset(spec("values")).classes == ()
    assert load_dataset(spec("mask")).classes == ("0", "1", "2")


def test_a_pixel_of_a_mask_can_be_told_by_its_colour_in_the_pattern() -> None:
    """By the mean of all pixels of a class at one place of its pattern: near to its own, far from the others'."""
    images, masks = all_of(load_dataset(spec("mask", samples=400)).train)
    assert set(np.unique(masks)) == {0, 1, 2}
    place = (np.arange(24)[:, None] // 2 % 4) * 4 + np.arange(30) // 2 % 4
    centred = images - images.mean((1, 2), keepdims=True)
    means = np.array([[centred[(masks == c) & (place == p)].mean(0) for p in range(16)] for c in range(3)])
    for first, second in ((0, 1), (0, 2), (1, 2)):
        assert np.abs(means[first] - means[second]).mean() > 15
    tested, expected = all_of(load_dataset(spec("mask", samples=400)).test)
    moved = tested - tested.mean((1, 2), keepdims=True)
    distances = np.array([((moved - means[c][place]) ** 2).sum(-1) for c in range(3)])
    # The votes of 5×5 pixels, as a small convolution would take them.
    votes = np.array(
        [sum(np.roll(d, (y, x), (1, 2)) for y in range(-2, 3) for x in range(-2, 3)) for d in distances]
    )
    assert (votes.argmin(0) == expected).mean() > 0.85


def test_classes_together_are_a_sum() -> None:
    """Least squares over the pixels: what each class adds is enough to tell which are there."""
    found = load_dataset(spec("multi_label", samples=400))
    images, labels = all_of(found.train)
    assert 0.2 < labels.mean() < 0.4
    assert len({tuple(row) for row in labels.tolist()}) == 8
    design = np.hstack([images.reshape(len(images), -1), np.ones((len(images), 1))]).astype(float)
    blocks = design[:, :-1].reshape(len(images), 4, 6, 30, 2).mean(2)[..., :28, :].reshape(len(images), 4, 4, 7, 2)
    features = np.hstack([blocks.mean(3).reshape(len(images), -1), np.ones((len(images), 1))])
    weights = np.linalg.lstsq(features, labels, rcond=None)[0]
    tested, expected = all_of(found.test)
    blocks = tested.reshape(len(tested), 4, 6, 30, 2).mean(2)[..., :28, :].reshape(len(tested), 4, 4, 7, 2)
    features = np.hstack([blocks.mean(3).reshape(len(tested), -1), np.ones((len(tested), 1))])
    assert ((features @ weights > 0.5) == expected).mean() > 0.95


def test_values_are_where_the_spot_is() -> None:
    images, values = all_of(load_dataset(spec("values", samples=300, shape=(32, 48, 1))).train)
    assert values.min() >= 0
    assert values.max() < 1
    inside = np.all((values[:, :2] > 0.2) & (values[:, :2] < 0.8), axis=1) & (values[:, 2] > 0.3)
    light = images[inside, :, :, 0].astype(float)
    light -= np.median(light, (1, 2), keepdims=True)
    rows, columns = (np.arange(32) + 0.5) / 32, (np.arange(48) + 0.5) / 48
    near = (np.abs(rows[:, None] - values[inside, None, None, 0]) < 0.2) & (
        np.abs(columns - values[inside, None, None, 1]) < 0.2
    )
    for drawn, place, truth in zip(light, near, values[inside], strict=True):
        assert drawn[place].mean() > drawn[~place].mean() + 10
        weight = np.where(place, np.clip(drawn, 0, None), 0)
        centre = (weight.sum(1) @ rows, weight.sum(0) @ columns) / weight.sum()
        assert np.abs(centre - truth[:2]).max() < 0.08


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"target": "class", "samples": 2}, "should be one for each of the 3 `classes`"),
        ({"target": "values", "classes": 3}, "has no classes"),
        ({"target": "boxes"}, "Input should be 'class', 'mask'"),
    ],
)
def test_fields_that_do_not_go_together(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(pydantic.ValidationError, match=said):
        SyntheticData.model_validate({"source": "synthetic", "shape": (8, 8, 1), "classes": 3, **fields})


def test_a_resolved_spec_reads_back_with_every_default_written_out() -> None:
    for target in TARGETS:
        whole = spec(target).model_dump(mode="json", exclude_none=True)
        assert SyntheticData.model_validate(whole) == spec(target)
