"""Blocks: named templates of layers with parameters, and the defaults that layers take from a spec or block."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from netcalc.diagnostics import Span, did_you_mean
from netcalc.layers.catalog import LAYERS
from netcalc.spec.findings import Findings
from netcalc.spec.network import NAME
from netcalc.spec.nodes import RESERVED
from netcalc.spec.source import YamlDict, YamlScalar, YamlTree

Defaults = Mapping[str, YamlDict]
"""Fields by exact layer type, for what a node does not say itself."""

NO_DEFAULTS: Defaults = MappingProxyType({})

BLOCK_KEYS = ("params", "layers", "defaults")


@dataclass(frozen=True, slots=True)
class Library:
    """The blocks that a file defines or imports, and the defaults that its own blocks take from it."""

    blocks: dict[str, Block]
    defaults: Defaults


@dataclass(frozen=True, slots=True)
class Block:
    """A template: parameters, of which those with null have no default, and layers.

    It sees the blocks of the `library` it was defined in and takes that file's defaults.
    """

    name: str
    params: Mapping[str, YamlTree]
    layers: YamlTree
    defaults: Defaults
    library: Library
    span: Span
    path: str


def add_blocks(library: Library, tree: YamlTree | None, findings: Findings) -> None:
    """Add the blocks of a `blocks:` section to the library they belong to."""
    if tree is None or _is_null(tree):
        return
    if not isinstance(tree, YamlDict):
        findings.report("NC011", "`blocks` should be a mapping from names to blocks", tree.span)
        return
    for name, body in tree.entries.items():
        block = _block(name, body, tree.keys[name], library, findings)
        if block is not None:
            library.blocks[name] = block


def import_blocks(library: Library, other: Library, span: Span, findings: Findings) -> None:
    """Add the blocks of another file; a name that is taken is an error at the import."""
    for name, block in other.blocks.items():
        known = library.blocks.get(name)
        if known is not None and known.span != block.span:
            message = (
                f"the block `{name}` of {block.span.file} is also defined at {known.span.file}:{known.span.line}"
            )
            findings.report("NC021", message, span, "rename one of the two")
        else:
            library.blocks[name] = block


def read_defaults(tree: YamlTree | None, findings: Findings) -> Defaults:
    """Return the fields by layer of a `defaults:` section, none of them evaluated."""
    if tree is None or _is_null(tree):
        return NO_DEFAULTS
    if not isinstance(tree, YamlDict):
        findings.report("NC011", "`defaults` should be a mapping from layers to fields", tree.span)
        return NO_DEFAULTS
    found: dict[str, YamlDict] = {}
    for kind, fields in tree.entries.items():
        if kind not in LAYERS:
            findings.report("NC013", f"unknown layer `{kind}`", tree.keys[kind], did_you_mean(kind, LAYERS))
        elif not isinstance(fields, YamlDict):
            findings.report("NC011", f"the defaults of `{kind}` should be named fields", fields.span)
        else:
            known = LAYERS[kind].model_fields
            for field in fields.entries:
                if field not in known:
                    help = did_you_mean(field, known)
                    findings.report("NC010", f"unknown field `{field}` of `{kind}`", fields.keys[field], help)
            found[kind] = fields
    return found


def with_defaults(kind: str, fields: YamlTree, defaults: Defaults) -> YamlTree:
    """Return a node's fields with the defaults of its layer behind them."""
    behind = defaults.get(kind)
    if behind is None:
        return fields
    principal = LAYERS[kind].principal
    if _is_null(fields):
        fields = YamlDict({}, {}, fields.span)
    elif not isinstance(fields, YamlDict):
        if principal is None:
            return fields
        fields = YamlDict({principal: fields}, {principal: fields.span}, fields.span)
    return replace(fields, entries={**behind.entries, **fields.entries}, keys={**behind.keys, **fields.keys})


def joined(outer: Defaults, inner: Defaults) -> Defaults:
    """Return defaults in which the inner ones come before the outer ones."""
    both = dict(outer)
    for kind, fields in inner.items():
        merged = with_defaults(kind, fields, outer)
        assert isinstance(merged, YamlDict)
        both[kind] = merged
    return both


def _block(name: str, body: YamlTree, span: Span, library: Library, findings: Findings) -> Block | None:
    if name in RESERVED or not NAME.fullmatch(name):
        why = "is taken by a layer, a group or a wiring key" if name in RESERVED else "is no name for a block"
        findings.report("NC017", f"`{name}` {why}", span, "choose another name")
        return None
    if not isinstance(body, YamlDict) or "layers" not in body.entries:
        findings.report("NC012", f"the block `{name}` needs `layers`", span, "a list of layers")
        return None
    for key in body.entries:
        if key not in BLOCK_KEYS:
            message = f"unknown field `{key}` of the block `{name}`"
            findings.report("NC010", message, body.keys[key], did_you_mean(key, BLOCK_KEYS))
    return Block(
        name,
        _params(name, body.entries.get("params"), findings),
        body.entries["layers"],
        read_defaults(body.entries.get("defaults"), findings),
        library,
        span,
        f"/blocks/{name}/layers",
    )


def _params(block: str, tree: YamlTree | None, findings: Findings) -> Mapping[str, YamlTree]:
    if tree is None or _is_null(tree):
        return {}
    if not isinstance(tree, YamlDict):
        findings.report("NC011", f"`params` of `{block}` should be a mapping from names to defaults", tree.span)
        return {}
    for name in tree.entries:
        if not NAME.fullmatch(name) or name == "index":
            findings.report("NC011", f"`{name}` is no name for a parameter", tree.keys[name])
    return tree.entries


def _is_null(tree: YamlTree) -> bool:
    return isinstance(tree, YamlScalar) and tree.value is None
