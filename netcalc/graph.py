"""The network as a graph: every node with the facts that follow from its inputs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType

from netcalc.diagnostics import Diagnostic, SpecError
from netcalc.layers.base import Inferred, ShapeError, TensorType
from netcalc.spec.losses import LossSpec
from netcalc.spec.network import NetworkSpec, NodeSpec
from netcalc.units import format_shape

MAX_SIDE = 2**31
MAX_ELEMENTS = 2**53
"""Elements of one tensor: up to here floating point counts exactly."""


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
    def owner(self) -> str:
        """The node whose parameters it uses: itself, unless it shares another's."""
        return self.spec.share or self.name

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
        """Names of the nodes whose tensors the network returns, those that serve training alone too."""
        return tuple(output.node for output in self.spec.outputs)

    @property
    def inference_outputs(self) -> tuple[str, ...]:
        """Names of the nodes whose tensors the network returns at inference."""
        return tuple(output.node for output in self.spec.outputs if not output.train_only)

    @cached_property
    def train_only(self) -> frozenset[str]:
        """Names of the nodes that serve train-only outputs alone: auxiliary heads, no part of inference."""
        return self.needed_for(self.outputs) - self.needed_for(self.inference_outputs)

    @property
    def main_output(self) -> str:
        """The first output of inference, the one that is measured."""
        return self.inference_outputs[0]

    def read_by_losses(self, loss_of: Callable[[str], LossSpec]) -> Mapping[str, LossSpec]:
        """Return the nodes that losses read, the main output's first, with their losses.

        Cross-entropy has its own softmax, and the binary one a logistic function: where an output is one, the loss
        reads what goes into it, which is the same function in a form that cannot overflow.
        """
        outputs = sorted(self.outputs, key=lambda output: output != self.main_output)
        return {self.below(output, loss_of(output).applied): loss_of(output) for output in outputs}

    def below(self, output: str, kind: str | None) -> str:
        """Return the node that an output of a kind is computed from, or the output itself if it is of another."""
        node = self.nodes[output]
        return node.inputs[0] if node.kind == kind and node.inputs[0] in self.nodes else output

    def needed_for(self, outputs: Iterable[str]) -> frozenset[str]:
        """Return the names of the nodes that the given nodes follow from, with themselves."""
        needed = set(outputs)
        for node in reversed(tuple(self.nodes.values())):
            if node.name in needed:
                needed.update(node.inputs)
        return frozenset(needed & self.nodes.keys())

    def is_trained(self, node: Node) -> bool:
        """Tell whether training changes the parameters that a node uses: neither it nor their owner is frozen."""
        has_params = node.facts is not None and bool(node.facts.params)
        return has_params and node.spec.trainable and self.nodes[node.owner].spec.trainable

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
    for source in spec.inputs:
        if (excess := _excess(source.type)) is not None:
            place = spec.sections.get("input") or spec.sections.get(f"inputs.{source.name}")
            problems.append(Diagnostic(excess.code, str(excess), place, excess.help))
            types[source.name] = None
    for item in spec.nodes:
        sources = [types[name] for name in item.inputs]
        inputs = tuple(source for source in sources if source is not None)
        facts = None
        if len(inputs) == len(sources):
            try:
                inferred = item.layer.infer(*inputs)
                if (excess := _excess(inferred.output)) is not None:
                    raise excess
                item, facts = _owned(item, inferred, nodes), inferred
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


def _excess(type: TensorType) -> ShapeError | None:
    """Return what is wrong with a tensor that is too large to count with."""
    if max(type.shape) > MAX_SIDE:
        message = f"a tensor of {format_shape(type.shape)} has a side above {MAX_SIDE:,}"
    elif type.size > MAX_ELEMENTS:
        message = f"a tensor of {format_shape(type.shape)} has more than {MAX_ELEMENTS:,} elements"
    else:
        return None
    return ShapeError("NC108", "", message, "grow the maps or channels less before it")


def _owned(item: NodeSpec, facts: Inferred, nodes: Mapping[str, Node]) -> NodeSpec:
    """Return the node with the first owner of the parameters that it shares; raises ShapeError if they differ."""
    if item.share is None:
        return item
    other = nodes[item.share]
    if other.facts is not None:
        own, theirs = _shapes(facts), _shapes(other.facts)
        if own != theirs:
            message = f"`{item.name}` needs {own}, `{item.share}` has {theirs}"
            raise ShapeError("NC023", "", message, "give both nodes the same fields and input channels")
    return replace(item, share=other.owner)


def _shapes(facts: Inferred) -> str:
    return ", ".join(f"{name} {format_shape(spec.shape)}" for name, spec in facts.params.items())


def _diagnostic(item: NodeSpec, error: ShapeError, inputs: tuple[TensorType, ...]) -> Diagnostic:
    span = item.fields.get(error.field, item.span)
    shapes = ", ".join(format_shape(x.shape) for x in inputs)
    used = tuple(f"in a block used at {place.file}:{place.line}" for place in item.used_at)
    context = (f"input: {shapes}", *used)
    return Diagnostic(error.code, str(error), span, error.help, node=item.name, context=context)
