"""Initial values of parameters and state, from their specs."""

from __future__ import annotations

import math
from dataclasses import replace

import jax
import jax.numpy as jnp

from netcalc.compiler.context import named_key
from netcalc.graph import Graph
from netcalc.layers.base import ParamSpec
from netcalc.layers.initializer import Constant, Normal, Orthogonal, Uniform, VarianceScaling

Params = dict[str, dict[str, jax.Array]]
State = dict[str, dict[str, jax.Array]]


def initial_params(graph: Graph, key: jax.Array) -> Params:
    """Return every node's parameters; a parameter's values depend on the key and its own name alone."""
    return {
        node.name: {
            name: draw(spec, named_key(key, f"{node.name}/{name}")) for name, spec in node.known.params.items()
        }
        for node in graph.nodes.values()
        if node.known.params and node.owner == node.name
    }


def initial_state(graph: Graph) -> State:
    """Return every node's state at its start."""
    return {
        node.name: {name: jnp.full(s.shape, s.start, s.dtype) for name, s in node.known.state.items()}
        for node in graph.nodes.values()
        if node.known.state
    }


def draw(spec: ParamSpec, key: jax.Array) -> jax.Array:
    """Return one parameter's initial values."""
    if "g" in spec.axes:
        return _by_gate(spec, key)
    match spec.init.chosen:
        case Constant(value=value):
            return jnp.full(spec.shape, value, spec.dtype)
        case Uniform(low=low, high=high):
            return jax.random.uniform(key, spec.shape, spec.dtype, low, high)
        case Normal(mean=mean, std=std):
            return mean + std * jax.random.normal(key, spec.shape, spec.dtype)
        case VarianceScaling(scale=scale, fan=fan, distribution=distribution):
            units = spec.fan_in if fan == "in" else (spec.fan_in + spec.fan_out) / 2
            std = math.sqrt(scale / units)
            if distribution == "normal":
                return std * jax.random.normal(key, spec.shape, spec.dtype)
            limit = math.sqrt(3.0) * std  # uniform[−a, a] has variance a²/3
            return jax.random.uniform(key, spec.shape, spec.dtype, -limit, limit)
        case Orthogonal(gain=gain):
            rows, columns = math.prod(spec.shape[:-1]), spec.shape[-1]
            matrix = jax.random.orthogonal(key, rows, (), spec.dtype, columns)
            return gain * matrix.reshape(spec.shape)
    raise AssertionError(f"no rule draws {spec.init.kind}")


def _by_gate(spec: ParamSpec, key: jax.Array) -> jax.Array:
    at = spec.axes.index("g")
    inits = spec.gate_inits or (spec.init,) * spec.shape[at]
    one = replace(
        spec, shape=spec.shape[:at] + spec.shape[at + 1 :], axes=spec.axes.replace("g", ""), gate_inits=()
    )
    gates = [draw(replace(one, init=init), jax.random.fold_in(key, gate)) for gate, init in enumerate(inits)]
    return jnp.stack(gates, axis=at)
