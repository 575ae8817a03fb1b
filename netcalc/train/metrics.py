"""Metrics as sums on the device, so that no step waits for the host."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp


class Sums(NamedTuple):
    """Weighted sums over samples: of the loss, of right answers, of weights."""

    loss: jax.Array
    correct: jax.Array
    weight: jax.Array

    @classmethod
    def zero(cls) -> Sums:
        """Return sums over no samples."""
        return cls(jnp.zeros(()), jnp.zeros(()), jnp.zeros(()))

    def plus(self, losses: jax.Array, outputs: jax.Array, labels: jax.Array, weights: jax.Array) -> Sums:
        """Return the sums with a batch added; the answer is the class with the largest output.

        Outputs are (batch, positions, classes); where there are several positions, a sample counts by its share
        of right ones.
        """
        answers = jnp.argmax(outputs, axis=-1)
        right = jnp.mean((answers == jnp.reshape(labels, answers.shape)).astype(jnp.float32), axis=1)
        return Sums(
            self.loss + jnp.sum(weights * losses),
            self.correct + jnp.sum(weights * right),
            self.weight + jnp.sum(weights),
        )

    def means(self) -> Metrics:
        """Return loss and accuracy; waits for the device."""
        weight = float(self.weight)
        if weight == 0:
            return Metrics(float("nan"), float("nan"))
        return Metrics(float(self.loss) / weight, float(self.correct) / weight)


class Metrics(NamedTuple):
    """Mean loss, and the share of samples whose class is right."""

    loss: float
    accuracy: float
