"""What a rule of design is: what it reads, what it finds, and the code it is known by."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from netcalc.analysis.receptive_field import ReceptiveField, receptive_fields
from netcalc.checks.rules.signal import signal_scales
from netcalc.diagnostics import Severity, Span
from netcalc.graph import Graph, Node

LONGEST_WALK = 100
"""Layers that a rule looks through: more in a row are no pattern, and many long walks would take long."""


@dataclass(frozen=True)
class Subject:
    """What rules read: a graph, whole or with nodes whose facts are unknown, and what its user cares about.

    `object_size` is the side in pixels of the objects that the network is to recognise; None where nobody said.
    What several rules need is computed once.
    """

    graph: Graph
    object_size: int | None = None

    @cached_property
    def known(self) -> tuple[Node, ...]:
        """The nodes whose facts are known, in topological order."""
        return tuple(node for node in self.graph.nodes.values() if node.facts is not None)

    @cached_property
    def by_kind(self) -> Mapping[str, tuple[Node, ...]]:
        """The nodes whose facts are known, by the type of their layer."""
        found: dict[str, list[Node]] = {}
        for node in self.known:
            found.setdefault(node.kind, []).append(node)
        return {kind: tuple(nodes) for kind, nodes in found.items()}

    def of_kind(self, *kinds: str) -> Iterator[Node]:
        """Yield the nodes of these layers whose facts are known."""
        for kind in kinds:
            yield from self.by_kind.get(kind, ())

    @cached_property
    def windowed(self) -> tuple[Node, ...]:
        """The nodes whose layer slides a window, with known facts."""
        return tuple(node for node in self.known if node.known.window)

    @cached_property
    def receptive_fields(self) -> Mapping[str, ReceptiveField]:
        """What every node sees of the input, as far as it is known."""
        return receptive_fields(self.graph)

    @cached_property
    def signal_scales(self) -> Mapping[str, float]:
        """log2 of the mean square of what every node gives before training, as far as it is known."""
        return signal_scales(self.graph)

    def source(self, node: Node) -> Node | None:
        """Return the node that a layer of one input reads; None where that is an input of the network."""
        return self.graph.nodes.get(node.inputs[0])

    @cached_property
    def outputs(self) -> frozenset[str]:
        """Names of the nodes whose tensors the network returns."""
        return frozenset(self.graph.outputs)

    def only_reader(self, node: Node) -> Node | None:
        """Return the node that alone reads another's tensor; None where there are others, or it is an output."""
        readers = self.graph.consumers[node.name]
        return self.graph.nodes[readers[0]] if len(readers) == 1 and node.name not in self.outputs else None

    def before(self, node: Node, through: Container[str]) -> Iterator[Node]:
        """Yield what stands before a node, the nearest first: layers of the kinds `through`, then the one before.

        The walk ends at a layer of several inputs, at an input of the network, where facts are unknown, and after
        `LONGEST_WALK` layers.
        """
        for _ in range(LONGEST_WALK):
            source = self.source(node) if len(node.inputs) == 1 else None
            if source is None or source.facts is None:
                return
            yield source
            if source.kind not in through:
                return
            node = source

    def behind(self, node: Node, through: Container[str]) -> Node | None:
        """Return the first layer of another kind behind a node, if nothing else reads what lies between."""
        reader = self.only_reader(node)
        for _ in range(LONGEST_WALK):
            if reader is None or reader.kind not in through:
                return reader
            reader = self.only_reader(reader)
        return None


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule found, the way out, and where: a field of a node, a section as `train.batch_size`, or a span."""

    message: str
    help: str
    node: Node | None = None
    field: str = ""
    section: str = ""
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of design: its permanent code, its name, how much a finding weighs, and the generator that finds.

    The docstring of the generator is the rule's manual page.
    """

    code: str
    name: str
    severity: Severity
    find: Callable[[Subject], Iterator[Finding]]
