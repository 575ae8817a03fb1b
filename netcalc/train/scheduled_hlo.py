"""Scheduled HLO text as data: the instructions of each computation in the order they run.

Read is what memory depends on: shapes, operands, called computations and the `op_name` that tells where in the
traced function an instruction comes from. The text is that of `jax.stages.Compiled.as_text()`, which is XLA's
HloModule::ToString.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

_ELEMENT_BITS = {
    "pred": 8, "s4": 4, "u4": 4, "s8": 8, "u8": 8, "s16": 16, "u16": 16, "s32": 32, "u32": 32, "s64": 64, "u64": 64,
    "f16": 16, "bf16": 16, "f32": 32, "f64": 64, "c64": 64, "c128": 128, "token": 0, "opaque": 0,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Array:
    """An array type. `dims` are the logical ones, `stored` those in memory, rounded up to the layout's tile.

    `on_chip` tells that the layout puts it in another memory than the device's main one, as TPUs do.
    """

    dtype: str
    dims: tuple[int, ...]
    stored: tuple[int, ...]
    on_chip: bool = False

    @property
    def bytes(self) -> int:
        """Size in memory; types without an entry, such as 8-bit floats, have 8 bits an element."""
        return -(-math.prod(self.stored) * _ELEMENT_BITS.get(self.dtype, 8) // 8)

    def __str__(self) -> str:
        """Return `f32[64,28,28,6]`."""
        return f"{self.dtype}[{','.join(map(str, self.dims))}]"


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction. `arrays` are the leaves of its type, `is_tuple` tells whether that is a tuple.

    `calls` are the computations it runs, other than those that a fusion or a reduction is made of.
    """

    name: str
    opcode: str
    arrays: tuple[Array, ...]
    is_tuple: bool
    operands: tuple[str, ...]
    calls: tuple[str, ...]
    index: int | None
    target: str
    op_name: str
    is_root: bool


@dataclass(frozen=True, slots=True)
class Module:
    """The computations of a compiled program by name, and which one is run."""

    computations: Mapping[str, tuple[Instruction, ...]]
    entry: str


_HEADER = re.compile(r"(ENTRY )?%?([^\s(]+) \(.*\{\s*$")
_HEAD = re.compile(r"\s+(ROOT )?%?([^\s=]+) = ")
_OPCODE = re.compile(r" ?([a-z][\w\-]*)\(")
_ARRAY = re.compile(r"([a-z]\w*)\[([\d,<=]*)\](?:\{([^{}]*)\})?")
_TILE = re.compile(r"T\(([\d,]+)\)")
_SPACE = re.compile(r"S\((\d+)\)")
_COMMENT = re.compile(r"/\*.*?\*/")
_REFERENCE = re.compile(r"%([\w.\-]+)")
_OP_NAME = re.compile(r'op_name="((?:[^"\\]|\\.)*)"')
_TARGET = re.compile(r'custom_call_target="([^"]*)"')
_INDEX = re.compile(r"\bindex=(\d+)")
_CALLED = re.compile(r"\b(?:body|condition|to_apply|calls|true_computation|false_computation)=%?([\w.\-]+)")
_BRANCHES = re.compile(r"\bbranch_computations=\{([^}]*)\}")
_RUNS_OTHERS = ("while", "conditional", "call", "async-start")


def parse_hlo(text: str) -> Module:
    """Return the module of a text; raises ValueError where it has no entry computation or a line cannot be read."""
    computations: dict[str, tuple[Instruction, ...]] = {}
    entry = ""
    name: str | None = None
    body: list[Instruction] = []
    for line in text.splitlines():
        if name is None:
            if line.endswith("{") and (header := _HEADER.match(line)):
                name, body = header[2], []
                entry = name if header[1] else entry
        elif line.startswith("}"):
            computations[name] = tuple(body)
            name = None
        elif _HEAD.match(line):
            body.append(_instruction(line))
    if entry not in computations:
        raise ValueError("the text has no entry computation")
    return Module(computations, entry)


def _instruction(line: str) -> Instruction:
    line = _COMMENT.sub("", line)
    head = _HEAD.match(line)
    assert head is not None
    end = _closing(line, head.end()) if line[head.end()] == "(" else line.index(" ", head.end())
    type = line[head.end() : end]
    opcode = _OPCODE.match(line, end)
    if opcode is None:
        raise ValueError(f"no instruction: {line.strip()[:80]}")
    close = _closing(line, opcode.end() - 1)
    operands, attributes = line[opcode.end() : close - 1], line[close:]
    kind = opcode[1]
    calls: list[str] = []
    if kind in _RUNS_OTHERS:
        calls = _CALLED.findall(attributes)
        for branches in _BRANCHES.findall(attributes):
            calls += _REFERENCE.findall(branches)
    index = _INDEX.search(attributes) if kind == "get-tuple-element" else None
    target = _TARGET.search(attributes)
    op_name = _OP_NAME.search(attributes)
    return Instruction(
        name=head[2],
        opcode=kind,
        arrays=tuple(_array(*found.groups()) for found in _ARRAY.finditer(type)),
        is_tuple=type.startswith("("),
        operands=tuple(_REFERENCE.findall(operands)) if kind not in ("constant", "parameter") else (),
        calls=tuple(calls),
        index=int(index[1]) if index else None,
        target=target[1] if target else "",
        op_name=op_name[1].replace("\\'", "'") if op_name else "",
        is_root=head[1] is not None,
    )


def _array(dtype: str, dims: str, layout: str | None) -> Array:
    sides = tuple(int(side.lstrip("<=")) for side in dims.split(",") if side)
    if not layout:
        return Array(dtype, sides, sides)
    minor_to_major = [int(axis) for axis in layout.partition(":")[0].split(",") if axis]
    stored = [sides[axis] for axis in reversed(minor_to_major)] or [1]
    if tile := _TILE.search(layout):
        sizes = [int(size) for size in tile[1].split(",")]
        stored = [1] * (len(sizes) - len(stored)) + stored
        for axis, size in enumerate(sizes, start=len(stored) - len(sizes)):
            stored[axis] = -(-stored[axis] // size) * size
    space = _SPACE.search(layout)
    return Array(dtype, sides, tuple(stored), on_chip=space is not None and space[1] != "0")


def _closing(line: str, start: int) -> int:
    """Return the position after the parenthesis that closes the one at `start`."""
    depth = 0
    for position in range(start, len(line)):
        depth += (line[position] == "(") - (line[position] == ")")
        if depth == 0:
            return position + 1
    raise ValueError(f"unbalanced parentheses: {line.strip()[:80]}")
