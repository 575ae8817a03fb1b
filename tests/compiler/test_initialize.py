"""Initial values against the moments that the literature gives; tolerances are 5 standard errors of the sample."""

import math

import jax
import numpy as np
import pytest

from netcalc.compiler.initialize import draw, initial_state
from netcalc.compiler.network import compile_graph
from netcalc.graph import build_complete
from netcalc.layers.base import TensorType
from netcalc.layers.conv import Conv
from netcalc.layers.dense import Dense
from netcalc.layers.initializer import SHORTHANDS
from netcalc.layers.recurrent import Gru, Lstm
from netcalc.spec.load import parse_spec

KEY = jax.random.key(11)
INPUTS, UNITS = 400, 100

# Name: the distribution and the variance it has for a matrix of INPUTS × UNITS.
SCALED = {
    "glorot_normal": ("normal", 2 / (INPUTS + UNITS)),
    "glorot_uniform": ("uniform", 2 / (INPUTS + UNITS)),
    "caffe_normal": ("normal", 1 / INPUTS),
    "caffe_uniform": ("uniform", 1 / INPUTS),
    "he_normal": ("normal", 2 / INPUTS),
    "he_uniform": ("uniform", 2 / INPUTS),
}
CONSTANT = {"zeros": 0.0, "ones": 1.0}

# E z⁴ and Var z⁴ of the standardised distribution.
FOURTH = {"normal": (3.0, 96.0), "uniform": (1.8, 5.76)}


def weights(init, name="kernel", **fields):
    """Return the initial values of a dense layer of INPUTS × UNITS, in float64."""
    layer = Dense.model_validate({"units": UNITS, "init": init, **fields})
    values = draw(layer.infer(TensorType((INPUTS,))).params[name], KEY)
    assert values.dtype == "float32"
    return np.float64(values)


def check_moments(values, distribution, mean, variance):
    """Assert mean, variance and fourth moment, and the bounds of a uniform distribution."""
    n = values.size
    kurtosis, spread = FOURTH[distribution]
    z = (values - mean) / math.sqrt(variance)
    assert abs(z.mean()) < 5 / math.sqrt(n)
    assert abs((z**2).mean() - 1) < 5 * math.sqrt((kurtosis - 1) / n)
    assert abs((z**4).mean() - kurtosis) < 5 * math.sqrt(spread / n)
    if distribution == "uniform":
        edge = math.sqrt(3)
        assert 0.99 * edge < z.max() <= edge * (1 + 1e-6)
        assert -edge * (1 + 1e-6) <= z.min() < -0.99 * edge


def test_every_shorthand_is_tested():
    assert {*SCALED, *CONSTANT} == set(SHORTHANDS)


@pytest.mark.parametrize("name", SCALED)
def test_scaled_initialisers_have_the_variance_of_their_paper(name):
    distribution, variance = SCALED[name]
    check_moments(weights(name), distribution, 0, variance)


@pytest.mark.parametrize("name", CONSTANT)
def test_constant_shorthands(name):
    assert np.all(weights(name) == CONSTANT[name])


@pytest.mark.parametrize("init", [0.25, {"constant": 0.25}, {"constant": {"value": 0.25}}], ids=str)
def test_constants(init):
    assert np.all(weights(init) == 0.25)


@pytest.mark.parametrize(
    ("init", "low", "high"),
    [("uniform", -1, 1), ({"uniform": [0, 0.5]}, 0, 0.5), ({"uniform": {"low": -3}}, -3, 1)],
    ids=str,
)
def test_uniform_fills_its_interval(init, low, high):
    values = weights(init)
    check_moments(values, "uniform", (low + high) / 2, (high - low) ** 2 / 12)
    assert low <= values.min()
    assert values.max() <= high


@pytest.mark.parametrize(
    ("init", "mean", "std"),
    [("normal", 0, 1), ({"normal": {"std": 0.01}}, 0, 0.01), ({"normal": {"mean": 2, "std": 0.5}}, 2, 0.5)],
    ids=str,
)
def test_normal_has_its_mean_and_deviation(init, mean, std):
    check_moments(weights(init), "normal", mean, std**2)


@pytest.mark.parametrize("fan", ["in", "average"])
@pytest.mark.parametrize("distribution", ["normal", "uniform"])
def test_variance_scaling_takes_any_scale(fan, distribution):
    init = {"variance_scaling": {"scale": 3, "fan": fan, "distribution": distribution}}
    units = INPUTS if fan == "in" else (INPUTS + UNITS) / 2
    check_moments(weights(init), distribution, 0, 3 / units)


@pytest.mark.parametrize(
    ("init", "distribution", "fan"),
    [
        ("caffe_normal", "normal", 3 * 3 * 8),
        ("glorot_uniform", "uniform", (3 * 3 * 8 + 3 * 3 * 32) / 2),
    ],
)
def test_fans_of_a_grouped_convolution_are_those_of_one_group(init, distribution, fan):
    layer = Conv.model_validate({"filters": 128, "kernel": 3, "groups": 4, "init": init})
    spec = layer.infer(TensorType((5, 5, 32))).params["kernel"]
    assert spec.shape == (3, 3, 8, 128)
    check_moments(np.float64(draw(spec, KEY)), distribution, 0, 1 / fan)


@pytest.mark.parametrize(("init", "gain"), [("orthogonal", 1), ({"orthogonal": 1.5}, 1.5)], ids=str)
def test_orthogonal_has_all_singular_values_equal(init, gain):
    values = weights(init)
    assert values.shape == (INPUTS, UNITS)
    np.testing.assert_allclose(np.linalg.svd(values, compute_uv=False), gain, rtol=1e-5)
    check_moments(values[:, :1], "normal", 0, gain**2 / INPUTS)


def test_orthogonal_kernels_have_orthogonal_filters():
    layer = Conv.model_validate({"filters": 8, "kernel": 3, "init": "orthogonal"})
    filters = np.float64(draw(layer.infer(TensorType((5, 5, 4))).params["kernel"], KEY)).reshape(-1, 8)
    np.testing.assert_allclose(filters.T @ filters, np.eye(8), atol=1e-5)


@pytest.mark.parametrize(("layer", "gates"), [(Lstm, 4), (Gru, 3)])
def test_every_gate_starts_on_its_own(layer, gates):
    params = layer(units=50).infer(TensorType((4, 200))).params
    recurrent = np.float64(draw(params["recurrent_kernel"], KEY))
    for gate in range(gates):
        np.testing.assert_allclose(recurrent[:, gate].T @ recurrent[:, gate], np.eye(50), atol=1e-5)
        assert not np.allclose(recurrent[:, gate], recurrent[:, gate - 1])
    check_moments(np.float64(draw(params["kernel"], KEY)), "normal", 0, 2 / (200 + 50))


def test_the_forget_gate_starts_open():
    bias = Lstm.model_validate({"units": 3, "bias_init": 0.5}).infer(TensorType((4, 2))).params["bias"]
    assert np.asarray(draw(bias, KEY)).tolist() == [[0.5] * 3, [1.0] * 3, [0.5] * 3, [0.5] * 3]


def test_a_bias_has_the_fans_of_its_layer():
    layer = Dense.model_validate({"units": 20_000, "bias_init": "caffe_uniform"})
    spec = layer.infer(TensorType((25,))).params["bias"]
    check_moments(np.float64(draw(spec, KEY)), "uniform", 0, 1 / 25)


def test_parameters_of_one_node_are_drawn_apart():
    text = "input: [1]\nlayers: [{dense: {units: 50, init: normal, bias_init: normal}}]"
    params, _ = compile_graph(build_complete(parse_spec(text))).init(KEY)
    kernel, bias = params["dense1"]["kernel"][0], params["dense1"]["bias"]
    assert abs(np.corrcoef(kernel, bias)[0, 1]) < 5 / math.sqrt(50)


def test_batch_norm_starts_as_the_identity():
    graph = build_complete(parse_spec("input: [4, 3]\nlayers: [batch_norm]"))
    params, state = compile_graph(graph).init(KEY)
    as_lists = jax.tree.map(np.ndarray.tolist, jax.tree.map(np.asarray, (params, state)))
    assert as_lists == (
        {"batch_norm1": {"scale": [1, 1, 1], "bias": [0, 0, 0]}},
        {"batch_norm1": {"mean": [0, 0, 0], "variance": [1, 1, 1]}},
    )
    assert jax.tree.structure(initial_state(graph)) == jax.tree.structure(state)
