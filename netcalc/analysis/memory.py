"""Memory of a training step and of inference on a GPU, as XLA lays it out: no JAX, a few milliseconds a network.

What a step is handed is exact: parameters, the optimizer's values, state, the batch. What it allocates beside them
follows from the schedule's buffers and when they are alive. With `rollback` a copy of the state lies beside it. Not
in it: what else is outside XLA's arena, as the CUDA context, the workspace that convolution algorithms ask for, and
batches that are fetched ahead.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated

from pydantic import Field

from netcalc.analysis.cost import count_params
from netcalc.analysis.liveness import Peak, lifetimes, packed
from netcalc.analysis.operations import Buffer, Operation
from netcalc.analysis.ordering import list_schedule, without_needless_copies
from netcalc.analysis.schedule import inference_schedule, training_schedule
from netcalc.analysis.setup import Setup
from netcalc.graph import Graph

SPREAD = 0.06
"""Half the width of the interval around a total, as a share of it: 95 % of the configurations that the model was
held to without being fitted to lie within. See docs/memory.md."""

WIDE_SPREAD = 0.25
"""The same where the network or the setup has something that the model was not held to."""


@dataclass(frozen=True, slots=True)
class Parts:
    """Bytes at the peak of a step, by what holds them; they sum to the total."""

    weights: Annotated[int, Field(description="parameters")]
    gradients: Annotated[
        int,
        Field(description="gradients of parameters that are alive at the peak, and their sum over several batches"),
    ]
    optimizer: Annotated[int, Field(description="values that the optimizer and a moving average keep")]
    state: Annotated[int, Field(description="batch-norm statistics")]
    batch: Annotated[int, Field(description="inputs and labels")]
    activations: Annotated[int, Field(description="kept for the backward pass; at inference, outputs in use")]
    transient: Annotated[int, Field(description="gradients of activations, copies of weights, gaps in between")]
    snapshot: Annotated[
        int, Field(description="the copy of weights, optimizer and state that `on_nonfinite: rollback` returns to")
    ]


@dataclass(frozen=True, slots=True)
class TransientParts:
    """What the transient part consists of, in bytes."""

    activation_gradients: int
    weight_copies: Annotated[int, Field(description="parameters in another precision or layout")]
    gaps: Annotated[int, Field(description="between buffers, as XLA lays them out")]
    recomputed_early: Annotated[
        int, Field(description="with remat: what the compiler may compute anew before it is needed")
    ]


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory of a step, in bytes, with the interval that it lies in and the node at which it is highest."""

    total_bytes: int
    low_bytes: int
    high_bytes: int
    parts: Parts
    transient: TransientParts
    peak_at: str | None


@dataclass(frozen=True, slots=True)
class NodeMemory:
    """What a node holds, in bytes: its parameters, and what of its tensors is alive at the peak of a step."""

    weights_bytes: int
    alive_bytes: int


@dataclass(frozen=True)
class Step:
    """A training step: its operations, and where most of its buffers are alive."""

    operations: tuple[Operation, ...]
    peak: Peak
    arena_range: tuple[int, int] | None = None
    """The least and the most that its arena may take, where that depends on what the compiler makes of it."""


def training_step(graph: Graph, setup: Setup) -> Step:
    """Return the operations of a training step of a complete graph, with their peak.

    XLA schedules a step in several ways and takes the one that needs least before it is laid out; here these are
    the list scheduler's, and the order of the graph and its reverse. With rematerialisation they lie far apart, as
    what is computed anew can be so at any time of the backward pass, and XLA lands in between: then the arena is
    their geometric mean.
    """
    in_turn = training_schedule(graph, setup)
    if setup.remat != "none":
        peaks = (packed(lifetimes(operations)) for operations in _orders(in_turn))
        lower, other = sorted(peaks, key=lambda found: found.arena_bytes)
        # Nothing is won where as much is kept without it.
        without = training_step(graph, replace(setup, remat="none")).peak.arena_bytes
        upper = max(lower.arena_bytes, min(other.arena_bytes, without))
        middle = replace(lower, arena_bytes=math.isqrt(lower.arena_bytes * upper))
        return Step(in_turn, middle, (lower.arena_bytes, upper))
    return _least(in_turn)


def _orders(in_turn: tuple[Operation, ...]) -> Iterator[tuple[Operation, ...]]:
    """Yield the operations in the list scheduler's order, and in turn."""
    for operations in (list_schedule(in_turn), in_turn):
        yield without_needless_copies(operations)


def _least(in_turn: tuple[Operation, ...]) -> Step:
    """Return the step in the order that needs least before it is laid out."""
    lives, operations = min(((lifetimes(o), o) for o in _orders(in_turn)), key=lambda found: found[0].peak_bytes)
    return Step(operations, packed(lives))


def inference_step(graph: Graph, setup: Setup) -> Step:
    """Return the operations of a forward pass at inference, with their peak."""
    return _least(inference_schedule(graph, setup))


def training_memory(graph: Graph, setup: Setup, step: Step) -> Memory:
    """Return the memory of a training step."""
    counted = [count_params(node, node.known) for node in graph.nodes.values()]
    weights = sum(params.total for params in counted) * setup.params_bytes
    state = 4 * sum(params.state for params in counted)
    return _memory(
        step,
        weights=weights,
        optimizer=setup.optimizer_bytes,
        gradient_sum=setup.sum_bytes,
        state=state,
        batch=batch_bytes(graph, setup),
        snapshot=weights + setup.optimizer_bytes + state if setup.keeps_copy else 0,
        spread=_spread(graph),
    )


def widened(memory: Memory) -> Memory:
    """Return a memory with the interval of what the model was not held to."""
    total = memory.total_bytes
    return replace(
        memory,
        low_bytes=min(memory.low_bytes, round(total * (1 - WIDE_SPREAD))),
        high_bytes=max(memory.high_bytes, round(total * (1 + WIDE_SPREAD))),
    )


def high_bytes(graph: Graph, total_bytes: int) -> int:
    """Return the upper end of the interval around the memory of a training step."""
    return round(total_bytes * (1 + _spread(graph)))


def inference_memory(graph: Graph, setup: Setup, step: Step) -> Memory:
    """Return the memory of a forward pass at inference, labels left out."""
    counted = [count_params(node, node.known) for node in graph.nodes.values() if node.name not in graph.train_only]
    return _memory(
        step,
        weights=sum(params.total for params in counted) * setup.params_bytes,
        optimizer=0,
        gradient_sum=0,
        state=4 * sum(params.state for params in counted),
        batch=setup.batch * sum(raw.bytes for raw in setup.inputs.values()),
        snapshot=0,
        spread=WIDE_SPREAD,
    )


def comparable_parts(memory: Memory) -> Mapping[str, int]:
    """Return the parts of a step's memory by the names that the compiler's are known by; they sum to the total."""
    parts, transient = memory.parts, memory.transient
    return {
        "weights": parts.weights,
        "optimizer": parts.optimizer,
        "state": parts.state,
        "batch": parts.batch,
        "saved_activations": parts.activations,
        "activation_gradients": transient.activation_gradients,
        "weight_gradients": parts.gradients,
        "weight_copies": transient.weight_copies,
        "transient_activations": transient.recomputed_early,
        "unattributed": transient.gaps,
        "snapshot": parts.snapshot,
    }


def node_memory(graph: Graph, setup: Setup, alive: Sequence[Buffer]) -> Mapping[str, NodeMemory]:
    """Return what each node of a complete graph holds."""
    held: dict[str, int] = {}
    for buffer in alive:
        held[buffer.node] = held.get(buffer.node, 0) + buffer.bytes
    return {
        node.name: NodeMemory(
            count_params(node, node.known).total * setup.params_bytes,
            held.get(node.name, 0),
        )
        for node in graph.nodes.values()
    }


def batch_bytes(graph: Graph, setup: Setup) -> int:
    """Return the bytes of a batch's inputs and of its labels."""
    return setup.batch * (sum(raw.bytes for raw in setup.inputs.values()) + setup.label_bytes)


def _memory(
    step: Step,
    *,
    weights: int,
    optimizer: int,
    gradient_sum: int,
    state: int,
    batch: int,
    snapshot: int,
    spread: float,
) -> Memory:
    found = step.peak
    kept, gradients, gradients_of_activations, copies = (
        sum(buffer.bytes for buffer in found.alive if buffer.role == role)
        for role in ("activation", "weight_gradient", "gradient", "copy")
    )
    parts = Parts(
        weights=weights,
        gradients=gradient_sum + gradients,
        optimizer=optimizer,
        state=state,
        batch=batch,
        activations=kept,
        transient=found.arena_bytes - kept - gradients,
        snapshot=snapshot,
    )
    arguments = weights + optimizer + gradient_sum + state + batch + snapshot
    total = arguments + found.arena_bytes
    low, high = step.arena_range or (found.arena_bytes, found.arena_bytes)
    return Memory(
        total_bytes=total,
        low_bytes=max(arguments, round((arguments + low) * (1 - spread))),
        high_bytes=round((arguments + high) * (1 + spread)),
        parts=parts,
        transient=TransientParts(
            gradients_of_activations,
            copies,
            gaps=low - sum(buffer.bytes for buffer in found.alive if buffer.role != "argument"),
            recomputed_early=found.arena_bytes - low,
        ),
        peak_at=found.operation.node if found.operation else None,
    )


def _spread(graph: Graph) -> float:
    """Return the half width of the interval: wide for networks of a kind that the model was not held to."""
    kernels = [(kernel, node.known.window) for node in graph.nodes.values() for kernel in node.known.kernels]
    recurs = any(kernel.kind == "scan" for kernel, _ in kernels)
    keeps_windows = any(k.kind == "window" and k.saves == "input" and window for k, window in kernels)
    return WIDE_SPREAD if recurs or keeps_windows else SPREAD
