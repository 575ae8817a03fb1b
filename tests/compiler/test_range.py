"""Activations and norms far from zero, at their kinks, and in half precision."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from netcalc.compiler.network import compile_graph
from netcalc.graph import build_complete
from netcalc.layers.catalog import LAYERS
from netcalc.spec.load import parse_spec
from tests.conformance.oracle import ORACLES

ACTIVATIONS = [
    kind
    for kind, layer in LAYERS.items()
    if layer.__module__ == "netcalc.layers.activation" and kind not in ("maxout", "softmax")
]
OVERFLOWING = {"tanh", "sigmoid", "elu", "selu", "celu"}
"""Their oracles raise e to the input, which stops at 700."""

GRID = np.array([0, *(sign * v for v in (1e-3, 0.5, 1, 3, 6, 20, 88, 100, 300, 1e4) for sign in (1, -1))])


def applied(layer, x):
    """Return the node, output and gradient of the output's sum, for one layer and one sample."""
    graph = build_complete(parse_spec(f"input: {list(x.shape)}\nlayers: [{{{layer}, name: node}}]"))
    net = compile_graph(graph)
    params, state = net.init(jax.random.key(0))

    def total(params, x):
        y, _ = net.apply(params, state, x[None])
        return jnp.sum(y.astype("float32")), y[0]

    gradients, y = jax.jit(jax.grad(total, argnums=(0, 1), has_aux=True))(params, x)
    return graph.nodes["node"].spec.layer, params.get("node", {}), y, gradients


@pytest.mark.parametrize("kind", ACTIVATIONS)
def test_activations_hold_far_from_zero(kind):
    x = GRID[np.abs(GRID) <= 300] if kind in OVERFLOWING else GRID
    x = x[:, None] if kind == "log_softmax" else x
    layer, params, y, _ = applied(f"{kind}: ", x.astype("float32"))
    with np.errstate(over="ignore"):
        expected = ORACLES[kind](layer, jax.tree.map(np.float64, params), {}, False, np.float32(x)[None]).output[0]
    np.testing.assert_allclose(y, expected, rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("kind", [*ACTIVATIONS, "softmax", "maxout"])
def test_activations_have_finite_slopes_everywhere(kind, dtype):
    fields = "3" if kind == "maxout" else ""
    _, _, y, gradients = applied(f"{kind}: {fields}", jnp.asarray(GRID, dtype))
    assert y.dtype == dtype
    for array in (y, *jax.tree.leaves(gradients)):
        assert np.all(np.isfinite(np.float32(array)))


def test_log_softmax_of_far_channels():
    _, _, y, _ = applied("log_softmax: ", np.array([1e4, 0, -1e4], "float32"))
    np.testing.assert_allclose(y, [0, -1e4, -2e4])


def test_selu_keeps_a_standard_normal():
    z = np.linspace(-12, 12, 100_001)
    density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi) * (z[1] - z[0])
    _, _, y, _ = applied("selu: ", z.astype("float32"))
    assert abs(np.sum(y * density)) < 1e-5
    assert abs(np.sum(np.float64(y) ** 2 * density) - 1) < 1e-5


def test_selu_is_a_scaled_elu():
    _, _, selu, _ = applied("selu: ", GRID.astype("float32"))
    _, _, elu, _ = applied("elu: 1.6732632423543772", GRID.astype("float32"))
    np.testing.assert_allclose(selu, 1.0507009873554805 * elu, rtol=1e-6)


def test_named_pairs_of_maxout_pieces():
    w = np.linspace(-2, 2, 9, dtype="float32")
    for pieces, name in (([0 * w, w], "relu: "), ([w, 0.01 * w], "leaky_relu: "), ([w, -w], "abs: ")):
        _, _, y, _ = applied("maxout: 2", np.stack(pieces, -1).ravel())
        np.testing.assert_array_equal(y, applied(name, w)[2])


NORMS = ["layer_norm: ", "layer_norm: {axes: all}", "group_norm: 2", "instance_norm: ", "rms_norm: "]


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("layer", [*NORMS, "local_response_norm: {alpha: 1}", "log_softmax: "])
def test_half_precision_is_rounded_once(layer, dtype):
    # Squares of 300 are beyond float16, and a mean of 300 leaves bfloat16 one digit of the deviations.
    x = jnp.asarray(300 + np.random.default_rng(0).normal(size=(5, 5, 8)), dtype)
    _, _, narrow, _ = applied(layer, x)
    _, _, wide, _ = applied(layer, x.astype("float32"))
    assert narrow.dtype == dtype
    np.testing.assert_allclose(np.float32(narrow), wide, rtol=float(jnp.finfo(dtype).eps), atol=1e-4)


@pytest.mark.parametrize("layer", [*NORMS, "local_response_norm: "])
def test_a_constant_input_has_finite_slopes(layer):
    for value in (0.0, 3.0):
        _, _, y, gradients = applied(layer, np.full((3, 2, 4), value, "float32"))
        for array in (y, *jax.tree.leaves(gradients)):
            assert np.all(np.isfinite(array))


def test_response_norm_of_a_window_far_larger_than_the_channels():
    x = np.random.default_rng(0).normal(size=(2, 4)).astype("float32")
    _, _, y, _ = applied("local_response_norm: {size: 2000000000, alpha: 1}", x)
    np.testing.assert_allclose(y, x / (2 + np.sum(x**2, -1, keepdims=True)) ** 0.75, rtol=1e-5)


def test_layers_start_as_documented():
    for layer, start in (("prelu: ", 0.25), ("prelu: {init: 0.1}", 0.1), ("layer_scale: ", 1e-6)):
        _, params, _, _ = applied(layer, np.ones((3, 2), "float32"))
        (values,) = params.values()
        assert np.all(values == np.float32(start))
