"""The signature that all lowerings share."""

from __future__ import annotations

from typing import Protocol

import jax

from netcalc.compiler.context import Context
from netcalc.graph import Node

Arrays = dict[str, jax.Array]
"""Parameters or state of one node, by name."""


class Lowering(Protocol):
    """The JAX form of a layer: inputs of shape (batch, ...), channels last; returns output and new state."""

    def __call__(
        self, node: Node, params: Arrays, state: Arrays, /, *inputs: jax.Array, ctx: Context
    ) -> tuple[jax.Array, Arrays]:
        """Apply the node."""
        ...
