"""The order in which XLA runs operations that could run in several: the one that frees most bytes next.

XLA's list scheduler keeps the operations whose inputs are there and picks, again and again, the one that leaves the
fewest bytes behind: what it writes less what nobody else still reads. A large weight gradient thus waits until
nothing better is left, and an update, of which the scheduler does not know that it is in place, longer still.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence

from netcalc.analysis.operations import Buffer, Operation


def list_schedule(operations: Sequence[Operation]) -> tuple[Operation, ...]:
    """Return the operations in the order of XLA's list scheduler; of equals the earlier one comes first."""
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

    current = {index: left(index) for index, count in enumerate(missing) if not count}
    ready = [(bytes_left, index) for index, bytes_left in current.items()]
    heapq.heapify(ready)
    order: list[Operation] = []
    while ready:
        bytes_left, index = heapq.heappop(ready)
        if current.get(index) != bytes_left:
            continue  # an entry from before a change
        del current[index]
        order.append(operations[index])
        changed: set[int] = set()
        for buffer in inputs[index]:
            unread[buffer] -= 1
            if unread[buffer] == 1:
                changed.update(reader for reader in readers[buffer] if reader in current)
        for reader in following[index]:
            missing[reader] -= 1
            if not missing[reader]:
                changed.add(reader)
        for reader in changed:
            current[reader] = left(reader)
            heapq.heappush(ready, (current[reader], reader))
    return tuple(order)
