"""Rules on wiring: what nothing reads, what does nothing, what is done twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from netcalc.checks.rules.rule import Finding, Subject
from netcalc.graph import Node
from netcalc.layers.base import Layer
from netcalc.layers.pool import AvgPool, MaxPool, StochasticPool
from netcalc.layers.regularizer import Dropout, DropPath, SpatialDropout
from netcalc.layers.shape import ChannelShuffle, Crop, Pad, Upsample

_DROPOUTS = ("dropout", "spatial_dropout", "drop_path")
_RANDOM = (*_DROPOUTS, "stochastic_pool")
"""Layers that give something else each time they are asked."""


def dead_node(subject: Subject) -> Iterator[Finding]:
    """A node that no output needs.

    Why: it is computed, or left out by the compiler, for nothing; its parameters count, take memory in the
    optimizer, and are never trained. Mostly a `from` names the wrong node, or an output is missing under `outputs`.

    Example:
        input: [32, 32, 3]
        layers:
          - {conv: {filters: 16, kernel: 3}, name: stem}
          - {conv: {filters: 16, kernel: 3}, name: side}
          - {conv: {filters: 32, kernel: 3}, from: stem}

    Instead:
        input: [32, 32, 3]
        layers:
          - {conv: {filters: 16, kernel: 3}, name: stem}
          - {conv: {filters: 32, kernel: 3}, from: stem}
    """
    graph = subject.graph
    for node in graph.nodes.values():
        if not graph.consumers[node.name] and node.name not in subject.outputs:
            message = f"nothing reads `{node.name}`, and it is no output"
            yield Finding(message, "leave it out, or name it under `outputs`", node)


def unread_input(subject: Subject) -> Iterator[Finding]:
    """An input that no node reads.

    Why: every sample has to bring a tensor that changes nothing. Mostly a `from` names another input.

    Example:
        inputs: {left: [8, 8, 1], right: [8, 8, 1]}
        layers:
          - {conv: {filters: 4, kernel: 3}, from: left}
          - relu

    Instead:
        inputs: {left: [8, 8, 1], right: [8, 8, 1]}
        layers:
          - {concat: , from: [left, right]}
          - conv: {filters: 4, kernel: 3}
          - relu
    """
    graph = subject.graph
    for name in graph.inputs:
        if not graph.consumers[name]:
            section = "input" if "input" in graph.spec.sections else f"inputs.{name}"
            yield Finding(
                f"no node reads the input `{name}`", "leave it out, or name it with `from`", section=section
            )


def idle_layer(subject: Subject) -> Iterator[Finding]:
    """A layer whose fields make it do nothing.

    Why: dropout at rate 0, a pool of one pixel, padding by 0, an upsampling by 1 and a shuffle of one group return
    their input. Mostly a value was forgotten. A value that an expression gives is left alone: it may do nothing in
    one form of the network, or in the first of several blocks, and something in another.

    Example:
        input: [32, 32, 3]
        layers:
          - conv: {filters: 16, kernel: 3}
          - relu
          - dropout: 0

    Instead:
        input: [32, 32, 3]
        layers:
          - conv: {filters: 16, kernel: 3}
          - relu
          - dropout: 0.5
    """
    for node in subject.of_kind(*_SWITCHED):
        field = _idle_field(node)
        if field and field not in node.spec.computed:
            yield Finding(f"`{node.name}` returns its input as it is", "leave it out", node, field)


_SWITCHED = (
    *_DROPOUTS, "max_pool", "avg_pool", "stochastic_pool", "pad", "crop", "upsample", "channel_shuffle",
)  # fmt: skip


def _idle_field(node: Node) -> str:
    """Return the field that makes a layer idle, an empty string where none does."""
    layer, window = node.spec.layer, node.known.window
    match layer:
        case Dropout(rate=0) | SpatialDropout(rate=0) | DropPath(rate=0):
            return "rate"
        case MaxPool() | AvgPool() | StochasticPool():
            same = all(axis.size == axis.stride == 1 and not any(axis.padding) for axis in window)
            return "kernel" if same else ""
        case Pad() | Crop():
            field = "padding" if isinstance(layer, Pad) else "crop"
            return "" if any(any(axis.padding) for axis in window) else field
        case Upsample(scale=scale):
            return "scale" if scale == 1 or (isinstance(scale, tuple) and set(scale) == {1}) else ""
        case ChannelShuffle(groups=1):
            return "groups"
    return ""


def repeated_computation(subject: Subject) -> Iterator[Finding]:
    """Two nodes that compute the same thing of the same tensor.

    Why: without parameters of their own, two layers with equal fields and inputs give equal outputs; one of them
    costs time and memory for nothing. Two convolutions of one input are meant, as in an inception module: their
    weights differ. So are two dropouts, whose masks do.

    Example:
        input: [32, 32, 16]
        layers:
          - {relu: , name: a, from: input}
          - {conv: {filters: 16, kernel: 1}, name: left}
          - {relu: , name: b, from: input}
          - {conv: {filters: 16, kernel: 1}, name: right}
          - {concat: , from: [left, right]}

    Instead:
        input: [32, 32, 16]
        layers:
          - {relu: , name: a}
          - {conv: {filters: 16, kernel: 1}, name: left, from: a}
          - {conv: {filters: 16, kernel: 1}, name: right, from: a}
          - {concat: , from: [left, right]}
    """
    readers = subject.graph.consumers
    same: dict[str, str] = {}
    twins: set[str] = set()
    firsts: dict[tuple[Layer, str, tuple[str, ...]], str] = {}
    for node in subject.known:
        facts, read = node.known, node.inputs[0]
        if len(readers[read]) == 1 and read not in same and read not in twins:
            continue
        if facts.state or node.kind in _RANDOM:
            continue
        inputs = tuple(same.get(name, name) for name in node.inputs)
        twin = firsts.setdefault((node.spec.layer, node.owner if facts.params else "", inputs), node.name)
        if twin != node.name:
            same[node.name] = twin
            twins.add(twin)
            yield Finding(f"`{node.name}` computes what `{twin}` does", f"read `{twin}` instead", node)


def repeated_operand(subject: Subject) -> Iterator[Finding]:
    """A merge that reads the same tensor twice.

    Why: x + x is 2x, the maximum of x and x is x, and a concatenation of x with itself doubles the parameters
    behind it without telling them anything new. Mostly one branch is empty that was to hold layers.

    Example:
        input: [32, 32, 16]
        layers:
          - {relu: , name: x}
          - {add: , from: [x, x]}

    Instead:
        input: [32, 32, 16]
        layers:
          - {relu: , name: x}
          - {conv: {filters: 16, kernel: 3, padding: 1}, name: y}
          - {add: , from: [x, y]}
    """
    for node in subject.known:
        if len(node.inputs) > 1 and len(set(node.inputs)) < len(node.inputs):
            ((twice, _),) = Counter(node.inputs).most_common(1)
            yield Finding(f"`{node.name}` reads `{twice}` more than once", "name another node under `from`", node)


def unused_block(subject: Subject) -> Iterator[Finding]:
    """A block that no list of layers uses.

    Why: it is read and never expanded, so that nothing checks it, and who edits it wonders why nothing changes. A
    file of blocks for other specs, named under `imports`, is left alone.

    Example:
        input: [32, 32, 3]
        blocks:
          wide:
            layers:
              - conv: {filters: 64, kernel: 3}
        layers:
          - conv: {filters: 32, kernel: 3}

    Instead:
        input: [32, 32, 3]
        blocks:
          wide:
            layers:
              - conv: {filters: 64, kernel: 3}
        layers:
          - wide
    """
    for item in subject.graph.spec.unused:
        if item.what == "block":
            yield Finding(f"nothing uses the block `{item.name}`", "use it, or leave it out", span=item.span)


def unused_parameter(subject: Subject) -> Iterator[Finding]:
    """A parameter that no expression reads.

    Why: `--set params.width=2` then changes nothing, and says so to nobody. A block sees its own parameters alone:
    one of the network has to be handed to it where it is used.

    Example:
        input: [32, 32, 3]
        params:
          width: 32
        layers:
          - conv: {filters: 32, kernel: 3}

    Instead:
        input: [32, 32, 3]
        params:
          width: 32
        layers:
          - conv: {filters: $width, kernel: 3}
    """
    for item in subject.graph.spec.unused:
        if item.what == "parameter":
            whose = f" of the block `{item.block}`" if item.block else ""
            message = f"no expression reads the parameter `{item.name}`{whose}"
            yield Finding(message, f"read it as `${item.name}`, or leave it out", span=item.span)
