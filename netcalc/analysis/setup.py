"""How a network is trained, as far as memory and time depend on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from netcalc.analysis.optimizers import OPTIMIZERS
from netcalc.graph import Graph
from netcalc.spec.training import SOURCE_SHAPES, Remat, TrainingSpec, UpdateSpec

DTYPE_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2, "uint8": 1, "int8": 1, "int32": 4}


@dataclass(frozen=True, slots=True)
class RawInput:
    """Bytes of one sample of an input as it reaches the device, and whether it is prepared there for the layers.

    What is made, a normalised image or one in another precision, is kept for the first layer's weight gradient.
    """

    bytes: int
    is_prepared: bool


@dataclass(frozen=True, slots=True)
class Setup:
    """All that changes the memory of a training step beside the network.

    `outputs` are the nodes that the loss reads, `kept_bytes` what the optimizer and a moving average keep for each
    parameter, the average in float32 whatever the precision. `gradients_wait` tells that no parameter can be
    updated before every gradient is known, as where their norm is clipped. `lean` is the form of the network that
    GPU and CPU train. `scatters_labels` tells that the loss makes an array of the outputs' size from labels alone.
    """

    batch: int
    outputs: tuple[str, ...]
    inputs: Mapping[str, RawInput]
    kept_bytes: int
    compute_bytes: int
    params_bytes: int
    gradients_wait: bool
    remat: Remat
    lean: bool = True
    scatters_labels: bool = False


def setup_of(graph: Graph, update: UpdateSpec, batch: int | None = None) -> Setup:
    """Return the setup of an update of a graph, with another batch size if one is given."""
    compute_bytes = 4 if update.precision == "float32" else 2
    params_bytes = 2 if update.precision == "bfloat16" else 4
    return Setup(
        batch=batch or update.batch_size,
        outputs=graph.read_by_loss(update.loss),
        inputs=_raw_inputs(graph, update, compute_bytes),
        kept_bytes=4 * (OPTIMIZERS[update.optimizer.kind].slots + (update.ema is not None)),
        compute_bytes=compute_bytes,
        params_bytes=params_bytes,
        gradients_wait=update.clip is not None and update.clip.norm is not None,
        remat=update.remat,
        scatters_labels=update.loss == "cross_entropy",
    )


def _raw_inputs(graph: Graph, update: UpdateSpec, compute_bytes: int) -> Mapping[str, RawInput]:
    if isinstance(update, TrainingSpec) and len(graph.inputs) == 1:
        height, width, channels = SOURCE_SHAPES[update.data.source]
        return dict.fromkeys(graph.inputs, RawInput(height * width * channels, is_prepared=True))
    computed_in = "float32" if compute_bytes == 4 else "bfloat16"
    return {
        item.name: RawInput(item.type.size * DTYPE_BYTES[item.type.dtype], item.type.dtype != computed_in)
        for item in graph.spec.inputs
    }
