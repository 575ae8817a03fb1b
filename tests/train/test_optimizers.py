"""Each optimizer against a few lines of NumPy: 50 steps on a random quadratic in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from netcalc.analysis.optimizers import OPTIMIZERS
from netcalc.spec.training import OptimizerSpec
from netcalc.train.optimizers import make_optimizer

STEPS = 50


@pytest.fixture(autouse=True)
def _float64():
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", False)


@pytest.fixture
def quadratic():
    rng = np.random.default_rng(3)
    root = rng.normal(size=(6, 6))
    hessian = root @ root.T / 6 + 0.1 * np.eye(6)
    return hessian, rng.normal(size=6), rng.normal(size=6)


def sgd(gradient, theta, rate):
    for _ in range(STEPS):
        theta = theta - rate * gradient(theta)
    return theta


def momentum(gradient, theta, rate, gamma):
    v = np.zeros_like(theta)
    for _ in range(STEPS):
        v = gamma * v - rate * gradient(theta)
        theta = theta + v
    return theta


def nesterov(gradient, theta, rate, gamma):
    v = np.zeros_like(theta)
    for _ in range(STEPS):
        v = gamma * v - rate * gradient(theta + gamma * v)
        theta = theta + v
    return theta


def adam(gradient, theta, rate, beta1, beta2, epsilon):
    m, v = np.zeros_like(theta), np.zeros_like(theta)
    for t in range(1, STEPS + 1):
        g = gradient(theta)
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        theta = theta - rate * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + epsilon)
    return theta


@pytest.mark.parametrize(
    ("spec", "oracle", "values"),
    [
        ({"sgd": {"learning_rate": 0.07}}, sgd, (0.07,)),
        ({"momentum": {"learning_rate": 0.03, "momentum": 0.8}}, momentum, (0.03, 0.8)),
        ({"nesterov": {"learning_rate": 0.03, "momentum": 0.8}}, nesterov, (0.03, 0.8)),
        (
            {"adam": {"learning_rate": 0.05, "beta1": 0.8, "beta2": 0.95, "epsilon": 1e-3}},
            adam,
            (0.05, 0.8, 0.95, 1e-3),
        ),
    ],
    ids=["sgd", "momentum", "nesterov", "adam"],
)
def test_fifty_steps_agree_with_the_equations(spec, oracle, values, quadratic):
    hessian, target, start = quadratic

    def gradient(theta):
        return hessian @ (theta - target)

    optimizer = make_optimizer(OptimizerSpec.model_validate(spec))
    params = {"w": jnp.array(start)}
    state = optimizer.transform.init(params)
    for _ in range(STEPS):
        updates, state = optimizer.transform.update({"w": gradient(params["w"])}, state, params)
        params = optax.apply_updates(params, updates)
    found = optimizer.eval_params(state, params)["w"]
    np.testing.assert_allclose(found, oracle(gradient, start, *values), rtol=0, atol=1e-10)


def test_every_optimizer_of_the_spec_language_can_be_made():
    for name in OptimizerSpec.model_fields:
        assert make_optimizer(OptimizerSpec.model_validate(name)).transform.init({"w": jnp.zeros(3)}) is not None


def test_nesterov_hands_out_another_point_than_it_keeps(quadratic):
    hessian, target, start = quadratic
    optimizer = make_optimizer(OptimizerSpec.model_validate("nesterov"))
    params = {"w": jnp.array(start)}
    updates, state = optimizer.transform.update(
        {"w": hessian @ (params["w"] - target)}, optimizer.transform.init(params), params
    )
    kept = optax.apply_updates(params, updates)
    assert not np.allclose(optimizer.eval_params(state, kept)["w"], kept["w"])


ARITHMETIC = {"add", "sub", "mul", "div", "neg", "integer_pow", "square", "sqrt", "pow", "max", "abs", "sign"}


def elementwise(jaxpr, shape):
    """Count the arithmetic operations of a jaxpr that give an array of this shape."""
    count = 0
    for equation in jaxpr.eqns:
        name, inputs = equation.primitive.name, equation.invars
        # optax raises g to the first power and adds an ε of zero inside Adam's root.
        is_identity = equation.params.get("y") == 1 or (name == "add" and getattr(inputs[-1], "val", None) == 0)
        count += name in ARITHMETIC and equation.outvars[0].aval.shape == shape and not is_identity
        for value in equation.params.values():
            inner = getattr(value, "jaxpr", None)
            count += elementwise(inner, shape) if inner is not None else 0
    return count


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_cost_of_an_update_is_what_optax_keeps_and_computes(name):
    transform = make_optimizer(OptimizerSpec.model_validate(name)).transform
    params = {"kernel": jnp.ones((3, 5)), "bias": jnp.ones((5,))}
    state = transform.init(params)
    # Scalars, such as Adam's number of steps, are no slots.
    kept = sum(leaf.size for leaf in jax.tree.leaves(state) if leaf.ndim)
    assert kept == OPTIMIZERS[name].slots * (15 + 5)

    def step(gradient, state, params):
        updates, state = transform.update(gradient, state, params)
        return optax.apply_updates(params, updates), state

    computed = elementwise(jax.make_jaxpr(step)(params, state, params).jaxpr, (3, 5))
    assert computed == OPTIMIZERS[name].flops
