"""What a step runs, one kernel after the other, and the memory that each reads and writes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Role = Literal["argument", "activation", "gradient", "weight_gradient", "copy"]
Phase = Literal["forward", "backward", "update"]

KEEP = "keep weights"
"""The operation that copies weights so that their update cannot overwrite what others still read."""

UPDATE = "update"
"""The operation that changes parameters and the optimizer's values."""


@dataclass(frozen=True, eq=False, slots=True)
class Buffer:
    """A piece of memory that one operation writes; buffers are told apart by identity.

    Roles: an argument of the step, which is not allocated by it; an activation; the gradient of one; that of a
    parameter; a copy of an argument in another layout or precision.
    """

    name: str
    node: str
    bytes: int
    role: Role


@dataclass(frozen=True, slots=True)
class Operation:
    """One kernel launch. `in_place` tells whether its outputs may replace inputs that nobody reads again.

    `is_irreplaceable` tells that nothing may replace what it writes. So it is with the result of a convolution,
    which XLA hands over in a tuple with a workspace, and with those of any kernel that writes several.
    """

    name: str
    node: str
    phase: Phase
    reads: tuple[Buffer, ...]
    writes: tuple[Buffer, ...]
    in_place: bool = False
    macs: int = 0
    is_irreplaceable: bool = False
