"""The weights of a network's first layer, as images of what it reads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from netcalc.compiler.initialize import Params
from netcalc.graph import Graph, Node


@dataclass(frozen=True, slots=True)
class Filters:
    """The weights of a node, one image (height, width, channels) for each filter or unit."""

    node: str
    kernels: NDArray[np.float32]  # (filters, height, width, channels)


def first_filters(graph: Graph, params: Params) -> Filters | str:
    """Return the weights of the first layer that has any, or why they are no images.

    A convolution's are its kernels. A dense layer's are where it reads every value of the image in its order: each
    unit is an image of the size of the network's input.
    """
    node = next((node for node in graph.nodes.values() if _weights(node)), None)
    if node is None:
        return "no layer has weights"
    name = _weights(node)[0]
    axes = node.known.params[name].axes
    weights = np.asarray(params[node.owner][name], np.float32)
    if axes == "hwio":
        return Filters(node.name, np.moveaxis(weights, 3, 0))
    if axes == "io":
        image = _read_in_order(graph, node)
        if image is not None:
            return Filters(node.name, weights.T.reshape(-1, *image))
    return f"the weights of `{node.name}`, the first layer that has any, are no images"


def _weights(node: Node) -> list[str]:
    return [name for name, spec in node.known.params.items() if spec.role == "weight"]


def _read_in_order(graph: Graph, node: Node) -> tuple[int, ...] | None:
    """Return the image (height, width, channels) whose values a node reads one by one; None where it does not."""
    source = node.inputs[0]
    if len(graph.type_of(source).shape) != 1:
        return None
    while source not in graph.inputs:
        before = graph.nodes[source]
        moved = any(kernel.kind not in ("elementwise",) for kernel in before.known.kernels)
        if moved or len(before.inputs) != 1 or graph.type_of(before.inputs[0]).size != graph.type_of(source).size:
            return None
        source = before.inputs[0]
    shape = graph.inputs[source].shape
    return shape if len(shape) == 3 else None
