"""The last good state of a training, kept on the device, and the way back to it where an update is not finite.

The copy is renewed where parameters and losses are finite, which the device decides, so that nothing waits. From it
the updates that followed are made again, bit by bit those of before, and the one that is not finite changes nothing
but the number of updates, as if its gradients had been waited for.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from netcalc.train.metrics import Sums
from netcalc.train.step import TrainState, TrainStep, all_finite

Samples = tuple[Any, Any]
"""Images and labels of one update."""

LeaveOut = Callable[["Kept", TrainState, Samples, tuple[float, ...]], None]
"""What is told of an update that is left out: the state before it and after it, its samples, the losses before."""

_LOSSES = 8
"""Losses before a bad update that are told."""


class Kept(NamedTuple):
    """A state that was finite, and the epoch's sums of metrics with it."""

    current: TrainState
    sums: Sums


@jax.jit
def first_kept(current: TrainState, sums: Sums) -> Kept:
    """Return a copy of what a training begins with."""
    copied: Kept = jax.tree.map(jnp.copy, Kept(current, sums))
    return copied


@partial(jax.jit, donate_argnums=(0,))
def kept_if_finite(kept: Kept, current: TrainState, sums: Sums) -> Kept:
    """Return a copy of `current` in the place of the one before, or that one where `current` is not finite."""
    finite = all_finite((current.params, sums.loss))
    chosen: Kept = jax.tree.map(partial(jnp.where, finite), Kept(current, sums), kept)
    return chosen


def returned(
    kept: Kept, spent: tuple[TrainState, Sums], updates: Iterable[Samples], update: TrainStep, leave_out: LeaveOut
) -> tuple[Kept, TrainState, Sums]:
    """Return the state after `updates`, made again from the one that was kept, and a copy of it.

    Those that are not finite are left out: `leave_out` is called for each, and what it raises ends this. `spent` is
    the state that is not finite, with its sums: the new ones take their place in memory.
    """
    current, sums = _copied_over(spent, kept)
    losses: deque[float] = deque(maxlen=_LOSSES)
    for images, labels in updates:
        before = kept.sums
        loss, weight = float(before.loss), float(before.weight)
        number = int(kept.current.step) + 1
        current, sums = update(current, sums, images, labels)
        kept = kept_if_finite(kept, current, sums)
        if int(kept.current.step) == number:
            # A difference of sums has digits enough for people.
            losses.append((float(kept.sums.loss) - loss) / (float(kept.sums.weight) - weight))
            continue
        leave_out(kept, current, (images, labels), tuple(losses))
        kept = _passed_over(kept)
        current, sums = _copied_over((current, sums), kept)
    return kept, current, sums


@partial(jax.jit, donate_argnums=(0,), keep_unused=True)
def _copied_over(spent: tuple[TrainState, Sums], kept: Kept) -> tuple[TrainState, Sums]:
    """Return a copy of what was kept, in the memory of what is not needed any more."""
    copied: tuple[TrainState, Sums] = jax.tree.map(jnp.copy, tuple(kept))
    return copied


@partial(jax.jit, donate_argnums=(0,))
def _passed_over(kept: Kept) -> Kept:
    """Return the state with one more update counted and nothing changed."""
    return kept._replace(current=kept.current._replace(step=kept.current.step + 1))
