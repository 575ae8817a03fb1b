"""Layers whose facts follow from the number of elements: dense, norms, activations, dropouts, scale, flatten."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from netcalc.layers.activation import Celu, Crelu, Elu, Gelu, LogSoftmax, Maxout, Prelu, Relu, Softmax
from netcalc.layers.base import ShapeError, TensorType
from netcalc.layers.catalog import LAYERS
from netcalc.layers.conv import Conv
from netcalc.layers.dense import Dense
from netcalc.layers.norm import BatchNorm, GroupNorm, InstanceNorm, LayerNorm, LocalResponseNorm, RmsNorm
from netcalc.layers.regularizer import Dropout, DropPath, SpatialDropout
from netcalc.layers.scale import LayerScale
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


def sizes(facts):
    assert not facts.state
    return {name: (p.shape, p.axes, p.role) for name, p in facts.params.items()}


@given(SHAPES, st.booleans(), st.booleans())
def test_other_norms_have_no_state_and_cost_their_statistics_too(shape, scale, shift):
    x, size = TensorType(shape), math.prod(shape)
    given = {"scale": scale, "shift": shift}

    def params(shape, axes):
        roles = (("scale", "scale", scale), ("bias", "bias", shift))
        return {name: (shape, axes, role) for name, role, kept in roles if kept}

    each = [
        (LayerNorm(**given), params(shape[-1:], "o"), 5 + scale + shift),
        (
            LayerNorm(axes="all", **given),
            params(shape, ["o", "wo", "hwo", "dhwo"][len(shape) - 1]),
            5 + scale + shift,
        ),
        (GroupNorm(groups=shape[-1], **given), params(shape[-1:], "o"), 5),
        (RmsNorm(scale=scale), {"scale": (shape[-1:], "o", "scale")} if scale else {}, 3 + scale),
    ]
    if len(shape) > 1:
        each.append((InstanceNorm(**given), params(shape[-1:], "o"), 5))
    for layer, expected, flops in each:
        facts = layer.infer(x)
        assert facts.output.shape == shape
        assert sizes(facts) == expected
        assert totals(facts) == [0, flops * size, 0]


@given(SHAPES, st.integers(1, 9))
def test_a_response_norm_costs_its_window_and_a_power(shape, size):
    facts = LocalResponseNorm(size=size).infer(TensorType(shape))
    assert facts.output.shape == shape
    assert sizes(facts) == {}
    assert totals(facts) == [0, (size + 5) * math.prod(shape), math.prod(shape)]


PER_ELEMENT = {
    **dict.fromkeys(["relu", "relu6", "leaky_relu", "abs", "hard_sigmoid"], (1, 0)),
    **dict.fromkeys(["tanh", "sigmoid", "elu", "selu", "celu"], (1, 1)),
    **dict.fromkeys(["hard_swish", "softsign"], (2, 0)),
    "softplus": (2, 2),
    "silu": (2, 1),
    "gelu": (2, 1),
    "mish": (4, 3),
    "softmax": (3, 1),
    "dropout": (0, 0),
}
"""FLOPs and transcendentals for each element, of layers without parameters."""


@given(SHAPES)
def test_activations_cost_by_the_element(shape):
    x, size = TensorType(shape), math.prod(shape)
    for kind, (flops, transcendentals) in PER_ELEMENT.items():
        facts = LAYERS[kind]().infer(x)
        assert (facts.output.shape, totals(facts)) == (shape, [0, flops * size, transcendentals * size])
        assert sizes(facts) == {}
    positions = math.prod(shape[:-1])
    assert totals(LogSoftmax().infer(x)) == [0, 3 * size + positions, size + positions]
    assert totals(Softmax().infer(x)) == [0, 3 * size, size]
    assert totals(Gelu(approximate="tanh").infer(x)) == [0, 4 * size, size]


@given(SHAPES)
def test_layers_with_a_factor_per_channel(shape):
    x, size = TensorType(shape), math.prod(shape)
    for layer, expected in (
        (Prelu(), {"slope": (shape[-1:], "o", "slope")}),
        (Prelu(shared=True), {"slope": ((1,), "o", "slope")}),
        (LayerScale(), {"scale": (shape[-1:], "o", "scale")}),
    ):
        facts = layer.infer(x)
        assert (facts.output.shape, sizes(facts), totals(facts)) == (shape, expected, [0, size, 0])


@given(SHAPES)
def test_crelu_doubles_the_channels(shape):
    facts = Crelu().infer(TensorType(shape))
    assert facts.output.shape == (*shape[:-1], 2 * shape[-1])
    assert totals(facts) == [0, 2 * math.prod(shape), 0]


@given(SHAPES, st.integers(1, 6))
def test_maxout_divides_the_channels_it_compares(shape, pieces):
    facts = Maxout(pieces=pieces).infer(TensorType((*shape, 2 * pieces)))
    assert facts.output.shape == (*shape, 2)
    assert totals(facts) == [0, math.prod(shape) * 2 * pieces, 0]


@pytest.mark.parametrize(
    ("layer", "field", "help"),
    [
        (Maxout(pieces=4), "pieces", "use 1, 2, 3 or 6"),
        (Maxout(pieces=12), "pieces", "use 1, 2, 3 or 6"),
        (GroupNorm(), "groups", "use 1, 2, 3 or 6"),
    ],
)
def test_pieces_and_groups_must_divide_the_channels(layer, field, help):
    with pytest.raises(ShapeError) as error:
        layer.infer(TensorType((8, 8, 6)))
    assert (error.value.code, error.value.field, error.value.help) == ("NC102", field, help)
    assert str(error.value) == f"`{field}` ({getattr(layer, field)}) does not divide the 6 input channels"


@pytest.mark.parametrize("layer", [InstanceNorm(), SpatialDropout()], ids=lambda layer: layer.kind)
def test_layers_of_maps_refuse_a_vector(layer):
    with pytest.raises(ShapeError) as error:
        layer.infer(TensorType((6,)))
    assert error.value.code == "NC100"


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
        (SpatialDropout, {"rate": 1.0}),
        (DropPath, {}),
        (DropPath, {"rate": 1.0}),
        (Elu, {"alpha": 0}),
        (Celu, {"alpha": 0}),
        (Gelu, {"approximate": "erf"}),
        (Gelu, {"approximate": True}),
        (Prelu, {"init": "zeros"}),
        (Maxout, {}),
        (Maxout, {"pieces": 0}),
        (GroupNorm, {"groups": 0}),
        (LayerNorm, {"axes": "spatial"}),
        (LocalResponseNorm, {"k": 0}),
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
