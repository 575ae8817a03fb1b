"""Layers whose facts follow from the number of elements: dense, norm, activation, dropout, flatten."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from netcalc.layers.activation import Relu, Sigmoid, Softmax, Tanh
from netcalc.layers.base import TensorType
from netcalc.layers.catalog import LAYERS
from netcalc.layers.conv import Conv
from netcalc.layers.dense import Dense
from netcalc.layers.norm import BatchNorm
from netcalc.layers.regularizer import Dropout
from netcalc.layers.shape import Flatten

SHAPES = st.lists(st.integers(1, 6), min_size=1, max_size=4).map(tuple)


def totals(facts):
    return [sum(getattr(k, name) for k in facts.kernels) for name in ("macs", "flops", "transcendentals")]


@given(SHAPES, st.integers(1, 9), st.booleans())
def test_dense_reads_the_last_axis_at_every_position(shape, units, bias):
    facts = Dense(units=units, bias=bias).infer(TensorType(shape))
    positions = math.prod(shape[:-1])
    assert facts.output.shape == (*shape[:-1], units)
    assert totals(facts) == [positions * shape[-1] * units, positions * units * bias, 0]
    assert sum(p.size for p in facts.params.values()) == (shape[-1] + bias) * units
    assert (facts.params["kernel"].fan_in, facts.params["kernel"].fan_out) == (shape[-1], units)


@given(st.lists(st.integers(1, 5), min_size=2, max_size=4).map(tuple), st.integers(1, 5))
def test_dense_on_a_map_is_a_convolution_of_one_pixel(shape, units):
    dense, conv = (layer.infer(TensorType(shape)) for layer in (Dense(units=units), Conv(filters=units, kernel=1)))
    assert dense.output == conv.output
    assert totals(dense) == totals(conv)
    assert sum(p.size for p in dense.params.values()) == sum(p.size for p in conv.params.values())


@given(SHAPES)
def test_dense_after_flatten_is_a_convolution_as_large_as_its_input(shape):
    x = TensorType((*shape, 2))
    if not 2 <= len(x.shape) <= 4:
        return
    dense = Dense(units=3).infer(Flatten().infer(x).output)
    conv = Conv(filters=3, kernel=x.sides).infer(x)
    assert totals(dense) == totals(conv)
    assert conv.output.shape == (*[1] * len(x.sides), 3)


@given(SHAPES, st.booleans(), st.booleans())
def test_batch_norm_keeps_two_statistics_and_at_most_two_parameters_per_channel(shape, scale, shift):
    facts = BatchNorm(scale=scale, shift=shift).infer(TensorType(shape))
    assert facts.output.shape == shape
    assert {name: p.shape for name, p in facts.params.items()} == {
        name: (shape[-1],) for name, kept in (("scale", scale), ("bias", shift)) if kept
    }
    assert {name: (s.shape, s.start) for name, s in facts.state.items()} == {
        "mean": ((shape[-1],), 0.0),
        "variance": ((shape[-1],), 1.0),
    }
    assert totals(facts) == [0, 2 * math.prod(shape), 0]


@given(SHAPES)
def test_activations_cost_by_the_element(shape):
    x, size = TensorType(shape), math.prod(shape)
    expected = {
        Relu: [0, size, 0],
        Tanh: [0, size, size],
        Sigmoid: [0, size, size],
        Softmax: [0, 3 * size, size],
        Dropout: [0, 0, 0],
    }
    for layer, costs in expected.items():
        facts = layer().infer(x)
        assert (facts.output.shape, totals(facts)) == (shape, costs)
        assert not facts.params
        assert not facts.state


@given(SHAPES)
def test_flatten_keeps_every_element(shape):
    facts = Flatten().infer(TensorType(shape))
    assert facts.output.shape == (math.prod(shape),)
    assert totals(facts) == [0, 0, 0]


@pytest.mark.parametrize(
    ("layer", "fields"),
    [
        (Dropout, {"rate": 1.0}),
        (Dropout, {"rate": -0.1}),
        (Dropout, {"rate": math.nan}),
        (Dropout, {"rate": True}),
        (Dropout, {"rate": "0.5"}),
        (BatchNorm, {"momentum": 1.1}),
        (BatchNorm, {"epsilon": 0}),
        (BatchNorm, {"epsilon": math.inf}),
        (BatchNorm, {"scale": 0}),
        (Dense, {"units": 2.0}),
        (Dense, {"units": False}),
        (Relu, {"alpha": 0.1}),
    ],
)
def test_values_out_of_range_or_of_another_type_are_refused(layer, fields):
    with pytest.raises(ValidationError):
        layer(**fields)


def test_whole_numbers_are_good_floats():
    assert Dropout(rate=0).rate == 0.0
    assert BatchNorm(momentum=1).momentum == 1.0


def test_layers_are_listed_under_their_kind_and_described():
    for kind, layer in LAYERS.items():
        assert layer.kind == kind
        assert layer.__doc__
        assert all(field.description for field in layer.model_fields.values())
        assert layer.principal is None or layer.principal in layer.model_fields


def test_layers_are_values():
    assert Dense(units=3) == Dense.model_validate(3)
    assert hash(Dense(units=3)) == hash(Dense.model_validate({"units": 3}))
    with pytest.raises(ValidationError):
        Dense(units=3).units = 4
