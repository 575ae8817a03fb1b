"""Schedules in closed form: the factor of the learning rate as a function of the updates made so far.

Written for any array library with NumPy's names: a training computes them with JAX, a picture with NumPy.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

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
from netcalc.spec.training import TrainingSpec

Factor = Callable[[Any], Any]
"""From the number of updates made before this one to the factor of the rate."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How many updates an epoch has, and a schedule, which begins after `start` of them."""

    steps_per_epoch: int
    steps: int
    start: int = 0


def pace_of(spec: TrainingSpec, samples: int, steps: int) -> Pace:
    """Return the pace of a training of so many updates on so many samples: its schedule may span a part of it."""
    span = spec.schedule_span
    if span is None:
        return Pace(spec.steps_per_epoch(samples), steps)
    return Pace(spec.steps_per_epoch(samples), span.steps, span.start)


def warmup_steps(schedule: Schedule, pace: Pace) -> int:
    """Return the updates in which the rate rises."""
    if schedule.warmup_steps is not None:
        return schedule.warmup_steps
    return round((schedule.warmup_epochs or 0) * pace.steps_per_epoch)


def factor_of(xp: Any, spec: ScheduleSpec, pace: Pace) -> Factor:
    """Return the factor of a schedule, its warm-up in front; that of `plateau` is its warm-up alone.

    `xp` is the array library: `jax.numpy` or `numpy`.
    """
    schedule: Schedule = spec.chosen
    warmup = warmup_steps(schedule, pace)
    after = _after_warmup(xp, schedule, pace, max(pace.steps - warmup, 1))

    def factor(step: Any) -> Any:
        done = xp.asarray(step)
        if pace.start:
            done = xp.maximum(done - pace.start, 0)
        return xp.where(done < warmup, (done + 1) / max(warmup, 1), after(xp.maximum(done - warmup, 0)))

    return factor


def _after_warmup(xp: Any, schedule: Schedule, pace: Pace, total: int) -> Factor:
    def steps_of(epochs: float | None, steps: int | None) -> int:
        return steps if steps is not None else max(round((epochs or 0) * pace.steps_per_epoch), 1)

    match schedule:
        case Constant() | Plateau():
            return lambda t: xp.ones(())
        case Step(every_epochs=epochs, every_steps=steps, factor=factor):
            period = steps_of(epochs, steps)
            return lambda t: factor ** (xp.asarray(t) // period)
        case Multistep(factor=factor) as chosen:
            milestones = xp.array(chosen.steps or [steps_of(epoch, None) for epoch in chosen.epochs or ()])
            return lambda t: factor ** xp.sum(milestones <= t)
        case Exponential(every_epochs=epochs, every_steps=steps, factor=factor):
            period = steps_of(epochs, steps)
            return lambda t: factor ** (xp.asarray(t) / period)
        case Inverse(gamma=gamma, power=power):
            return lambda t: (1 + gamma * xp.asarray(t)) ** -power
        case Polynomial(power=power, end=end):
            return lambda t: end + (1 - end) * (1 - _share(xp, t, total)) ** power
        case Sigmoid(gamma=gamma) as chosen:
            center = steps_of(chosen.center_epochs, chosen.center_steps)
            return lambda t: 1 / (1 + xp.exp(gamma * (xp.asarray(t, float) - center)))
        case Cosine(end=end):
            return lambda t: _half_cosine(xp, 1.0, end, _share(xp, t, total))
        case OneCycle(start=start, end=end, peak=peak):
            return lambda t: xp.where(
                _share(xp, t, total) < peak,
                _half_cosine(xp, start, 1.0, _share(xp, t, total) / peak),
                _half_cosine(xp, 1.0, end, (_share(xp, t, total) - peak) / (1 - peak)),
            )
        case Sgdr(every_epochs=epochs, every_steps=steps, growth=growth, end=end):
            return _restarting(xp, steps_of(epochs, steps), growth, end, total)
        case WarmupStableDecay(decay=decay, end=end):
            return lambda t: 1 - (1 - end) * xp.maximum(_share(xp, t, total) - (1 - decay), 0) / decay
    raise AssertionError(f"no schedule for {type(schedule).__name__}")


def _share(xp: Any, t: Any, total: int) -> Any:
    """Return t/T, and 1 beyond the end."""
    return xp.minimum(xp.asarray(t) / total, 1)


def _half_cosine(xp: Any, start: float, end: float, share: Any) -> Any:
    return end + (start - end) * (1 + xp.cos(math.pi * share)) / 2


def _restarting(xp: Any, period: int, growth: int, end: float, total: int) -> Factor:
    """Return half cosines one after another, each longer than the one before."""
    if growth == 1:
        return lambda t: _half_cosine(xp, 1.0, end, xp.asarray(t) % period / period)
    starts, lengths = [0], [period]  # listed, since a logarithm of the time would round
    while starts[-1] + lengths[-1] < total:
        starts.append(starts[-1] + lengths[-1])
        lengths.append(lengths[-1] * growth)

    def factor(t: Any) -> Any:
        number = xp.sum(xp.array(starts) <= t) - 1
        done = xp.asarray(t) - xp.array(starts)[number]
        return _half_cosine(xp, 1.0, end, xp.minimum(done / xp.array(lengths)[number], 1))

    return factor
