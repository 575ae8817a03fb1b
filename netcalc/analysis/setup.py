"""How a network is trained, as far as memory and time depend on it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from netcalc.analysis.labels import label_shape
from netcalc.analysis.optimizers import OPTIMIZERS, kept_elements, scratch_elements, trained_params
from netcalc.data.catalog import sample_shape
from netcalc.graph import Graph
from netcalc.spec.training import Remat, TrainingSpec, UpdateSpec

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
    weight, in float32 whatever the precision, and `optimizer_bytes` for all parameters together. `sum_bytes` is the
    sum of gradients that an update of several batches keeps, in float32 too. `label_bytes` are those of a sample's
    labels. `scratch_bytes` is what the update of
    a node's parameters takes beside their gradient, where the rule multiplies matrices. `gradients_wait` tells that
    no parameter can be updated before every gradient of a batch is known, as where their norm is clipped. `lean` is
    the form of the network that GPU and CPU train. `scatters_labels` are the outputs whose loss makes an array
    of their size from labels alone. `keeps_copy` tells that a copy of parameters, the optimizer's values and state
    stays beside them.
    """

    batch: int
    outputs: tuple[str, ...]
    inputs: Mapping[str, RawInput]
    kept_bytes: int
    optimizer_bytes: int
    sum_bytes: int
    label_bytes: int
    scratch_bytes: Mapping[str, int]
    compute_bytes: int
    params_bytes: int
    gradients_wait: bool
    remat: Remat
    lean: bool = True
    scatters_labels: frozenset[str] = frozenset()
    keeps_copy: bool = False


def setup_of(graph: Graph, update: UpdateSpec, batch: int | None = None) -> Setup:
    """Return the setup of an update of a graph, with another batch size if one is given."""
    compute_bytes = 4 if update.precision == "float32" else 2
    params_bytes = 2 if update.precision == "bfloat16" else 4
    params = tuple(trained_params(graph))
    read = graph.read_by_losses(update.loss_of)
    return Setup(
        batch=batch or update.batch_size,
        outputs=tuple(read),
        inputs=_raw_inputs(graph, update, compute_bytes),
        kept_bytes=4 * (OPTIMIZERS[update.optimizer.kind].slots + (update.ema is not None)),
        optimizer_bytes=4 * kept_elements(update, params),
        sum_bytes=4 * sum(param.size for param in params) if update.accumulates else 0,
        label_bytes=4 * math.prod(label_shape(graph, update)),
        scratch_bytes=_scratch_bytes(graph, update),
        compute_bytes=compute_bytes,
        params_bytes=params_bytes,
        # Of a sum of gradients the norm is taken when the batches are gone.
        gradients_wait=_gradients_wait(update),
        remat=update.remat,
        scatters_labels=frozenset(name for name, loss in read.items() if loss.kind == "cross_entropy"),
        keeps_copy=update.on_nonfinite.kind == "rollback",
    )


def _gradients_wait(update: UpdateSpec) -> bool:
    """Tell whether no parameter changes before all gradients are known: for their norm, or as one may be NaN."""
    is_clipped = update.clip is not None and update.clip.norm is not None
    return (is_clipped or update.on_nonfinite.kind == "skip") and not update.accumulates


def _scratch_bytes(graph: Graph, update: UpdateSpec) -> Mapping[str, int]:
    if update.accumulates:  # parameters change when the batches are gone
        return {}
    largest = {
        node.name: 4 * max((scratch_elements(update, param) for param in node.known.params.values()), default=0)
        for node in graph.nodes.values()
        if node.owner == node.name
    }
    return {name: size for name, size in largest.items() if size}


def _raw_inputs(graph: Graph, update: UpdateSpec, compute_bytes: int) -> Mapping[str, RawInput]:
    if isinstance(update, TrainingSpec) and len(graph.inputs) == 1:
        (read,) = graph.inputs.values()
        raw = sample_shape(update.data, read.shape)
        return dict.fromkeys(graph.inputs, RawInput(math.prod(raw), is_prepared=True))
    computed_in = "float32" if compute_bytes == 4 else "bfloat16"
    return {
        item.name: RawInput(item.type.size * DTYPE_BYTES[item.type.dtype], item.type.dtype != computed_in)
        for item in graph.spec.inputs
    }
