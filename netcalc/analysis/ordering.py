"""The order in which XLA runs operations that could run in several: the one that frees most bytes next.

XLA's list scheduler keeps the operations whose inputs are there and picks, again and again, the one that leaves the
fewest bytes behind: what it writes less what nobody else still reads. A large weight gradient thus waits until
nothing better is left, and an update, of which the scheduler does not know that it is in place, longer still.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Sequence
from dataclasses import replace

from netcalc.analysis.operations import KEEP, UPDATE, Buffer, Operation


def list_schedule(operations: Sequence[Operation]) -> tuple[Operation, ...]:
    """Return the operations in the order of XLA's list scheduler; of equals the last to be ready comes first."""
    writer: dict[Buffer, int] = {}
    readers: dict[Buffer, list[int]] = {}
    for index, operation in enumerate(operations):
        for buffer in operation.writes:
            if buffer.role != "argument":
                writer[buffer] = index
        for buffer in dict.fromkeys(operation.reads):
            if buffer.role != "argument":
                readers.setdefault(buffer, []).append(index)
    inputs = [[b for b in dict.fromkeys(op.reads) if b.role != "argument"] for op in operations]
    unread = {buffer: len(found) for buffer, found in readers.items()}
    missing = [len({writer[b] for b in found}) for found in inputs]
    defined = [sum(buffer.bytes for buffer in op.writes) for op in operations]
    following: list[set[int]] = [set() for _ in operations]
    for buffer, found in readers.items():
        following[writer[buffer]].update(found)

    def left(index: int) -> int:
        """Return the bytes that an operation leaves behind, by what is still to run."""
        return defined[index] - sum(buffer.bytes for buffer in inputs[index] if unread[buffer] == 1)

    current: dict[int, tuple[int, int]] = {}
    ready: list[tuple[int, int, int]] = []
    entries = itertools.count()

    def enter(index: int) -> None:
        """Put an operation among those that are ready, before its equals."""
        current[index] = left(index), -next(entries)
        heapq.heappush(ready, (*current[index], index))

    for index, count in enumerate(missing):
        if not count:
            enter(index)
    order: list[Operation] = []
    while ready:
        bytes_left, entry, index = heapq.heappop(ready)
        if current.get(index) != (bytes_left, entry):
            continue  # an entry from before a change
        del current[index]
        order.append(operations[index])
        changed: set[int] = set()
        for buffer in inputs[index]:
            unread[buffer] -= 1
            if unread[buffer] == 1:
                changed.update(reader for reader in readers[buffer] if reader in current)
        for reader in sorted(following[index]):
            missing[reader] -= 1
            if not missing[reader]:
                enter(reader)
        for reader in sorted(changed):
            if left(reader) != current[reader][0]:
                enter(reader)
    return tuple(order)


def without_needless_copies(operations: Sequence[Operation]) -> tuple[Operation, ...]:
    """Return the operations without copies of weights that nobody reads after their update.

    XLA schedules with a copy of every parameter that is read by more than its update, and drops those which the
    order makes needless.
    """
    last: dict[Buffer, Operation] = {}
    for operation in operations:
        for buffer in operation.reads:
            if buffer.role == "copy":
                last[buffer] = operation
    dropped = {
        copy.writes[0]: copy.reads[0]
        for copy in operations
        if copy.name == KEEP and last[copy.writes[0]].name == UPDATE
    }
    return tuple(
        replace(operation, reads=tuple(dropped.get(buffer, buffer) for buffer in operation.reads))
        if dropped.keys() & set(operation.reads)
        else operation
        for operation in operations
        if not (operation.writes and operation.writes[0] in dropped)
    )
