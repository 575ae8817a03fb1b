"""Convolution against one that visits every tap of every output."""

import itertools
import math
import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import ValidationError

from netcalc.layers.base import ShapeError, TensorType
from netcalc.layers.conv import Conv


def pads(layer, axis, side):
    """Return the leading and trailing padding of an axis, `same` by trying until every stride is covered."""
    match layer.padding:
        case "valid":
            return 0, 0
        case "same":
            total = 0
            while len(starts(layer, axis, side + total)) < math.ceil(side / per(layer.stride, axis)):
                total += 1
            return total // 2, total - total // 2
        case int(pixels):
            return pixels, pixels
    return layer.padding[axis]


def per(value, axis):
    return value if isinstance(value, int) else value[axis]


def starts(layer, axis, padded):
    """Return where windows begin on a padded axis: wherever the last tap is still on it."""
    reach = (per(layer.kernel, axis) - 1) * per(layer.dilation, axis)
    return [start for start in range(0, padded, per(layer.stride, axis)) if start + reach < padded]


def walk(layer, x):
    """Return the output's shape, the MACs and the taps on the input, counted one by one."""
    sides, channels = x.shape[:-1], x.shape[-1]
    places = []
    for axis, side in enumerate(sides):
        low, high = pads(layer, axis, side)
        places.append([start - low for start in starts(layer, axis, side + low + high)])
    taps = list(itertools.product(*(range(per(layer.kernel, axis)) for axis in range(len(sides)))))
    macs = on_input = 0
    for _ in range(layer.filters):
        for position in itertools.product(*places):
            for tap in taps:
                macs += channels // layer.groups
                at = [
                    p + t * per(layer.dilation, axis) for axis, (p, t) in enumerate(zip(position, tap, strict=True))
                ]
                on_input += all(0 <= a < side for a, side in zip(at, sides, strict=True)) * channels // layer.groups
    return (*map(len, places), layer.filters), macs, on_input


CASES = [
    ((7, 2), {"kernel": 3}),
    ((7, 2), {"kernel": 3, "stride": 2, "padding": "same"}),
    ((8, 2), {"kernel": 3, "stride": 2, "padding": "same"}),
    ((9, 4), {"kernel": 3, "dilation": 3, "groups": 2}),
    ((5, 6, 2), {"kernel": 3}),
    ((6, 6, 4), {"kernel": 2, "padding": "same", "groups": 4}),
    ((6, 7, 2), {"kernel": (3, 1), "stride": (2, 3), "padding": 1}),
    ((5, 5, 2), {"kernel": 3, "padding": ((0, 2), (1, 0))}),
    ((5, 6, 2), {"kernel": (2, 3), "dilation": (3, 2), "padding": "same", "stride": 2}),
    ((4, 4, 6), {"kernel": 1, "groups": 3, "filters": 3}),
    ((4, 3, 5, 2), {"kernel": 2}),
    ((4, 5, 3, 2), {"kernel": (2, 3, 1), "stride": (1, 2, 3), "padding": ((1, 0), (0, 0), (0, 2))}),
    ((3, 4, 5, 2), {"kernel": 3, "padding": "same", "stride": 2, "dilation": 2}),
    ((1, 1, 3), {"kernel": 5, "padding": 2}),
]


@pytest.mark.parametrize(("shape", "fields"), CASES)
def test_output_and_macs_are_those_of_every_tap(shape, fields):
    layer, x = Conv(**{"filters": 4, **fields}), TensorType(shape)
    facts = layer.infer(x)
    output, macs, on_input = walk(layer, x)
    assert facts.output.shape == output
    assert sum(kernel.macs for kernel in facts.kernels) == macs
    assert on_input <= macs
    assert (on_input == macs) == (sum(sum(axis.padding) for axis in facts.window) == 0)


PER_AXIS = st.integers(1, 3) | st.tuples(st.integers(1, 3), st.integers(1, 3))
PADDING = st.one_of(
    st.sampled_from(["valid", "same"]),
    st.integers(0, 2),
    st.tuples(*[st.tuples(st.integers(0, 2), st.integers(0, 2))] * 2),
)


@given(
    st.tuples(st.integers(1, 6), st.integers(1, 6)),
    st.fixed_dictionaries(
        {
            "kernel": PER_AXIS,
            "stride": PER_AXIS,
            "dilation": PER_AXIS,
            "padding": PADDING,
            "groups": st.integers(1, 2),
        }
    ),
)
def test_any_image_convolution_agrees_with_the_walk(sides, fields):
    layer, x = Conv(filters=2, **fields), TensorType((*sides, 2))
    output, macs, _ = walk(layer, x)
    assume(math.prod(output))
    facts = layer.infer(x)
    assert (facts.output.shape, sum(kernel.macs for kernel in facts.kernels)) == (output, macs)


@given(
    st.integers(1, 4),
    st.integers(1, 4),
    st.lists(st.integers(1, 4), min_size=1, max_size=3),
    st.booleans(),
)
def test_parameters_are_one_kernel_and_one_offset_per_filter(per_group, groups, kernel, bias):
    filters = 3 * groups
    channels = per_group * groups
    layer = Conv(filters=filters, kernel=tuple(kernel), groups=groups, bias=bias)
    facts = layer.infer(TensorType((*[5] * len(kernel), channels)))
    weight = facts.params["kernel"]
    assert weight.shape == (*kernel, per_group, filters)
    assert weight.axes == {1: "wio", 2: "hwio", 3: "dhwio"}[len(kernel)]
    assert weight.fan_in == math.prod(kernel) * per_group
    assert weight.fan_out == math.prod(kernel) * 3
    assert sum(p.size for p in facts.params.values()) == filters * (weight.fan_in + bias)
    assert set(facts.params) == {"kernel", "bias"} if bias else {"kernel"}
    assert not facts.state


def test_the_first_convolution_of_the_lecture_has_7296_parameters():
    facts = Conv(filters=96, kernel=5, stride=2).infer(TensorType((125, 125, 3)))
    assert facts.output.shape == (61, 61, 96)
    assert sum(p.size for p in facts.params.values()) == 96 * (5 * 5 * 3 + 1) == 7_296
    assert sum(k.macs for k in facts.kernels) == 357_216 * 75
    assert sum(k.flops for k in facts.kernels) == 357_216


@given(st.integers(1, 12), st.integers(1, 12), st.integers(1, 12))
def test_groups_that_do_not_divide_name_both_numbers_and_groups_that_do(channels, filters, groups):
    x = TensorType((4, 4, channels))
    layer = Conv(filters=filters, kernel=1, groups=groups)
    divides = channels % groups == 0 and filters % groups == 0
    if divides:
        layer.infer(x)
        return
    with pytest.raises(ShapeError) as error:
        layer.infer(x)
    assert (error.value.code, error.value.field) == ("NC102", "groups")
    wrong = f"the {channels} input channels" if channels % groups else f"the {filters} filters"
    assert str(error.value) == f"`groups` ({groups}) does not divide {wrong}"
    offered = set(map(int, re.findall(r"\d+", error.value.help)))
    assert offered == {g for g in range(1, 13) if channels % g == 0 and filters % g == 0}
    for choice in offered:
        Conv(filters=filters, kernel=1, groups=choice).infer(x)


@pytest.mark.parametrize(("channels", "groups", "near"), [(2**30, 33, 32), (720_720, 512, 504)])
def test_the_list_of_groups_stays_readable_and_near_for_many_channels(channels, groups, near):
    with pytest.raises(ShapeError) as error:
        Conv(filters=channels, kernel=1, groups=groups).infer(TensorType((4, 4, channels)))
    assert len(error.value.help) < 100
    assert str(near) in re.findall(r"\d+", error.value.help)


@pytest.mark.parametrize("shape", [(10,), (2, 2, 2, 2, 2)])
def test_only_one_to_three_spatial_axes(shape):
    with pytest.raises(ShapeError) as error:
        Conv(filters=1, kernel=1).infer(TensorType(shape))
    assert error.value.code == "NC100"
    assert str(list(shape)) in str(error.value)
    assert ("flatten" in error.value.help) == (len(shape) == 1)


@pytest.mark.parametrize(
    "fields",
    [
        {"kernel": 0},
        {"kernel": True},
        {"kernel": 3.0},
        {"kernel": "3"},
        {"kernel": [3, 0]},
        {"kernel": []},
        {"kernel": [1, 1, 1, 1]},
        {"kernel": 2**31 + 1},
        {"filters": 0},
        {"filters": True},
        {"filters": 4.0},
        {"filters": "4"},
        {"stride": 0},
        {"dilation": 0},
        {"groups": 0},
        {"padding": -1},
        {"padding": "SAME"},
        {"padding": [[1, 1], 1]},
        {"padding": [[1], [1]]},
        {"padding": [[1, -1], [0, 0]]},
        {"padding": True},
        {"padding": 1.0},
        {"padding": None},
        {"padding": []},
        {"bias": 1},
        {"bias": "no"},
        {"bias": None},
        {"init": None},
        {"strid": 1},
    ],
)
def test_fields_are_not_coerced(fields):
    with pytest.raises(ValidationError):
        Conv(**{"filters": 4, "kernel": 3, **fields})


def test_equal_paddings_are_equal_however_they_are_written():
    x = TensorType((7, 7, 2))
    outputs = {
        Conv(filters=4, kernel=3, padding=padding).infer(x).window
        for padding in (1, [1, 1], [[1, 1], [1, 1]], "same")
    }
    assert len(outputs) == 1
