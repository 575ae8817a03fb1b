"""The rows of a report: one a node, or one a block of nodes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from netcalc.analysis.report import LayerReport

BLOCK = "block"
"""What stands in place of a layer's type where several nodes are one row."""


@dataclass(frozen=True, slots=True)
class Row:
    """One node, or nodes that are shown as one; `layers` stands in the order of the network."""

    name: str
    type: str
    layers: tuple[LayerReport, ...]


def rows_of(layers: Iterable[LayerReport], depth: int | None = None) -> list[Row]:
    """Return one row a node, or at a depth one a block: the nodes whose names agree in their first `depth` words.

    A node whose name has no more words than that stays itself. The name of a group is unique in a network, so nodes
    of one group are one row, at the place of the first of them, even where others stand between.
    """
    if depth is None:
        return [Row(layer.name, layer.type, (layer,)) for layer in layers]
    blocks: dict[tuple[str, str], list[LayerReport]] = {}
    for layer in layers:
        words = layer.name.split(".")
        key = (".".join(words[:depth]), BLOCK) if len(words) > depth else (layer.name, layer.type)
        blocks.setdefault(key, []).append(layer)
    return [Row(name, type, tuple(members)) for (name, type), members in blocks.items()]
