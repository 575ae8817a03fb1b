"""Elements of a list of nodes: which layer, group or block each names, and how it is wired."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from netcalc.diagnostics import Span, cut, did_you_mean
from netcalc.layers.catalog import LAYERS
from netcalc.spec.blocks import Library
from netcalc.spec.findings import Findings
from netcalc.spec.nodes import GROUPS, WIRING, node_kind
from netcalc.spec.source import YamlDict, YamlScalar, YamlTree

NOTHING = YamlDict({}, {}, Span("", 1, 1, 1, 1))
"""The fields of a bare word."""


@dataclass(frozen=True, slots=True)
class Item:
    """One element of a list of nodes, its wiring read but nothing expanded."""

    kind: str
    name: str
    body: YamlTree
    wiring: Mapping[str, YamlTree]
    span: Span
    path: str


@dataclass(frozen=True, slots=True)
class ItemReader:
    """Reads elements; what is wrong with them goes to the findings."""

    name_pattern: re.Pattern[str]
    findings: Findings

    def read(self, tree: YamlTree, counts: dict[str, int], path: str, library: Library) -> Item | None:
        """Return one element of a list, None where it is no node; `counts` numbers its type for a name."""
        match tree:
            case YamlScalar(str(kind), span):
                body: YamlTree = replace(NOTHING, span=span)
                wiring: Mapping[str, YamlTree] = {}
            case YamlDict(entries, keys, span):
                kinds = node_kind(entries)
                if len(kinds) != 1:
                    self._no_kind(tree, kinds, library)
                    return None
                kind = kinds[0]
                body, span = entries[kind], keys[kind]
                wiring = {key: value for key, value in entries.items() if key != kind}
            case _:
                self.findings.report("NC014", "a node is a layer's name or a mapping with one", tree.span)
                return None
        if not is_kind(kind, library):
            known = [*library.blocks, *LAYERS, *GROUPS]
            self.findings.report("NC013", f"unknown layer or block `{cut(kind)}`", span, did_you_mean(kind, known))
            return None
        if "share" in wiring and kind not in LAYERS:
            self.findings.report("NC023", f"`{kind}` has no parameters of its own to share", wiring["share"].span)
            wiring = {key: value for key, value in wiring.items() if key != "share"}
        counts[kind] = counts.get(kind, 0) + 1
        name = self._given_name(wiring) or f"{kind}{counts[kind]}"
        return Item(kind, name, body, wiring, span, path)

    def _no_kind(self, tree: YamlDict, kinds: list[str], library: Library) -> None:
        if not kinds:
            self.findings.report("NC014", "this node names no layer", tree.span, "for example `conv: {...}`")
            return
        layers = [kind for kind in kinds if is_kind(kind, library)]
        if len(layers) == 1:
            for kind in kinds:
                if kind not in layers:
                    help = f"fields of `{layers[0]}` go inside its braces; " + did_you_mean(kind, WIRING)
                    self.findings.report(
                        "NC010", f"unknown field `{kind}` beside `{layers[0]}`", tree.keys[kind], help
                    )
            return
        message = f"a node names one layer, this one names {', '.join(f'`{kind}`' for kind in kinds)}"
        self.findings.report("NC014", message, tree.keys[kinds[1]], "start each layer with its own `-`")

    def _given_name(self, wiring: Mapping[str, YamlTree]) -> str | None:
        tree = wiring.get("name")
        match tree:
            case None:
                return None
            case YamlScalar(str(name)) if self.name_pattern.fullmatch(name) and name != "input":
                return name
        self.findings.report(
            "NC011",
            "`name` should be a word of letters, digits, `_` and `-` other than `input`",
            tree.span,
        )
        return None


def is_kind(kind: str, library: Library) -> bool:
    """Tell whether a key names a layer, a group or a block."""
    return kind in LAYERS or kind in GROUPS or kind in library.blocks
