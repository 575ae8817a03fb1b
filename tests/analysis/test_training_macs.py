"""Training and padding-exact MACs against gradients in the jaxpr and against every tap."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import pytest

from netcalc.analysis.cost import forward_macs, padding_exact_macs
from netcalc.analysis.training import training_costs
from netcalc.compiler.network import compile_graph
from netcalc.graph import build_complete
from netcalc.spec.load import load_spec, parse_spec

NETS = {
    "chain": "[conv: {filters: 4, kernel: 3}, relu, conv: {filters: 2, kernel: 3}, flatten, dense: 3]",
    "frozen start": "[{conv: {filters: 4, kernel: 3}, trainable: false}, relu, conv: {filters: 2, kernel: 3}]",
    "frozen middle": "[conv: {filters: 4, kernel: 3}, {conv: {filters: 2, kernel: 3}, trainable: false}]",
    "branches": "[parallel: [[conv: {filters: 2, kernel: 1}], [relu]], conv: {filters: 2, kernel: 3}]",
}


def graph_of(layers: str):
    return build_complete(parse_spec(f"input: [9, 8, 3]\nlayers: {layers}\n"))


def dots(jaxpr) -> int:
    """Count the convolutions and matrix products of a jaxpr."""
    count = 0
    for equation in jaxpr.eqns:
        count += equation.primitive.name in ("conv_general_dilated", "dot_general")
        for value in equation.params.values():
            inner = getattr(value, "jaxpr", None)
            count += dots(inner) if inner is not None else 0
    return count


@pytest.mark.parametrize("layers", NETS.values(), ids=NETS)
def test_jax_takes_as_many_products_as_are_counted(layers: str) -> None:
    graph = graph_of(layers)
    network = compile_graph(graph)
    params, state = network.init(jax.random.key(0))
    trained = {name: group for name, group in params.items() if graph.nodes[name].spec.trainable}

    def loss(trained):
        return jnp.sum(network.apply(params | trained, state, jnp.ones((1, 9, 8, 3)))[0])

    counted = 0
    for name, cost in training_costs(graph).items():
        forward = forward_macs(graph.nodes[name].known)
        counted += cost.macs // forward if forward else 0
    jaxpr = jax.make_jaxpr(jax.grad(loss))(trained).jaxpr
    # The loss of a last linear layer has a gradient that does not read its output, which is then never computed.
    assert dots(jaxpr) in (counted, counted - 1)


def test_the_worked_example_of_the_lecture() -> None:
    graph = build_complete(load_spec("configs/lecture/stride2.yaml"))
    assert sum(cost.macs for cost in training_costs(graph).values()) == 3_306_781_248


@pytest.mark.parametrize("padding", ["same", "2", "[0, 3]", "[[2, 0], [0, 1]]"])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("dilation", [1, 2])
def test_padding_exact_macs_leave_out_every_tap_on_padding(padding: str, stride: int, dilation: int) -> None:
    fields = f"filters: 4, kernel: [3, 2], stride: {stride}, dilation: {dilation}, padding: {padding}, groups: 2"
    graph = build_complete(parse_spec(f"input: [9, 8, 6]\nlayers: [conv: {{{fields}}}]\n"))
    facts = graph.nodes["conv1"].known
    rows, columns = facts.window
    inside = 0
    for i in range(rows.output):
        for j in range(columns.output):
            for a in range(rows.size):
                for b in range(columns.size):
                    y = i * rows.stride - rows.padding[0] + a * rows.dilation
                    x = j * columns.stride - columns.padding[0] + b * columns.dilation
                    inside += 0 <= y < 9 and 0 <= x < 8
    assert padding_exact_macs(facts) == inside * 4 * 6 // 2


def test_a_node_that_shares_frozen_parameters_takes_no_weight_gradient() -> None:
    layers = (
        "[conv: {filters: 3, kernel: 1}, {conv: {filters: 3, kernel: 1}, name: c, trainable: false}, "
        "{conv: {filters: 3, kernel: 1}, share: c, name: d}]"
    )
    graph = graph_of(layers)
    forward = forward_macs(graph.nodes["d"].known)
    assert training_costs(graph)["d"].macs == 2 * forward
