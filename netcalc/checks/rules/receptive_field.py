"""Rules on what outputs see of the input."""

from __future__ import annotations

from collections.abc import Iterator

from netcalc.checks.rules.kinds import POOLS
from netcalc.checks.rules.rule import Finding, Subject
from netcalc.graph import Node
from netcalc.units import format_shape

_READS_ALL = ("flatten", "reshape", "lstm", "gru")
"""Layers behind which every position of the map has weights of its own, or is read in turn."""


def small_receptive_field(subject: Subject) -> Iterator[Finding]:
    """No position of the map that is averaged at the end sees the whole image.

    Why: where the last map is averaged, each of its positions decides by what it sees, and the average only counts
    their votes (Brendel & Bethge 2019, "bag of local features"). Objects larger than the receptive field are known
    by their parts. A flattened map is left alone, since a dense layer sees all of it, and so is a map that is
    itself the output, as in segmentation. Where objects are known to be smaller than the image this is no fault.

    Example:
        input: [224, 224, 3]
        layers:
          - conv: {filters: 64, kernel: 3, stride: 2, padding: 1}
          - relu
          - conv: {filters: 128, kernel: 3, stride: 2, padding: 1}
          - relu
          - global_avg_pool
          - dense: 10

    Instead:
        input: [16, 16, 3]
        layers:
          - sequence: [{conv: {filters: 64, kernel: 3, stride: 2, padding: 1}}, relu]
            repeat: 4
          - global_avg_pool
          - dense: 10
    """
    for node, below, seen, sides in _last_maps(subject):
        if (
            below is not None
            and _pools_all(below)
            and any(size < side for size, side in zip(seen, sides, strict=True))
        ):
            message = f"`{node.name}` sees {format_shape(seen)} of the {format_shape(sides)} input"
            yield Finding(message, "add layers, stride, pooling or dilation before it", node)


def object_beyond_receptive_field(subject: Subject) -> Iterator[Finding]:
    """No position of the last map sees an object whole.

    Why: a detector or segmenter decides at each position by what it sees there. An object of more pixels than the
    receptive field is never seen at once. The pixels near the middle also count far more than those at the edge:
    the effective field is a fraction of the theoretical one (Luo et al. 2016), so that some room is wise. Asked
    only where the side of the objects is given.

    Example:
        # object_size: 64
        input: [256, 256, 3]
        layers:
          - conv: {filters: 32, kernel: 3, stride: 2, padding: 1}
          - relu
          - conv: {filters: 2, kernel: 3, padding: 1}

    Instead:
        # object_size: 64
        input: [256, 256, 3]
        layers:
          - sequence: [{conv: {filters: 32, kernel: 3, stride: 2, padding: 1}}, relu]
            repeat: 5
          - conv: {filters: 2, kernel: 3, padding: 1}
    """
    wanted = subject.object_size
    if wanted is None:
        return
    for node, _, seen, _ in _last_maps(subject):
        if min(seen) < wanted:
            message = f"`{node.name}` sees {format_shape(seen)}, less than an object of {wanted} pixels"
            yield Finding(message, "add layers, stride, pooling or dilation before it", node)


def _last_maps(subject: Subject) -> Iterator[tuple[Node, Node | None, tuple[int, ...], tuple[int, ...]]]:
    """Yield the last map before each output, its reader if any, what a position sees, the sides of the input.

    None where a layer that reads all positions comes behind it, or what it sees is not known.
    """
    graph = subject.graph
    if len(graph.inputs) != 1:
        return
    (shape,) = (type.shape for type in graph.inputs.values())
    seen: set[str] = set()
    for output in graph.outputs:
        node: Node | None = graph.nodes[output]
        below: Node | None = None
        while node is not None and node.facts is not None and _positions(node) == 1 and len(node.inputs) == 1:
            below = node
            node = None if below.name in seen else subject.source(below)
            seen.add(below.name)
        if node is None or node.facts is None or _positions(node) == 1:
            continue
        if below is not None and (below.kind in _READS_ALL or below.kind == "conv"):
            continue
        field = subject.receptive_fields.get(node.name)
        if field is not None:
            yield node, below, tuple(int(axis.size) for axis in field.axes), shape[:-1]


def _pools_all(node: Node) -> bool:
    """Tell whether a layer makes one position of all."""
    window = node.known.window
    return node.kind.startswith("global_") or (
        node.kind in POOLS and bool(window) and all(axis.output == 1 and axis.size >= axis.input for axis in window)
    )


def _positions(node: Node) -> int:
    output = node.known.output
    return output.size // output.channels


def _seeing_all(subject: Subject) -> frozenset[str]:
    """Return the nodes that see all positions, by a gate on the path as well: they have no centre."""
    found: set[str] = set()
    for node in subject.known:
        facts = node.known
        all_at_once = facts.reach == "all" or any(axis.output == 1 < axis.input for axis in facts.window)
        if all_at_once or not found.isdisjoint(node.inputs):
            found.add(node.name)
    return frozenset(found)


def misaligned_merge(subject: Subject) -> Iterator[Finding]:
    """Branches that meet at a merge but look at different places.

    Why: output i of each branch should see the same part of the image around the same centre. An even kernel, or
    padding of another form in one branch, moves its centre by a fraction of a pixel or more, and the merge adds or
    stacks features of different places (Araujo et al. 2019, "Computing receptive fields of convolutional neural
    networks", section on alignment).

    Example:
        input: [32, 32, 16]
        layers:
          - parallel:
              - [conv: {filters: 16, kernel: 3, padding: 1}]
              - [conv: {filters: 16, kernel: 4, padding: [[0, 3], [0, 3]]}]

    Instead:
        input: [32, 32, 16]
        layers:
          - parallel:
              - [conv: {filters: 16, kernel: 3, padding: 1}]
              - [conv: {filters: 16, kernel: 5, padding: 2}]
    """
    merges = [node for node in subject.known if len(node.inputs) > 1]
    fields = subject.receptive_fields if merges else {}
    everywhere = _seeing_all(subject)
    for node in merges:
        if not everywhere.isdisjoint(node.inputs):
            continue
        field = fields.get(node.name)
        branches = [fields[name] for name in node.inputs if name in fields]
        if field is None or field.aligned or not all(branch.aligned for branch in branches):
            continue
        centres = sorted({tuple(float(axis.centre) for axis in branch.axes) for branch in branches})
        shown = " and ".join("(" + ", ".join(f"{centre:g}" for centre in place) + ")" for place in centres)
        message = f"the branches of `{node.name}` are not aligned: their first positions are centred at {shown}"
        yield Finding(message, "give the branches odd kernels and padding that keeps the centre", node)
