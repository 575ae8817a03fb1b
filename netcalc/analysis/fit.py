"""Whether training fits a device: the largest batch, what limits it, and which changes make room for more.

Needed is the memory of a training step and of one batch more, which is fetched while the step computes. Usable is
what a process can allocate on the device.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import Field

from netcalc.analysis.batch_memory import BatchMemory
from netcalc.analysis.devices import Device
from netcalc.analysis.largest_batch import MOST, largest_batch
from netcalc.analysis.optimizers import OPTIMIZERS
from netcalc.analysis.setup import setup_of
from netcalc.graph import Graph
from netcalc.spec.optimizers import OptimizerSpec
from netcalc.spec.training import Precision, Remat, UpdateSpec

FORMAT: Literal["netcalc.fit/1"] = "netcalc.fit/1"

PREALLOCATED_PERCENT = 75
"""Share of a GPU's memory that JAX takes when it starts, and that a process has unless XLA_CLIENT_MEM_FRACTION is
set (docs.jax.dev, GPU memory allocation)."""

LARGEST = 5
"""Tensors that are named."""

_SMALLER: Mapping[Precision, Precision] = MappingProxyType({"float32": "mixed", "mixed": "bfloat16"})
"""The precision that takes less memory and changes least beside."""

_TENSORS: Mapping[str, str] = MappingProxyType(
    {
        "conv": "output",
        "gemm": "output",
        "scan": "output",
        "pool": "output",
        "reduce": "output",
        "elementwise": "output",
        "input": "input",
        "norm input": "input",
        "padded": "padded input",
        "turned": "input in another layout",
        "mask": "mask",
        "sign": "signs of the output",
        "statistics": "mean and variance",
        "sums": "sums for the gradient",
        "dy": "gradient of the output",
        "product": "products for the gradient",
        "kernel": "weights as computed with",
        "kept": "values kept for backward",
        "index": "index of each window's largest",
        "recomputed": "output, computed anew",
        "centred": "input less its mean",
        "dz": "gradient of the output",
        "gradient sum": "gradient of the output",
        "dx": "gradient of the input",
        "dw": "gradient of the weights",
        "scratch": "matrices of the update",
    }
)
"""What the schedule's buffers are called for people, where the name is another."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor that is in memory at the peak of a training step, and the node that it belongs to."""

    node: str
    tensor: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Remedy:
    """A change of the training, as the spec's `train:` writes it, and the largest batch with it."""

    change: str
    max_batch: int


@dataclass(frozen=True, slots=True)
class DeviceFit:
    """Whether training fits one device.

    Figures from `needed_bytes` on are of the batch that was asked about, else of `max_batch`, else of one sample.
    What is not known where memory has no rule for the device is None, and `note` says why.
    """

    device: str
    name: str
    memory_bytes: int
    usable_bytes: int
    max_batch: Annotated[
        int | None,
        Field(description="the largest batch such that it and every smaller one fits; 0 where none does"),
    ]
    at_least: Annotated[bool, Field(description="whether larger batches than `max_batch` were not tried")]
    safe_batch: Annotated[
        int | None,
        Field(
            description="`max_batch` at the upper end of the estimate's interval; null for one of several devices"
        ),
    ]
    fits: Annotated[bool | None, Field(description="whether the batch fits; without one, whether any does")]
    needed_bytes: int | None
    margin_bytes: Annotated[int | None, Field(description="usable less needed; below zero where it does not fit")]
    mem_fraction: Annotated[
        float | None,
        Field(description="the least XLA_CLIENT_MEM_FRACTION; null where JAX's default suffices or nothing helps"),
    ]
    peak_at: Annotated[str | None, Field(description="the node at which a step takes most")]
    limited_by: Annotated[Tensor | None, Field(description="the largest of the tensors at the peak")]
    largest: tuple[Tensor, ...]
    remedies: Annotated[tuple[Remedy, ...], Field(description="none for one of several devices, nor where it fits")]
    note: str


@dataclass(frozen=True, slots=True)
class Fit:
    """How a network is trained, and how that fits each device; `batch` is None where the largest one is asked."""

    format: Literal["netcalc.fit/1"]
    name: str
    optimizer: str
    precision: Precision
    remat: Remat
    batch: int | None
    devices: tuple[DeviceFit, ...]

    @property
    def fits(self) -> bool:
        """Whether training fits any of the devices."""
        return any(device.fits for device in self.devices)

    def to_dict(self) -> dict[str, Any]:
        """Return the answer as plain data, ready for JSON."""
        return asdict(self)


def fit_devices(graph: Graph, update: UpdateSpec, devices: Iterable[Device], batch: int | None = None) -> Fit:
    """Return how training of a complete graph fits devices, at a batch or at the largest that does.

    Remedies and the safe batch are looked for where one device is asked about; remedies for a batch that fits are
    not.
    """
    asked = tuple(devices)
    memory = BatchMemory(graph)
    return Fit(
        FORMAT,
        graph.name,
        update.optimizer.kind,
        update.precision,
        update.remat,
        batch,
        tuple(_fit(memory, update, device, batch, in_full=len(asked) == 1) for device in asked),
    )


def no_rule(device: Device) -> str:
    """Return why nothing is known of a device that memory has no rule for, and who knows."""
    ask = f"`netcalc analyze --device {device.key} --exact`"
    return f"no rule for the memory of a {device.kind.upper()}; {ask} asks the compiler"


def has_rule(device: Device) -> bool:
    """Tell whether memory is known without the compiler: XLA's layout is, on GPUs."""
    return device.kind == "gpu"


def _fit(memory: BatchMemory, update: UpdateSpec, device: Device, batch: int | None, *, in_full: bool) -> DeviceFit:
    if not has_rule(device):
        return _unknown(device)
    usable = device.usable_bytes
    most = _largest(memory, update, usable)
    judged = batch or max(most, 1)
    needed = memory.needed_bytes(update, judged)
    peak = memory.peak(update, judged)
    largest = _largest_tensors(memory, update, judged)
    fits = needed <= usable
    wants_more = most < MOST if batch is None else not fits
    return DeviceFit(
        device=device.key,
        name=device.name,
        memory_bytes=device.memory_bytes,
        usable_bytes=usable,
        max_batch=most,
        at_least=most == MOST,
        safe_batch=_safe(memory, update, usable, most) if in_full else None,
        fits=fits,
        needed_bytes=needed,
        margin_bytes=usable - needed,
        mem_fraction=_mem_fraction(needed, usable),
        peak_at=peak.operation.node if peak.operation else None,
        limited_by=largest[0] if largest else None,
        largest=largest,
        remedies=_remedies(memory, update, usable, most, batch) if in_full and wants_more else (),
        note=f"no batch above {MOST:,} was tried" if most == MOST else "",
    )


def _unknown(device: Device) -> DeviceFit:
    return DeviceFit(
        device=device.key,
        name=device.name,
        memory_bytes=device.memory_bytes,
        usable_bytes=device.usable_bytes,
        max_batch=None,
        at_least=False,
        safe_batch=None,
        fits=None,
        needed_bytes=None,
        margin_bytes=None,
        mem_fraction=None,
        peak_at=None,
        limited_by=None,
        largest=(),
        remedies=(),
        note=no_rule(device),
    )


def _largest(memory: BatchMemory, update: UpdateSpec, usable_bytes: int) -> int:
    """Return the largest batch such that it and every smaller one fits."""
    return largest_batch(
        lambda batch: memory.varying_bytes(update, batch), usable_bytes - memory.fixed_bytes(update)
    )


def _safe(memory: BatchMemory, update: UpdateSpec, usable_bytes: int, most: int) -> int:
    """Return the same at the upper end of the estimate's interval."""
    room = usable_bytes - memory.fixed_bytes(update)
    return largest_batch(lambda batch: memory.varying_high_bytes(update, batch), room, max(most, 1))


def _mem_fraction(needed_bytes: int, usable_bytes: int) -> float | None:
    """Return the fraction of the memory that JAX has to be given, in hundredths; None where its default will do.

    The fraction is of what the driver reports as the whole, which is no less than what is usable.
    """
    percent = math.ceil(100 * needed_bytes / usable_bytes)
    return percent / 100 if PREALLOCATED_PERCENT < percent <= 100 else None


def _largest_tensors(memory: BatchMemory, update: UpdateSpec, batch: int) -> tuple[Tensor, ...]:
    """Return the largest tensors at the peak of a step: those that it makes, parameters, and the batch itself."""
    graph = memory.graph
    setup = setup_of(graph, update, batch)
    alive = (
        Tensor(buffer.node, _TENSORS.get(buffer.name, buffer.name), buffer.bytes)
        for buffer in memory.peak(update, batch).alive
    )
    handed = (Tensor(name, "batch", batch * raw.bytes) for name, raw in setup.inputs.items())
    params = (
        Tensor(node.name, name, spec.size * setup.params_bytes)
        for node in graph.nodes.values()
        if node.owner == node.name
        for name, spec in node.known.params.items()
    )
    return tuple(sorted((*alive, *handed, *params), key=lambda tensor: -tensor.bytes)[:LARGEST])


def _remedies(
    memory: BatchMemory, update: UpdateSpec, usable_bytes: int, most: int, batch: int | None
) -> tuple[Remedy, ...]:
    """Return the changes that let larger batches fit, the most effective first.

    Changes are taken together where each helps and both together help more, and with the smallest optimizer too
    where an asked batch needs that.
    """

    def remedy(**changes: str) -> Remedy:
        values = {k: OptimizerSpec.model_validate(v) if k == "optimizer" else v for k, v in changes.items()}
        changed = update.model_copy(update=values)
        words = ", ".join(f"{key}: {value}" for key, value in changes.items())
        return Remedy(words, _largest(memory, changed, usable_bytes))

    smaller = dict[str, str]()
    if update.precision in _SMALLER:
        smaller["precision"] = _SMALLER[update.precision]
    if update.remat == "none":
        smaller["remat"] = "conv_outputs"
    optimizers = list(_smaller_optimizers(update.optimizer.kind))
    found = [remedy(**{key: value}) for key, value in smaller.items()]
    found += [remedy(optimizer=kind) for kind in optimizers]
    helping = [change for change, one in zip(smaller.items(), found, strict=False) if one.max_batch > most]
    enough = batch or 0
    if len(helping) > 1:
        found.append(remedy(**dict(helping)))
    if helping and optimizers and max(one.max_batch for one in found) < enough:
        found.append(remedy(**dict(helping), optimizer=optimizers[-1]))
    found.sort(key=lambda one: -one.max_batch)
    return tuple(one for one in found if one.max_batch > most)


def _smaller_optimizers(kind: str) -> Iterator[str]:
    """Yield for each smaller number of values that an optimizer keeps the first that keeps so many, fewest last.

    Batch gradient descent is none of them: it is the same rule as SGD, and keeps a sum of gradients beside.
    """
    own = OPTIMIZERS[kind].slots
    for slots in reversed(range(own)):
        yield from [name for name, cost in OPTIMIZERS.items() if cost.slots == slots and name != "gd"][:1]
