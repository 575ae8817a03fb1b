"""When buffers are alive, at which operation most bytes are, and the arena that holds them all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from netcalc.analysis.packing import Interval, arena_bytes
from netcalc.analysis.schedule import Buffer, Operation


@dataclass(frozen=True, slots=True)
class Peak:
    """The most bytes that are alive at once, arguments not counted, where that is, and what is alive there.

    `arena_bytes` is what XLA allocates for them: at least the peak, more where gaps stay empty.
    """

    bytes: int
    arena_bytes: int
    operation: Operation | None
    alive: tuple[Buffer, ...]


def peak(operations: Sequence[Operation]) -> Peak:
    """Return the peak of a schedule, each buffer being alive from its writer to its last reader."""
    last: dict[Buffer, int] = {}
    for index, operation in enumerate(operations):
        for buffer in (*operation.reads, *operation.writes):
            last[buffer] = index
    alive: dict[Buffer, int] = {}
    places: list[Interval] = []
    total = highest = 0
    at: Operation | None = None
    there: tuple[Buffer, ...] = ()
    for index, operation in enumerate(operations):
        dying = [b for b in operation.reads if b in alive and last[b] == index]
        taken: Buffer | None = None
        for number, buffer in enumerate(operation.writes):
            same = [b for b in dying if b.bytes == buffer.bytes]
            if number == 0 and operation.in_place and same:
                taken = same[0]
                alive[buffer] = alive.pop(taken)
            else:
                alive[buffer] = index
                total += buffer.bytes
        if total > highest:
            highest, at, there = total, operation, tuple(alive)
        for buffer in {*dying, *operation.writes}:
            if last[buffer] == index and buffer is not taken:
                places.append(Interval(alive.pop(buffer), index, buffer.bytes))
                total -= buffer.bytes
    return Peak(highest, arena_bytes(places), at, there)
