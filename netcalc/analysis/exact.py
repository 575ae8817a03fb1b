"""What a compiler assigns to the training step of a network: records that a report can hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from netcalc.analysis.targets import Platform

Part = Literal[
    "weights",
    "optimizer",
    "state",
    "batch",
    "metrics",
    "outputs",
    "saved_activations",
    "transient_activations",
    "activation_gradients",
    "weight_gradients",
    "weight_copies",
    "other",
    "unattributed",
    "snapshot",
]

PARTS: Mapping[Part, str] = {
    "weights": "parameters",
    "optimizer": "what the optimizer keeps of each parameter, and averages of parameters",
    "state": "running statistics of normalisation",
    "batch": "samples and labels",
    "metrics": "running sums of loss and accuracy, and the number of the step",
    "outputs": "results that take no argument's place",
    "saved_activations": "values of the forward pass that the backward pass reads",
    "transient_activations": "values of the forward pass that it alone reads, or that are computed anew",
    "activation_gradients": "gradients of activations",
    "weight_gradients": "gradients of parameters, and updates made of them",
    "weight_copies": "parameters in another order, shape or precision",
    "other": "values of the update, and what the compiled program does not say where it comes from",
    "unattributed": "gaps between buffers; below zero where buffers share more than the program's text shows",
    "snapshot": "the copy of parameters, optimizer and statistics that `rollback` keeps, beside the compiled step",
}
"""The parts of a step's memory. Arguments come first, then outputs, then temporaries at the peak, then what stays
beside the step."""

EXCLUDES: Mapping[Platform, tuple[str, ...]] = {
    "gpu": (
        "the workspace of convolutions, which cuDNN chooses on the device",
        "what autotuning on the device may choose otherwise",
        "the CUDA context and libraries, batches fetched ahead, and JAX's preallocation",
    ),
    "tpu": ("what the runtime keeps for itself", "batches fetched ahead"),
    "cpu": (
        "the workspace of convolutions and matrix products, which their routines allocate as they run",
        "Python, JAX and the data set: the process grew by 5 to 25 % more than the total where it was measured",
    ),
}
"""What a run takes beside the compiler's total."""


@dataclass(frozen=True, slots=True)
class PeakBuffer:
    """One temporary at the peak: its size, its type as XLA writes it, and the node and operation that make it.

    `node` is None where the buffer belongs to none: the loss, the metrics, the update.
    """

    bytes: int
    type: str
    part: Part
    node: str | None
    operation: str


@dataclass(frozen=True, slots=True)
class ExactMemory:
    """What the compiler assigns to one training step: `parts`, those of `PARTS`, sum to `total_bytes`.

    The part `snapshot` is beside what is compiled, and of the size of what it copies. `largest` are the largest
    temporaries at the peak, which stands at `peak_node`. `memory_bytes` is the memory that the compiler was told
    of, None where it was told of none. `rematerialized` counts the operations that it runs once more to save
    memory. `excludes` says what a run takes beside the total.
    """

    device: str
    compiler: str
    total_bytes: int
    parts: Mapping[str, int]
    peak_node: str | None
    largest: tuple[PeakBuffer, ...]
    memory_bytes: int | None
    rematerialized: int
    excludes: tuple[str, ...]
    seconds: float
    kind: Literal["memory"] = "memory"

    @property
    def fits(self) -> bool | None:
        """Whether the step fits the device's memory, None where that is not known."""
        return None if self.memory_bytes is None else self.total_bytes <= self.memory_bytes


@dataclass(frozen=True, slots=True)
class DoesNotFit:
    """The compiler's refusal of a step that is too large for its device; sizes are None where it names none.

    `said` is its message in short.
    """

    device: str
    compiler: str
    needed_bytes: int | None
    memory_bytes: int | None
    said: str
    seconds: float
    kind: Literal["does_not_fit"] = "does_not_fit"
