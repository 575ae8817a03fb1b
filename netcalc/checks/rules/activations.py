"""Rules on activations: where one is missing, idle, or in the way of the loss."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from netcalc.checks.rules.kinds import (
    ACTIVATIONS,
    AFFINE,
    ARRANGEMENTS,
    DROPOUTS,
    NORMS,
    POOLS,
    RECTIFIERS,
    SATURATING,
)
from netcalc.checks.rules.rule import LONGEST_WALK, Finding, Subject
from netcalc.graph import Graph, Node
from netcalc.layers.conv import Conv
from netcalc.layers.dense import Dense
from netcalc.layers.shape import Pad

MOST_SIGMOIDS = 4
"""Each takes a factor of 4 or more of the gradient; with four, 255/256 of it are gone (σ' ≤ 1/4)."""
MOST_SATURATING = 8
"""tanh keeps the gradient near 0 alone; Glorot & Bengio 2010 see the layers of deep stacks saturate in turn."""


def bounded_logits(subject: Subject) -> Iterator[Finding]:
    """An activation after the last layer is in the way of a loss that has its own.

    Why: cross-entropy takes the softmax of what it reads. Logits cut at 0 by ReLU cannot rule a class out, and
    those between 0 and 1 from a sigmoid give no class of ten more than e / (e + 9) = 23 % of the probability: the
    loss stays above 1.46 however long the network is trained.

    Example:
        input: [8, 8, 1]
        layers:
          - flatten
          - dense: 10
          - sigmoid
        train: {data: digits, loss: cross_entropy}

    Instead:
        input: [8, 8, 1]
        layers:
          - flatten
          - dense: 10
        train: {data: digits, loss: cross_entropy}
    """
    for node in _read_by_cross_entropy(subject):
        if node.kind in ACTIVATIONS:
            message = f"`{node.name}` stands between the last layer and `cross_entropy`, which has its own softmax"
            yield Finding(message, f"leave `{node.kind}` out: the loss reads logits", node)


def double_softmax(subject: Subject) -> Iterator[Finding]:
    """A softmax of a softmax can hardly tell classes apart.

    Why: cross-entropy has its own softmax, and leaves out one that is the very output of the network. One before
    that, or before another softmax, gives values between 0 and 1: of ten classes none then gets more than e / (e +
    9) = 23 % of the probability, and gradients are small where the first softmax is sure.

    Example:
        input: [8, 8, 1]
        layers:
          - dense: 10
          - softmax
          - flatten
        train: {data: digits, loss: cross_entropy}

    Instead:
        input: [8, 8, 1]
        layers:
          - flatten
          - dense: 10
          - softmax
        train: {data: digits, loss: cross_entropy}
    """
    found = {node.name: node for node in _read_by_cross_entropy(subject) if node.kind == "softmax"}
    for node in subject.of_kind("softmax", "log_softmax"):
        for source in subject.before(node, (*ARRANGEMENTS, *DROPOUTS)):
            if source.kind == "softmax":
                found[source.name] = source
    for node in found.values():
        message = f"the output of `{node.name}` goes through a second softmax"
        yield Finding(message, "leave this one out", node)


def _read_by_cross_entropy(subject: Subject) -> Iterator[Node]:
    """Yield what the loss reads, layers left aside that leave values as they are; nothing for another loss."""
    graph = subject.graph
    if graph.spec.train is None:
        return
    read = graph.read_by_losses(graph.spec.train.loss_of)
    for node in (graph.nodes[name] for name, loss in read.items() if loss.kind == "cross_entropy"):
        passed = (*ARRANGEMENTS, *DROPOUTS)
        if node.kind in passed:
            yield from (source for source in subject.before(node, passed) if source.kind not in passed)
        else:
            yield node


def linear_pair(subject: Subject) -> Iterator[Finding]:
    """Two convolutions or dense layers with nothing nonlinear between them are one linear map.

    Why: W₂(W₁x + b₁) + b₂ = (W₂W₁)x + (W₂b₁ + b₂). Depth without a nonlinearity adds parameters and no function
    that one layer could not compute. Meant are factors of a larger map, and they are left alone: a first layer with
    fewer channels than both the input and the output of the pair (a low rank, as the linear bottlenecks of
    MobileNetV2), 1×n before n×1, and depthwise or grouped convolutions.

    Example:
        input: [32, 32, 3]
        layers:
          - conv: {filters: 32, kernel: 3}
          - conv: {filters: 32, kernel: 3}

    Instead:
        input: [32, 32, 3]
        layers:
          - conv: {filters: 32, kernel: 3}
          - relu
          - conv: {filters: 32, kernel: 3}
    """
    for node in subject.of_kind("conv", "dense"):
        path = tuple(subject.before(node, AFFINE))
        first = path[-1] if path else node
        if first is node or not (_is_full(first) and _is_full(node)):
            continue
        if any(subject.only_reader(source) is None for source in path):
            continue  # another layer reads what lies between, or an output shows it
        read = subject.graph.type_of(first.inputs[0]).channels
        given, kept = node.known.output.channels, first.known.output.channels
        flattened = any(source.kind in ("flatten", "reshape") for source in path)
        if kept < (read if flattened else min(read, given)) or _is_separable(first, node):
            continue
        message = f"nothing nonlinear stands between `{first.name}` and `{node.name}`: together they are one layer"
        yield Finding(message, "put an activation between them, or leave one out", node)


def _is_full(node: Node) -> bool:
    """Tell whether a layer maps all channels to all channels."""
    layer = node.spec.layer
    return isinstance(layer, Dense) or (isinstance(layer, Conv) and layer.groups == 1)


def _is_separable(first: Node, second: Node) -> bool:
    """Tell whether two kernels share no axis along which both are longer than 1, and each has one."""
    one, other = ([axis.size > 1 for axis in node.known.window] for node in (first, second))
    shared = any(a and b for a, b in zip(one, other, strict=False))
    return any(one) and any(other) and not shared


def idle_rectifier(subject: Subject) -> Iterator[Finding]:
    """A rectifier of values that are never negative changes nothing.

    Why: max(0, x) = x for x ≥ 0. Behind another ReLU, a sigmoid, a softplus, their pools, concatenations, sums and
    products, a rectifier still costs memory and time. More often it tells that a layer was meant to stand between,
    or that both branches of a residual block end in a ReLU, so that its sum can only grow.

    Example:
        input: [32, 32, 3]
        layers:
          - conv: {filters: 16, kernel: 3}
          - relu
          - max_pool: 2
          - relu

    Instead:
        input: [32, 32, 3]
        layers:
          - conv: {filters: 16, kernel: 3}
          - relu
          - max_pool: 2
    """
    positive: set[str] = set()
    for node in subject.known:
        kind, inputs = node.kind, node.inputs
        if kind in _NOT_NEGATIVE:
            of_positive = inputs[0] in positive
            positive.add(node.name)
        elif kind in _KEEPS_SIGN:
            layer = node.spec.layer
            of_positive = all(name in positive for name in inputs)
            if of_positive and not (isinstance(layer, Pad) and layer.value < 0):
                positive.add(node.name)
        else:
            continue
        if of_positive and kind in _IDLE:
            yield Finding(f"`{node.name}` changes nothing: its input is never negative", "leave it out", node)


_NOT_NEGATIVE = frozenset(("relu", "relu6", "abs", "crelu", "sigmoid", "hard_sigmoid", "softplus", "softmax"))
_IDLE = frozenset(("relu", "abs", "leaky_relu", "prelu", "elu", "celu"))
"""The identity where the input is not negative."""
_KEEPS_SIGN = frozenset(
    (*_IDLE, *POOLS, *DROPOUTS, *ARRANGEMENTS, "tanh", "softsign", "selu", "silu", "mish", "gelu", "hard_swish",
     "local_response_norm", "pad", "upsample", "add", "concat", "multiply", "maximum", "average")
)  # fmt: skip
"""Not negative where no input is."""


def saturating_stack(subject: Subject) -> Iterator[Finding]:
    """Many saturating activations in a row let the gradient vanish.

    Why: backward, each multiplies the gradient by its slope: at most 1/4 for a sigmoid, so that four leave less
    than 1/256, and below 1 for tanh and softsign wherever they are not at 0. Layers near the input hardly learn
    (Glorot & Bengio 2010, sections 3 and 4). Normalisation between layers, a sum with a shortcut or a gate beside
    the path start the count again. Told at four sigmoids, or at eight saturating activations of any kind.

    Example:
        input: [784]
        layers:
          - {sequence: [{dense: 100}, sigmoid], repeat: 5}
          - dense: 10

    Instead:
        input: [784]
        layers:
          - {sequence: [{dense: 100}, relu], repeat: 5}
          - dense: 10
    """
    counts: dict[str, tuple[int, int]] = {}
    for node in subject.known:
        sigmoids, saturating = min((counts.get(name, (0, 0)) for name in node.inputs), key=lambda found: found[1])
        if node.kind in _FRESH:
            sigmoids = saturating = 0
        elif node.kind in SATURATING:
            is_sigmoid = node.kind in ("sigmoid", "hard_sigmoid")
            sigmoids, saturating = sigmoids + is_sigmoid, saturating + 1
            if (is_sigmoid and sigmoids == MOST_SIGMOIDS) or saturating == MOST_SATURATING:
                message = f"`{node.name}` is the {saturating}th saturating activation in a row: gradients vanish"
                yield Finding(message, "use `relu`, or normalise between the layers", node)
        counts[node.name] = sigmoids, saturating


_FRESH = frozenset((*NORMS, "lstm", "gru"))
"""Layers behind which the count starts again."""


def rectified_residual(subject: Subject) -> Iterator[Finding]:
    """A residual body that ends in a ReLU can only add.

    Why: a residual function should be able to take away as well as to add. With a ReLU as the last layer of the
    body, the signal only grows from block to block (He et al. 2016, "Identity mappings in deep residual networks",
    section 4.1, "ReLU before addition": an error of 7.84 instead of 6.61 % for ResNet-110 on CIFAR-10).

    Example:
        input: [32, 32, 16]
        layers:
          - residual:
              - conv: {filters: 16, kernel: 3, padding: 1}
              - relu
              - conv: {filters: 16, kernel: 3, padding: 1}
              - relu

    Instead:
        input: [32, 32, 16]
        layers:
          - residual:
              - conv: {filters: 16, kernel: 3, padding: 1}
              - relu
              - conv: {filters: 16, kernel: 3, padding: 1}
          - relu
    """
    graph = subject.graph
    place: dict[str, int] = {}
    for node in subject.of_kind("add"):
        if len(node.inputs) != 2:
            continue
        for end, other in (node.inputs, node.inputs[::-1]):
            body = graph.nodes.get(end)
            if body is None or body.kind not in RECTIFIERS or end == other:
                continue
            place = place or {name: index for index, name in enumerate((*graph.inputs, *graph.nodes))}
            if _follows(graph, end, other, place):
                message = f"the body of `{node.name}` ends in `{end}`: the sum can only grow"
                yield Finding(message, "put the activation behind the sum", body)


def _follows(graph: Graph, end: str, start: str, place: Mapping[str, int]) -> bool:
    """Tell whether a node follows from another one, by way of what stands between them in topological order.

    A body of more than `LONGEST_WALK` nodes is not looked through.
    """
    pending, seen = [end], {end}
    for _ in range(LONGEST_WALK):
        if not pending:
            return False
        name = pending.pop()
        if name == start:
            return True
        node = graph.nodes.get(name)
        new = {source for source in (node.inputs if node else ()) if place[source] >= place[start]} - seen
        seen |= new
        pending += new
    return False
