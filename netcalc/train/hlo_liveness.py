"""Which temporaries of a scheduled program are alive when most bytes are, found from its text.

A buffer is alive from the instruction that writes it to the last one that reads it. Arguments are not temporaries,
nor are results, which take the arguments' place or are counted as outputs.

Elementwise work may write in the place of an input that nobody reads again. XLA does so on CPU; on GPU it gives all
but a few outputs a place of their own. Its assignment leaves gaps besides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from netcalc.train.scheduled_hlo import Array, Instruction, Module

ALIGNMENT = 128
"""Bytes that XLA rounds the size of a GPU's or CPU's buffer up to, or more."""

_SAME_BUFFER = ("bitcast", "reshape", "optimization-barrier", "while", "async-update")
_IN_PLACE = ("fusion", "call", "add", "multiply", "subtract", "select", "maximum", "dynamic-update-slice")
_STARTS = ("async-start", "slice-start", "dynamic-slice-start")
_DONES = ("async-done", "slice-done", "dynamic-slice-done")
_READS_NOTHING = ("tuple", "get-tuple-element", "bitcast", "optimization-barrier")


@dataclass(frozen=True, eq=False, slots=True)
class Allocation:
    """One buffer that an instruction writes; told apart by identity."""

    writer: Instruction
    array: Array
    is_argument: bool = False

    @property
    def bytes(self) -> int:
        """Size as it is allocated; nothing on the device where the buffer is in a memory of the chip."""
        if self.array.on_chip:
            return 0
        return -(-self.array.bytes // ALIGNMENT) * ALIGNMENT


@dataclass(frozen=True)
class Peak:
    """The most bytes of temporaries that are alive at once, at which instruction, and what is alive there."""

    bytes: int
    at: Instruction | None
    alive: tuple[Allocation, ...]


def temporaries_peak(module: Module, flow: Flow, *, in_place: bool) -> Peak:
    """Return the peak of the program that a module runs; `flow` is that of its entry computation.

    `in_place` tells whether the compiler lets elementwise work take the place of an input.
    """
    return _Liveness(module, in_place).peak(flow)


class _Liveness:
    def __init__(self, module: Module, in_place: bool) -> None:
        self.module = module
        self.in_place = in_place
        self.peaks: dict[str, Peak] = {}

    def called(self, name: str) -> Peak:
        if name not in self.peaks:
            self.peaks[name] = self.peak(buffers_of(self.module.computations.get(name, ())))
        return self.peaks[name]

    def peak(self, flow: Flow) -> Peak:
        best = Peak(0, None, ())
        alive: dict[Allocation, None] = {}
        total = 0
        for position, instruction in enumerate(flow.instructions):
            written = [b for b in flow.written.get(instruction.name, ()) if b not in flow.kept]
            dying = [b for b in flow.read[position] if b in alive and flow.last[b] == position]
            taken = _taken(instruction, written, dying) if self.in_place else []
            for buffer in taken:
                del alive[buffer]
                total -= buffer.bytes
            for buffer in written:
                alive[buffer] = None
                total += buffer.bytes
            inner = max((self.called(name) for name in instruction.calls), key=lambda p: p.bytes, default=None)
            inside = inner.bytes if inner else 0
            if total + inside > best.bytes:
                at = inner.at if inner and inner.at else instruction
                best = Peak(total + inside, at, (*alive, *(inner.alive if inner else ())))
            for buffer in (*dying, *written):
                if buffer in alive and flow.last[buffer] == position:
                    del alive[buffer]
                    total -= buffer.bytes
        return best


@dataclass(frozen=True)
class Flow:
    """What each instruction of a computation writes anew and what it reads; `kept` outlives the computation.

    `read` has the buffers behind the operands, by position; `holds` what is behind each name, leaf by leaf.
    """

    instructions: Sequence[Instruction]
    written: Mapping[str, tuple[Allocation, ...]]
    holds: Mapping[str, tuple[Allocation, ...]]
    read: Sequence[tuple[Allocation, ...]]
    kept: frozenset[Allocation]

    @cached_property
    def last(self) -> Mapping[Allocation, int]:
        """The position at which a buffer is read last, or written where nobody reads it."""
        last: dict[Allocation, int] = {}
        for position, instruction in enumerate(self.instructions):
            for buffer in (*self.read[position], *self.written.get(instruction.name, ())):
                last[buffer] = position
        return last


def buffers_of(instructions: Sequence[Instruction]) -> Flow:
    """Return which buffers the instructions of a computation write, read and hand out."""
    holds: dict[str, tuple[Allocation, ...]] = {}
    written: dict[str, tuple[Allocation, ...]] = {}
    read: list[tuple[Allocation, ...]] = []
    kept: frozenset[Allocation] = frozenset()
    for instruction in instructions:
        sources = [holds.get(operand, ()) for operand in instruction.operands]
        match instruction.opcode:
            case "parameter" | "constant":
                held = tuple(Allocation(instruction, array, is_argument=True) for array in instruction.arrays)
            case "get-tuple-element":
                held = sources[0][instruction.index or 0 :][:1] if sources else ()
            case "tuple":
                held = tuple(buffer for source in sources for buffer in source)
            case "copy-start":  # (destination, source, context)
                destination, *context = (Allocation(instruction, array) for array in instruction.arrays[::2])
                held = (destination, *sources[0], *context)
                written[instruction.name] = (destination, *context)
            case opcode if opcode in _STARTS:  # ((operands), results, context)
                operands = tuple(buffer for source in sources for buffer in source)
                written[instruction.name] = tuple(
                    Allocation(instruction, array) for array in instruction.arrays[len(operands) :]
                )
                held = operands + written[instruction.name]
            case "copy-done":
                held = sources[0][:1]
            case opcode if opcode in _DONES:
                results = [buffer for buffer in sources[0] if buffer.writer.opcode in _STARTS]
                held = tuple(results[: len(instruction.arrays)])
            case opcode if opcode in _SAME_BUFFER and sources:
                held = sources[0]
            case _:
                held = tuple(Allocation(instruction, array) for array in instruction.arrays)
                written[instruction.name] = held
        holds[instruction.name] = held
        passes_on = instruction.opcode in _READS_NOTHING
        read.append(() if passes_on else tuple({buffer: None for source in sources for buffer in source}))
        if instruction.is_root:
            kept = frozenset(held)
    return Flow(instructions, written, holds, read, kept)


def _taken(
    instruction: Instruction, written: Sequence[Allocation], dying: Sequence[Allocation]
) -> list[Allocation]:
    """Return the dying inputs whose place the outputs take: those of an output's size."""
    free = [buffer for buffer in dying if buffer.bytes] if instruction.opcode in _IN_PLACE else []
    taken: list[Allocation] = []
    for buffer in written:
        match = next((old for old in free if old.bytes == buffer.bytes), None)
        if match is not None:
            free.remove(match)
            taken.append(match)
    return taken
