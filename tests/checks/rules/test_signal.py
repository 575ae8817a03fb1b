"""Signal scales before training against sums by hand and against random networks."""

from __future__ import annotations

import math

import jax
import numpy as np
import pytest

from netcalc.checks.rules.signal import signal_scales
from netcalc.compiler.network import compile_graph
from netcalc.graph import build_complete
from netcalc.spec.load import parse_spec


def scale_of(layers: str, shape: str = "[100]") -> float:
    graph = build_complete(parse_spec(f"input: {shape}\nlayers: {layers}\n"))
    (output,) = graph.outputs
    return signal_scales(graph)[output]


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ("[{dense: {units: 50, init: he_normal}}]", 2),
        ("[{dense: {units: 50, init: he_uniform}}, relu]", 1),
        ("[{dense: {units: 50, init: caffe_normal}}]", 1),
        ("[{dense: {units: 50, init: glorot_normal}}]", 100 / 75),
        ("[{dense: {units: 50, init: normal}}]", 100),
        ("[{dense: {units: 50, init: {uniform: [-1, 1]}}}]", 100 / 3),
        ("[{dense: {units: 50, init: {uniform: [0, 1]}}}]", 100 / 3),
        ("[{dense: {units: 50, init: {constant: {value: 0.5}}}}]", 25),
        ("[{dense: {units: 100, init: orthogonal}}]", 1),
        ("[{dense: {units: 50, init: orthogonal}}]", 1),
        ("[{dense: {units: 50, init: caffe_normal, bias_init: 3}}]", 1 + 9),
        ("[{dense: {units: 50, init: normal}}, relu, batch_norm]", 1),
        ("[{dense: {units: 50, init: normal}}, tanh]", 1),
        ("[{dense: {units: 50, init: normal}}, sigmoid]", 1 / 4),
        ("[{dense: {units: 50, init: caffe_normal}}, {leaky_relu: 0.5}]", 1.25 / 2),
        ("[{residual: [{dense: {units: 100, init: caffe_normal}}]}]", 2),
        ("[{dense: {units: 50, init: zeros}}]", 0),
    ],
)
def test_scales_by_hand(layers: str, expected: float) -> None:
    found = scale_of(layers)
    assert 2.0**found == pytest.approx(expected, rel=1e-12, abs=1e-80)


@pytest.mark.parametrize("init", ["he_normal", "glorot_uniform", "normal", "orthogonal"])
@pytest.mark.parametrize("depth", [1, 3])
def test_scales_are_those_of_a_random_network(init: str, depth: int) -> None:
    layers = f"[{{repeat: {depth}, sequence: [{{dense: {{units: 400, init: {init}}}}}, relu]}}]"
    graph = build_complete(parse_spec(f"input: [400]\nlayers: {layers}\n"))
    network = compile_graph(graph)
    params, state = network.init(jax.random.key(0))
    x = jax.random.normal(jax.random.key(1), (64, 400))
    y, _ = network.apply(params, state, x)
    measured = math.log2(float(np.mean(np.square(np.asarray(y, dtype=np.float64)))))
    (output,) = graph.outputs
    assert signal_scales(graph)[output] == pytest.approx(measured, abs=0.5)


def test_what_follows_unknown_facts_is_left_out() -> None:
    from netcalc.graph import build

    graph = build(parse_spec("input: [8, 8, 1]\nlayers: [relu, {conv: {filters: 1, kernel: 99}}, relu]\n"))
    assert set(signal_scales(graph)) == {"input", "relu1"}
