"""Metrics against counts made one sample and one pixel at a time."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from netcalc.spec.losses import LossSpec
from netcalc.spec.metrics import MEASURES, METRICS, measured_metrics, title_of, written
from netcalc.train.metrics import Sums, class_figures, class_ious, make_meter, mean_iou

RNG = np.random.default_rng(0)
CROSS, BINARY, HALF = (
    LossSpec.model_validate(kind) for kind in ("cross_entropy", "binary_cross_entropy", "half_mse")
)


def summed(meter, batches):
    """Return the sums over batches of (outputs, labels, weights), the loss of a sample its first output."""
    plus = jax.jit(meter.plus)
    sums = meter.zero()
    for outputs, labels, weights in batches:
        sums = plus(sums, outputs[:, 0, 0], outputs, labels, weights)
    return sums


def of_classes(samples=23, classes=8, last=5):
    """Return outputs and labels, in batches whose last is filled up with samples that do not count."""
    outputs = RNG.normal(size=(samples, 1, classes)).astype(np.float32)
    outputs[3] = 1.0  # all alike: the first class is the answer
    labels = RNG.integers(0, classes, samples).astype(np.int32)
    weights = np.ones(samples, np.float32)
    weights[-last:] = 0
    batches = [
        tuple(map(jnp.asarray, (outputs[i : i + 10], labels[i : i + 10], weights[i : i + 10]))) for i in (0, 10, 20)
    ]
    return outputs[:-last, 0], labels[:-last], batches


def test_class_metrics():
    outputs, labels, batches = of_classes()
    meter = make_meter(CROSS, "class", 8, training=False, counts=True)
    sums = summed(meter, batches)
    found = meter.measured(sums)
    answers = outputs.argmax(1)
    top = np.argsort(-outputs, axis=1, kind="stable")[:, :5]
    assert found["loss"] == pytest.approx(outputs[:, 0].mean(), rel=1e-5)
    assert found["accuracy"] == pytest.approx(np.mean(answers == labels))
    assert found["top5_accuracy"] == pytest.approx(
        np.mean([label in row for label, row in zip(labels, top, strict=True)])
    )
    confusion = np.zeros((8, 8), int)
    for label, answer in zip(labels, answers, strict=True):
        confusion[label, answer] += 1
    assert np.array_equal(sums.counted(), confusion)


def test_what_ties_with_the_true_class_is_counted_as_argmax_does():
    meter = make_meter(CROSS, "class", 7, training=False)
    labels = np.arange(7)
    found = meter.measured(summed(meter, [(jnp.zeros((7, 1, 7)), jnp.asarray(labels), jnp.ones(7))]))
    assert found["accuracy"] == pytest.approx(1 / 7)
    assert found["top5_accuracy"] == pytest.approx(5 / 7)
    lost = meter.measured(summed(meter, [(jnp.full((7, 1, 7), jnp.nan), jnp.asarray(labels), jnp.ones(7))]))
    assert lost["top5_accuracy"] == 0


def test_one_output_answers_for_two_classes():
    outputs = jnp.array([-2.0, -0.1, 0.3, 0.7])[:, None, None]
    labels = jnp.array([0, 1, 1, 1])
    for loss, expected in ((BINARY, 0.75), (HALF, 0.5)):  # above 0 of a logit, above ½ of what should be 0 or 1
        meter = make_meter(loss, "class", 2, training=True)
        assert meter.measured(summed(meter, [(outputs, labels, jnp.ones(4))]))["accuracy"] == expected


@pytest.mark.parametrize("ignored", [None, 2, 255])
def test_mask_metrics(ignored):
    outputs = RNG.normal(size=(3, 20, 4)).astype(np.float32)
    masks = RNG.integers(0, 3, (3, 4, 5)).astype(np.int32)  # the class 3 is never true
    if ignored is not None:
        masks[0, :2] = ignored
        masks[1] = ignored  # of this image nothing counts
    weights = np.array([1, 1, 0], np.float32)
    loss = LossSpec.model_validate({"cross_entropy": {"ignore": ignored}})
    meter = make_meter(loss, "mask", 4, training=False, counts=True)
    sums = summed(meter, [tuple(map(jnp.asarray, (outputs, masks, weights)))])
    confusion, right = np.zeros((4, 4), int), []
    for scores, mask in zip(outputs[:2], masks[:2], strict=True):
        for row, true in zip(scores, mask.ravel(), strict=True):
            if true == ignored:
                continue
            confusion[true, row.argmax()] += 1
            right.append(row.argmax() == true)
    found = meter.measured(sums)
    assert np.array_equal(sums.counted(), confusion)
    assert found["accuracy"] == pytest.approx(np.mean(right))
    ious = []
    for k in range(4):
        if k == ignored:
            continue
        union = confusion[k].sum() + confusion[:, k].sum() - confusion[k, k]
        if union:
            ious.append(confusion[k, k] / union)
    assert found["mean_iou"] == pytest.approx(np.mean(ious))


def test_a_class_neither_true_nor_answered_is_not_in_the_mean_iou():
    confusion = np.array([[3, 1, 0], [0, 4, 0], [0, 0, 0]])
    assert mean_iou(confusion) == pytest.approx((3 / 4 + 4 / 5) / 2)
    assert np.isnan(class_ious(confusion)[2])
    assert np.isnan(mean_iou(np.zeros((2, 2), int)))


def test_metrics_of_several_labels():
    outputs = RNG.normal(size=(9, 1, 3)).astype(np.float32)
    labels = RNG.integers(0, 2, (9, 3)).astype(np.float32)
    weights = np.array([1] * 7 + [0] * 2, np.float32)
    meter = make_meter(BINARY, "multi_label", 3, training=False, counts=True)
    sums = summed(meter, [tuple(map(jnp.asarray, (outputs, labels, weights)))])
    there, true = outputs[:7, 0] > 0, labels[:7] > 0
    assert meter.measured(sums)["accuracy"] == pytest.approx(np.mean(there == true))
    kinds = [true & there, ~true & there, true & ~there, ~true & ~there]
    assert np.array_equal(sums.counted(), np.stack([kind.sum(0) for kind in kinds], axis=1))
    for figures, k in zip(class_figures(sums.counted(), "multi_label", "abc"), range(3), strict=True):
        right = (true & there)[:, k].sum()
        assert figures.support == true[:, k].sum()
        assert figures.precision == (right / there[:, k].sum() if there[:, k].any() else None)
        assert figures.recall == (right / true[:, k].sum() if true[:, k].any() else None)


def test_metrics_of_values():
    outputs = RNG.normal(size=(6, 1, 3)).astype(np.float32)
    values = RNG.normal(size=(6, 3)).astype(np.float32)
    meter = make_meter(HALF, "values", 0, training=False, counts=True)
    sums = summed(meter, [tuple(map(jnp.asarray, (outputs, values, np.array([1] * 5 + [0], np.float32))))])
    found = meter.measured(sums)
    apart = outputs[:5, 0] - values[:5]
    assert found["mse"] == pytest.approx(np.mean(apart**2), rel=1e-5)
    assert found["mae"] == pytest.approx(np.mean(abs(apart)), rel=1e-5)
    assert sums.counted() is None


def test_figures_of_classes():
    a, b, c = class_figures(np.array([[3, 1, 0], [2, 4, 0], [0, 0, 0]]), "class", ["a", "b", "c"])
    assert (a.support, a.precision, a.recall) == (4, 3 / 5, 3 / 4)
    assert a.f1 == pytest.approx(2 * (3 / 5) * (3 / 4) / (3 / 5 + 3 / 4))
    assert (b.support, b.iou) == (6, 4 / 7)
    assert (c.support, c.precision, c.recall, c.f1, c.iou) == (0, None, None, None, None)


def test_counts_are_exact_beyond_what_32_bits_hold():
    meter = make_meter(CROSS, "mask", 2, training=False, counts=True)
    most = 2**24 - 1
    almost = Sums(jnp.zeros(()), jnp.zeros(()), {"accuracy": jnp.zeros(())}, jnp.full((2, 2, 2), most, jnp.int32))
    sums = meter.plus(almost, jnp.zeros(1), jnp.array([[[1.0, 0.0]] * 3]), jnp.array([[0, 0, 1]]), jnp.ones(1))
    before = (most << 24) + most
    assert sums.counted().tolist() == [[before + 2, before], [before + 1, before]]


def test_sums_over_nothing_are_not_numbers():
    meter = make_meter(CROSS, "class", 3, training=True)
    assert all(np.isnan(value) for value in meter.measured(meter.zero()).values())


def test_names():
    for target in ("class", "mask", "multi_label", "values"):
        names = measured_metrics(target, 10, validates=True)
        assert set(names) <= set(METRICS)
        assert all(title_of(name) and written(name, 0.5) for name in names)
    assert {name.partition("_")[2] for name in METRICS} == set(MEASURES)
    assert (title_of("test_top5_accuracy"), written("test_top5_accuracy", 0.5)) == (
        "test top-5 accuracy",
        "50.00 %",
    )
    assert "test_top5_accuracy" not in measured_metrics("class", 5, validates=False)
