"""When buffers are alive, at which operation most bytes are, and the arena that holds them all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from netcalc.analysis.operations import Buffer, Operation
from netcalc.analysis.packing import Interval, arena_bytes

PACKED = 300
"""Buffers that are laid out one by one; what gaps waste is a matter of the large ones."""


@dataclass(frozen=True, slots=True)
class Peak:
    """The most bytes that are alive at once, arguments not counted, where that is, and what is alive there.

    `arena_bytes` is what XLA allocates for them: at least the peak, more where gaps stay empty.
    """

    bytes: int
    arena_bytes: int
    operation: Operation | None
    alive: tuple[Buffer, ...]


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """When the buffers of a schedule are alive, and the most bytes that are so at once."""

    intervals: list[Interval]
    peak_bytes: int
    operation: Operation | None
    alive: tuple[Buffer, ...]


def lifetimes(operations: Sequence[Operation]) -> Lifetimes:
    """Return the lifetimes of a schedule's buffers, each alive from its writer to its last reader."""
    last: dict[Buffer, int] = {}
    for index, operation in enumerate(operations):
        for buffer in (*operation.reads, *operation.writes):
            last[buffer] = index
    fixed = {b for op in operations if op.is_irreplaceable or len(op.writes) > 1 for b in op.writes}
    alive: dict[Buffer, int] = {}
    held: dict[Buffer, tuple[int, int]] = {}
    places: list[Interval] = []
    total = highest = 0
    at: int | None = None
    for index, operation in enumerate(operations):
        dying = [b for b in operation.reads if b in alive and last[b] == index]
        free = [b for b in dying if b not in fixed] if operation.in_place else []
        taken: set[Buffer] = set()
        for buffer in (b for b in operation.writes if b.role != "argument"):
            held[buffer] = index, last[buffer]
            same = next((b for b in free if b.bytes == buffer.bytes and b not in taken), None)
            if same is None:
                alive[buffer] = index
                total += buffer.bytes
            else:
                taken.add(same)
                alive[buffer] = alive.pop(same)
                held[same] = held[same][0], index - 1
        if total > highest:
            highest, at = total, index
        for buffer in dict.fromkeys((*dying, *operation.writes)):
            if buffer in alive and last[buffer] == index and buffer not in taken:
                places.append(Interval(alive.pop(buffer), index, buffer.bytes))
                total -= buffer.bytes
    if at is None:
        return Lifetimes(places, 0, None, ())
    there = tuple(buffer for buffer, (first, end) in held.items() if first <= at <= end)
    return Lifetimes(places, highest, operations[at], there)


def packed(lives: Lifetimes) -> Peak:
    """Return the peak with the arena that the buffers are laid out in."""
    arena = _arena(lives.intervals, lives.peak_bytes, lives.alive)
    return Peak(lives.peak_bytes, arena, lives.operation, lives.alive)


def _arena(places: list[Interval], highest: int, alive: tuple[Buffer, ...]) -> int:
    """Return the arena's size; beside the largest buffers, of small ones what is alive at the peak counts."""
    if len(places) <= PACKED:
        return arena_bytes(places, highest)
    largest = sorted(places, key=lambda place: -place.bytes)[:PACKED]
    small = sum(buffer.bytes for buffer in alive if buffer.bytes < largest[-1].bytes)
    return max(highest, arena_bytes(largest, highest - small) + small)
