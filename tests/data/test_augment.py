"""Augmentation: each change against NumPy, its range and its key; mixed batches and what they are worth."""

from __future__ import annotations

import math
import re
from typing import Any, get_args

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.typing import NDArray

from netcalc.data.augment import Mixed, augmented
from netcalc.diagnostics import SpecError
from netcalc.graph import build_complete
from netcalc.spec.augment import Augmentation
from netcalc.spec.load import parse_spec
from netcalc.train.optimizers import make_updater
from netcalc.train.plan import make_plan
from netcalc.train.step import _AUGMENT, initial_train_state, make_train_step
from tests.conftest import ROOT

BATCH, HEIGHT, WIDTH = 64, 7, 9
IMAGES = np.random.default_rng(0).uniform(0.05, 1, (BATCH, HEIGHT, WIDTH, 3)).astype(np.float32)
LABELS = np.arange(BATCH, dtype=np.int32)


def change(*changes: Any, seed: int = 0, images: NDArray[np.float32] = IMAGES) -> Mixed:
    spec = [Augmentation.model_validate(one) for one in changes]
    mixed = augmented(spec, jax.random.key(seed), jnp.asarray(images), jnp.asarray(LABELS))
    return Mixed(*map(np.asarray, mixed))  # type: ignore[arg-type]


EVERY = [
    {"random_crop": 2}, "random_resized_crop", "horizontal_flip", "vertical_flip", {"rotation": 20},
    {"horizontal_translation": 2}, {"vertical_translation": 2}, {"scale": 0.2}, {"brightness": 0.3},
    {"contrast": 0.3}, {"saturation": 0.3}, {"cutout": 3}, "random_erasing", "mixup", "cutmix",
]  # fmt: skip


def test_every_change_is_tried() -> None:
    assert {Augmentation.model_validate(one).kind for one in EVERY} == set(Augmentation.model_fields)


@pytest.mark.parametrize("one", EVERY, ids=str)
def test_a_change_is_of_its_key_alone_and_stays_in_range(one: Any) -> None:
    first, again, other = change(one), change(one), change(one, seed=1)
    assert np.array_equal(first.images, again.images)
    assert not np.array_equal(first.images, other.images)
    assert first.images.shape == IMAGES.shape
    assert 0 <= first.images.min() <= first.images.max() <= 1
    changed = np.any(first.images != IMAGES, axis=(1, 2, 3))
    assert changed.mean() > 0.2
    # No two images are changed in the same way.
    same = change(one, images=np.broadcast_to(IMAGES[:1], IMAGES.shape))
    if not isinstance(one, str) or one not in ("mixup", "cutmix"):
        assert len({image.tobytes() for image in np.asarray(same.images)}) > 1


@pytest.mark.parametrize(
    ("one", "shifts"),
    [
        ({"random_crop": 2}, {(y, x) for y in range(-2, 3) for x in range(-2, 3)}),
        ({"horizontal_translation": 3}, {(0, x) for x in range(-3, 4)}),
        ({"vertical_translation": 1}, {(y, 0) for y in range(-1, 2)}),
    ],
    ids=str,
)
def test_shifts_are_whole_pixels_with_zeros_from_outside(one: Any, shifts: set[tuple[int, int]]) -> None:
    seen = set()
    for seed in range(12):
        for image, shifted in zip(IMAGES, change(one, seed=seed).images, strict=True):
            wide = np.pad(image, ((3, 3), (3, 3), (0, 0)))
            found = [
                (y, x)
                for y, x in shifts
                if np.array_equal(wide[3 + y : 3 + y + HEIGHT, 3 + x : 3 + x + WIDTH], shifted)
            ]
            assert len(found) == 1
            seen.update(found)
    assert seen == shifts


@pytest.mark.parametrize(("kind", "axis"), [("horizontal_flip", 2), ("vertical_flip", 1)])
def test_flips(kind: str, axis: int) -> None:
    assert np.array_equal(change({kind: 1}).images, np.flip(IMAGES, axis))
    assert np.array_equal(change({kind: 0}).images, IMAGES)
    flipped = np.any(change({kind: 0.5}).images != IMAGES, axis=(1, 2, 3))
    assert 0.3 < flipped.mean() < 0.7


def bilinear(image: NDArray[Any], y: float, x: float) -> NDArray[Any]:
    """The value between four pixels; zero outside of the image."""
    total = np.zeros(image.shape[-1])
    for row in (math.floor(y), math.floor(y) + 1):
        for column in (math.floor(x), math.floor(x) + 1):
            if 0 <= row < image.shape[0] and 0 <= column < image.shape[1]:
                total += (1 - abs(y - row)) * (1 - abs(x - column)) * image[row, column]
    return total


@pytest.mark.parametrize("kind", ["rotation", "scale"])
def test_rotation_and_scale_are_bilinear_about_the_centre(kind: str) -> None:
    """Whatever was drawn: one angle or factor within the range explains every pixel of an image."""
    most = 30.0 if kind == "rotation" else 0.25
    (image,) = IMAGES[:1]
    (found,) = change({kind: most}, images=np.broadcast_to(image, IMAGES.shape)).images[:1]
    middle = np.array([(HEIGHT - 1) / 2, (WIDTH - 1) / 2])

    def made(drawn: float) -> NDArray[Any]:
        angle = math.radians(drawn)
        turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
        matrix = turn if kind == "rotation" else np.eye(2) / (1 + drawn)
        places = ((row, column) for row in range(HEIGHT) for column in range(WIDTH))
        values = [bilinear(image, *(matrix @ (np.array(place) - middle) + middle)) for place in places]
        return np.array(values).reshape(image.shape)

    grid = np.linspace(-most, most, 41)
    errors = [np.abs(made(drawn) - found).max() for drawn in grid]
    best = grid[int(np.argmin(errors))]
    fine = np.linspace(best - most / 20, best + most / 20, 101)
    assert min(np.abs(made(drawn) - found).max() for drawn in fine) < 2e-3


def test_brightness_contrast_and_saturation_are_one_factor_an_image() -> None:
    images = IMAGES / 4  # so that nothing is cut at 1
    weights = np.array([0.299, 0.587, 0.114])
    grey = (images * weights).sum(-1, keepdims=True)
    for kind, zero in (
        ("brightness", np.zeros_like(images)),
        ("contrast", grey.mean((1, 2, 3), keepdims=True)),
        ("saturation", grey),
    ):  # fmt: skip
        found = change({kind: 0.3}, images=images).images
        factors = ((found - zero) / (images - zero)).reshape(BATCH, -1)
        inside = (found > 0).reshape(BATCH, -1)
        for row, kept in zip(factors, inside, strict=True):
            middle = np.median(row[kept])
            assert 0.7 <= middle <= 1.3
            assert np.mean(np.abs(row[kept] - middle) < 0.02) > 0.9
        assert np.ptp([np.median(row) for row in factors]) > 0.3


def test_cutout_is_a_square_that_may_hang_over() -> None:
    holes = np.all(change({"cutout": 3}).images == 0, axis=-1)
    assert holes.any((1, 2)).all()
    assert holes.sum((1, 2)).max() == 9
    assert holes.sum((1, 2)).min() < 9
    for hole in holes:
        rows, columns = np.nonzero(hole.any(1))[0], np.nonzero(hole.any(0))[0]
        assert hole.sum() == len(rows) * len(columns)


def test_random_erasing_is_a_rectangle_of_the_area_asked_for() -> None:
    found = change({"random_erasing": {"probability": 1, "area": [0.1, 0.3]}}).images
    holes = np.any(found != IMAGES, axis=-1)
    for hole in holes:
        rows, columns = np.nonzero(hole.any(1))[0], np.nonzero(hole.any(0))[0]
        assert hole.sum() == (np.ptp(rows) + 1) * (np.ptp(columns) + 1)
    shares = holes.mean((1, 2))
    assert 0.05 < shares.min() < shares.max() < 0.4
    assert np.array_equal(change({"random_erasing": 0}).images, IMAGES)


def test_random_resized_crop_of_all_is_the_image() -> None:
    spec = {"random_resized_crop": {"area": [1, 1], "aspect": [1, 1]}}
    np.testing.assert_allclose(change(spec).images, IMAGES, atol=1e-6)
    constant = np.full_like(IMAGES, 0.5)
    np.testing.assert_allclose(change("random_resized_crop", images=constant).images, constant, atol=1e-6)


def test_mixup_is_the_weighted_mean_and_says_of_whom() -> None:
    found = change({"mixup": 1.0})
    share = found.share[:, None, None, None]
    np.testing.assert_allclose(found.images, share * IMAGES + (1 - share) * IMAGES[found.others], atol=1e-6)
    assert np.array_equal(found.labels, LABELS)
    assert sorted(found.others) == LABELS.tolist()
    shares = [float(change({"mixup": 1.0}, seed=seed).share[0]) for seed in range(40)]
    assert 0.3 < np.mean(shares) < 0.7
    assert np.ptp(shares) > 0.5


def test_cutmix_weighs_by_the_pixels_that_are_left() -> None:
    for seed in range(10):
        found = change("cutmix", seed=seed)
        own = np.all(found.images == IMAGES, axis=-1)
        other = np.all(found.images == IMAGES[found.others], axis=-1)
        assert np.all(own | other)
        moved = found.others != LABELS
        np.testing.assert_allclose(own.mean((1, 2))[moved], found.share[moved], atol=1e-6)


def test_of_two_mixtures_each_batch_takes_one() -> None:
    kinds = set()
    for seed in range(12):
        found = change("cutmix", {"mixup": 1.0}, seed=seed)
        kinds.add(
            bool(np.all(np.all(found.images == IMAGES, -1) | np.all(found.images == IMAGES[found.others], -1)))
        )
    assert kinds == {True, False}


def test_changes_are_made_in_order() -> None:
    erased, moved = {"cutout": 20}, {"brightness": 0.5}
    assert not change(erased, moved).images.any() or change(erased, moved).images.mean() < 0.5
    ones = np.ones_like(IMAGES)
    shifted_then_flipped = change({"horizontal_translation": 3}, {"horizontal_flip": 1}, images=ones)
    flipped_then_shifted = change({"horizontal_flip": 1}, {"horizontal_translation": 3}, images=ones)
    assert not np.array_equal(shifted_then_flipped.images, flipped_then_shifted.images)


SPEC = """
input: [8, 8, 1]
layers: [flatten, {dense: 10}]
train: {data: digits, augment: [%s]}
"""


def test_losses_of_mixed_samples_weigh_both_classes() -> None:
    """The gradient of a step is that of share · loss(labels) + (1 − share) · loss(others), by hand."""
    text = SPEC % "{mixup: 1.0}" + "\n"
    plan = make_plan(build_complete(parse_spec(text, overrides=["train.optimizer={sgd: 1.0}"])))
    recipe = plan.recipe
    optimizer = make_updater(plan.spec, recipe.facts, plan.pace)
    state = initial_train_state(recipe, optimizer)
    before = jax.tree.map(np.asarray, state.params)
    images, labels = plan.dataset.train.images[:16], plan.dataset.train.labels[:16]
    steps = jax.random.split(jax.random.key(plan.spec.seed))[1]
    key = jax.random.fold_in(jax.random.fold_in(steps, 0), _AUGMENT)
    samples = recipe.samples(key, jnp.asarray(images), jnp.asarray(labels))
    after, _ = make_train_step(recipe, optimizer)(state, plan.recipe.meter.zero(), images, labels)
    x = np.asarray(samples.x, np.float64).reshape(16, -1)
    weights, bias = (np.asarray(before["dense1"][name], np.float64) for name in ("kernel", "bias"))
    logits = x @ weights + bias
    p = np.exp(logits - logits.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    share = np.asarray(samples.share, np.float64)[:, None]
    eye = np.eye(10)
    target = share * eye[labels] + (1 - share) * eye[np.asarray(samples.others)]
    gradient = x.T @ (p - target) / 16
    moved = before["dense1"]["kernel"] - np.asarray(after.params["dense1"]["kernel"])
    np.testing.assert_allclose(moved, gradient, atol=1e-5)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("{rotation: 200}", "less than or equal to 180"),
        ("{random_crop: 0}", "greater than 0"),
        ("rotate", "unknown `augment[0]`: `rotate`"),
        ("{random_resized_crop: {area: [0.9, 0.1]}}", "smallest, largest"),
        ("{random_erasing: {area: [0.1, 2]}}", "at most 1"),
        ("rotation", "`rotation` needs `degrees`"),
        ("{mixup: -1}", "greater than 0"),
        ("{brightness: 2}", "less than or equal to 1"),
    ],
)  # fmt: skip
def test_wrong_changes_are_told(written: str, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_spec(SPEC % written)
    assert any(message in d.message for d in caught.value.diagnostics), caught.value.diagnostics


def test_the_page_lists_every_change_with_its_main_field_and_defaults() -> None:
    page = (ROOT / "docs" / "augmentation.md").read_text(encoding="utf-8")
    rows = dict[str, str]()
    for line in page.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| `"):
            rows |= dict.fromkeys(re.findall(r"`(\w+)`", cells[0]), cells[1])
    assert rows.keys() == Augmentation.model_fields.keys()
    for kind, main in rows.items():
        (model,) = (part for part in get_args(Augmentation.model_fields[kind].annotation) if part is not type(None))
        named = re.findall(r"`(\w+)`", main)
        assert named == ([] if model.principal is None else [model.principal])
        default = re.search(r"\(([\d.]+)\)", main)
        if default is not None:
            assert model.model_fields[model.principal].default == float(default[1])
