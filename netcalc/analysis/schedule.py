"""The operations of a step as XLA runs them on a GPU: forward in the graph's order, backward in the reverse of it.

Convolutions, matrix products, pools and reductions are operations; elementwise work is fused into what reads it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from netcalc.analysis.kernels import record
from netcalc.analysis.operations import Buffer, Operation
from netcalc.analysis.place import Backward, Place
from netcalc.analysis.setup import Setup
from netcalc.analysis.tape import Roots, Tape, Value, union
from netcalc.graph import Graph, Node
from netcalc.lean import lean_form


def training_schedule(graph: Graph, setup: Setup) -> tuple[Operation, ...]:
    """Return the operations of one training step of a complete graph."""
    nodes: Mapping[str, Node] = graph.nodes
    keep_output: frozenset[str] = frozenset()
    exchanged: Mapping[str, str] = {}
    if setup.lean:
        form = lean_form(graph, setup.outputs)
        nodes, keep_output, exchanged = form.graph.nodes, form.keep_output, form.exchanged
    walk = _Walk(graph, Tape(setup, training=True), keep_output, exchanged)
    needed = graph.needed_for(setup.outputs)
    order = [nodes[name] for name in nodes if name in needed]
    walk.forward(order)
    walk.backward(order, setup.outputs)
    return walk.tape.finished()


def inference_schedule(graph: Graph, setup: Setup) -> tuple[Operation, ...]:
    """Return the operations of one forward pass at inference of a complete graph."""
    walk = _Walk(graph, Tape(setup, training=False), frozenset())
    outputs = graph.inference_outputs
    needed = graph.needed_for(outputs)
    walk.forward([node for node in graph.nodes.values() if node.name in needed])
    for name in outputs:
        walk.tape.node = name
        walk.tape.stored(walk.values[name], "output")
    return walk.tape.finished()


@dataclass
class _Walk:
    """A step under way: the tensors so far, and how to go back."""

    graph: Graph
    tape: Tape
    keep_output: frozenset[str]
    exchanged: Mapping[str, str] = field(default_factory=dict)
    values: dict[str, Value] = field(default_factory=dict)
    steps_back: dict[str, list[Backward]] = field(default_factory=dict)
    trained_below: dict[str, bool] = field(default_factory=dict)

    def forward(self, order: list[Node]) -> None:
        """Record the forward pass of nodes in order."""
        for name, type in self.graph.inputs.items():
            self.values[name] = self._input(name, type.size)
            self.trained_below[name] = False
        for node in order:
            self._forward(node)

    def backward(self, order: list[Node], outputs: tuple[str, ...]) -> None:
        """Record the backward pass of nodes in the reverse order, from a loss that reads the outputs."""
        gradients: dict[str, list[Value]] = {}
        for name in outputs:
            self.tape.node = name
            y = self.values[name]
            labels: Roots = ()
            if name in self.tape.setup.scatters_labels and self.trained_below[name]:
                labels = (self.tape.buffer("labels", 4 * y.elements, "gradient"),)
                self.tape.run_first("scatter labels", [], labels)
            gradients[name] = [Value((self.tape.stored(y, "output"), *labels), y.elements)]
        self.tape.forward_is_done(root for found in gradients.values() for d in found for root in d.roots)
        for node in reversed(order):
            if self.trained_below[node.name] and node.name in gradients:
                self._backward(node, gradients)

    def _input(self, name: str, elements: int) -> Value:
        raw, batch = self.tape.setup.inputs[name], self.tape.setup.batch
        argument = Buffer("batch", name, batch * raw.bytes, "argument")
        return Value((argument,), batch * elements, None if raw.is_prepared else argument)

    def _forward(self, node: Node) -> None:
        self.tape.node = self.exchanged.get(node.name, node.name)
        below = any(self.trained_below[name] for name in node.inputs)
        trained = self.graph.is_trained(self.graph.nodes[node.name])
        self.trained_below[node.name] = below or trained
        shared = len(self.graph.consumers[node.name]) > 1
        alone = all(len(self.graph.consumers[name]) == 1 for name in node.inputs)
        facts, batch = node.known, self.tape.setup.batch
        current = [self.values[name] for name in node.inputs]
        self.steps_back[node.name] = []
        for kernel in facts.kernels:
            elements = batch * (facts.output.size if kernel.writes is None else kernel.writes)
            place = Place(node, kernel, trained, below, shared, alone, node.name in self.keep_output)
            y, back = record(self.tape, place, current, elements)
            self.steps_back[node.name].append(back)
            current, below = [y], below or trained
        self.values[node.name] = current[0]

    def _backward(self, node: Node, gradients: dict[str, list[Value]]) -> None:
        self.tape.node = self.exchanged.get(node.name, node.name)
        found = gradients.pop(node.name)
        d = found[0] if len(found) == 1 else Value(union(*(g.roots for g in found)), found[0].elements)
        readers = sum(self.trained_below[name] for name in node.inputs)
        if readers > 1 and len(d.roots) > 2:
            self.tape.stored(d, "gradient sum")
        results: list[Value | None] = [d]
        for back in reversed(self.steps_back[node.name]):
            results = back(d)
            d = results[0] or d
        for name, result in zip(node.inputs, results, strict=True):
            if result is not None and self.trained_below[name]:
                gradients.setdefault(name, []).append(result)
