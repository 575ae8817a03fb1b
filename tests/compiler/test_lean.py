"""The lean form of a network computes what the plain one does, gradients and NaN included."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from netcalc.compiler.network import compile_graph
from netcalc.graph import build_complete
from netcalc.spec.load import parse_spec

CONV, TAIL = "{conv: {filters: 4, kernel: 3}}", "flatten, dense: 3]"
NETWORKS = {
    "relu before a pool": f"input: [9, 8, 3]\nlayers: [{CONV}, relu, max_pool: 2, {TAIL}",
    "overlapping windows": (
        f"input: [9, 8, 3]\nlayers: [relu, {{max_pool: {{kernel: 3, stride: 2, padding: 1}}}}, {TAIL}"
    ),
    "tiles": f"input: [9, 8, 3]\nlayers: [{{max_pool: [2, 3]}}, relu, {TAIL}",
    "windows with gaps": f"input: [9, 8, 3]\nlayers: [{{max_pool: {{kernel: 2, stride: 3}}}}, relu, {TAIL}",
    "ceil rounding": (f"input: [8, 9, 3]\nlayers: [{{max_pool: {{kernel: 3, stride: 2, rounding: ceil}}}}, {TAIL}"),
    "one axis": f"input: [17, 3]\nlayers: [{CONV}, relu, max_pool: 4, {TAIL}",
    "three axes": f"input: [5, 6, 7, 2]\nlayers: [relu, max_pool: [1, 2, 3], {TAIL}",
    "tanh and sigmoid": f"input: [8, 8, 3]\nlayers: [{CONV}, tanh, flatten, dense: 5, sigmoid, dense: 3]",
    "functions of the input": f"input: [8, 8, 3]\nlayers: [{CONV}, gelu, flatten, dense: 5, mish, dense: 3]",
    "a relu that two read": (
        "input: [8, 8, 3]\nlayers: [{conv: {filters: 4, kernel: 3}}, {relu: , name: r}, {max_pool: 3, name: p},"
        " {max_pool: {kernel: 3}, name: q, from: r}, {add: , from: [p, q]}, flatten, dense: 3]"
    ),
    "dense and norm": (
        "input: [8, 8, 3]\nlayers: [{conv: {filters: 4, kernel: 3}}, batch_norm, relu, max_pool: 2, flatten,"
        " dense: 5, relu, dense: 3]"
    ),
}


def network(text, **form):
    return compile_graph(build_complete(parse_spec(f"name: n\n{text}\n")), **form)


def loss_and_gradients(net, x, weights):
    params, state = net.init(jax.random.key(0))

    def loss(params, x):
        y, _ = net.apply(params, state, x, train=True)
        return jnp.sum(jnp.sin(y) * weights)

    return jax.jit(jax.value_and_grad(loss, argnums=(0, 1)))(params, x)


@pytest.mark.parametrize("text", NETWORKS.values(), ids=NETWORKS)
def test_value_and_gradients_are_those_of_the_plain_form(text):
    lean, plain = network(text), network(text, lean=False)
    (shape,) = (type.shape for type in lean.graph.inputs.values())
    random = np.random.default_rng(0)
    x, weights = random.normal(size=(2, *shape)).astype("float32"), random.normal(size=(2, 3)).astype("float32")
    expected, found = loss_and_gradients(plain, x, weights), loss_and_gradients(lean, x, weights)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-5, atol=1e-6), found, expected)


def test_a_pool_of_equal_values_sends_the_gradient_to_the_first():
    text = "input: [2, 2, 1]\nlayers: [max_pool: 2]"
    net = network(text)
    gradient = jax.grad(lambda x: jnp.sum(net.apply({}, {}, x, train=True)[0]))(jnp.ones((1, 2, 2, 1)))
    np.testing.assert_array_equal(gradient[0, ..., 0], [[1, 0], [0, 0]])


@pytest.mark.parametrize("at", range(9))
def test_nan_passes_through_a_pool_and_its_relu(at):
    net = network("input: [3, 3, 1]\nlayers: [relu, max_pool: 3]")
    x = np.arange(9, dtype="float32")
    x[at] = np.nan
    for train in (False, True):
        y, pull = jax.vjp(lambda x, train=train: net.apply({}, {}, x, train=train)[0], x.reshape(1, 3, 3, 1))
        assert np.isnan(y).all()
        assert all(np.isfinite(g).all() or np.isnan(g).any() for g in pull(jnp.ones_like(y)))


def test_the_training_form_keeps_no_input_of_a_pooled_relu():
    """What is kept for backward is the pooled map and a byte an output, not the map before it."""
    net = network("input: [8, 8, 16]\nlayers: [relu, max_pool: 2]")
    x = jax.ShapeDtypeStruct((1, 8, 8, 16), jnp.float32)
    _, pull = jax.eval_shape(lambda x: jax.vjp(lambda x: net.apply({}, {}, x, train=True)[0], x), x)
    kept = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(pull))
    pooled = 4 * 4 * 16
    assert kept <= pooled * (1 + 4 + 1)


def test_inputs_keep_their_precision():
    layers = "{conv: {filters: 4, kernel: 3}}, batch_norm, relu, max_pool: 2, flatten, dense: 3, softmax"
    text = f"input: [8, 8, 3]\nlayers: [{layers}]"
    net = network(text, compute_dtype="bfloat16")
    params, state = net.init(jax.random.key(0))
    x = np.random.default_rng(0).normal(size=(4, 8, 8, 3)).astype("float32")
    y, kept = net.apply(params, state, x, train=True)
    assert y.dtype == jnp.bfloat16
    assert {leaf.dtype for leaf in jax.tree.leaves(kept)} == {jnp.dtype("float32")}
    exact, _ = network(text).apply(params, state, x, train=True)
    np.testing.assert_allclose(y.astype("float32"), exact, atol=0.03)
