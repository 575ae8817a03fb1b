"""What one sample costs in training: forward, and the gradients that are really taken."""

from __future__ import annotations

from collections.abc import Mapping

from netcalc.graph import Graph


def training_macs(graph: Graph) -> Mapping[str, int]:
    """Return the training MACs of every node with known facts, for one sample.

    Forward, weight gradient and input gradient cost the same multiplies each. There is no weight gradient where
    the node is frozen, no input gradient where nothing below is trained (the first layer), and neither where no
    output follows from the node. A recurrence needs the gradient of its own state as well.
    """
    needed = graph.needed_for(graph.outputs)
    trained_below: dict[str, bool] = dict.fromkeys(graph.inputs, False)
    macs: dict[str, int] = {}
    for node in graph.nodes.values():
        has_trained = graph.is_trained(node)
        below = any(trained_below[name] for name in node.inputs)
        trained_below[node.name] = below or has_trained
        if node.facts is None:
            continue
        total = 0
        for kernel in node.facts.kernels:
            backward = has_trained + (below or (kernel.kind == "scan" and has_trained))
            total += kernel.macs * (1 + (backward if node.name in needed else 0))
        macs[node.name] = total
    return macs
