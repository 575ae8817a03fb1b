"""The recording of a step: operations in order, and tensors as what they can be computed from.

An elementwise value is no buffer but a set of buffers that it can be computed from, its roots, until something
needs it in memory.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field

from netcalc.analysis.operations import KEEP, UPDATE, Buffer, Operation, Phase, Role
from netcalc.analysis.setup import Setup

ALIGNMENT = 128
"""Bytes that XLA rounds the size of a buffer up to."""

Roots = tuple[Buffer, ...]
"""Buffers that a value can be computed from, each once."""


@dataclass(eq=False, slots=True)
class Value:
    """A tensor: what it can be computed from, and the buffer that holds it, where one does.

    `rereads` tells that several kernels, or one several times, read the gradient of what was pooled.
    """

    roots: Roots
    elements: int
    buffer: Buffer | None = None
    rereads: bool = False


@dataclass
class Tape:
    """The operations of a step so far. `node` and `phase` are what is being recorded."""

    setup: Setup
    training: bool
    node: str = ""
    phase: Phase = "forward"
    _first: list[Operation] = field(default_factory=list)
    _operations: list[Operation] = field(default_factory=list)
    _kept: set[Buffer] = field(default_factory=set)
    _waiting: list[tuple[Buffer, int, Buffer]] = field(default_factory=list)
    _barrier: Roots = ()
    _recomputed: dict[Value, Buffer] = field(default_factory=dict)

    def buffer(self, name: str, size_bytes: int, role: Role | None = None) -> Buffer:
        """Return a buffer of the node, by default an activation or its gradient."""
        if role is None:
            role = "activation" if self.phase == "forward" else "gradient"
        return Buffer(name, self.node, -(-size_bytes // ALIGNMENT) * ALIGNMENT, role)

    def run(
        self,
        name: str,
        reads: Iterable[Buffer],
        writes: Iterable[Buffer],
        *,
        in_place: bool = False,
        macs: int = 0,
        is_irreplaceable: bool = False,
    ) -> None:
        """Record an operation."""
        operation = Operation(
            name, self.node, self.phase, tuple(reads), tuple(writes), in_place, macs, is_irreplaceable
        )
        self._operations.append(operation)

    def run_first(self, name: str, reads: Iterable[Buffer], writes: Iterable[Buffer]) -> None:
        """Record an operation that depends on arguments alone, or on others of the kind.

        These come before all others. What they write has a layout of its own, which nothing may replace.
        """
        found = Operation(name, self.node, "forward", tuple(reads), tuple(writes), is_irreplaceable=True)
        self._first.append(found)

    @property
    def position(self) -> int:
        """Where the next operation will stand."""
        return len(self._operations)

    def run_earlier(self, position: int, node: str, name: str, reads: Roots, writes: Roots) -> None:
        """Record an operation of the forward pass, where it stands, once the backward pass is known to need it."""
        self._operations.insert(position, Operation(name, node, "forward", reads, writes))

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
            self.recompute(value.roots, again)
            self._recomputed[value] = again
        return self._recomputed[value]

    def forward_is_done(self, outputs: Iterable[Buffer]) -> None:
        """Record that what follows, with rematerialisation, depends on the gradient of these outputs."""
        self.phase = "backward"
        if self.setup.remat != "none":
            self._barrier = (self.buffer("barrier", 0),)
            self.run("barrier", outputs, self._barrier)

    def recompute(self, roots: Roots, again: Buffer) -> None:
        """Record the computing anew of what was computed forward, which begins when the forward pass is done."""
        self.run("recompute", union(roots, self._barrier), [again])

    def copied_weights(self, elements: int, name: str = "copy") -> Buffer:
        """Return a copy of a node's weights in the precision that is computed in, or in another layout."""
        copy = self.buffer("kernel", elements * self.setup.compute_bytes, "copy")
        self.run_first(name, [self.weights(elements)], [copy])
        return copy

    def kept_weights(self, elements: int) -> Buffer:
        """Return a copy of a node's weights which their update, too, reads in their stead: it overwrites them."""
        copy = self.copied_weights(elements, KEEP)
        self._kept.add(copy)
        return copy

    def weights(self, elements: int) -> Buffer:
        """Return a node's weights as they are handed to the step."""
        return Buffer("weights", self.node, elements * self.setup.params_bytes, "argument")

    def update(self, gradient: Buffer, elements: int, held: Buffer) -> None:
        """Change parameters, at once or after every gradient is known; `held` are the weights as they are read."""
        if self.setup.gradients_wait:
            self._waiting.append((gradient, elements, held))
        else:
            self._change(gradient, elements, held)

    def turning_update(self, gradient: Buffer, elements: int) -> Buffer:
        """Change parameters, and return those of before with their axes exchanged, written by the same kernel.

        As that reads the parameters in another order than it writes them, the new ones are put beside them, and
        copied to their place by another kernel.
        """
        turned = self.buffer("turned", elements * self.setup.compute_bytes, "copy")
        changed = self.buffer("changed", elements * self.setup.params_bytes, "copy")
        slots = Buffer("slots", gradient.node, elements * self.setup.kept_bytes, "argument")
        self.run(UPDATE, [gradient, self.weights(elements), slots], [turned, changed, slots])
        self.run("write back", [changed], [self.weights(elements)])
        return turned

    def finished(self) -> tuple[Operation, ...]:
        """Return all operations."""
        if self._waiting:
            self.phase = "update"
            self.run("norm", [gradient for gradient, *_ in self._waiting], [])
            for waiting in self._waiting:
                self._change(*waiting)
        return (*self._first, *self._operations)

    def _change(self, gradient: Buffer, elements: int, held: Buffer) -> None:
        """Change parameters and the optimizer's values where they are."""
        self.node = gradient.node
        kept_bytes, params_bytes = elements * self.setup.kept_bytes, elements * self.setup.params_bytes
        parameters = Buffer("parameters", gradient.node, params_bytes + kept_bytes, "argument")
        scratch = self.setup.scratch_bytes.get(gradient.node, 0)
        more = [self.buffer("scratch", scratch, "gradient")] if scratch else []
        if held in self._kept:
            slots = Buffer("slots", gradient.node, kept_bytes, "argument")
            self.run(UPDATE, [gradient, held, slots], [parameters, *more])
        else:
            self.run(UPDATE, [gradient, parameters], [parameters, *more])


def union(*roots: Iterable[Buffer]) -> Roots:
    """Return the buffers of all, each once, in order."""
    return tuple(dict.fromkeys(itertools.chain(*roots)))
