"""The vocabulary of nodes: which keys wire, which open a group, and what a node is once it is expanded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from netcalc.diagnostics import Span
from netcalc.layers.catalog import LAYERS
from netcalc.spec.source import YamlTree

WIRING = ("name", "from", "repeat", "when", "trainable", "share")
GROUPS = ("sequence", "residual", "parallel")
MERGES = tuple(kind for kind, layer in LAYERS.items() if layer.arity == "many")
RESERVED = frozenset((*WIRING, *GROUPS, *LAYERS))
"""What a block cannot be called."""


@dataclass(frozen=True, slots=True)
class FlatNode:
    """One layer with everything expanded, its fields not yet validated.

    `share` names the node whose parameters it uses; `used_at` tells where the blocks around it were used, the
    innermost first.
    """

    name: str
    kind: str
    fields: YamlTree
    inputs: tuple[str, ...]
    trainable: bool
    span: Span
    path: str
    share: str | None = None
    used_at: tuple[Span, ...] = ()


def node_kind(keys: Mapping[str, object]) -> list[str]:
    """Return the keys of a node that could name its layer: all but the wiring."""
    return [key for key in keys if key not in WIRING]
