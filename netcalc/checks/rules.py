"""Rules of design: each is a generator over the graph, and its docstring is its manual page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from netcalc.graph import Graph, Node
from netcalc.units import format_shape


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule found at a node: the message, the way out, and the field to point at."""

    node: Node
    message: str
    help: str
    field: str = ""


def redundant_bias(graph: Graph) -> Iterator[Finding]:
    """A bias just before batch normalisation changes nothing.

    Why: the normalisation subtracts the batch mean, and with it any constant that was added before. The bias
    still costs memory, optimizer state and a reduction in backward (Ioffe & Szegedy 2015, section 3.2).

    Example:
        - conv: {filters: 64, kernel: 3}
        - batch_norm

    Instead:
        - conv: {filters: 64, kernel: 3, bias: false}
        - batch_norm
    """
    for node in graph.nodes.values():
        if node.kind != "batch_norm" or node.inputs[0] not in graph.nodes:
            continue
        source = graph.nodes[node.inputs[0]]
        if source.facts is None or graph.consumers[source.name] != (node.name,) or source.name in graph.outputs:
            continue
        if not node.spec.trainable:  # it subtracts the stored mean, which does not follow the bias
            continue
        if any(other.owner == source.owner and other.name != source.name for other in graph.nodes.values()):
            continue  # its bias serves another node as well
        layer = source.spec.layer
        added = any(spec.role == "bias" and spec.axes == "o" for spec in source.facts.params.values())
        if added and "bias" in type(layer).model_fields:
            message = f"the bias of `{source.name}` is cancelled by `{node.name}`"
            yield Finding(source, message, "set `bias: false`", "bias")


def dropped_pixels(graph: Graph) -> Iterator[Finding]:
    """A stride that does not divide leaves the last pixels of the input unread.

    Why: the side of the output, (N + 2P − F)/S + 1, is then not an integer. It is rounded down, and the pixels
    of the remainder reach no output and no gradient. A stride beyond the kernel, as in the 1×1 projections of
    ResNet, passes over pixels everywhere and is meant.

    Example:
        input: [32, 32, 3]
        - conv: {filters: 64, kernel: 5, stride: 2}      # (32 − 5)/2 + 1 = 14.5

    Instead:
        input: [33, 33, 3]
        - conv: {filters: 64, kernel: 5, stride: 2}      # (33 − 5)/2 + 1 = 15
    """
    for node in graph.nodes.values():
        window = () if node.facts is None else node.facts.window
        lost = [
            max(0, axis.unused - max(0, axis.padding[1])) if axis.stride <= axis.extent else 0 for axis in window
        ]
        if any(lost):
            sides = format_shape(tuple(axis.input for axis in window))
            message = f"the stride of `{node.name}` drops {max(lost)} of the last pixels of its {sides} input"
            sizes = [f"{axis.input - axis.unused} or {axis.input - axis.unused + axis.stride}" for axis in window]
            yield Finding(node, message, f"sides that fit: {', '.join(dict.fromkeys(sizes))}", "stride")


RULES: dict[str, Callable[[Graph], Iterator[Finding]]] = {
    "NC301": redundant_bias,
    "NC302": dropped_pixels,
}
"""Every rule by its permanent code."""
