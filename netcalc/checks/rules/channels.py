"""Rules on the numbers of channels."""

from __future__ import annotations

from collections.abc import Iterator

from netcalc.analysis.cost import forward_macs
from netcalc.checks.rules.kinds import ACTIVATIONS, AFFINE, NORMS, POOLS
from netcalc.checks.rules.rule import Finding, Subject
from netcalc.graph import Node
from netcalc.layers.conv import Conv, ConvTranspose
from netcalc.layers.dense import Dense

MULTIPLE = 8
"""Channels that matrix units take together: 16 bytes of a 16-bit type."""

LEAST_SHARE = 0.01
LEAST_MACS = 1_000_000
"""Layers with less of the network's MACs, or less in all, are not worth a word."""

LEAST_KEPT = 1 / 8
"""Half the side in both directions keeps a quarter of the values; less than half of that is more than one step."""


def unaligned_channels(subject: Subject) -> Iterator[Finding]:
    """A number of filters or units that is no multiple of 8 leaves matrix units idle.

    Why: tensor cores and their like multiply tiles whose sides are multiples of 8 in 16-bit types; other channels
    are padded up to the next multiple, or computed by slower code (NVIDIA's guide to the performance of deep
    learning). Every power of two from 8 on fits, the lecture's advice, and so do 24, 96 or 384. Up to 8 filters,
    the layer that gives the outputs, and layers with less than a million MACs or 1 % of the network's are left
    alone.

    Example:
        input: [32, 32, 16]
        layers:
          - conv: {filters: 50, kernel: 3}
          - relu
          - conv: {filters: 64, kernel: 3}

    Instead:
        input: [32, 32, 16]
        layers:
          - conv: {filters: 48, kernel: 3}
          - relu
          - conv: {filters: 64, kernel: 3}
    """
    suspects = [node for node in subject.of_kind("conv", "conv_transpose", "dense") if _channels(node) % MULTIPLE]
    if not suspects:
        return
    last = _giving_outputs(subject)
    total = sum(forward_macs(node.known) for node in subject.known)
    for node in suspects:
        channels = _channels(node)
        macs = forward_macs(node.known)
        if channels <= MULTIPLE or node.name in last or macs < max(LEAST_MACS, LEAST_SHARE * total):
            continue
        field = "units" if node.kind == "dense" else "filters"
        up = -(-channels // MULTIPLE) * MULTIPLE
        message = f"the {channels} {field} of `{node.name}` are no multiple of {MULTIPLE}: hardware computes {up}"
        yield Finding(message, f"use {up - MULTIPLE} or {up}", node, field)


def _channels(node: Node) -> int:
    """Return the channels that one product gives: all filters, or those of a group."""
    layer = node.spec.layer
    groups = layer.groups if isinstance(layer, Conv | ConvTranspose) else 1
    return node.known.output.channels if groups == 1 else MULTIPLE


def _giving_outputs(subject: Subject) -> frozenset[str]:
    """Return the layers with weights behind which none stands before an output: their channels are given."""
    found: set[str] = set()
    pending = list(subject.graph.outputs)
    seen: set[str] = set()
    while pending:
        name = pending.pop()
        node = subject.graph.nodes.get(name)
        if node is None or name in seen:
            continue
        seen.add(name)
        if isinstance(node.spec.layer, Conv | ConvTranspose | Dense):
            found.add(name)
        else:
            pending += node.inputs
    return frozenset(found)


def shrinking_maps(subject: Subject) -> Iterator[Finding]:
    """Maps that shrink faster than their channels grow lose what the image said.

    Why: a map of N×N×C holds N²·C values. Where stride or pooling halves the sides, a quarter of the values is
    left, and twice the filters keep half of them: the rule of VGG and ResNet (He et al. 2015, section 3.3). Where
    no map behind a stride holds even an eighth of the values before it, the step is a narrow place that no later
    layer makes up for. The pool that ends in one position is left alone.

    Example:
        input: [64, 64, 32]
        layers:
          - max_pool: 4                              # 131,072 values before, 8,192 behind
          - conv: {filters: 32, kernel: 3, padding: 1}

    Instead:
        input: [64, 64, 32]
        layers:
          - max_pool: 2
          - conv: {filters: 64, kernel: 3, padding: 1}
          - relu
          - max_pool: 2
          - conv: {filters: 128, kernel: 3, padding: 1}
    """
    largest: dict[tuple[int, ...], int] = {}
    for node in subject.known:
        sides, size = node.known.output.sides, node.known.output.size
        largest[sides] = max(largest.get(sides, 0), size)
    for node in subject.windowed:
        window = node.known.window
        if all(axis.stride == 1 for axis in window) or all(axis.output == 1 for axis in window):
            continue
        read = subject.graph.type_of(node.inputs[0]).size
        kept = largest[node.known.output.sides]
        if kept < LEAST_KEPT * read:
            message = f"behind `{node.name}` no map holds more than {kept:,} values; it reads {read:,}"
            yield Finding(
                message, "shrink the map in smaller steps, or give more filters behind it", node, "stride"
            )


def unmixed_groups(subject: Subject) -> Iterator[Finding]:
    """Two grouped convolutions in a row never let their groups see each other.

    Why: with G groups each output reads 1/G of the channels, and a second convolution with the same groups reads
    the same part again: the network falls into G narrow ones side by side (Zhang et al. 2018, "ShuffleNet", section
    3.1). A channel shuffle, or a layer without groups between them, mixes.

    Example:
        input: [32, 32, 64]
        layers:
          - conv: {filters: 64, kernel: 1, groups: 4}
          - relu
          - conv: {filters: 64, kernel: 1, groups: 4}

    Instead:
        input: [32, 32, 64]
        layers:
          - conv: {filters: 64, kernel: 1, groups: 4}
          - relu
          - channel_shuffle: 4
          - conv: {filters: 64, kernel: 1, groups: 4}
    """
    for node in subject.of_kind("conv"):
        groups = _groups(subject, node)
        if groups == 1:
            continue
        for source in subject.before(node, _UNMIXED):
            if source.kind == "conv" and _groups(subject, source) == groups:
                message = f"the {groups} groups of `{node.name}` and of `{source.name}` never mix"
                help = f"put `channel_shuffle: {groups}` between them, or leave `groups` out of one"
                yield Finding(message, help, node, "groups")


_UNMIXED = frozenset((*ACTIVATIONS, *NORMS, *POOLS, *AFFINE)) - {"channel_shuffle", "reshape", "crelu", "maxout"}


def _groups(subject: Subject, node: Node) -> int:
    """Return the groups of a convolution; 1 where it has as many as channels, a depthwise one."""
    layer = node.spec.layer
    if not isinstance(layer, Conv) or layer.groups == subject.graph.type_of(node.inputs[0]).channels:
        return 1
    return layer.groups
