"""Losses against their formulas in NumPy."""

import jax.numpy as jnp
import numpy as np
import pytest

from netcalc.spec.training import TrainingSpec
from netcalc.train.losses import LOSSES, cross_entropy, half_mse
from netcalc.train.metrics import Sums

RNG = np.random.default_rng(0)
OUTPUTS = RNG.normal(size=(7, 4)).astype(np.float32) * 3
HEAD = jnp.array(OUTPUTS)[:, None]  # one position
LABELS = np.array([0, 3, 1, 2, 2, 0, 1], dtype=np.int32)


def test_cross_entropy_is_minus_the_log_of_the_softmax_of_the_true_class():
    p = np.exp(OUTPUTS.astype(np.float64))
    p /= p.sum(axis=1, keepdims=True)
    expected = -np.log(p[np.arange(7), LABELS])
    np.testing.assert_allclose(cross_entropy(HEAD, LABELS), expected, rtol=1e-5)


def test_cross_entropy_does_not_overflow():
    losses = cross_entropy(jnp.array([[[1e4, 0.0]], [[0.0, 1e4]]]), jnp.array([0, 0]))
    np.testing.assert_allclose(losses, [0.0, 1e4])


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_the_loss_of_a_map_is_the_mean_over_its_positions(loss):
    maps, labels = OUTPUTS[:6].reshape(2, 3, 4), LABELS[:6].reshape(2, 3)
    each = np.array([loss(jnp.array(maps[:, i : i + 1]), labels[:, i]) for i in range(3)])
    np.testing.assert_allclose(loss(jnp.array(maps), labels), each.mean(0), rtol=1e-6)


def test_half_mse_is_equation_4():
    targets = np.eye(4)[LABELS]
    expected = sum(np.sum((h - y) ** 2) for h, y in zip(OUTPUTS, targets, strict=True)) / (2 * 7)
    assert float(jnp.mean(half_mse(HEAD, LABELS))) == pytest.approx(expected, rel=1e-6)


def test_the_table_holds_what_the_spec_language_names():
    assert set(LOSSES) == set(TrainingSpec.model_json_schema()["properties"]["loss"]["enum"])


def test_weighted_sums_leave_out_the_filling_of_the_last_batch():
    weights = jnp.array([1, 1, 1, 1, 1, 0, 0], jnp.float32)
    losses = half_mse(HEAD, LABELS)
    found = Sums.zero().plus(losses, HEAD, jnp.array(LABELS), weights).means()
    right = np.argmax(OUTPUTS[:5], axis=1) == LABELS[:5]
    assert found.accuracy == pytest.approx(right.mean())
    assert found.loss == pytest.approx(float(np.mean(np.asarray(losses)[:5])), rel=1e-6)
