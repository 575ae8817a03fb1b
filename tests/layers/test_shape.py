"""Layers that only arrange elements: sizes, and what does not fit."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from netcalc.checks.rules.rule import Subject
from netcalc.checks.rules.windows import dropped_pixels
from netcalc.graph import build_complete
from netcalc.layers.base import ShapeError, TensorType
from netcalc.layers.shape import ChannelShuffle, Crop, Flatten, Pad, Reshape, Slice, Upsample
from netcalc.spec.load import parse_spec

MAP = TensorType((6, 5, 8))


@given(st.lists(st.integers(1, 6), min_size=1, max_size=4), st.data())
def test_reshape_finds_the_length_that_is_left(shape, data):
    at = data.draw(st.integers(0, len(shape) - 1))
    asked = [*shape[:at], -1, *shape[at + 1 :]]
    assert Reshape.model_validate(asked).infer(TensorType((math.prod(shape),))).output.shape == tuple(shape)


def test_reshape_names_both_numbers():
    with pytest.raises(ShapeError, match=r"`shape` \[7, -1\] does not hold the 240 elements of 6×5×8") as error:
        Reshape(shape=(7, -1)).infer(MAP)
    assert (error.value.code, error.value.field) == ("NC106", "shape")


@given(st.integers(0, 4), st.integers(0, 4), st.integers(0, 4), st.integers(0, 4))
def test_crop_undoes_pad(top, bottom, left, right):
    margins = ((top, bottom), (left, right))
    padded = Pad(padding=margins).infer(MAP)
    cropped = Crop(crop=margins).infer(padded.output)
    assert padded.output.shape == (6 + top + bottom, 5 + left + right, 8)
    assert cropped.output == MAP
    assert [axis.unused for axis in (*padded.window, *cropped.window)] == [0] * 4


@pytest.mark.parametrize(
    ("crop", "message"),
    [
        (3, r"`crop` \(3 and 3\) leaves nothing of the input's height \(6\)"),
        (((1, 1), (5, 0)), r"`crop` \(5 and 0\) leaves nothing of the input's width \(5\)"),
    ],
)
def test_crop_that_leaves_nothing(crop, message):
    with pytest.raises(ShapeError, match=message):
        Crop(crop=crop).infer(MAP)


@given(
    st.one_of(st.none(), st.integers(-9, 9)),
    st.one_of(st.none(), st.integers(-9, 9)),
    st.integers(1, 4),
    st.sampled_from(["height", "width", "channels"]),
)
def test_slice_is_python_s_except_beyond_the_ends(start, stop, step, axis):
    at = ["height", "width", "channels"].index(axis)
    length = MAP.shape[at]
    layer = Slice(**({} if start is None else {"start": start}), stop=stop, step=step, axis=axis)
    kept = range(length)[start:stop:step]
    if not kept or any(value is not None and not -length <= value <= length for value in (start, stop)):
        with pytest.raises(ShapeError) as error:
            layer.infer(MAP)
        assert error.value.code == "NC107"
        return
    shape = layer.infer(MAP).output.shape
    assert shape[at] == len(kept)
    assert [n for i, n in enumerate(shape) if i != at] == [n for i, n in enumerate(MAP.shape) if i != at]


def test_slice_knows_the_axes_of_its_input():
    with pytest.raises(ShapeError, match=r"an input of shape \[6, 5, 8\] has no `axis` length") as error:
        Slice(axis="length").infer(MAP)
    assert (error.value.code, error.value.help) == ("NC100", "its axes: height, width, channels")


def test_arranging_costs_no_flops():
    layers = [
        Pad(padding=1),
        Crop(crop=1),
        Slice(stop=4),
        ChannelShuffle(groups=2),
        Upsample(scale=2),
    ]
    for layer in layers:
        assert [(kernel.kind, kernel.macs, kernel.flops) for kernel in layer.infer(MAP).kernels] == [("move", 0, 0)]


@pytest.mark.parametrize("layer", [Reshape(shape=(-1,)), Flatten()], ids=["reshape", "flatten"])
def test_the_same_elements_in_the_same_order_need_no_kernel(layer):
    assert layer.infer(MAP).kernels == ()


def test_upsample_scales_each_axis():
    facts = Upsample(scale=(2, 3), method="bilinear").infer(MAP)
    assert facts.output.shape == (12, 15, 8)
    assert sum(kernel.flops for kernel in facts.kernels) == 12 * 15 * 8 * 8


@pytest.mark.parametrize(
    ("layer", "fields"),
    [
        (Reshape, {"shape": (2, True)}),
        (Reshape, {"shape": (0, 4)}),
        (Reshape, {"shape": ()}),
        (Reshape, {"shape": (1, 1, 1, 1, 1)}),
        (Reshape, {"shape": (-1, -1)}),
        (Pad, {"padding": -1}),
        (Pad, {"padding": "same"}),
        (Crop, {"crop": (1, (1, 2))}),
        (Slice, {"start": 1.0}),
        (Slice, {"axis": "time"}),
        (Upsample, {"scale": 0}),
    ],
)
def test_values_that_are_refused(layer, fields):
    with pytest.raises(ValidationError):
        layer(**fields)


def test_what_a_crop_cuts_is_not_dropped_by_a_stride():
    text = "input: [6, 5, 8]\nlayers: [{crop: [[1, 2], [0, 3]]}, {pad: 2}, {adaptive_avg_pool: [1, 3]}]"
    assert list(dropped_pixels(Subject(build_complete(parse_spec(text))))) == []
