"""The weights of the first layer as images: which layer, which axis is which."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from netcalc.compiler.network import compile_graph
from netcalc.graph import build_complete
from netcalc.spec.load import parse_spec
from netcalc.train.first_layer import Filters, first_filters


def filters(layers: str, input: str = "[6, 5, 3]") -> tuple[Filters | str, dict]:
    graph = build_complete(parse_spec(f"input: {input}\nlayers: [{layers}]\n"))
    params, _ = compile_graph(graph, graph.outputs).init(jax.random.key(0))
    return first_filters(graph, params), params


def test_a_convolution_gives_its_kernels() -> None:
    found, params = filters(
        "batch_norm, relu, {conv: {filters: 4, kernel: [2, 3]}, name: first}, {conv: {filters: 2, kernel: 1}}"
    )
    assert isinstance(found, Filters)
    assert found.node == "first"
    kernel = np.asarray(next(a for a in params["first"].values() if a.ndim == 4))
    np.testing.assert_array_equal(found.kernels, [kernel[..., n] for n in range(4)])
    assert found.kernels.shape == (4, 2, 3, 3)


def test_a_depthwise_convolution_gives_a_channel_a_filter() -> None:
    found, _ = filters("{depthwise_conv: {kernel: 3}}")
    assert isinstance(found, Filters)
    assert found.kernels.shape == (3, 3, 3, 1)


@pytest.mark.parametrize("before", ["flatten", "relu, flatten, {dropout: 0.5}", "{reshape: [5, 18]}, flatten"])
def test_a_unit_of_a_dense_layer_is_an_image_of_the_input(before: str) -> None:
    found, params = filters(f"{before}, {{dense: 7, name: first}}")
    assert isinstance(found, Filters)
    assert found.kernels.shape == (7, 6, 5, 3)
    weights = np.asarray(next(a for a in params["first"].values() if a.ndim == 2))
    image = np.random.default_rng(0).random((6, 5, 3)).astype(np.float32)
    expected = image.reshape(-1) @ weights
    np.testing.assert_allclose(np.einsum("nhwc,hwc->n", found.kernels, image), expected, rtol=1e-4)


@pytest.mark.parametrize(
    ("layers", "input", "why"),
    [
        ("relu", "[4, 4, 1]", "no layer has weights"),
        ("{conv: {filters: 2, kernel: 3}}", "[8, 2]", "`conv1`"),
        ("{conv: {filters: 2, kernel: 3}}", "[4, 4, 4, 2]", "`conv1`"),
        ("{max_pool: 2}, flatten, {dense: 2}", "[4, 4, 1]", "`dense1`"),
        ("{channel_shuffle: 2}, flatten, {dense: 2}", "[4, 4, 4]", "`dense1`"),
        ("{dense: 2}", "[9]", "`dense1`"),
        ("{lstm: 3}", "[4, 2]", "`lstm1`"),
    ],
)
def test_what_is_no_image_is_told(layers: str, input: str, why: str) -> None:
    found, _ = filters(layers, input)
    assert isinstance(found, str)
    assert why in found
