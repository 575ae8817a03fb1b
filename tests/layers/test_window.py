"""Windows along an axis, against windows that are slid by hand over a written-out axis."""

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from netcalc.layers.base import ShapeError, TensorType
from netcalc.layers.window import per_axis, taps_on_input, valid_taps, windows


def one(side, **fields):
    """Return the window along the only axis of a line."""
    (axis,) = windows(TensorType((side, 1)), **{"stride": 1, "padding": "valid", **fields})
    return axis


def slide(side, size, stride, dilation, low, high, rounding="floor"):
    """Return the taps of each window; with ceil one more may hang over, if it starts before the input ends."""
    end = side + high
    found = []
    taps = [-low + tap * dilation for tap in range(size)]
    while taps[-1] < end:
        found.append(taps)
        taps = [tap + stride for tap in taps]
    unread = found[-1][-1] < end - 1
    if rounding == "ceil" and unread and taps[0] < side:
        found.append(taps)
    return found


def torch_output(side, size, stride, low, high, dilation, ceil):
    """pooling_output_shape_pad_lr of PyTorch (aten/src/ATen/native/Pool.h), line by line."""
    rest = side + low + high - dilation * (size - 1) - 1
    output = (rest + (stride - 1 if ceil else 0)) // stride + 1
    # Ensure that the last pooling starts inside the image, needed to avoid problems in ceil mode.
    if ceil and (output - 1) * stride >= side + low:
        output -= 1
    return output


AXES = st.tuples(
    st.integers(1, 14),
    st.integers(1, 5),
    st.integers(1, 5),
    st.integers(1, 3),
    st.integers(0, 4),
    st.integers(0, 4),
).filter(lambda axis: axis[0] + axis[4] + axis[5] >= (axis[1] - 1) * axis[3] + 1)
"""Side, size, stride, dilation, leading and trailing padding, where at least one window fits."""


def pools(axis):
    """Tell whether the padding is less than the window, which is all that pooling allows."""
    return max(axis[4], axis[5]) < (axis[1] - 1) * axis[3] + 1


@given(AXES)
def test_explicit_padding_gives_the_windows_that_fit(axis):
    side, size, stride, dilation, low, high = axis
    found = one(side, kernel=size, stride=stride, dilation=dilation, padding=((low, high),))
    assert found.output == len(slide(*axis))
    assert found.padding == (low, high)
    assert 0 <= found.unused < stride
    # eq. 2 holds for the part that the windows read.
    assert (side + low + high - found.unused - found.extent) / stride + 1 == found.output


@given(AXES.filter(pools))
def test_ceil_is_the_rule_of_pytorch(axis):
    side, size, stride, dilation, low, high = axis
    found = one(side, kernel=size, stride=stride, dilation=dilation, padding=((low, high),), rounding="ceil")
    assert found.output == torch_output(side, size, stride, low, high, dilation, True)
    assert (found.output - 1) * stride - low < side
    floor = torch_output(side, size, stride, low, high, dilation, False)
    assert found.output - floor in (0, 1)
    assert (found.unused < 0) == (found.output > floor)


@pytest.mark.parametrize(
    ("side", "size", "stride", "padding", "floor", "ceil"),
    [
        (6, 3, 2, 0, 2, 3),  # SqueezeNet's and GoogLeNet's pools
        (112, 3, 2, 0, 55, 56),
        (7, 3, 2, 0, 3, 3),  # nothing left over
        (5, 2, 3, 0, 2, 2),  # the next window would start beyond the input
        (5, 2, 4, 0, 1, 2),  # the next starts at the last pixel
        (4, 2, 3, 1, 2, 2),  # the next would start in the trailing padding
        (6, 3, 3, 1, 2, 3),
        (1, 1, 2, 0, 1, 1),
    ],
)
def test_rounding_by_hand(side, size, stride, padding, floor, ceil):
    for rounding, output in (("floor", floor), ("ceil", ceil)):
        found = one(side, kernel=size, stride=stride, padding=padding, rounding=rounding)
        assert (rounding, found.output) == (rounding, output)


@given(AXES)
def test_same_keeps_the_side_over_the_stride_and_pads_least(axis):
    side, size, stride, dilation, _, _ = axis
    found = one(side, kernel=size, stride=stride, dilation=dilation, padding="same")
    assert found.output == -(-side // stride)
    assert stride * (found.output - 1) < side <= stride * found.output
    low, high = found.padding
    assert high - low in (0, 1)
    if low + high:
        reached = -low + (found.output - 1) * stride + (size - 1) * dilation
        assert reached == side + high - 1, "less padding would lose a window"
    assert found == one(side, kernel=size, stride=stride, dilation=dilation, padding="same", rounding="ceil")


@given(AXES.filter(pools), st.sampled_from(["floor", "ceil"]))
def test_valid_taps_are_those_of_the_slid_windows(axis, rounding):
    side, size, stride, dilation, low, high = axis
    found = one(side, kernel=size, stride=stride, dilation=dilation, padding=((low, high),), rounding=rounding)
    slid = slide(*axis, rounding)
    assert found.output == len(slid)
    on_input = tuple(sum(0 <= tap < side for tap in window) for window in slid)
    on_padded = tuple(sum(-low <= tap < side + high for tap in window) for window in slid)
    assert valid_taps(found, padding_counts=False) == on_input
    assert taps_on_input(found) == sum(on_input)
    assert valid_taps(found, padding_counts=True) == on_padded


@given(st.integers(1, 30), st.integers(1, 6), st.integers(1, 4), st.integers(0, 3))
def test_symmetric_padding_is_the_formula_of_the_lecture(side, size, stride, padding):
    assume(side + 2 * padding >= size)
    found = one(side, kernel=size, stride=stride, padding=padding)
    exact = (side - size + 2 * padding) / stride + 1
    assert found.output == int(exact)
    assert (found.unused == 0) == exact.is_integer()


@given(st.lists(st.integers(1, 9), min_size=1, max_size=3), st.data())
def test_axes_do_not_influence_each_other(sides, data):
    def draw(low, high):
        return tuple(data.draw(st.integers(low, high)) for _ in sides)

    kernel, stride, dilation = draw(1, 3), draw(1, 3), draw(1, 2)
    padding = tuple(zip(draw(2, 4), draw(2, 4), strict=True))
    together = windows(TensorType((*sides, 5)), kernel=kernel, stride=stride, padding=padding, dilation=dilation)
    assert together == tuple(
        one(sides[i], kernel=kernel[i], stride=stride[i], padding=(padding[i],), dilation=dilation[i])
        for i in range(len(sides))
    )


def test_one_value_stands_for_every_axis():
    assert per_axis(3, 2, "kernel") == (3, 3)
    assert per_axis((3, 5), 2, "kernel") == (3, 5)
    x = TensorType((9, 8, 7, 1))
    assert windows(x, kernel=3, stride=2, padding=1) == windows(
        x, kernel=(3, 3, 3), stride=(2, 2, 2), padding=((1, 1), (1, 1), (1, 1))
    )


@pytest.mark.parametrize("field", ["kernel", "stride", "dilation", "padding"])
@pytest.mark.parametrize("given_values", [1, 3])
def test_the_wrong_number_of_values_names_both_numbers(field, given_values):
    fields = {"kernel": 3, "stride": 1, "padding": 0, "dilation": 1}
    fields[field] = ((1, 1),) * given_values if field == "padding" else (2,) * given_values
    with pytest.raises(ShapeError) as error:
        windows(TensorType((9, 9, 1)), **fields)
    assert (error.value.code, error.value.field) == ("NC104", field)
    assert f"`{field}` has {given_values} value" in str(error.value)
    assert "2 spatial axes" in str(error.value)


SHAPES = st.lists(st.integers(1, 6), min_size=1, max_size=3)


@given(SHAPES, st.integers(1, 12), st.integers(1, 4), st.integers(0, 2))
def test_a_kernel_too_large_names_both_numbers_and_a_kernel_that_fits(sides, size, dilation, padding):
    x = TensorType((*sides, 1))
    fields = {"stride": 1, "padding": padding, "dilation": dilation}
    extent = (size - 1) * dilation + 1
    if all(extent <= side + 2 * padding for side in sides):
        windows(x, kernel=size, **fields)
        return
    with pytest.raises(ShapeError) as raised:
        windows(x, kernel=size, **fields)
    error = raised.value
    assert (error.code, error.field) == ("NC101", "kernel")
    assert f"`kernel` ({size})" in str(error)
    assert any(f"({side})" in str(error) for side in sides)
    assert (f"dilated to {extent}," in str(error)) == (dilation > 1)
    assert (f"with {2 * padding} of padding" in str(error)) == (padding > 0)
    (largest,) = map(int, re.findall(r"kernel of at most (\d+)", error.help))
    windows(x, kernel=largest, **fields)
    with pytest.raises(ShapeError):
        windows(x, kernel=largest + 1, **fields)


@pytest.mark.parametrize(
    ("shape", "name"),
    [
        ((2, 1), "length"),
        ((2, 9, 1), "height"),
        ((9, 2, 1), "width"),
        ((2, 9, 9, 1), "depth"),
        ((9, 9, 2, 1), "width"),
    ],
)
def test_the_axis_that_is_too_small_has_its_name(shape, name):
    with pytest.raises(ShapeError, match=rf"the input's {name} \(2\)"):
        windows(TensorType(shape), kernel=3, stride=1, padding=0)


def test_taps_are_counted_in_closed_form():
    axis = one(2_000_000_000, kernel=1_000_000_000, stride=3)
    assert taps_on_input(axis) == axis.output * axis.size
