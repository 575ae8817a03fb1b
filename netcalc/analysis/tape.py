"""The recording of a step: operations in order, and tensors as what they can be computed from.

An elementwise value is no buffer but a set of buffers that it can be computed from, its roots, until something
needs it in memory.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field

from netcalc.analysis.operations import Buffer, Operation, Phase, Role
from netcalc.analysis.setup import Setup

ALIGNMENT = 128
"""Bytes that XLA rounds the size of a buffer up to."""

Roots = tuple[Buffer, ...]
"""Buffers that a value can be computed from, each once."""


@dataclass(eq=False, slots=True)
class Value:
    """A tensor: what it can be computed from, and the buffer that holds it, where one does.

    `replaces` tells whether the operation that stores it may take the place of a root: not if it takes sums beside.
    """

    roots: Roots
    elements: int
    buffer: Buffer | None = None
    replaces: bool = True


@dataclass
class Tape:
    """The operations of a step so far. `node` and `phase` are what is being recorded."""

    setup: Setup
    training: bool
    node: str = ""
    phase: Phase = "forward"
    _operations: list[Operation] = field(default_factory=list)
    _copies: list[Buffer] = field(default_factory=list)
    _waiting: list[tuple[Buffer, int]] = field(default_factory=list)
    _recomputed: dict[Value, Buffer] = field(default_factory=dict)

    def buffer(self, name: str, size_bytes: int, role: Role | None = None) -> Buffer:
        """Return a buffer of the node, by default an activation or its gradient."""
        if role is None:
            role = "activation" if self.phase == "forward" else "gradient"
        return Buffer(name, self.node, -(-size_bytes // ALIGNMENT) * ALIGNMENT, role)

    def run(
        self, name: str, reads: Iterable[Buffer], writes: Iterable[Buffer], *, in_place: bool = False, macs: int = 0
    ) -> None:
        """Record an operation."""
        self._operations.append(Operation(name, self.node, self.phase, tuple(reads), tuple(writes), in_place, macs))

    def written(self, name: str, elements: int) -> Value:
        """Return a tensor with a buffer of its own, for an operation to write."""
        buffer = self.buffer(name, elements * self.setup.compute_bytes)
        return Value((buffer,), elements, buffer)

    def stored(self, value: Value, name: str = "elementwise", *, in_place: bool = True) -> Buffer:
        """Return the buffer that holds a value, computing it where there is none yet."""
        if value.buffer is None:
            value.buffer = self.buffer(name, value.elements * self.setup.compute_bytes)
            self.run(name, value.roots, [value.buffer], in_place=in_place)
            if not self.forgets:
                value.roots = (value.buffer,)
        return value.buffer

    @property
    def forgets(self) -> bool:
        """Tell whether what is computed now is computed anew in the backward pass."""
        return self.setup.remat != "none" and self.phase == "forward"

    def recalled(self, value: Value) -> Buffer:
        """Return the buffer that holds a value of the forward pass in the backward pass."""
        if value.buffer is not None and value.buffer in value.roots:
            return value.buffer
        if value not in self._recomputed:
            again = self.buffer("recomputed", value.elements * self.setup.compute_bytes)
            self.run("recompute", value.roots, [again])
            self._recomputed[value] = again
        return self._recomputed[value]

    def copied_weights(self, elements: int) -> Buffer:
        """Return a copy of a node's weights in the precision that is computed in, or in another layout."""
        copy = self.buffer("kernel", elements * self.setup.compute_bytes, "copy")
        self._copies.append(copy)
        return copy

    def weights(self, elements: int) -> Buffer:
        """Return a node's weights as they are handed to the step."""
        return Buffer("weights", self.node, elements * self.setup.params_bytes, "argument")

    def update(self, gradient: Buffer, elements: int) -> None:
        """Change parameters, at once or after every gradient is known."""
        if self.setup.gradients_wait:
            self._waiting.append((gradient, elements))
        else:
            self._change(gradient, elements)

    def finished(self) -> tuple[Operation, ...]:
        """Return all operations: copies of weights depend on nothing and come first."""
        if self._waiting:
            self.phase = "update"
            self.run("norm", [gradient for gradient, _ in self._waiting], [])
            for gradient, elements in self._waiting:
                self._change(gradient, elements)
        copies = []
        for copy in self._copies:
            held = copy.bytes * self.setup.params_bytes // self.setup.compute_bytes
            weights = Buffer("weights", copy.node, held, "argument")
            copies.append(Operation("copy", copy.node, "forward", (weights,), (copy,)))
        return (*copies, *self._operations)

    def _change(self, gradient: Buffer, elements: int) -> None:
        """Change parameters and the optimizer's values where they are."""
        self.node = gradient.node
        size_bytes = elements * (self.setup.params_bytes + self.setup.kept_bytes)
        held = Buffer("parameters", gradient.node, size_bytes, "argument")
        scratch = self.setup.scratch_bytes.get(gradient.node, 0)
        more = [self.buffer("scratch", scratch, "gradient")] if scratch else []
        self.run("update", [gradient, held], [held, *more])


def union(*roots: Iterable[Buffer]) -> Roots:
    """Return the buffers of all, each once, in order."""
    return tuple(dict.fromkeys(itertools.chain(*roots)))
