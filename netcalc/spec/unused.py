"""What a spec defines and never reads: blocks that no list of layers names, parameters that no expression does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from netcalc.diagnostics import Span
from netcalc.spec.source import YamlDict, YamlList, YamlScalar, YamlTree

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Unused:
    """A block or parameter that nothing reads, where it is named, and the block whose parameter it is, if one's."""

    what: Literal["block", "parameter"]
    name: str
    span: Span
    block: str = ""


def unused(tree: YamlDict, file: str) -> tuple[Unused, ...]:
    """Return the blocks and parameters of a spec that nothing in it reads.

    Every word of an expression counts as a parameter's use, and every word of a list of layers as a block's,
    whatever `when` and `repeat` make of it. What stands in another file, a base or a file of blocks, serves other
    specs too and is not looked at.
    """
    blocks = tree.entries.get("blocks")
    outside = [part for key, part in tree.entries.items() if key != "blocks"]
    found = _unread(tree.entries.get("params"), outside)
    if isinstance(blocks, YamlDict):
        named = _named(tree, blocks)
        found += [Unused("block", name, blocks.keys[name]) for name in blocks.entries if name not in named]
        for name, block in blocks.entries.items():
            if isinstance(block, YamlDict):
                found += _unread(block.entries.get("params"), [block], name)
    return tuple(item for item in found if item.span.file == file)


def _named(tree: YamlDict, blocks: YamlDict) -> set[str]:
    """Return the blocks that the layers name, and those that such a block names."""
    found: set[str] = set()
    pending = [tree.entries[key] for key in ("layers",) if key in tree.entries]
    while pending:
        for word in _words(pending.pop()):
            if word in blocks.entries and word not in found:
                found.add(word)
                pending.append(blocks.entries[word])
    return found


def _unread(params: YamlTree | None, within: list[YamlTree], block: str = "") -> list[Unused]:
    if not isinstance(params, YamlDict):
        return []
    read = {name for part in within for text in _words(part) if "$" in text for name in _WORD.findall(text)}
    return [Unused("parameter", name, params.keys[name], block) for name in params.entries if name not in read]


def _words(tree: YamlTree) -> Iterator[str]:
    """Yield every key and every text of a tree."""
    pending = [tree]
    while pending:
        match pending.pop():
            case YamlScalar(str(text)):
                yield text
            case YamlList(items):
                pending += items
            case YamlDict(entries):
                yield from entries
                pending += entries.values()
