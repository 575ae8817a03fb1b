"""A graph as two pure functions: `init` draws parameters, `apply` computes outputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
from jax.ad_checkpoint import checkpoint_name

from netcalc.compiler.context import Context
from netcalc.compiler.initialize import Params, State, initial_params, initial_state
from netcalc.compiler.lowering.signature import Arrays, Lowering
from netcalc.compiler.lowering.table import LOWERINGS
from netcalc.diagnostics import SpecError
from netcalc.graph import Graph, Node
from netcalc.lean import LeanForm, lean_form, survives_remat

SURVIVES_REMAT = "survives_remat"
"""The checkpoint name of tensors that rematerialisation keeps."""


@dataclass(frozen=True)
class Network:
    """The JAX form of a graph: of all of it in training, of what inference needs else.

    Both functions are pure and can be jitted, differentiated and vmapped. Parameters and state are dicts by node,
    then by name: `params["conv1"]["kernel"]`, kernels in HWIO order.

    `lean` picks the training form that keeps less for the backward pass, `compute_dtype` what the layers compute
    in; norms and losses widen it to float32 inside.
    """

    graph: Graph
    outputs: tuple[str, ...]
    inference_outputs: tuple[str, ...]
    lean: bool = True
    compute_dtype: str = "float32"

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
        seen: dict[str, jax.Array] | None = None,
    ) -> tuple[Any, State]:
        """Return the outputs and the new state; what each node gives is put into `seen`, where it is given.

        `inputs` is one array of shape (batch, ...), channels last, or a mapping by name where the network has
        several inputs. The outputs are one array, or a mapping where there are several; those that serve training
        alone are left out at inference. In training, `key` feeds layers that draw random numbers; the state
        changes in training only.

        Raises ValueError for inputs of the wrong shape, for a missing key and for missing parameters.
        """
        form = self._lean_form if train and self.lean else None
        ctx = Context(train, key, form is not None, form.keep_output if form else frozenset())
        nodes = (form.graph if form else self.graph).nodes
        values = self._inputs(inputs)
        new_state = dict(state)
        for name in self._trained_names if train else self._inference_names:
            node = nodes[name]
            own = _held(params, "params", node.owner, node.known.params)
            if not node.spec.trainable:
                own = jax.tree.map(jax.lax.stop_gradient, own)
            lower = LOWERINGS[type(node.spec.layer)]
            sources = [values[name] for name in node.inputs]
            before = _held(state, "state", node.name, node.known.state)
            if form is not None and name in form.keep_input:
                lower = _keeping_input(lower)
            with jax.named_scope(name):
                value, kept = lower(node, own, before, *sources, ctx=ctx)
            values[name] = checkpoint_name(value, SURVIVES_REMAT) if train and survives_remat(node) else value
            if seen is not None:
                seen[name] = value
            if kept:
                new_state[node.name] = kept
        outputs = self.outputs if train else self.inference_outputs
        if len(outputs) == 1:
            return values[outputs[0]], new_state
        return {name: values[name] for name in outputs}, new_state

    @property
    def nodes(self) -> tuple[Node, ...]:
        """The nodes that are computed in training."""
        return tuple(self.graph.nodes[name] for name in self._trained_names)

    @cached_property
    def _lean_form(self) -> LeanForm:
        return lean_form(self.graph, self.outputs)

    @cached_property
    def _trained_names(self) -> tuple[str, ...]:
        return self._needed_for(self.outputs)

    @cached_property
    def _inference_names(self) -> tuple[str, ...]:
        return self._needed_for(self.inference_outputs)

    def _needed_for(self, outputs: tuple[str, ...]) -> tuple[str, ...]:
        needed = self.graph.needed_for(outputs)
        return tuple(name for name in self.graph.nodes if name in needed)

    def _inputs(self, inputs: jax.Array | Mapping[str, jax.Array]) -> dict[str, jax.Array]:
        expected = self.graph.inputs
        given = inputs if isinstance(inputs, Mapping) else dict.fromkeys(list(expected)[:1], inputs)
        if set(given) != set(expected):
            raise ValueError(f"the network reads {sorted(expected)}, it was given {sorted(given)}")
        for name, array in given.items():
            if array.shape[1:] != expected[name].shape:
                shape = ("batch", *expected[name].shape)
                raise ValueError(f"`{name}` has shape {array.shape}, the network reads {shape}")
        return {name: self._computable(array) for name, array in given.items()}

    def _computable(self, array: jax.Array) -> jax.Array:
        if self.compute_dtype != "float32" or not jnp.issubdtype(array.dtype, jnp.floating):
            return array.astype(self.compute_dtype)
        return array


def compile_graph(
    graph: Graph,
    outputs: tuple[str, ...] = (),
    *,
    inference_outputs: tuple[str, ...] = (),
    lean: bool = True,
    compute_dtype: str = "float32",
) -> Network:
    """Return the network that computes the named nodes, by default the graph's outputs.

    `inference_outputs` are those of them that it computes at inference, by default all that do not serve training
    alone. The lean form suits GPU and CPU; on TPU it takes more memory than XLA's own gradients.

    Raises SpecError for a graph with layers that do not fit and ValueError for a name that is no node.
    """
    if graph.diagnostics:
        raise SpecError(graph.diagnostics)
    unknown = [name for name in outputs if name not in graph.nodes]
    if unknown:
        raise ValueError(f"the network has no node `{unknown[0]}`")
    at_inference = inference_outputs or outputs or graph.inference_outputs
    return Network(graph, outputs or graph.outputs, at_inference, lean, compute_dtype)


def _keeping_input(lower: Lowering) -> Lowering:
    """Return a lowering that computes its backward pass from its input alone; for layers without state."""

    def lowered(
        node: Node, params: Arrays, state: Arrays, /, *inputs: jax.Array, ctx: Context
    ) -> tuple[jax.Array, Arrays]:
        return jax.checkpoint(lambda params, *inputs: lower(node, params, state, *inputs, ctx=ctx)[0])(
            params, *inputs
        ), {}

    return lowered


def _held(
    tree: Mapping[str, dict[str, jax.Array]], what: str, name: str, specs: Mapping[str, object]
) -> dict[str, jax.Array]:
    """Return what a tree of parameters or state holds for a node; raises ValueError where something is missing."""
    found = tree.get(name, {})
    missing = specs.keys() - found.keys()
    if missing:
        raise ValueError(f"the {what} hold no `{min(missing)}` of `{name}`")
    return found
