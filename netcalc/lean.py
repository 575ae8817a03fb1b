"""The form of a network that trains in less memory: the same function, arranged for what backward keeps.

Three rewrites, all exact. A ReLU before a max pool changes places with it: max(0, ·) is monotone, so it commutes
with the maximum of a window, and then acts on fewer elements. And an activation whose derivative is a function of
its output, where nobody else needs its input, keeps that output for the backward pass, so that the convolution's
can be freed at once. Where the derivative follows from the input, such as GELU's, the backward pass computes it
from there instead of keeping exponentials beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from netcalc.graph import Graph, Node
from netcalc.layers.activation import Relu, Sigmoid, Tanh
from netcalc.layers.base import Inferred, TensorType
from netcalc.layers.pool import MaxPool


@dataclass(frozen=True, slots=True)
class LeanForm:
    """The rewritten graph, its names and wiring unchanged, and what activations keep for the backward pass.

    Those of `keep_output` keep their output alone, those of `keep_input` their input alone; all others what the
    compiler finds best.
    """

    graph: Graph
    keep_output: frozenset[str]
    keep_input: frozenset[str]
    exchanged: Mapping[str, str]
    """Of two nodes that changed places, each one's name to the name of the layer that it now holds."""


def lean_form(graph: Graph, outputs: tuple[str, ...]) -> LeanForm:
    """Return the lean form of a complete graph of which these nodes are asked for."""
    nodes = dict(graph.nodes)
    exchanged: dict[str, str] = {}
    for relu, pool in _pairs(graph):
        if relu.name not in outputs:
            nodes[relu.name], nodes[pool.name] = _exchanged(relu, pool)
            exchanged |= {relu.name: pool.name, pool.name: relu.name}
    lean = replace(graph, nodes=MappingProxyType(nodes))
    return LeanForm(lean, frozenset(_keeping_output(nodes)), frozenset(_keeping_input(nodes)), exchanged)


def _pairs(graph: Graph) -> Iterator[tuple[Node, Node]]:
    """Yield each ReLU with the max pool that alone reads it."""
    for pool in graph.nodes.values():
        relu = graph.nodes.get(pool.inputs[0])
        if (
            isinstance(pool.spec.layer, MaxPool)
            and relu is not None
            and isinstance(relu.spec.layer, Relu)
            and graph.consumers[relu.name] == (pool.name,)
        ):
            yield relu, pool


def _exchanged(relu: Node, pool: Node) -> tuple[Node, Node]:
    """Return the two nodes with their layers exchanged: wiring and what the second one computes stay the same."""
    pooled = pool.known.output
    first = Node(replace(relu.spec, layer=pool.spec.layer), pool.known)
    second = Node(replace(pool.spec, layer=relu.spec.layer), relu.spec.layer.infer(TensorType(pooled.shape)))
    return first, second


def _keeping_output(nodes: Mapping[str, Node]) -> Iterator[str]:
    for node in nodes.values():
        source = nodes.get(node.inputs[0])
        if isinstance(node.spec.layer, Relu | Tanh | Sigmoid) and source is not None and _is_freed_by(source.known):
            yield node.name


def _keeping_input(nodes: Mapping[str, Node]) -> Iterator[str]:
    for node in nodes.values():
        source = nodes.get(node.inputs[0])
        kernels = node.known.kernels
        expensive = len(kernels) == 1 and kernels[0].kind == "elementwise" and kernels[0].transcendentals
        if expensive and kernels[0].saves == "input" and source is not None and _is_freed_by(source.known):
            yield node.name


def _is_freed_by(facts: Inferred) -> bool:
    """Tell whether a layer's output is stored by its kernel and not read again by its own backward pass.

    A recurrence reads its own output; a window that keeps its input does not matter, as it stays anyway.
    """
    kinds = {kernel.kind for kernel in facts.kernels}
    return bool(kinds & {"conv", "gemm", "window"}) and "scan" not in kinds


def survives_remat(node: Node) -> bool:
    """Tell whether `remat: conv_outputs` keeps a node's output instead of computing it anew for backward.

    Kept are the outputs of what is expensive: convolutions, products, recurrences and pools.
    """
    return any(kernel.kind in ("conv", "gemm", "scan", "window") for kernel in node.known.kernels)
