"""Layers that read several tensors: what agrees, what it costs, and both shapes in the message."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netcalc.layers.base import ShapeError, TensorType
from netcalc.layers.merge import Add, Average, Concat, Maximum, Multiply

SHAPES = st.lists(st.integers(1, 6), min_size=1, max_size=4).map(tuple)


@given(SHAPES, st.integers(2, 5))
def test_merges_keep_the_shape_and_cost_one_operation_for_each_further_input(shape, count):
    for layer, operations in (
        (Add(), count - 1),
        (Maximum(), count - 1),
        (Multiply(), count - 1),
        (Average(), count),
    ):
        facts = layer.infer(*[TensorType(shape)] * count)
        assert facts.output.shape == shape
        assert sum(k.flops for k in facts.kernels) == operations * TensorType(shape).size


@given(SHAPES, st.lists(st.integers(1, 9), min_size=2, max_size=5))
def test_concatenation_adds_channels_and_computes_nothing(shape, channels):
    inputs = [TensorType((*shape[:-1], c)) for c in channels]
    facts = Concat().infer(*inputs)
    assert facts.output.shape == (*shape[:-1], sum(channels))
    assert facts.output.size == sum(x.size for x in inputs)
    assert all(k.flops == k.macs == 0 for k in facts.kernels)


@given(st.lists(SHAPES, min_size=2, max_size=4))
def test_merges_refuse_exactly_the_shapes_that_do_not_agree(shapes):
    equal = len(set(shapes)) == 1
    concat = len({s[:-1] for s in shapes}) == 1
    for layer, agree in ((Add(), equal), (Maximum(), equal), (Average(), equal), (Concat(), concat)):
        if agree:
            layer.infer(*map(TensorType, shapes))
            continue
        with pytest.raises(ShapeError) as error:
            layer.infer(*map(TensorType, shapes))
        assert (error.value.code, error.value.field) == ("NC103", "")
        for shape in shapes:
            assert "×".join(map(str, shape)) in str(error.value)


@pytest.mark.parametrize("layer", [Add(), Maximum(), Average()], ids=lambda layer: layer.kind)
def test_only_products_broadcast(layer):
    with pytest.raises(ShapeError, match=r"8×8×4, 1×1×4"):
        layer.infer(TensorType((8, 8, 4)), TensorType((1, 1, 4)))


LENGTHS = st.sampled_from([1, 2, 3])


@given(st.integers(1, 4).flatmap(lambda rank: st.lists(st.tuples(*[LENGTHS] * rank), min_size=2, max_size=4)))
def test_products_of_one_rank_broadcast_as_numpy_does(shapes):
    try:
        expected = np.broadcast_shapes(*shapes)
    except ValueError:
        with pytest.raises(ShapeError) as error:
            Multiply().infer(*map(TensorType, shapes))
        assert (error.value.code, error.value.field) == ("NC103", "")
        for shape in shapes:
            assert "×".join(map(str, shape)) in str(error.value)
        return
    facts = Multiply().infer(*map(TensorType, shapes))
    assert facts.output.shape == expected
    assert sum(k.flops for k in facts.kernels) == (len(shapes) - 1) * facts.output.size


@given(SHAPES)
def test_a_vector_of_channels_multiplies_any_map(shape):
    for vector in (shape[-1:], (1,)):
        assert Multiply().infer(TensorType(shape), TensorType(vector)).output.shape == shape
        assert Multiply().infer(TensorType(vector), TensorType(shape)).output.shape == shape


@pytest.mark.parametrize("shapes", [[(4, 3), (5, 4, 3)], [(1, 3), (1, 1, 3)], [(4, 3), (3,), (2, 4, 3)]])
def test_only_vectors_gain_axes(shapes):
    with pytest.raises(ShapeError, match="cannot multiply shapes"):
        Multiply().infer(*map(TensorType, shapes))
