"""The zoo in JAX: shapes, parameters and multiplies of the compiled networks are those of the calculator.

Nothing is allocated: JAX traces the functions on shapes alone.
"""

from __future__ import annotations

from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import pytest

from netcalc.compiler.network import Network, compile_graph
from tests.configs.zoo import CONFIGS, load, totals
from tests.conformance.jaxpr_macs import count_macs

BATCH = 2
KEY = jax.eval_shape(lambda: jax.random.key(0))


@cache
def compiled(config: str) -> tuple[Network, Any, Any, jax.ShapeDtypeStruct]:
    """Return a network that gives the tensor of every node, and shapes of its parameters, state and input."""
    graph = load(config)
    network = compile_graph(graph, tuple(graph.nodes))
    ((_, type),) = graph.inputs.items()
    x = jax.ShapeDtypeStruct((BATCH, *type.shape), jnp.float32)
    return network, *jax.eval_shape(network.init, KEY), x


def size(tree: Any) -> int:
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


@pytest.mark.parametrize("config", CONFIGS)
def test_jax_has_the_parameters_and_state_of_the_report(config: str) -> None:
    _, params, state, _ = compiled(config)
    assert (size(params), size(state)) == (totals(config).params.trainable, totals(config).params.state)


@pytest.mark.parametrize("config", CONFIGS)
def test_the_shapes_and_macs_of_every_node_are_those_of_jax(config: str) -> None:
    network, params, state, x = compiled(config)
    shapes = {name: (BATCH, *node.known.output.shape) for name, node in load(config).nodes.items()}
    traced, (outputs, _) = jax.make_jaxpr(network.apply, return_shape=True)(params, state, x)
    assert {name: output.shape for name, output in outputs.items()} == shapes
    assert count_macs(traced) == BATCH * totals(config).macs.forward

    train = partial(network.apply, train=True)
    outputs, new_state = jax.eval_shape(lambda p, s, x, k: train(p, s, x, key=k), params, state, x, KEY)
    assert {name: output.shape for name, output in outputs.items()} == shapes
    assert new_state == state


GRADIENTS = [
    "alexnet", "alexnet_2012", "c3d", "convnext_tiny", "densenet121", "efficientnet_b0", "googlenet", "m5",
    "lecture/stride2", "mobilenet_v1", "mobilenet_v2", "mobilenet_v3_small", "nin", "preact_resnet110", "resnet50",
    "resnext50", "shufflenet_v2_x1_0", "squeezenet1_1", "vgg16", "wrn_28_10", "zfnet",
]  # fmt: skip
"""One network of each family, without convolutions that have stride 1, no padding and a kernel above 1×1.

From the jaxpr of their input gradient one cannot tell which of its taps fall on padding that the gradient adds.
"""


@pytest.mark.parametrize("config", GRADIENTS)
def test_training_macs_are_those_of_jaxs_gradients(config: str) -> None:
    _, params, state, x = compiled(config)
    network = compile_graph(load(config))

    def loss(params: Any, state: Any, x: jax.Array, key: jax.Array) -> jax.Array:
        output, _ = network.apply(params, state, x, train=True, key=key)
        return output.sum()

    traced = jax.make_jaxpr(jax.grad(loss))(params, state, x, KEY)
    assert count_macs(traced) == BATCH * totals(config).macs.training
