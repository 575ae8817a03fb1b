"""Losses, one value a sample; the mean over a batch is the training loss.

Outputs are (batch, positions, channels) in float32: of masks a position a pixel, else one; a channel is a class, a
label or a value. Where two classes have one output, it stands for the second.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp

from netcalc.spec.data import Target
from netcalc.spec.losses import BinaryCrossEntropy, CrossEntropy, HalfMse, Huber, LossSpec

SampleLoss = Callable[[jax.Array, jax.Array], jax.Array]
"""Outputs (batch, positions, channels) and labels (batch, ...) to losses (batch,)."""


def make_loss(spec: LossSpec, target: Target, counts: tuple[int, ...] | None = None) -> SampleLoss:
    """Return the weighted loss of a spec.

    `counts` are the samples of each class in the training set, or its pixels, by which `balanced` weights are; all
    alike by default.
    """
    own = _LOSSES[type(spec.chosen)](spec.chosen, target, counts)
    weight = spec.chosen.weight
    return own if weight == 1 else lambda outputs, labels: weight * own(outputs, labels)


def _cross_entropy(spec: CrossEntropy, target: Target, counts: tuple[int, ...] | None) -> SampleLoss:
    """Σₖ wₖqₖ(−log pₖ), p the softmax, w the class weights, q = (1 − ε)·one-of-N + ε/K."""

    def loss(outputs: jax.Array, labels: jax.Array) -> jax.Array:
        log_p = jax.nn.log_softmax(outputs)
        true = jnp.reshape(labels, outputs.shape[:-1])
        found = -_of_class(log_p, true)
        weights = _class_weights(spec, outputs.shape[-1], counts)
        if weights is not None:
            found = weights.at[true].get(mode="clip") * found
        if spec.label_smoothing:
            spread = -log_p if weights is None else -weights * log_p
            found = (1 - spec.label_smoothing) * found + spec.label_smoothing * jnp.mean(spread, axis=-1)
        return _mean_of_positions(found, true, spec.ignore)

    return loss


def _binary_cross_entropy(spec: BinaryCrossEntropy, target: Target, counts: tuple[int, ...] | None) -> SampleLoss:
    """wy·log(1 + e⁻ˣ) + (1 − y)·log(1 + eˣ), which no x overflows."""

    def loss(outputs: jax.Array, labels: jax.Array) -> jax.Array:
        wanted = wanted_outputs(outputs, labels, target)
        wanted = (1 - spec.label_smoothing) * wanted + spec.label_smoothing / 2
        positive = jnp.asarray(spec.positive_weight, outputs.dtype)
        each = positive * wanted * jax.nn.softplus(-outputs) + (1 - wanted) * jax.nn.softplus(outputs)
        shown = jnp.reshape(labels, outputs.shape[:-1]) if target in ("class", "mask") else None
        return _mean_of_positions(jnp.mean(each, axis=-1), shown, spec.ignore)

    return loss


def _half_mse(spec: HalfMse, target: Target, counts: tuple[int, ...] | None) -> SampleLoss:
    """½‖h(x) − y‖², so that the mean is E = 1/(2N) Σ‖h(x) − y‖² (eq. 4)."""

    def loss(outputs: jax.Array, labels: jax.Array) -> jax.Array:
        apart = outputs - wanted_outputs(outputs, labels, target)
        return 0.5 * _over_positions(jnp.sum(jnp.square(apart), axis=-1), target)

    return loss


def _huber(spec: Huber, target: Target, counts: tuple[int, ...] | None) -> SampleLoss:
    """½r² where |r| ≤ δ, δ(|r| − ½δ) beyond."""

    def loss(outputs: jax.Array, labels: jax.Array) -> jax.Array:
        size = jnp.abs(outputs - wanted_outputs(outputs, labels, target))
        near = jnp.minimum(size, spec.delta)
        return _over_positions(jnp.sum(near * (size - 0.5 * near), axis=-1), target)

    return loss


_LOSSES: Mapping[type, Callable[[Any, Target, tuple[int, ...] | None], SampleLoss]] = MappingProxyType(
    {
        CrossEntropy: _cross_entropy,
        BinaryCrossEntropy: _binary_cross_entropy,
        HalfMse: _half_mse,
        Huber: _huber,
    }
)
"""Every loss of the spec language."""


def wanted_outputs(outputs: jax.Array, labels: jax.Array, target: Target) -> jax.Array:
    """Return what the outputs should be: one-of-N targets of classes, the labels or values themselves."""
    if target in ("multi_label", "values"):
        return jnp.reshape(labels, outputs.shape).astype(outputs.dtype)
    true = jnp.reshape(labels, outputs.shape[:-1])
    if outputs.shape[-1] == 1:
        return true[..., None].astype(outputs.dtype)
    return jax.nn.one_hot(true, outputs.shape[-1], dtype=outputs.dtype)


def balanced_weights(counts: tuple[int, ...]) -> tuple[float, ...]:
    """Return N / (K · samples of the class) for each of the K classes that have some, and 0 for the others.

    The mean over the samples is 1.
    """
    present = sum(count > 0 for count in counts)
    return tuple(sum(counts) / (present * count) if count else 0.0 for count in counts)


def _class_weights(spec: CrossEntropy, classes: int, counts: tuple[int, ...] | None) -> jax.Array | None:
    if spec.class_weights is None:
        return None
    if isinstance(spec.class_weights, tuple):
        return jnp.asarray(spec.class_weights, jnp.float32)
    return jnp.asarray(balanced_weights(counts or (1,) * classes), jnp.float32)


def _of_class(values: jax.Array, true: jax.Array) -> jax.Array:
    """Return the value of each position's class; a label that is ignored may be beyond all classes."""
    return jnp.take_along_axis(values, true[..., None], axis=-1, mode="clip")[..., 0]


def _over_positions(each: jax.Array, target: Target) -> jax.Array:
    """Return the mean over pixels of masks; all values of a sample are one vector, whatever their shape."""
    return jnp.sum(each, axis=1) if target == "values" else jnp.mean(each, axis=1)


def _mean_of_positions(each: jax.Array, labels: jax.Array | None, ignored: int | None) -> jax.Array:
    """Return the mean over the positions that count, 0 where none does."""
    if ignored is None or labels is None:
        return jnp.mean(each, axis=1)
    counts = labels != ignored
    return jnp.sum(jnp.where(counts, each, 0), axis=1) / jnp.maximum(jnp.sum(counts, axis=1), 1)
