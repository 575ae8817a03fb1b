"""Losses, one value a sample; the mean over a batch is the training loss."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp

SampleLoss = Callable[[jax.Array, jax.Array], jax.Array]
"""Outputs (batch, positions, classes) and labels (batch,) or (batch, positions, ...) to losses (batch,)."""


def cross_entropy(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """−log softmax(logits) of the true class, the mean over positions: cross-entropy on one-of-N outputs."""
    log_p = jax.nn.log_softmax(logits)
    true = jnp.reshape(labels, logits.shape[:-1])
    return -jnp.mean(jnp.take_along_axis(log_p, true[..., None], axis=-1)[..., 0], axis=1)


def half_mse(outputs: jax.Array, labels: jax.Array) -> jax.Array:
    """½‖h(x) − y‖² with one-of-N targets y, so that the mean is E = 1/(2N) Σ‖h(x) − y‖² (eq. 4)."""
    true = jnp.reshape(labels, outputs.shape[:-1])
    targets = jax.nn.one_hot(true, outputs.shape[-1], dtype=outputs.dtype)
    return 0.5 * jnp.mean(jnp.sum(jnp.square(outputs - targets), axis=-1), axis=1)


LOSSES: dict[str, SampleLoss] = {"cross_entropy": cross_entropy, "half_mse": half_mse}
"""Every loss by the name that specs use."""
