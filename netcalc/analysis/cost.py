"""Parameters, MACs and FLOPs of a node, from its facts alone.

MACs are multiplies of convolutions and matrix products, taps on padding counted and biases not; FLOPs are
2·MACs plus the elementwise work. One sample, forward, inference.
"""

from __future__ import annotations

from dataclasses import dataclass

from netcalc.graph import Graph, Node
from netcalc.layers.base import Inferred


@dataclass(frozen=True, slots=True)
class ParamCount:
    """Elements of parameters, trained and frozen, and of state that training updates without a gradient."""

    trainable: int
    frozen: int
    state: int

    @property
    def total(self) -> int:
        """Parameters, trained or frozen, without state."""
        return self.trainable + self.frozen


def count_params(node: Node, facts: Inferred) -> ParamCount:
    """Return the parameter count of one node; shared parameters count at their owner alone."""
    owned = node.owner == node.name
    params = sum(spec.size for spec in facts.params.values()) if owned else 0
    state = sum(spec.size for spec in facts.state.values())
    trained = node.spec.trainable
    return ParamCount(params if trained else 0, 0 if trained else params, state)


def at_inference(graph: Graph) -> tuple[Node, ...]:
    """Return the nodes that forward figures are of: all but those that serve train-only outputs alone."""
    return tuple(node for node in graph.nodes.values() if node.name not in graph.train_only)


def forward_macs(facts: Inferred) -> int:
    """Return the MACs of one sample."""
    return sum(kernel.macs for kernel in facts.kernels)


def padding_exact_macs(facts: Inferred) -> int:
    """Return the MACs of one sample without taps that fall on padding: what XLA's cost analysis counts."""
    return sum(kernel.macs - kernel.padding_macs for kernel in facts.kernels)


def forward_flops(facts: Inferred) -> int:
    """Return the FLOPs of one sample: 2·MACs + elementwise, each transcendental counted as one."""
    return sum(2 * kernel.macs + kernel.flops for kernel in facts.kernels)


def has_kernel(facts: Inferred, *kinds: str) -> bool:
    """Tell whether the node runs a kernel of one of these kinds."""
    return any(kernel.kind in kinds for kernel in facts.kernels)
