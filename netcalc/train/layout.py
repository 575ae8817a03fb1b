"""In which axis order a training keeps kernels: the one that its device computes in.

Everyone else sees HWIO. A GPU's convolutions read OHWI, so a kernel kept in HWIO is copied at the start of a step,
and its gradient and moments are turned back at the end. Inside a jitted step the turn costs nothing where the order
is already the device's: XLA then only relabels the axes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from netcalc.compiler.initialize import Params
from netcalc.graph import Graph
from netcalc.layers.base import ParamSpec


@dataclass(frozen=True)
class KernelLayout:
    """How the convolution kernels of a graph are kept: `filters_first` is OHWI, else HWIO."""

    graph: Graph
    filters_first: bool

    @property
    def kernel_order(self) -> str:
        """The order by its letters, for kernels over two axes."""
        return "OHWI" if self.filters_first else "HWIO"

    def stored(self, params: Params) -> Params:
        """Return parameters in the order they are kept in."""
        return self._turned(params, source=-1, target=0)

    def logical(self, params: Params) -> Params:
        """Return kept parameters in HWIO order."""
        return self._turned(params, source=0, target=-1)

    def kept(self, node: str, name: str) -> ParamSpec:
        """Return what is known of a parameter, its axes in the order it is kept in."""
        spec = self.graph.nodes[node].known.params[name]
        if not (self.filters_first and self._is_conv_kernel(node, name)):
            return spec
        return replace(spec, axes=spec.axes[-1:] + spec.axes[:-1], shape=(*spec.shape[-1:], *spec.shape[:-1]))

    def from_other(self, node: str, name: str, array: NDArray[Any]) -> NDArray[Any]:
        """Return a kernel that was kept in the other order in this one; anything else as it is."""
        if not self._is_conv_kernel(node, name) or array.ndim != len(self.kept(node, name).shape):
            return array
        return np.moveaxis(array, -1, 0) if self.filters_first else np.moveaxis(array, 0, -1)

    def _turned(self, params: Params, *, source: int, target: int) -> Params:
        if not self.filters_first:
            return params
        return {
            node: {
                name: jnp.moveaxis(array, source, target) if self._is_conv_kernel(node, name) else array
                for name, array in arrays.items()
            }
            for node, arrays in params.items()
        }

    def _is_conv_kernel(self, node: str, name: str) -> bool:
        axes = self.graph.nodes[node].known.params[name].axes
        return axes.endswith("wio")


def layout_for(graph: Graph, platform: str) -> KernelLayout:
    """Return how a training on `cpu`, `gpu` or `tpu` keeps kernels."""
    return KernelLayout(graph, filters_first=platform in ("gpu", "cuda", "rocm"))
