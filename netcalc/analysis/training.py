"""What one sample costs in training: forward, and the gradients that are really taken.

There is no weight gradient where a node is frozen, no input gradient where nothing below is trained (the first
layer), and neither where no output follows from the node.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from netcalc.graph import Graph, Node
from netcalc.layers.base import Inferred


@dataclass(frozen=True, slots=True)
class Gradients:
    """Which gradients training takes at a node: with respect to its parameters, and to its inputs."""

    of_params: bool
    of_inputs: bool


@dataclass(frozen=True, slots=True)
class TrainingCost:
    """What one sample costs at a node, forward and backward.

    Forward, weight gradient and input gradient take as many `macs` each; a recurrence needs the gradient of its own
    state as well. `flops` are 2·MACs + elementwise work: forward as training does it, and backward where a gradient
    is taken at all, as much as forward unless the layer says otherwise. The optimizer's update is not among them.
    """

    macs: int
    flops: int


def gradients(graph: Graph) -> Mapping[str, Gradients]:
    """Return which gradients are taken at every node."""
    needed = graph.needed_for(graph.outputs)
    trained_below: dict[str, bool] = dict.fromkeys(graph.inputs, False)
    taken: dict[str, Gradients] = {}
    for node in graph.nodes.values():
        has_trained = graph.is_trained(node)
        below = any(trained_below[name] for name in node.inputs)
        trained_below[node.name] = below or has_trained
        is_needed = node.name in needed
        taken[node.name] = Gradients(has_trained and is_needed, below and is_needed)
    return taken


def training_costs(graph: Graph) -> Mapping[str, TrainingCost]:
    """Return what every node with known facts costs in training."""
    taken = gradients(graph)
    return {
        node.name: _cost(node, node.facts, taken[node.name])
        for node in graph.nodes.values()
        if node.facts is not None
    }


def _cost(node: Node, facts: Inferred, taken: Gradients) -> TrainingCost:
    macs = _macs(facts, taken)
    return TrainingCost(macs, 2 * macs + _elementwise(node, facts, taken))


def _macs(facts: Inferred, taken: Gradients) -> int:
    total = 0
    for kernel in facts.kernels:
        of_state = kernel.kind == "scan" and taken.of_params
        total += kernel.macs * (1 + taken.of_params + (taken.of_inputs or of_state))
    return total


def _elementwise(node: Node, facts: Inferred, taken: Gradients) -> int:
    # A frozen node does not update its state, and computes with it as at inference.
    as_at_inference = bool(facts.state) and not node.spec.trainable
    total = 0
    for kernel in facts.kernels:
        forward = kernel.flops if as_at_inference else kernel.forward_training_flops
        total += forward
        if taken.of_params or taken.of_inputs:
            total += forward if kernel.backward_flops is None else kernel.backward_flops
    return total
