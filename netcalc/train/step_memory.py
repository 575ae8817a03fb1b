"""The memory of a compiled training step by part: its arguments by role, and what is alive at its peak."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from netcalc.analysis.exact import PARTS, Part, PeakBuffer
from netcalc.train.ahead_of_time import CompiledMemory
from netcalc.train.hlo_liveness import Allocation, Flow, buffers_of, temporaries_peak
from netcalc.train.scheduled_hlo import Instruction, Module

LARGEST = 12
"""Buffers at the peak that are named."""

_ARGUMENTS: tuple[tuple[str, Part], ...] = (
    ("current.params", "weights"),
    ("current.optimizer", "optimizer"),
    ("current.state", "state"),
    ("current.step", "metrics"),
    ("gathered.state", "state"),
    ("gathered.gradients", "weight_gradients"),
    ("gathered", "metrics"),
    ("sums", "metrics"),
    ("images", "batch"),
    ("labels", "batch"),
)
"""How names of entry parameters begin, which are those of the arguments of `make_train_step`'s step."""

_ARGUMENT_PARTS = frozenset(part for _, part in _ARGUMENTS) - {"weight_gradients"}
"""Parts that nothing but arguments is of."""

_OWNER = re.compile(r"^current\.params\['([^']+)'\]")
_BACKWARD = "transpose(jvp("
_FORWARD = "jvp("
_AGAIN = "rematted_computation"
_SCOPE = re.compile(r"(?:jvp\(|checkpoint/(?:rematted_computation/)?)([\w.\-]+)")
_FILTER_GRADIENT = "convBackwardFilter"
_MATRIX_PRODUCT = "gemm_"


@dataclass(frozen=True, slots=True)
class StepMemory:
    """The parts of a step's memory, which sum to its total, and the largest temporaries at its peak."""

    parts: Mapping[str, int]
    peak_node: str | None
    largest: tuple[PeakBuffer, ...]
    rematerialized: int


def step_memory(
    module: Module, assigned: CompiledMemory, nodes: Collection[str], *, in_place: bool = False
) -> StepMemory:
    """Return the parts of a compiled step; `nodes` are the names of the network's nodes.

    `in_place` tells whether the compiler lets elementwise work take the place of an input.
    """
    flow = buffers_of(module.computations[module.entry])
    reader = _Reader(flow, nodes)
    peak = temporaries_peak(module, flow, in_place=in_place)
    alive = tuple(reader.described(buffer) for buffer in peak.alive)
    parts: Counter[Part] = Counter(reader.arguments())
    parts["outputs"] = assigned.output_bytes - assigned.alias_bytes
    for buffer in alive:
        parts[buffer.part] += buffer.bytes
    parts["unattributed"] = assigned.total_bytes - sum(parts.values())
    return StepMemory(
        parts={part: parts[part] for part in PARTS},
        peak_node=reader.node_of(peak.at),
        largest=_largest(alive),
        rematerialized=sum(".remat" in instruction.name for instruction in module.computations[module.entry]),
    )


def _largest(alive: Iterable[PeakBuffer]) -> tuple[PeakBuffer, ...]:
    sized = (buffer for buffer in alive if buffer.bytes)
    return tuple(sorted(sized, key=lambda buffer: -buffer.bytes)[:LARGEST])


@dataclass(frozen=True, slots=True)
class _Label:
    """What a buffer is, and the node that it belongs to."""

    part: Part
    node: str | None


class _Reader:
    """What the names in a program tell of its buffers."""

    def __init__(self, flow: Flow, nodes: Collection[str]) -> None:
        self.nodes = nodes
        self.flow = flow
        self.shapes = self._weight_shapes()
        self.labels = self._labels()

    def arguments(self) -> Counter[Part]:
        """Return the bytes of the step's arguments by role."""
        found: Counter[Part] = Counter()
        for instruction in self.flow.instructions:
            if instruction.opcode == "parameter":
                found[_argument(instruction)] += sum(array.bytes for array in instruction.arrays)
        return found

    def described(self, buffer: Allocation) -> PeakBuffer:
        """Return a buffer as people read it; one of a called computation is told by its name alone."""
        writer = buffer.writer
        operation = writer.op_name.rpartition("/")[2] or writer.opcode
        label = self.labels.get(buffer) or _Label(self._part_by_name(buffer) or "other", self.node_of(writer))
        return PeakBuffer(buffer.bytes, str(buffer.array), label.part, label.node, operation)

    def node_of(self, instruction: Instruction | None) -> str | None:
        """Return the node that an instruction is named after, of a parameter the node that it belongs to."""
        if instruction is None:
            return None
        owner = _OWNER.match(instruction.op_name)
        names = [owner[1]] if owner else _SCOPE.findall(instruction.op_name)
        return next((name for name in names if name in self.nodes), None)

    def _weight_shapes(self) -> Mapping[str | None, set[tuple[int, ...]]]:
        """Return the shapes of each node's parameters, in no order of axes; under None those of all."""
        found: dict[str | None, set[tuple[int, ...]]] = {None: set()}
        for instruction in self.flow.instructions:
            if instruction.opcode == "parameter" and _argument(instruction) == "weights":
                shape = _unordered(instruction.arrays[0].dims)
                found[None].add(shape)
                found.setdefault(self.node_of(instruction), set()).add(shape)
        return found

    def _labels(self) -> dict[Allocation, _Label]:
        """Return what each buffer is that the entry computation reads or writes."""
        flow = self.flow
        read_backward = _read_backward(flow)
        labels: dict[Allocation, _Label] = {}
        for position, instruction in enumerate(flow.instructions):
            node = self.node_of(instruction)
            if instruction.opcode == "parameter":
                for buffer in flow.holds[instruction.name]:
                    labels[buffer] = _Label(_argument(instruction), node)
                continue
            sources = sorted((b for b in flow.read[position] if b in labels), key=lambda b: -b.bytes)
            read = [labels[source] for source in sources]
            for buffer in flow.written.get(instruction.name, ()):
                part = _copied(instruction, read) or self._part_by_name(buffer) or _inherited(read)
                if part == "transient_activations" and buffer in read_backward:
                    part = "saved_activations"
                labels[buffer] = _Label(part, node or next((label.node for label in read if label.node), None))
        return labels

    def _part_by_name(self, buffer: Allocation) -> Part | None:
        """Return the part that the writer's own name tells; activations are transient unless read backward."""
        writer = buffer.writer
        if _AGAIN in writer.op_name:
            return "transient_activations"
        if _BACKWARD in writer.op_name:
            return "weight_gradients" if self._is_weight_gradient(buffer) else "activation_gradients"
        return "transient_activations" if _FORWARD in writer.op_name else None

    def _is_weight_gradient(self, buffer: Allocation) -> bool:
        """Tell by its shape, or by the routine, whether a value of the backward pass is a parameter's gradient.

        A GPU's matrix product may be split along what it sums over: then its partial sums have one axis more.
        """
        writer = buffer.writer
        if _FILTER_GRADIENT in writer.target:
            return True
        # Of a fusion's several outputs only one is the node's that it is named after.
        owner = self.node_of(writer) if len(writer.arrays) == 1 else None
        shapes = self.shapes.get(owner, set())
        if _unordered(buffer.array.dims) in shapes:
            return True
        partial = _unordered(buffer.array.dims[1:])
        return writer.name.startswith(_MATRIX_PRODUCT) and len(partial) > 1 and partial in shapes


def _read_backward(flow: Flow) -> set[Allocation]:
    """Return what the backward pass reads, itself or through copies and slices that have no name of their own."""
    found: set[Allocation] = set()
    for position in range(len(flow.instructions) - 1, -1, -1):
        instruction = flow.instructions[position]
        unnamed = _FORWARD not in instruction.op_name
        passes_on = unnamed and not found.isdisjoint(flow.written.get(instruction.name, ()))
        if passes_on or _BACKWARD in instruction.op_name:
            found.update(flow.read[position])
    return found


def _copied(instruction: Instruction, sources: Sequence[_Label]) -> Part | None:
    """Return `weight_copies` for what is computed from nothing but parameters, before any gradient."""
    if not sources or instruction.opcode == "custom-call" or _BACKWARD in instruction.op_name:
        return None
    return "weight_copies" if {label.part for label in sources} <= {"weights", "weight_copies"} else None


def _inherited(sources: Sequence[_Label]) -> Part:
    """Return the part of what has no name of its own, such as a copy: that of the largest temporary it reads.

    What is made of the batch alone is the network's input.
    """
    computed = next((label.part for label in sources if label.part not in _ARGUMENT_PARTS), None)
    if computed == "saved_activations" or (computed is None and any(label.part == "batch" for label in sources)):
        return "transient_activations"
    return computed or "other"


def _argument(instruction: Instruction) -> Part:
    matching: Sequence[Part] = [part for start, part in _ARGUMENTS if instruction.op_name.startswith(start)]
    return matching[0] if matching else "other"


def _unordered(dims: Iterable[int]) -> tuple[int, ...]:
    """Return the sides without those of 1, sorted: equal for the same array in another order of axes."""
    return tuple(sorted(side for side in dims if side != 1))
