"""Schedules as a training computes them: on the device, from the updates made so far.

Only `plateau` follows the loss and keeps values of its own, optax's.
"""

from __future__ import annotations

import jax.numpy as jnp
import optax
import optax.contrib

from netcalc.spec.schedules import Plateau, ScheduleSpec
from netcalc.train.factors import Factor, Pace, factor_of


def make_factor(spec: ScheduleSpec, pace: Pace) -> Factor:
    """Return the factor of a schedule as a function of the updates made, in float32."""
    return factor_of(jnp, spec, pace)


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
