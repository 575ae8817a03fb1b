"""What one update computes, whatever the data: enough to compile it without a sample."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax

from netcalc.compiler.network import Network, compile_graph
from netcalc.graph import Graph
from netcalc.layers.base import ParamSpec
from netcalc.spec.data import Target
from netcalc.spec.losses import LossSpec
from netcalc.spec.training import UpdateSpec
from netcalc.train.layout import KernelLayout, layout_for
from netcalc.train.losses import SampleLoss, make_loss
from netcalc.train.metrics import Meter, make_meter

Prepare = Callable[[jax.Array], jax.Array]
"""The network's input from a raw batch, on the device."""


class Samples(NamedTuple):
    """A batch as training sees it: the network's input, and whose losses count: `share` (batch,) of `labels`, the
    rest of `others`. Where no image holds parts of two, `others` and `share` are None.
    """

    x: Any
    labels: jax.Array
    others: jax.Array | None = None
    share: jax.Array | None = None


PrepareLabels = Callable[[jax.Array], jax.Array]
"""Labels as the loss reads them, from those of a raw batch, on the device."""

Augment = Callable[[jax.Array, Any, jax.Array], Samples]
"""The samples of a key, a raw batch and its labels, on the device."""


@dataclass(frozen=True, slots=True)
class Task:
    """What samples are to give: the kind of target, how many classes, and how many samples or pixels of each.

    `classes` is 0 for values; `counts` is None where they are not known, or not needed.
    """

    target: Target
    classes: int
    counts: tuple[int, ...] | None = None


def _as_they_are(labels: jax.Array) -> jax.Array:
    return labels


@dataclass(frozen=True)
class Recipe:
    """The network up to what the loss reads, how its input is prepared, and in which order kernels are kept.

    `losses` are by the nodes that they read, the main output's first; `meter` measures that one. `augment`, where
    there is one, prepares training batches in place of `prepare` and `prepare_labels`.
    """

    network: Network
    spec: UpdateSpec
    task: Task
    losses: Mapping[str, SampleLoss]
    meter: Meter
    prepare: Prepare
    layout: KernelLayout
    prepare_labels: PrepareLabels = _as_they_are
    augment: Augment | None = None

    def samples(self, key: jax.Array, images: Any, labels: jax.Array) -> Samples:
        """Return a raw batch as training sees it."""
        if self.augment is None:
            return Samples(self.prepare(images), self.prepare_labels(labels))
        return self.augment(key, images, labels)

    def compared(self, labels: jax.Array, name: str) -> jax.Array:
        """Return the labels that an output is compared with: of a larger mask (batch, height, width) its middle.

        Convolutions without padding give maps that are smaller than the image (Ronneberger et al. 2015).
        """
        if self.task.target != "mask":
            return labels
        sides = self.network.graph.nodes[name].known.output.sides
        before = [(have - want) // 2 for have, want in zip(labels.shape[1:], sides, strict=True)]
        window = tuple(slice(start, start + side) for start, side in zip(before, sides, strict=True))
        return labels[:, *window]

    @property
    def main(self) -> str:
        """The node that the main output's loss reads."""
        return next(iter(self.losses))

    @property
    def main_loss(self) -> LossSpec:
        """The loss of the main output."""
        return self.spec.loss_of(self.network.graph.main_output)

    @property
    def params_dtype(self) -> str:
        """What parameters and the optimizer's moments are stored in."""
        return "bfloat16" if self.spec.precision == "bfloat16" else "float32"

    def facts(self, params: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, ParamSpec]]:
        """Return what is known of each parameter, as it is kept, in the structure of the parameters."""
        return {node: {name: self.layout.kept(node, name) for name in group} for node, group in params.items()}


def make_recipe(
    graph: Graph,
    spec: UpdateSpec,
    task: Task,
    prepare: Prepare,
    platform: str | None = None,
    augment: Augment | None = None,
    prepare_labels: PrepareLabels = _as_they_are,
) -> Recipe:
    """Return the recipe of a graph for a platform: cpu, gpu or tpu, by default the one JAX computes on.

    On TPU the plain form of the network takes less memory than the lean one.
    """
    platform = platform or jax.default_backend()
    read = graph.read_by_losses(spec.loss_of)
    network = compile_graph(
        graph,
        tuple(read),
        inference_outputs=tuple(read)[:1],
        lean=platform != "tpu",
        compute_dtype="float32" if spec.precision == "float32" else "bfloat16",
    )
    return Recipe(
        network,
        spec,
        task,
        losses={name: make_loss(loss, task.target, task.counts) for name, loss in read.items()},
        meter=make_meter(spec.loss_of(graph.main_output), task.target, task.classes, training=True),
        prepare=prepare,
        layout=layout_for(graph, platform),
        prepare_labels=prepare_labels,
        augment=augment,
    )
