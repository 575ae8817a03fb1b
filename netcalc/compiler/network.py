"""A graph as two pure functions: `init` draws parameters, `apply` computes outputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp

from netcalc.compiler.context import Context
from netcalc.compiler.initialize import Params, State, initial_params, initial_state
from netcalc.compiler.lowering.table import LOWERINGS
from netcalc.diagnostics import SpecError
from netcalc.graph import Graph, Node


@dataclass(frozen=True)
class Network:
    """The JAX form of a graph: of all of it in training, of what inference needs else.

    Both functions are pure and can be jitted, differentiated and vmapped. Parameters and state are dicts by node,
    then by name: `params["conv1"]["kernel"]`, kernels in HWIO order.
    """

    graph: Graph
    outputs: tuple[str, ...]
    inference_outputs: tuple[str, ...]

    def init(self, key: jax.Array) -> tuple[Params, State]:
        """Return initial parameters and state for a key of `jax.random.key`."""
        return initial_params(self.graph, key), initial_state(self.graph)

    def apply(
        self,
        params: Params,
        state: State,
        inputs: jax.Array | Mapping[str, jax.Array],
        *,
        train: bool = False,
        key: jax.Array | None = None,
    ) -> tuple[Any, State]:
        """Return the outputs and the new state.

        `inputs` is one array of shape (batch, ...), channels last, or a mapping by name where the network has
        several inputs. The outputs are one array, or a mapping where there are several; those that serve training
        alone are left out at inference. In training, `key` feeds layers that draw random numbers; the state
        changes in training only.

        Raises ValueError for inputs of the wrong shape, for a missing key and for missing parameters.
        """
        ctx = Context(train, key)
        values = self._inputs(inputs)
        new_state = dict(state)
        for node in self.nodes if train else self._inference_nodes:
            own = _held(params, "params", node.owner, node.known.params)
            if not node.spec.trainable:
                own = jax.tree.map(jax.lax.stop_gradient, own)
            lower = LOWERINGS[type(node.spec.layer)]
            sources = [values[name] for name in node.inputs]
            before = _held(state, "state", node.name, node.known.state)
            values[node.name], kept = lower(node, own, before, *sources, ctx=ctx)
            if kept:
                new_state[node.name] = kept
        outputs = self.outputs if train else self.inference_outputs
        if len(outputs) == 1:
            return values[outputs[0]], new_state
        return {name: values[name] for name in outputs}, new_state

    @cached_property
    def nodes(self) -> tuple[Node, ...]:
        """The nodes that are computed in training."""
        return self._needed_for(self.outputs)

    @cached_property
    def _inference_nodes(self) -> tuple[Node, ...]:
        return self._needed_for(self.inference_outputs)

    def _needed_for(self, outputs: tuple[str, ...]) -> tuple[Node, ...]:
        needed = self.graph.needed_for(outputs)
        return tuple(node for node in self.graph.nodes.values() if node.name in needed)

    def _inputs(self, inputs: jax.Array | Mapping[str, jax.Array]) -> dict[str, jax.Array]:
        expected = self.graph.inputs
        given = inputs if isinstance(inputs, Mapping) else dict.fromkeys(list(expected)[:1], inputs)
        if set(given) != set(expected):
            raise ValueError(f"the network reads {sorted(expected)}, it was given {sorted(given)}")
        for name, array in given.items():
            if array.shape[1:] != expected[name].shape:
                shape = ("batch", *expected[name].shape)
                raise ValueError(f"`{name}` has shape {array.shape}, the network reads {shape}")
        return {
            name: array if jnp.issubdtype(array.dtype, jnp.floating) else array.astype(jnp.float32)
            for name, array in given.items()
        }


def compile_graph(graph: Graph, outputs: tuple[str, ...] = ()) -> Network:
    """Return the network that computes the named nodes, by default the graph's outputs.

    Raises SpecError for a graph with layers that do not fit and ValueError for a name that is no node.
    """
    if graph.diagnostics:
        raise SpecError(graph.diagnostics)
    unknown = [name for name in outputs if name not in graph.nodes]
    if unknown:
        raise ValueError(f"the network has no node `{unknown[0]}`")
    return Network(graph, outputs or graph.outputs, outputs or graph.inference_outputs)


def _held(
    tree: Mapping[str, dict[str, jax.Array]], what: str, name: str, specs: Mapping[str, object]
) -> dict[str, jax.Array]:
    """Return what a tree of parameters or state holds for a node; raises ValueError where something is missing."""
    found = tree.get(name, {})
    missing = specs.keys() - found.keys()
    if missing:
        raise ValueError(f"the {what} hold no `{min(missing)}` of `{name}`")
    return found
