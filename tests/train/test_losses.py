"""Losses against their formulas, written out in NumPy in float64."""

from __future__ import annotations

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from netcalc.spec.losses import LossSpec
from netcalc.spec.training import TrainingSpec
from netcalc.train.losses import balanced_weights, make_loss

RNG = np.random.default_rng(0)
OUTPUTS = RNG.normal(size=(7, 4)).astype(np.float32) * 3
LABELS = np.array([0, 3, 1, 2, 2, 0, 1], dtype=np.int32)
MAPS, MASKS = OUTPUTS[:6].reshape(2, 3, 4), LABELS[:6].reshape(2, 3)
SEVERAL = RNG.integers(0, 2, (7, 4)).astype(np.float32)
VALUES = RNG.normal(size=(7, 4)).astype(np.float32) * 3
EYE = np.eye(4)


def losses(spec, outputs, labels, target="class", counts=None):
    """Return the loss of each sample; outputs (batch, channels) are at one position."""
    outputs = outputs[:, None] if outputs.ndim == 2 else outputs
    loss = make_loss(LossSpec.model_validate(spec), target, counts)
    return np.asarray(jax.jit(loss)(jnp.asarray(outputs), jnp.asarray(labels)))


def softmax(outputs):
    p = np.exp(outputs.astype(np.float64))
    return p / p.sum(-1, keepdims=True)


def logistic(outputs):
    return 1 / (1 + np.exp(-outputs.astype(np.float64)))


def smoothed_cross_entropy(outputs, labels, smoothing=0.0, weights=(1, 1, 1, 1)):
    """Σ over classes, one at a time, of wₖqₖ(−log pₖ)."""
    found = []
    for p, label in zip(softmax(outputs), labels, strict=True):
        total = 0.0
        for k in range(4):
            q = (1 - smoothing) * (k == label) + smoothing / 4
            total -= weights[k] * q * np.log(p[k])
        found.append(total)
    return np.array(found)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.9])
@pytest.mark.parametrize("weights", [None, (1.0, 2.0, 0.5, 3.0), (0.0, 1.0, 1.0, 1.0)])
def test_cross_entropy(smoothing, weights):
    spec = {"cross_entropy": {"label_smoothing": smoothing, "class_weights": weights}}
    expected = smoothed_cross_entropy(OUTPUTS, LABELS, smoothing, weights or (1, 1, 1, 1))
    np.testing.assert_allclose(losses(spec, OUTPUTS, LABELS), expected, rtol=2e-5, atol=1e-6)


def test_balanced_weights_are_by_the_counts_of_the_training_set():
    counts = (8, 1, 4, 2)
    weights = balanced_weights(counts)
    assert weights == tuple(15 / (4 * count) for count in counts)
    assert sum(w * c for w, c in zip(weights, counts, strict=True)) / 15 == pytest.approx(1)
    assert balanced_weights((3, 0, 1)) == (4 / 6, 0.0, 4 / 2)
    expected = smoothed_cross_entropy(OUTPUTS, LABELS, 0.1, weights)
    spec = {"cross_entropy": {"label_smoothing": 0.1, "class_weights": "balanced"}}
    np.testing.assert_allclose(losses(spec, OUTPUTS, LABELS, counts=counts), expected, rtol=2e-5)


def test_cross_entropy_does_not_overflow():
    found = losses("cross_entropy", np.array([[1e4, 0.0], [0.0, 1e4]], np.float32), np.array([0, 0]))
    np.testing.assert_allclose(found, [0.0, 1e4])
    found = losses("binary_cross_entropy", np.array([[1e4], [-1e4]], np.float32), np.array([0, 1]))
    np.testing.assert_allclose(found, [1e4, 1e4])


@pytest.mark.parametrize(("smoothing", "weight"), [(0.0, 1.0), (0.2, 1.0), (0.0, 5.0), (0.1, [1.0, 2.0, 3.0, 4.0])])
def test_binary_cross_entropy(smoothing, weight):
    p = logistic(OUTPUTS)
    y = (1 - smoothing) * SEVERAL + smoothing / 2
    expected = np.mean(-np.asarray(weight) * y * np.log(p) - (1 - y) * np.log(1 - p), axis=1)
    spec = {"binary_cross_entropy": {"label_smoothing": smoothing, "positive_weight": weight}}
    np.testing.assert_allclose(losses(spec, OUTPUTS, SEVERAL, "multi_label"), expected, rtol=2e-5)


def test_binary_cross_entropy_of_classes_is_of_one_output_each_or_of_one_for_two():
    p = logistic(OUTPUTS)
    expected = np.mean(-EYE[LABELS] * np.log(p) - (1 - EYE[LABELS]) * np.log(1 - p), axis=1)
    np.testing.assert_allclose(losses("binary_cross_entropy", OUTPUTS, LABELS), expected, rtol=2e-5)
    two = LABELS % 2
    one = logistic(OUTPUTS[:, 0])
    found = losses("binary_cross_entropy", OUTPUTS[:, :1], two)
    np.testing.assert_allclose(found, -np.log(np.where(two == 1, one, 1 - one)), rtol=2e-5)


def test_half_mse_is_equation_4():
    expected = sum(np.sum((h - y) ** 2) for h, y in zip(OUTPUTS, EYE[LABELS], strict=True)) / (2 * 7)
    assert losses("half_mse", OUTPUTS, LABELS).mean() == pytest.approx(expected, rel=1e-6)
    expected = sum(np.sum((h - y) ** 2) for h, y in zip(OUTPUTS, VALUES, strict=True)) / (2 * 7)
    assert losses("half_mse", OUTPUTS, VALUES, "values").mean() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("delta", [0.3, 1.0, 1e6])
def test_huber_is_quadratic_up_to_delta_and_linear_from_there(delta):
    r = np.abs(OUTPUTS.astype(np.float64) - VALUES)
    expected = np.where(r <= delta, 0.5 * r**2, delta * (r - 0.5 * delta)).sum(1)
    found = losses({"huber": delta}, OUTPUTS, VALUES, "values")
    np.testing.assert_allclose(found, expected, rtol=2e-5)
    if delta == 1e6:
        np.testing.assert_allclose(found, losses("half_mse", OUTPUTS, VALUES, "values"), rtol=1e-6)


def test_values_of_several_axes_are_one_vector():
    for kind in ("half_mse", "huber"):
        flat = losses(kind, OUTPUTS, VALUES, "values")
        np.testing.assert_allclose(losses(kind, OUTPUTS.reshape(7, 2, 2), VALUES.reshape(7, 2, 2), "values"), flat)


KINDS = ["cross_entropy", "binary_cross_entropy", "half_mse", "huber"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_of_a_mask_is_the_mean_over_its_pixels(kind):
    each = np.array([losses(kind, MAPS[:, i : i + 1], MASKS[:, i]) for i in range(3)])
    np.testing.assert_allclose(losses(kind, MAPS, MASKS, "mask"), each.mean(0), rtol=1e-6)


@pytest.mark.parametrize("kind", ["cross_entropy", "binary_cross_entropy"])
@pytest.mark.parametrize("ignored", [1, 255])
def test_pixels_of_the_ignored_label_do_not_count(kind, ignored):
    masks = MASKS.copy()
    masks[0] = [ignored, 2, 3]
    masks[1] = ignored
    found = losses({kind: {"ignore": ignored}}, MAPS, masks, "mask")
    counted = losses(kind, MAPS[:1, 1:], masks[:1, 1:], "mask")
    np.testing.assert_allclose(found, [counted[0], 0.0], rtol=1e-6)
    loss = make_loss(LossSpec.model_validate({kind: {"ignore": ignored}}), "mask")
    slopes = jax.grad(lambda outputs: loss(outputs, jnp.asarray(masks)).sum())(jnp.asarray(MAPS))
    assert np.isfinite(slopes).all()
    assert not np.any(slopes[0, 0])
    assert not np.any(slopes[1])


@pytest.mark.parametrize("kind", KINDS)
def test_a_weight_is_a_factor(kind):
    plain = losses(kind, OUTPUTS, LABELS)
    np.testing.assert_allclose(losses({kind: {"weight": 0.3}}, OUTPUTS, LABELS), 0.3 * plain, rtol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_the_slope_is_that_of_differences(kind):
    loss = make_loss(LossSpec.model_validate(kind), "class")
    outputs = jnp.asarray(OUTPUTS[:, None])
    slopes = jax.grad(lambda x: loss(x, LABELS).sum())(outputs)
    step = 1e-2
    for sample, channel in itertools.product(range(0, 7, 3), range(4)):
        up, down = (outputs.at[sample, 0, channel].add(sign * step) for sign in (1, -1))
        expected = (loss(up, LABELS).sum() - loss(down, LABELS).sum()) / (2 * step)
        assert slopes[sample, 0, channel] == pytest.approx(float(expected), abs=2e-3)


def test_the_losses_are_those_that_the_schema_names():
    assert set(KINDS) == set(LossSpec.model_fields)
    spec = TrainingSpec.model_validate({"data": "digits", "losses": {"aux": {"cross_entropy": {"weight": 0.3}}}})
    assert (spec.loss_of("aux").chosen.weight, spec.loss_of("main").kind) == (0.3, "cross_entropy")
