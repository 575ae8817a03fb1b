"""Pooling: window defaults, rounding, and padding that would leave windows without input."""

import itertools
import math
import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import ValidationError

from netcalc.layers.base import ShapeError, TensorType
from netcalc.layers.pool import AdaptiveAvgPool, AvgPool, GlobalAvgPool, GlobalMaxPool, MaxPool, StochasticPool

POOLS = [MaxPool, AvgPool, StochasticPool]


@pytest.mark.parametrize("pool", POOLS)
def test_a_scalar_is_the_kernel_and_the_stride_follows_it(pool):
    for written in (3, {"kernel": 3}, {"kernel": 3, "stride": None}):
        facts = pool.model_validate(written).infer(TensorType((9, 9, 5)))
        assert facts.output.shape == (3, 3, 5)
    facts = pool.model_validate({"kernel": [2, 3]}).infer(TensorType((8, 9, 5)))
    assert [(axis.size, axis.stride) for axis in facts.window] == [(2, 2), (3, 3)]
    assert pool.model_validate([2, 3]) == pool(kernel=(2, 3))


@pytest.mark.parametrize("pool", POOLS)
@given(
    sides=st.lists(st.integers(1, 7), min_size=1, max_size=3),
    kernel=st.integers(1, 3),
    stride=st.integers(1, 4),
    padding=st.integers(0, 2),
    rounding=st.sampled_from(["floor", "ceil"]),
)
def test_every_window_sees_input_and_costs_its_taps(pool, sides, kernel, stride, padding, rounding):
    layer = pool(kernel=kernel, stride=stride, padding=padding, rounding=rounding)
    assume(padding < kernel and min(sides) + 2 * padding >= kernel)
    facts = layer.infer(TensorType((*sides, 2)))
    flops = 0
    for corner in itertools.product(*(range(n) for n in facts.output.sides)):
        seen = [
            sum(0 <= at * stride - padding + tap < side for tap in range(kernel))
            for at, side in zip(corner, sides, strict=True)
        ]
        assert all(seen)
        flops += kernel ** len(sides) * 2
    assert sum(k.flops for k in facts.kernels) == flops * (2 if pool is StochasticPool else 1)
    assert sum(k.macs for k in facts.kernels) == 0
    assert not facts.params
    assert facts.output.channels == 2


@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize(
    ("kernel", "padding"),
    [(2, 2), (1, 1), ((5, 2), 7), ((2, 5), 7), ((3, 3), ((0, 3), (0, 0))), (3, ((1, 1), (5, 0)))],
)
def test_too_much_padding_names_both_numbers_and_a_padding_that_fits(pool, kernel, padding):
    x = TensorType((6, 6, 1))
    with pytest.raises(ShapeError) as error:
        pool(kernel=kernel, padding=padding).infer(x)
    assert (error.value.code, error.value.field) == ("NC105", "padding")
    numbers = list(map(int, re.findall(r"\d+", str(error.value))))
    assert len(numbers) == 2
    assert numbers[0] >= numbers[1]
    (most,) = map(int, re.findall(r"at most (\d+)", error.value.help))
    pool(kernel=kernel, padding=most).infer(x)
    with pytest.raises(ShapeError):
        pool(kernel=kernel, padding=most + 1).infer(x)


@given(st.integers(1, 9), st.integers(1, 12), st.integers(1, 12))
def test_same_padding_never_leaves_a_window_without_input(side, kernel, stride):
    facts = MaxPool(kernel=kernel, stride=stride, padding="same").infer(TensorType((side, 1)))
    assert facts.output.sides == (-(-side // stride),)


@given(st.lists(st.tuples(st.integers(1, 12), st.integers(1, 12)), min_size=1, max_size=3))
def test_adaptive_windows_cost_what_they_read(axes):
    facts = AdaptiveAvgPool(size=tuple(o for _, o in axes)).infer(TensorType((*(n for n, _ in axes), 2)))
    reads = [sum(-(-(i + 1) * n // o) - i * n // o for i in range(o)) for n, o in axes]
    assert sum(k.flops for k in facts.kernels) == math.prod(reads) * 2
    assert facts.output.shape == (*(o for _, o in axes), 2)
    assert [(axis.output, axis.size, axis.unused) for axis in facts.window] == (
        [(o, n // o, 0) for n, o in axes] if all(n % o == 0 for n, o in axes) else []
    )


@pytest.mark.parametrize("pool", [GlobalAvgPool, GlobalMaxPool])
@pytest.mark.parametrize("sides", [(5,), (4, 6), (2, 3, 4)])
def test_global_pools_read_everything(pool, sides):
    x = TensorType((*sides, 7))
    facts = pool().infer(x)
    assert facts.output.shape == (7,)
    assert sum(k.flops for k in facts.kernels) == x.size
    assert [(axis.input, axis.size, axis.output, axis.unused) for axis in facts.window] == [
        (n, n, 1, 0) for n in sides
    ]
    assert pool(keepdims=True).infer(x).output.shape == (*[1] * len(sides), 7)


@pytest.mark.parametrize("layer", [MaxPool(kernel=1), AvgPool(kernel=1), GlobalAvgPool()])
def test_pooling_needs_spatial_axes(layer):
    with pytest.raises(ShapeError) as error:
        layer.infer(TensorType((10,)))
    assert (error.value.code, error.value.help) == ("NC100", "put the layer before `flatten`")


@pytest.mark.parametrize(
    "fields", [{"rounding": "up"}, {"rounding": True}, {"stride": 0}, {"kernel": None}, {"count_include_pad": True}]
)
def test_fields_of_max_pool(fields):
    with pytest.raises(ValidationError):
        MaxPool(**{"kernel": 2, **fields})
