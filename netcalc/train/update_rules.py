"""Update rules that optax has not, or has in another dialect, as gradient transformations.

Each is handed the rate of this very update. g is the gradient, θ the parameters that are trained.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax

Rate = jax.typing.ArrayLike


class Velocity(NamedTuple):
    """v of momentum and its relatives, the rate inside."""

    v: Any


def velocity(rate: Rate, decay: float, reach: float) -> optax.GradientTransformation:
    """v ← γv − αg(θ + cv); θ ← θ + v, where c is 0 for momentum, γ for Nesterov's method and 1 for RUD.

    The parameters are x = θ + cv, so that one gradient is enough: x' − x = v' + c(v' − v).
    """

    def init(params: Any) -> Velocity:
        return Velocity(jax.tree.map(jnp.zeros_like, params))

    def update(gradients: Any, state: Velocity, params: Any = None) -> tuple[Any, Velocity]:
        v = jax.tree.map(lambda v, g: decay * v - rate * g, state.v, gradients)
        if reach == 0:
            return v, Velocity(v)
        change = jax.tree.map(lambda new, old: new - old, v, state.v)
        if reach != 1:
            change = jax.tree.map(lambda difference: reach * difference, change)
        return jax.tree.map(lambda new, further: new + further, v, change), Velocity(v)

    return optax.GradientTransformation(init, update)


def behind_look_ahead(reach: float, state: Velocity, params: Any) -> Any:
    """Return θ = x − cv for the parameters x that `velocity` trains."""
    return jax.tree.map(lambda x, v: x - reach * v, params, state.v)


class SumOfSquares(NamedTuple):
    """G of Adagrad."""

    sum: Any


def adagrad_behind_root(initial: float, epsilon: float) -> optax.GradientTransformation:
    """G ← G + g²; g/(√G + ε): Duchi et al. 2011, section 1.3, torch and Caffe."""

    def init(params: Any) -> SumOfSquares:
        return SumOfSquares(jax.tree.map(lambda p: jnp.full_like(p, initial), params))

    def update(gradients: Any, state: SumOfSquares, params: Any = None) -> tuple[Any, SumOfSquares]:
        total = jax.tree.map(lambda s, g: s + jnp.square(g), state.sum, gradients)
        step = jax.tree.map(lambda g, s: g / (jnp.sqrt(s) + epsilon), gradients, total)
        return step, SumOfSquares(total)

    return optax.GradientTransformation(init, update)


class Moments(NamedTuple):
    """What the relatives of Adam keep: the number of updates, the mean m of g, and v, that of g² or the like."""

    made: jax.Array
    m: Any
    v: Any


Direction = Callable[[jax.Array, jax.Array, jax.Array], jax.Array]
"""A step before the rate from the number t of this update, m and v."""


def _moments(beta1: float, second: Callable[[jax.Array, jax.Array], jax.Array], direction: Direction) -> Any:
    """Return the rule that averages g into m, lets `second` put g into v, and steps in a direction of both."""

    def init(params: Any) -> Moments:
        zeros = jax.tree.map(jnp.zeros_like, params)
        return Moments(jnp.zeros((), jnp.int32), zeros, jax.tree.map(jnp.zeros_like, params))

    def update(gradients: Any, state: Moments, params: Any = None) -> tuple[Any, Moments]:
        t = state.made + 1
        m = jax.tree.map(lambda m, g: beta1 * m + (1 - beta1) * g, state.m, gradients)
        v = jax.tree.map(second, state.v, gradients)
        return jax.tree.map(lambda m, v: direction(t, m, v), m, v), Moments(t, m, v)

    return optax.GradientTransformation(init, update)


def adam_uncorrected_epsilon(beta1: float, beta2: float, epsilon: float) -> optax.GradientTransformation:
    """√(1−β₂ᵗ)/(1−β₁ᵗ) · m/(√v + ε): Kingma & Ba 2015, the end of section 2; Caffe and Keras."""

    def direction(t: jax.Array, m: jax.Array, v: jax.Array) -> jax.Array:
        return jnp.sqrt(1 - beta2**t) / (1 - beta1**t) * (m / (jnp.sqrt(v) + epsilon))

    return _moments(beta1, _mean_of_squares(beta2), direction)


def adamax(beta1: float, beta2: float, epsilon: float) -> optax.GradientTransformation:
    """u ← max(β₂u, |g|); m/(1−β₁ᵗ)/(u + ε).

    Where u and ε are 0 nothing moves: no gradient was ever there.
    """

    def direction(t: jax.Array, m: jax.Array, u: jax.Array) -> jax.Array:
        return jnp.where(u + epsilon > 0, m / (1 - beta1**t) / (u + epsilon), 0)

    return _moments(beta1, lambda u, g: jnp.maximum(beta2 * u, jnp.abs(g)), direction)


def radam_uncorrected_epsilon(beta1: float, beta2: float, epsilon: float) -> optax.GradientTransformation:
    """Liu et al. 2020, algorithm 2, with ρ above 5 and ε as torch has them: r·m̂·√(1−β₂ᵗ)/(√v + ε), else m̂."""
    most = 2 / (1 - beta2) - 1

    def direction(t: jax.Array, m: jax.Array, v: jax.Array) -> jax.Array:
        decayed = beta2**t
        rho = most - 2 * t * decayed / (1 - decayed)
        seen = rho > 5
        safe = jnp.where(seen, rho, most)
        r = jnp.sqrt((safe - 4) * (safe - 2) * most / ((most - 4) * (most - 2) * safe))
        rectified = r * jnp.sqrt(1 - decayed) / (jnp.sqrt(v) + epsilon)
        return m / (1 - beta1**t) * jnp.where(seen, rectified, 1)

    return _moments(beta1, _mean_of_squares(beta2), direction)


class ScheduledMoments(NamedTuple):
    """Moments, with the product of all β₁ so far."""

    moments: Moments
    product: jax.Array


def nadam_scheduled(
    beta1: float, beta2: float, epsilon: float, growth: Literal["torch", "keras"]
) -> optax.GradientTransformation:
    """Dozat 2016 with β₁ scheduled: μ_t = β₁(1 − 0.96^(ψt)/2), where ψ is 0.004 in torch and 1 in Keras."""
    psi = 0.004 if growth == "torch" else 1.0

    def momentum(t: jax.Array) -> jax.Array:
        return beta1 * (1 - 0.5 * 0.96 ** (psi * t))

    def init(params: Any) -> ScheduledMoments:
        zeros = jax.tree.map(jnp.zeros_like, params)
        moments = Moments(jnp.zeros((), jnp.int32), zeros, jax.tree.map(jnp.zeros_like, params))
        return ScheduledMoments(moments, jnp.ones(()))

    def update(gradients: Any, state: ScheduledMoments, params: Any = None) -> tuple[Any, ScheduledMoments]:
        t = state.moments.made + 1
        now, following = momentum(t), momentum(t + 1)
        product = state.product * now
        m = jax.tree.map(lambda m, g: beta1 * m + (1 - beta1) * g, state.moments.m, gradients)
        v = jax.tree.map(_mean_of_squares(beta2), state.moments.v, gradients)
        of_g, of_m = (1 - now) / (1 - product), following / (1 - product * following)

        def direction(g: jax.Array, m: jax.Array, v: jax.Array) -> jax.Array:
            return (of_g * g + of_m * m) / (jnp.sqrt(v / (1 - beta2**t)) + epsilon)

        return jax.tree.map(direction, gradients, m, v), ScheduledMoments(Moments(t, m, v), product)

    return optax.GradientTransformation(init, update)


def trust_ratio_of_parts(trust: float, decay: float) -> optax.GradientTransformation:
    """η‖θ‖/(‖g‖ + λ‖θ‖) · (g + λθ): You, Gitman & Ginsburg 2017, algorithm 1; no ratio where a norm is 0."""

    def scaled(g: jax.Array, theta: jax.Array) -> jax.Array:
        size, length = jnp.linalg.norm(theta), jnp.linalg.norm(g)
        ratio = jnp.where((size > 0) & (length > 0), trust * size / (length + decay * size), 1)
        return ratio * (g + decay * theta)

    def update(gradients: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        return jax.tree.map(scaled, gradients, params), state

    return optax.GradientTransformation(optax.init_empty_state, update)


def _mean_of_squares(beta2: float) -> Callable[[jax.Array, jax.Array], jax.Array]:
    return lambda v, g: beta2 * v + (1 - beta2) * jnp.square(g)
