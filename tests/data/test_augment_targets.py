"""Targets under augmentation: a mask goes where its image goes, pixel by pixel; other labels stay or are mixed."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.typing import NDArray

from netcalc.data.augment import Mixed, augmented, mixes
from netcalc.data.pipeline import prepared_labels, scaled
from netcalc.data.preprocessing import Preprocessing
from netcalc.spec.augment import Augmentation
from netcalc.spec.data import Target

BATCH, HEIGHT, WIDTH, CLASSES = 32, 11, 14, 7
MASKS = np.random.default_rng(0).integers(0, CLASSES, (BATCH, HEIGHT, WIDTH)).astype(np.int32)
FILL = 255


def picture(masks: NDArray[Any]) -> NDArray[np.float32]:
    """Return images that are their masks: class c has the grey (c + 1) / 8, and black is no class."""
    grey: NDArray[np.float32] = ((masks + 1) / 8).astype(np.float32)[..., None].repeat(3, -1)
    return grey


def read_off(images: NDArray[Any]) -> NDArray[np.int32]:
    """Return the mask that an image shows; −1 where it is no class."""
    classes = np.rint(images[..., 0] * 8 - 1).astype(np.int32)
    return np.where(np.abs(images[..., 0] * 8 - 1 - classes) < 1e-3, classes, -2)


def change(*changes: Any, seed: int = 0, masks: Any = MASKS, target: Target = "mask") -> Mixed:
    spec = [Augmentation.model_validate(one) for one in changes]
    images = jnp.asarray(picture(MASKS if target != "mask" else masks))
    mixed = augmented(spec, jax.random.key(seed), images, jnp.asarray(masks), target, FILL)
    return Mixed(*map(np.asarray, mixed))  # type: ignore[arg-type]


WHOLE = [
    {"random_crop": 3}, "horizontal_flip", "vertical_flip", {"horizontal_translation": 4},
    {"vertical_translation": 3}, {"random_resized_crop": {"area": [1, 1], "aspect": [1, 1]}},
]  # fmt: skip


@pytest.mark.parametrize("one", [*WHOLE, WHOLE[:-1]], ids=str)
@pytest.mark.parametrize("seed", range(3))
def test_a_mask_moves_by_whole_pixels_as_its_image_does(one: Any, seed: int) -> None:
    found = change(*(one if isinstance(one, list) else [one]), seed=seed)
    shown = read_off(found.images)
    assert set(np.unique(shown)) <= set(range(-1, CLASSES))
    assert np.array_equal(np.where(shown == -1, FILL, shown), found.labels)
    assert found.labels.dtype == np.int32
    if one != WHOLE[-1]:
        assert not np.array_equal(found.labels, MASKS)


SMOOTH = [{"rotation": 40}, {"scale": 0.4}, "random_resized_crop", {"random_resized_crop": {"area": [0.3, 0.5]}}]


@pytest.mark.parametrize("one", SMOOTH, ids=str)
def test_between_pixels_a_mask_takes_the_nearest(one: Any) -> None:
    """Of blocks of a class: wherever the four pixels around a place are of one class, image and mask agree."""
    blocks = np.kron(MASKS[:, :3, :3], np.ones((8, 8), np.int32))
    found = change(one, masks=blocks)
    shown = read_off(found.images)
    sure = (shown >= -1) & ~np.isclose(found.images[..., 0], 0, atol=1e-6)
    blended = 0
    for seen, mask, certain in zip(shown, found.labels, sure, strict=True):
        # A blend of two classes may look like a third: what has a neighbour of another class is left aside.
        alike = np.ones_like(certain)
        for axis in (0, 1):
            for step in (-1, 1):
                alike &= np.roll(mask, step, axis) == mask
        alike[[0, -1]] = alike[:, [0, -1]] = False
        assert np.array_equal(seen[certain & alike], mask[certain & alike])
        assert (certain & alike).mean() > 0.1
        blended += int((~certain).sum())
    assert blended > 0
    assert set(np.unique(found.labels)) <= {*range(CLASSES), FILL}


@pytest.mark.parametrize("one", [{"rotation": 40}, {"scale": 0.4}], ids=str)
def test_what_comes_from_outside_is_of_the_fill_class(one: Any) -> None:
    found = change(one, masks=np.zeros_like(MASKS))
    outside = found.labels == FILL
    assert outside.any()
    # Nearest of all black is at least half a pixel beyond the edge.
    assert found.images[..., 0][outside].max() <= 0.5 * (1 / 8) + 1e-6
    assert found.images[..., 0][~outside].min() > 0


COVERING = [{"cutout": 5}, "random_erasing", {"brightness": 0.5}, {"contrast": 0.5}, {"saturation": 0.5}]


@pytest.mark.parametrize("one", COVERING, ids=str)
def test_what_covers_pixels_leaves_the_mask(one: Any) -> None:
    found = change(one)
    assert np.array_equal(found.labels, MASKS)
    assert np.array_equal(found.others, MASKS)
    assert np.all(found.share == 1)


def test_every_change_is_tried() -> None:
    def kinds(changes: list[Any]) -> set[str]:
        return {Augmentation.model_validate(one).kind for one in changes}

    assert kinds([*WHOLE, *SMOOTH, *COVERING, "mixup", "cutmix"]) == set(Augmentation.model_fields)


def test_cutmix_pastes_the_other_mask_with_its_image() -> None:
    pasted = 0
    for seed in range(6):
        found = change("cutmix", seed=seed)
        assert np.array_equal(read_off(found.images), found.labels)
        assert np.all(found.share == 1)
        pasted += int((found.labels != MASKS).sum())
    assert pasted > 0


def test_mixup_keeps_both_masks_and_tells_their_shares() -> None:
    found = change("horizontal_flip", {"mixup": 1.0})
    moved = change("horizontal_flip")
    assert np.array_equal(found.labels, moved.labels)
    partner = [int(np.argmax([np.array_equal(other, mask) for mask in moved.labels])) for other in found.others]
    assert sorted(partner) == list(range(BATCH))
    share = found.share[:, None, None, None]
    np.testing.assert_allclose(found.images, share * moved.images + (1 - share) * moved.images[partner], atol=1e-6)


def test_of_two_mixtures_each_batch_takes_one() -> None:
    shares = [float(change("cutmix", {"mixup": 1.0}, seed=seed).share[0]) for seed in range(12)]
    assert any(share == 1 for share in shares)
    assert any(share < 1 for share in shares)


@pytest.mark.parametrize(("target", "labels"), [("values", (BATCH, 3)), ("multi_label", (BATCH, 5))])
def test_other_labels_stay_where_images_are_moved_and_are_mixed(target: Target, labels: tuple[int, ...]) -> None:
    made = np.random.default_rng(1).normal(size=labels).astype(np.float32)
    found = change({"rotation": 20}, "horizontal_flip", "cutmix", masks=made, target=target)
    assert np.array_equal(found.labels, made)
    assert sorted(map(bytes, found.others)) == sorted(map(bytes, made))
    assert 0 <= found.share[0] < 1


def test_which_changes_mix_losses() -> None:
    mixup, cutmix, flip = (Augmentation.model_validate(one) for one in ("mixup", "cutmix", "horizontal_flip"))
    assert [mixes([one]) for one in (mixup, cutmix, flip)] == [True, True, False]
    assert [mixes([one], "mask") for one in (mixup, cutmix, flip)] == [True, False, False]
    assert mixes([cutmix, mixup], "mask")
    assert mixes([cutmix], "values")


# Preparation


def preparation(**changed: Any) -> Preprocessing:
    fields = {
        "source": (HEIGHT, WIDTH, 3),
        "resize": None,
        "pad": ((0, 0), (0, 0)),
        "mean": (0.0,) * 3,
        "std": (1.0,) * 3,
        "classes": tuple(map(str, range(CLASSES))),
    }
    return Preprocessing(**fields | changed)  # type: ignore[arg-type]


def test_a_mask_is_padded_and_enlarged_as_its_image() -> None:
    blocks = MASKS[:2, :4, :4]
    images = (picture(blocks) * 240).astype(np.uint8)
    prepared = preparation(source=(4, 4, 3), resize=(20, 12), pad=((1, 2), (3, 0)))
    x = np.asarray(scaled(jnp.asarray(images), prepared, 240))
    y = np.asarray(prepared_labels(jnp.asarray(blocks), prepared, "mask", FILL))
    assert y.shape == x.shape[:3] == (2, 23, 15)
    assert np.array_equal(y == FILL, x[..., 0] == 0)
    middle = np.arange(1 + 2, 21, 5), np.arange(3 + 1, 15, 3)
    for image, mask, block in zip(x, y, blocks, strict=True):
        assert np.array_equal(mask[np.ix_(*middle)], block)
        assert np.array_equal(read_off(image)[np.ix_(*middle)], block)


def test_a_smaller_mask_takes_the_pixels_in_the_middle() -> None:
    blocks = np.kron(MASKS[:2, :4, :4], np.ones((3, 3), np.int32))
    y = prepared_labels(jnp.asarray(blocks), preparation(source=(12, 12, 3), resize=(4, 4)), "mask")
    assert np.array_equal(np.asarray(y), MASKS[:2, :4, :4])


@pytest.mark.parametrize("target", ["class", "multi_label", "values"])
def test_other_labels_are_ready_as_they_are(target: Target) -> None:
    labels = jnp.ones((4, 3))
    assert prepared_labels(labels, preparation(resize=(2, 2), pad=((1, 1), (1, 1))), target, FILL) is labels
