"""The network as a graph: every node with the facts that follow from its inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

from netcalc.diagnostics import Diagnostic, SpecError
from netcalc.layers.base import Inferred, ShapeError, TensorType
from netcalc.spec.network import NetworkSpec, NodeSpec
from netcalc.units import format_shape


@dataclass(frozen=True, slots=True)
class Node:
    """A layer in its place. `facts` is None where an error leaves it unknown."""

    spec: NodeSpec
    facts: Inferred | None

    @property
    def name(self) -> str:
        """The node's unique name."""
        return self.spec.name

    @property
    def kind(self) -> str:
        """The layer's type, as specs write it."""
        return self.spec.layer.kind

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the nodes or network inputs it reads, in order."""
        return self.spec.inputs

    @property
    def known(self) -> Inferred:
        """The facts of a node of a complete graph."""
        assert self.facts is not None, f"{self.name} has no known facts"
        return self.facts


@dataclass(frozen=True)
class Graph:
    """A directed acyclic graph of layers; `nodes` stands in topological order."""

    spec: NetworkSpec
    nodes: Mapping[str, Node]
    diagnostics: tuple[Diagnostic, ...] = ()

    @property
    def name(self) -> str:
        """The network's name."""
        return self.spec.name

    @property
    def complete(self) -> bool:
        """Whether the facts of every node are known."""
        return all(node.facts is not None for node in self.nodes.values())

    @cached_property
    def inputs(self) -> Mapping[str, TensorType]:
        """The network's inputs, as the spec declares them."""
        return MappingProxyType({item.name: item.type for item in self.spec.inputs})

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the nodes whose tensors the network returns."""
        return self.spec.outputs

    def type_of(self, name: str) -> TensorType:
        """Return the tensor that a node or an input gives; it must be known."""
        return self.inputs[name] if name in self.inputs else self.nodes[name].known.output

    @cached_property
    def consumers(self) -> Mapping[str, tuple[str, ...]]:
        """For every node and input, the nodes that read it."""
        readers: dict[str, list[str]] = {name: [] for name in (*self.inputs, *self.nodes)}
        for node in self.nodes.values():
            for source in node.inputs:
                readers[source].append(node.name)
        return {name: tuple(found) for name, found in readers.items()}


def build(spec: NetworkSpec) -> Graph:
    """Return the graph of a spec, with a Diagnostic for each layer that does not fit its input.

    Layers compute in floating point, so an integer input reaches them as float32. What follows a node that does
    not fit is unknown and is not reported again.
    """
    types: dict[str, TensorType | None] = {item.name: TensorType(item.type.shape) for item in spec.inputs}
    nodes: dict[str, Node] = {}
    problems: list[Diagnostic] = []
    for item in spec.nodes:
        sources = [types[name] for name in item.inputs]
        inputs = tuple(source for source in sources if source is not None)
        facts = None
        if len(inputs) == len(sources):
            try:
                facts = item.layer.infer(*inputs)
            except ShapeError as error:
                problems.append(_diagnostic(item, error, inputs))
        nodes[item.name] = Node(item, facts)
        types[item.name] = None if facts is None else facts.output
    return Graph(spec, MappingProxyType(nodes), tuple(problems))


def build_complete(spec: NetworkSpec) -> Graph:
    """Return the graph of a spec; raises SpecError where a layer does not fit its input."""
    graph = build(spec)
    if graph.diagnostics:
        raise SpecError(graph.diagnostics)
    return graph


def _diagnostic(item: NodeSpec, error: ShapeError, inputs: tuple[TensorType, ...]) -> Diagnostic:
    span = item.fields.get(error.field, item.span)
    shapes = ", ".join(format_shape(x.shape) for x in inputs)
    return Diagnostic(error.code, str(error), span, error.help, node=item.name, context=(f"input: {shapes}",))
