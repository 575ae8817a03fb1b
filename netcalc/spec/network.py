"""The validated spec: a flat list of named nodes with their layers, wiring and places in the text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from netcalc.diagnostics import Span
from netcalc.layers.base import Layer, TensorType
from netcalc.spec.budgets import Budgets
from netcalc.spec.expressions import Value
from netcalc.spec.training import TrainingSpec
from netcalc.spec.unused import Unused

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
"""What a name that a person gives must match; the length bounds the full names of nested nodes."""

PATH_NAME = re.compile(rf"{NAME.pattern}(\.({NAME.pattern}|[0-9]+))*")
"""What the full name of a node matches: the names of the groups around it, then its own."""


@dataclass(frozen=True, slots=True)
class InputSpec:
    """One input of the network."""

    name: str
    type: TensorType


@dataclass(frozen=True, slots=True)
class NodeSpec:
    """One layer of the flat network.

    `name` is unique and tells the groups around the node (`stage3.1.conv1`); `path` is the JSON pointer of the
    node in its file; `inputs` name nodes or network inputs; `fields` tells where each field stands. `share` names
    the node whose parameters it uses; `used_at` tells where the blocks around it were used, the innermost first.
    `computed` names the fields whose values are those of expressions.
    """

    name: str
    layer: Layer
    inputs: tuple[str, ...]
    span: Span
    path: str
    trainable: bool = True
    fields: Mapping[str, Span] = field(default_factory=dict)
    share: str | None = None
    used_at: tuple[Span, ...] = ()
    computed: frozenset[str] = field(default=frozenset(), compare=False)


@dataclass(frozen=True, slots=True)
class OutputSpec:
    """A node whose tensor the network returns; a train-only one, such as an auxiliary head, not at inference."""

    node: str
    train_only: bool = False


@dataclass(frozen=True, slots=True)
class NetworkSpec:
    """A network as described, valid in itself; whether its layers fit each other is for the graph to say."""

    name: str
    inputs: tuple[InputSpec, ...]
    nodes: tuple[NodeSpec, ...]
    outputs: tuple[OutputSpec, ...]
    params: Mapping[str, Value]
    train: TrainingSpec | None
    budgets: Budgets
    file: str
    sections: Mapping[str, Span]
    """Where each part of the spec stands, by its dotted path: `train`, `budgets.params.max`."""
    unused: tuple[Unused, ...] = ()
    """Blocks and parameters that the spec's file defines and nothing reads."""

    def place(self, path: str) -> Span | None:
        """Return where a part of the spec stands, or the nearest part around it that is written."""
        while path and path not in self.sections:
            path = path.rpartition(".")[0]
        return self.sections.get(path)
