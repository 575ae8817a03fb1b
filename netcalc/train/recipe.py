"""What one update computes, whatever the data: enough to compile it without a sample."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax

from netcalc.compiler.network import Network, compile_graph
from netcalc.graph import Graph
from netcalc.layers.base import ParamSpec
from netcalc.spec.training import UpdateSpec
from netcalc.train.layout import KernelLayout, layout_for

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


Augment = Callable[[jax.Array, Any, jax.Array], Samples]
"""The samples of a key, a raw batch and its labels, on the device."""


@dataclass(frozen=True)
class Recipe:
    """The network up to what the loss reads, how its input is prepared, and in which order kernels are kept.

    `augment`, where there is one, prepares training batches in place of `prepare`.
    """

    network: Network
    spec: UpdateSpec
    prepare: Prepare
    layout: KernelLayout
    augment: Augment | None = None

    def samples(self, key: jax.Array, images: Any, labels: jax.Array) -> Samples:
        """Return a raw batch as training sees it."""
        if self.augment is None:
            return Samples(self.prepare(images), labels)
        return self.augment(key, images, labels)

    @property
    def params_dtype(self) -> str:
        """What parameters and the optimizer's moments are stored in."""
        return "bfloat16" if self.spec.precision == "bfloat16" else "float32"

    def facts(self, params: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, ParamSpec]]:
        """Return what is known of each parameter, as it is kept, in the structure of the parameters."""
        return {node: {name: self.layout.kept(node, name) for name in group} for node, group in params.items()}


def make_recipe(
    graph: Graph, spec: UpdateSpec, prepare: Prepare, platform: str | None = None, augment: Augment | None = None
) -> Recipe:
    """Return the recipe of a graph for a platform: cpu, gpu or tpu, by default the one JAX computes on.

    On TPU the plain form of the network takes less memory than the lean one.
    """
    platform = platform or jax.default_backend()
    compute_dtype = "float32" if spec.precision == "float32" else "bfloat16"
    network = compile_graph(
        graph, graph.read_by_loss(spec.loss), lean=platform != "tpu", compute_dtype=compute_dtype
    )
    return Recipe(network, spec, prepare, layout_for(graph, platform), augment)
