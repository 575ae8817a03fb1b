"""Recurrent layers: parameter counts of Keras and PyTorch, MACs of every step."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netcalc.checks.rules.normalization import redundant_bias
from netcalc.checks.rules.rule import Subject
from netcalc.graph import build_complete
from netcalc.layers.base import TensorType
from netcalc.layers.recurrent import Gru, Lstm
from netcalc.spec.load import parse_spec

SIZES = st.integers(1, 12)


def elements(facts):
    return sum(spec.size for spec in facts.params.values())


def totals(facts):
    return [sum(getattr(kernel, name) for kernel in facts.kernels) for name in ("macs", "flops", "transcendentals")]


@given(length=SIZES, channels=SIZES, units=SIZES, output=st.sampled_from(["sequence", "last"]), bias=st.booleans())
def test_every_step_counts(length, channels, units, output, bias):
    x, fields = TensorType((length, channels)), {"units": units, "output": output, "bias": bias}
    lstm, gru = Lstm(**fields).infer(x), Gru(**fields).infer(x)
    both = units * (units + channels)
    assert elements(lstm) == 4 * (both + units * bias)
    assert elements(gru) == 3 * (both + 2 * units * bias)
    assert totals(lstm) == [length * 4 * both, length * units * (13 + 4 * bias), length * 5 * units]
    assert totals(gru) == [length * 3 * both, length * units * (10 + 6 * bias), length * 3 * units]
    assert lstm.output == gru.output == TensorType((units,) if output == "last" else (length, units))


@pytest.mark.parametrize(
    ("layer", "expected"),
    [(Lstm, 394_240), (Gru, 296_448)],  # keras.layers.LSTM(256) and GRU(256) on 128 channels
)
def test_parameter_counts_of_keras(layer, expected):
    assert elements(layer.model_validate(256).infer(TensorType((10, 128)))) == expected


def test_gates_are_maps_of_their_own():
    facts = Lstm(units=5).infer(TensorType((7, 3)))
    assert [(spec.shape, spec.axes, spec.fan_in, spec.fan_out) for spec in facts.params.values()] == [
        ((3, 4, 5), "igo", 3, 5),
        ((5, 4, 5), "igo", 5, 5),
        ((4, 5), "go", 3, 5),
    ]


def test_batch_norm_does_not_cancel_the_bias_of_a_gate():
    graph = build_complete(parse_spec("input: [4, 3]\nlayers: [{lstm: 2}, batch_norm, {gru: 2}, batch_norm]"))
    assert list(redundant_bias(Subject(graph))) == []
