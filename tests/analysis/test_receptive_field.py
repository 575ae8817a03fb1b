"""Receptive fields against brute force: change one input pixel and see which outputs change."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from netcalc.analysis.receptive_field import receptive_fields
from netcalc.compiler.network import compile_graph
from netcalc.graph import build_complete
from netcalc.spec.load import parse_spec

CHAINS = {
    "one conv": "[conv: {filters: 1, kernel: 3}]",
    "strides": "[conv: {filters: 1, kernel: 5, stride: 2}, max_pool: 2, conv: {filters: 1, kernel: 3}]",
    "padding": "[conv: {filters: 1, kernel: 3, padding: 1}, avg_pool: {kernel: 3, stride: 2, padding: 1}]",
    "asymmetric": "[conv: {filters: 1, kernel: 4, stride: 2, padding: same}, "
    "conv: {filters: 1, kernel: 3, padding: [[2, 0], [0, 1]]}]",
    "dilation": "[conv: {filters: 1, kernel: 3, dilation: 2}, relu, conv: {filters: 1, kernel: [1, 3]}]",
    "residual": "[residual: [conv: {filters: 1, kernel: 5, padding: 2}], conv: {filters: 1, kernel: 3, stride: 2}]",
    "unaligned": "[parallel: [[conv: {filters: 1, kernel: 2, padding: [[0, 1], [0, 1]]}], "
    "[conv: {filters: 1, kernel: 3, padding: 1}]]]",
    "global": "[conv: {filters: 1, kernel: 3}, global_avg_pool]",
    "flatten": "[conv: {filters: 1, kernel: 3, stride: 2}, flatten, dense: 2]",
}


def graph_of(layers: str, shape: str = "[17, 15, 1]"):
    return build_complete(parse_spec(f"input: {shape}\ndefaults: {{conv: {{init: ones}}}}\nlayers: {layers}\n"))


def seen_by_first_output(graph, axis: int) -> tuple[int, int]:
    """Return the first and last input position along an axis that a gradient of an inner output reaches."""
    network = compile_graph(graph)
    params, state = network.init(jax.random.key(0))
    shape = graph.inputs["input"].shape
    x = jax.random.uniform(jax.random.key(1), (1, *shape)) + 1

    def output(x):
        y, _ = network.apply(params, state, x)
        return y[(0, *(side // 2 for side in y.shape[1:-1]))].sum()

    touched = np.abs(np.asarray(jax.grad(output)(x)))[0, ..., 0]
    positions = np.nonzero(touched.any(axis=1 - axis))[0]
    return int(positions.min()), int(positions.max())


@pytest.mark.parametrize("layers", CHAINS.values(), ids=CHAINS)
def test_the_interval_is_the_one_that_gradients_reach(layers: str) -> None:
    graph = graph_of(layers.replace("max_pool", "avg_pool"))
    (name,) = graph.outputs
    field = receptive_fields(graph)[name]
    sides = graph.nodes[name].known.output.sides or (1, 1)
    for axis in (0, 1):
        reach = field.axes[axis]
        middle = sides[axis] // 2 if len(sides) == 2 else 0
        length = graph.inputs["input"].shape[axis]
        first = max(0, reach.first + middle * reach.stride)
        last = min(length - 1, reach.last + middle * reach.stride)
        assert (first, last) == seen_by_first_output(graph, axis)


def test_paths_that_disagree_are_not_aligned() -> None:
    assert not receptive_fields(graph_of(CHAINS["unaligned"]))["parallel1.concat"].aligned
    assert receptive_fields(graph_of(CHAINS["residual"]))["conv1"].aligned


def test_size_stride_padding_and_centre_of_a_known_stack() -> None:
    vgg = ", ".join(["conv: {filters: 1, kernel: 3, padding: 1}"] * 2 + ["max_pool: 2"])
    (axis, _) = receptive_fields(graph_of(f"[{vgg}]", "[16, 16, 1]"))["max_pool1"].axes
    assert (axis.size, axis.stride, axis.padding, axis.centre) == (6, 2, (2, 2), 0.5)


def test_a_network_without_positions_has_none() -> None:
    assert receptive_fields(graph_of("[dense: 3]", "[7]")) == {}
