"""What training and inference of a network take on a device: memory, the least time, and what that costs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, get_args

from pydantic import Field

from netcalc.analysis.devices import Device
from netcalc.analysis.exact import DoesNotFit, ExactMemory
from netcalc.analysis.memory import (
    Memory,
    NodeMemory,
    batch_bytes,
    inference_memory,
    inference_step,
    node_memory,
    training_memory,
    training_step,
    widened,
)
from netcalc.analysis.operations import Operation
from netcalc.analysis.roofline import (
    Dtype,
    Limit,
    NodeBound,
    Work,
    bounds,
    cost_of,
    images_per_second,
    node_bounds,
    seconds_for,
    total_seconds,
)
from netcalc.analysis.setup import setup_of
from netcalc.graph import Graph
from netcalc.spec.training import Precision, UpdateSpec


@dataclass(frozen=True, slots=True)
class Demand:
    """What a network is asked to do, and where: `device` is None where none was named."""

    update: UpdateSpec
    batch: int
    device: Device | None = None
    images: int | None = None


@dataclass(frozen=True, slots=True)
class MemoryReport:
    """Memory of a step on a GPU. `training` and `inference` are null where no rule is known for the device."""

    device: Annotated[str | None, Field(description="null where none was named: XLA's layout on a GPU")]
    batch: int
    optimizer: str
    precision: Precision
    training: Memory | None
    inference: Memory | None
    exact: Annotated[ExactMemory | None, Field(description="the compiler's own figures; null unless asked for")]
    refused: Annotated[DoesNotFit | None, Field(description="the compiler's refusal of a step that is too large")]
    ahead_bytes: Annotated[int, Field(description="a batch that is fetched while another is computed")]
    usable_bytes: Annotated[int | None, Field(description="what a process can allocate on the device")]
    fits: Annotated[
        bool | None, Field(description="whether the training step fits the device, with a batch fetched ahead")
    ]


@dataclass(frozen=True, slots=True)
class Seconds:
    """Least times by the roofline: a bound that no kernel reaches, in seconds."""

    training_step: float
    inference_batch: float
    epoch: Annotated[float | None, Field(description="of the number of images asked about")]
    images: int | None
    images_per_second: Annotated[
        float | None, Field(description="in training, at most; null where a step runs nothing")
    ]
    bound_by: Annotated[
        Mapping[str, float], Field(description="of the training step: by compute, bandwidth, launch")
    ]


@dataclass(frozen=True, slots=True)
class Cost:
    """The least price of an epoch, where the device has a price."""

    epoch: float
    currency: str


@dataclass(frozen=True, slots=True)
class NodeSeconds:
    """The least time of a node's kernels for a batch, and what sets most of it in training."""

    training: float
    inference: float
    binds: Limit | None
    intensity: Annotated[
        float | None, Field(description="FLOPs of products per byte of memory traffic, in training")
    ]


@dataclass(frozen=True, slots=True)
class Estimate:
    """All that a demand comes to; mappings are by node."""

    memory: MemoryReport
    seconds: Seconds | None
    cost: Cost | None
    node_memory: Mapping[str, NodeMemory]
    node_seconds: Mapping[str, NodeSeconds]


def estimate(graph: Graph, demand: Demand, compiled: ExactMemory | DoesNotFit | None = None) -> Estimate:
    """Return what a complete graph takes; `compiled` is what the compiler said of it, where it was asked.

    Memory has a rule for GPUs only: on TPU and CPU it is None, and the compiler has to be asked.
    """
    device = demand.device
    setup = setup_of(graph, demand.update, demand.batch)
    training, inference = training_step(graph, setup), inference_step(graph, setup)
    exact = compiled if isinstance(compiled, ExactMemory) else None
    refused = compiled if isinstance(compiled, DoesNotFit) else None
    has_rule = device is None or device.kind == "gpu"
    ahead = batch_bytes(graph, setup)
    memory = training_memory(graph, setup, training) if has_rule else None
    if memory is not None and device is not None and device.name.startswith("AMD"):
        memory = widened(memory)  # XLA's compiler for AMD was not compared
    report = MemoryReport(
        device=device.key if device else None,
        batch=setup.batch,
        optimizer=demand.update.optimizer.kind,
        precision=demand.update.precision,
        training=memory,
        inference=inference_memory(graph, setup, inference) if has_rule else None,
        exact=exact,
        refused=refused,
        usable_bytes=device.usable_bytes if device else None,
        fits=False if refused else _fits(exact or memory, ahead, device),
        ahead_bytes=ahead,
    )
    held = node_memory(graph, setup, training.peak.alive) if has_rule else {}
    if device is None:
        return Estimate(report, None, None, held, {})
    forward, both = _works(inference.operations), _works(training.operations)
    dtype: Dtype = "float32" if setup.compute_bytes == 4 else "bfloat16"
    at_inference, in_training = bounds(forward, device, dtype), bounds(both, device, dtype)
    step = total_seconds(in_training)
    seconds = Seconds(
        training_step=step,
        inference_batch=total_seconds(at_inference),
        epoch=seconds_for(demand.images, setup.batch, step) if demand.images else None,
        images=demand.images,
        images_per_second=images_per_second(setup.batch, step),
        bound_by={
            limit: sum(bound.seconds for bound in in_training if bound.binds == limit) for limit in get_args(Limit)
        },
    )
    price = cost_of(seconds.epoch, device) if seconds.epoch is not None else None
    return Estimate(
        report,
        seconds,
        Cost(*price) if price else None,
        held,
        _node_seconds(graph, node_bounds(in_training), node_bounds(at_inference), both),
    )


def _fits(known: Memory | ExactMemory | None, ahead_bytes: int, device: Device | None) -> bool | None:
    if device is None or known is None:
        return None
    return known.total_bytes + ahead_bytes <= device.usable_bytes


def _works(operations: Iterable[Operation]) -> tuple[Work, ...]:
    return tuple(
        Work(
            name=operation.name,
            node=operation.node,
            flops=2 * operation.macs,
            traffic_bytes=sum(buffer.bytes for buffer in (*operation.reads, *operation.writes)),
            unit="matrix" if operation.macs else "vector",
        )
        for operation in operations
    )


def _node_seconds(
    graph: Graph, training: Mapping[str, NodeBound], inference: Mapping[str, NodeBound], works: Iterable[Work]
) -> Mapping[str, NodeSeconds]:
    flops: dict[str, int] = {}
    moved: dict[str, int] = {}
    for work in works:
        flops[work.node] = flops.get(work.node, 0) + work.flops
        moved[work.node] = moved.get(work.node, 0) + work.traffic_bytes
    none = NodeBound(0.0, None)
    return {
        name: NodeSeconds(
            training=training.get(name, none).seconds,
            inference=inference.get(name, none).seconds,
            binds=training.get(name, none).binds,
            intensity=flops[name] / moved[name] if moved.get(name) else None,
        )
        for name in graph.nodes
    }
