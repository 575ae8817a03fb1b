"""Schedules in closed form: the factor of the learning rate as a function of the updates made so far.

Only `plateau` follows the loss and keeps values of its own, optax's.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import optax
import optax.contrib

from netcalc.spec.schedules import (
    Constant,
    Cosine,
    Exponential,
    Inverse,
    Multistep,
    OneCycle,
    Plateau,
    Polynomial,
    Schedule,
    ScheduleSpec,
    Sgdr,
    Sigmoid,
    Step,
    WarmupStableDecay,
)

Factor = Callable[[jax.typing.ArrayLike], jax.Array]
"""From the number of updates made before this one to the factor of the rate."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How many updates an epoch has, and a schedule, which begins after `start` of them."""

    steps_per_epoch: int
    steps: int
    start: int = 0


def warmup_steps(schedule: Schedule, pace: Pace) -> int:
    """Return the updates in which the rate rises."""
    if schedule.warmup_steps is not None:
        return schedule.warmup_steps
    return round((schedule.warmup_epochs or 0) * pace.steps_per_epoch)


def make_factor(spec: ScheduleSpec, pace: Pace) -> Factor:
    """Return the factor of a schedule, its warm-up in front; that of `plateau` is its warm-up alone."""
    schedule: Schedule = spec.chosen
    warmup = warmup_steps(schedule, pace)
    after = _after_warmup(schedule, pace, max(pace.steps - warmup, 1))

    def factor(step: jax.typing.ArrayLike) -> jax.Array:
        done = jnp.asarray(step)
        if pace.start:
            done = jnp.maximum(done - pace.start, 0)
        return jnp.where(done < warmup, (done + 1) / max(warmup, 1), after(jnp.maximum(done - warmup, 0)))

    return factor


def make_plateau(plateau: Plateau, pace: Pace) -> optax.GradientTransformationExtraArgs:
    """Return what follows the mean loss of each epoch; its state's `scale` is the factor of the rate."""
    return optax.contrib.reduce_on_plateau(
        plateau.factor,
        plateau.patience,
        rtol=plateau.threshold,
        cooldown=plateau.cooldown,
        accumulation_size=pace.steps_per_epoch,
        min_scale=plateau.end,
    )


def _after_warmup(schedule: Schedule, pace: Pace, total: int) -> Factor:
    def steps_of(epochs: float | None, steps: int | None) -> int:
        return steps if steps is not None else max(round((epochs or 0) * pace.steps_per_epoch), 1)

    match schedule:
        case Constant() | Plateau():
            return lambda t: jnp.ones(())
        case Step(every_epochs=epochs, every_steps=steps, factor=factor):
            period = steps_of(epochs, steps)
            return lambda t: factor ** (jnp.asarray(t) // period)
        case Multistep(factor=factor) as chosen:
            milestones = jnp.array(chosen.steps or [steps_of(epoch, None) for epoch in chosen.epochs or ()])
            return lambda t: factor ** jnp.sum(milestones <= t)
        case Exponential(every_epochs=epochs, every_steps=steps, factor=factor):
            period = steps_of(epochs, steps)
            return lambda t: factor ** (jnp.asarray(t) / period)
        case Inverse(gamma=gamma, power=power):
            return lambda t: (1 + gamma * jnp.asarray(t)) ** -power
        case Polynomial(power=power, end=end):
            return lambda t: end + (1 - end) * (1 - _share(t, total)) ** power
        case Sigmoid(gamma=gamma) as chosen:
            center = steps_of(chosen.center_epochs, chosen.center_steps)
            return lambda t: jax.nn.sigmoid(-gamma * (jnp.asarray(t, float) - center))
        case Cosine(end=end):
            return lambda t: _half_cosine(1.0, end, _share(t, total))
        case OneCycle(start=start, end=end, peak=peak):
            return lambda t: jnp.where(
                _share(t, total) < peak,
                _half_cosine(start, 1.0, _share(t, total) / peak),
                _half_cosine(1.0, end, (_share(t, total) - peak) / (1 - peak)),
            )
        case Sgdr(every_epochs=epochs, every_steps=steps, growth=growth, end=end):
            return _restarting(steps_of(epochs, steps), growth, end, total)
        case WarmupStableDecay(decay=decay, end=end):
            return lambda t: 1 - (1 - end) * jnp.maximum(_share(t, total) - (1 - decay), 0) / decay
    raise AssertionError(f"no schedule for {type(schedule).__name__}")


def _share(t: jax.typing.ArrayLike, total: int) -> jax.Array:
    """Return t/T, and 1 beyond the end."""
    return jnp.minimum(jnp.asarray(t) / total, 1)


def _half_cosine(start: float, end: float, share: jax.Array) -> jax.Array:
    return end + (start - end) * (1 + jnp.cos(math.pi * share)) / 2


def _restarting(period: int, growth: int, end: float, total: int) -> Factor:
    """Return half cosines one after another, each longer than the one before."""
    if growth == 1:
        return lambda t: _half_cosine(1.0, end, jnp.asarray(t) % period / period)
    starts, lengths = [0], [period]  # listed, since a logarithm of the time would round
    while starts[-1] + lengths[-1] < total:
        starts.append(starts[-1] + lengths[-1])
        lengths.append(lengths[-1] * growth)

    def factor(t: jax.typing.ArrayLike) -> jax.Array:
        number = jnp.sum(jnp.array(starts) <= t) - 1
        done = jnp.asarray(t) - jnp.array(starts)[number]
        return _half_cosine(1.0, end, jnp.minimum(done / jnp.array(lengths)[number], 1))

    return factor
