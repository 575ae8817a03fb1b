"""Layers that read several tensors: what agrees, what it costs, and both shapes in the message."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netcalc.layers.base import ShapeError, TensorType
from netcalc.layers.merge import Add, Concat

SHAPES = st.lists(st.integers(1, 6), min_size=1, max_size=4).map(tuple)


@given(SHAPES, st.integers(2, 5))
def test_a_sum_has_the_shape_of_its_terms_and_one_addition_for_each_further_one(shape, count):
    facts = Add().infer(*[TensorType(shape)] * count)
    assert facts.output.shape == shape
    assert sum(k.flops for k in facts.kernels) == (count - 1) * TensorType(shape).size


@given(SHAPES, st.lists(st.integers(1, 9), min_size=2, max_size=5))
def test_concatenation_adds_channels_and_computes_nothing(shape, channels):
    inputs = [TensorType((*shape[:-1], c)) for c in channels]
    facts = Concat().infer(*inputs)
    assert facts.output.shape == (*shape[:-1], sum(channels))
    assert facts.output.size == sum(x.size for x in inputs)
    assert all(k.flops == k.macs == 0 for k in facts.kernels)


@given(st.lists(SHAPES, min_size=2, max_size=4))
def test_merges_refuse_exactly_the_shapes_that_do_not_agree(shapes):
    for layer, agree in ((Add(), len(set(shapes)) == 1), (Concat(), len({s[:-1] for s in shapes}) == 1)):
        if agree:
            layer.infer(*map(TensorType, shapes))
            continue
        with pytest.raises(ShapeError) as error:
            layer.infer(*map(TensorType, shapes))
        assert (error.value.code, error.value.field) == ("NC103", "")
        for shape in shapes:
            assert "×".join(map(str, shape)) in str(error.value)


def test_a_sum_does_not_broadcast():
    with pytest.raises(ShapeError, match=r"8×8×4, 1×1×4"):
        Add().infer(TensorType((8, 8, 4)), TensorType((1, 1, 4)))
