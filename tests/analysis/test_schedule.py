"""The schedule of a step: it multiplies what the report counts, and every buffer is written before it is read."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import pytest

from netcalc.analysis.operations import Buffer, Operation
from netcalc.analysis.report import analyze_graph
from netcalc.analysis.schedule import inference_schedule, training_schedule
from netcalc.analysis.setup import setup_of
from netcalc.analysis.tape import ALIGNMENT
from netcalc.graph import Graph, build_complete
from netcalc.layers.catalog import LAYERS
from netcalc.spec.load import parse_spec
from netcalc.spec.training import UpdateSpec
from tests.analysis.networks import NESTED, TWO_INPUTS
from tests.configs.zoo import CONFIGS, load
from tests.conformance.rows import ALL_ROWS

BATCH = 3
UPDATES = [
    UpdateSpec(),
    UpdateSpec.model_validate({"precision": "mixed", "remat": "conv_outputs", "clip": {"norm": 1.0}, "ema": 0.9}),
    UpdateSpec.model_validate({"precision": "bfloat16", "optimizer": "sgd"}),
]


def schedules(graph: Graph, update: UpdateSpec) -> tuple[tuple[Operation, ...], tuple[Operation, ...]]:
    setup = setup_of(graph, update, BATCH)
    return training_schedule(graph, setup), inference_schedule(graph, setup)


def assert_sound(operations: Sequence[Operation], graph: Graph) -> None:
    written: set[Buffer] = set()
    for operation in operations:
        assert operation.node in graph.nodes
        assert {b for b in operation.reads if b.role != "argument"} <= written
        fresh = [b for b in operation.writes if b.role != "argument"]
        assert not written & set(fresh)
        written |= set(fresh)
    assert all(b.bytes % ALIGNMENT == 0 for b in written)
    assert {b.node for b in chain.from_iterable((*o.reads, *o.writes) for o in operations)} <= {
        *graph.nodes,
        *graph.inputs,
    }


@pytest.mark.parametrize("config", CONFIGS)
def test_a_step_multiplies_what_the_report_counts(config: str) -> None:
    graph = load(config)
    macs = analyze_graph(graph).totals.macs
    for update in UPDATES:
        training, inference = schedules(graph, update)
        assert_sound(training, graph)
        assert_sound(inference, graph)
        assert sum(operation.macs for operation in training) == BATCH * (macs.training or 0)
        assert sum(operation.macs for operation in inference) == BATCH * (macs.forward or 0)


@pytest.mark.parametrize("text", [NESTED, TWO_INPUTS], ids=["nested", "two inputs"])
def test_groups_and_several_ends(text: str) -> None:
    graph = build_complete(parse_spec(text, "spec.yaml"))
    for update in UPDATES:
        for operations in schedules(graph, update):
            assert_sound(operations, graph)


@pytest.mark.parametrize("kind", LAYERS)
def test_every_kind_of_layer(kind: str) -> None:
    for row in (row for row in ALL_ROWS if row.kind == kind):
        for update in UPDATES:
            training, inference = schedules(row.graph, update)
            assert_sound(training, row.graph)
            assert_sound(inference, row.graph)
            macs = analyze_graph(row.graph).totals.macs
            assert sum(operation.macs for operation in training) == BATCH * (macs.training or 0)
            assert sum(operation.macs for operation in inference) == BATCH * (macs.forward or 0)


def test_an_output_that_is_computed_for_nobody_else_belongs_to_its_own_node() -> None:
    text = "input: [8]\nlayers: [{tanh: , name: a}, {sigmoid: , name: b}]\noutputs: [a, b]\n"
    _, inference = schedules(build_complete(parse_spec(text, "spec.yaml")), UpdateSpec())
    assert [operation.node for operation in inference] == ["a", "b"]


def test_phases_follow_each_other_and_updates_come_with_gradients() -> None:
    graph = load("resnet18")
    training, inference = schedules(graph, UpdateSpec())
    assert {operation.phase for operation in inference} == {"forward"}
    order = ["forward", "backward", "update"]
    phases = [order.index(operation.phase) for operation in training]
    assert phases == sorted(phases)
    updated = [operation.node for operation in training if operation.name == "update"]
    products = {name for name, node in graph.nodes.items() if node.kind in ("conv", "dense")}
    assert sorted(updated) == sorted(products)
    clipped, _ = schedules(graph, UPDATES[1])
    assert [operation.phase for operation in clipped if operation.name == "update"] == ["update"] * len(products)


def test_operations_bear_the_name_of_the_layer_that_they_are() -> None:
    """The lean form lets a ReLU and its max pool change places; what is said of a node is of its own layer."""
    layers = "[{conv: {filters: 4, kernel: 3}}, {relu: , name: act}, {max_pool: 2, name: pool}, flatten, dense: 2]"
    graph = build_complete(parse_spec(f"name: n\ninput: [8, 8, 1]\nlayers: {layers}\n"))
    operations = training_schedule(graph, setup_of(graph, UpdateSpec()))
    assert {operation.node for operation in operations if operation.name == "pool"} == {"pool"}
    assert {buffer.node for operation in operations for buffer in operation.writes if buffer.name == "index"} == {
        "pool"
    }


def test_a_recurrent_layer_multiplies_by_each_of_its_kernels_once() -> None:
    graph = build_complete(parse_spec("name: n\ninput: [5, 7]\nlayers: [{lstm: 3}, flatten, dense: 2]\n"))
    operations = training_schedule(graph, setup_of(graph, UpdateSpec()))
    gradients = [b.bytes for o in operations if o.node == "lstm1" for b in o.writes if b.role == "weight_gradient"]
    aligned = [-(-4 * size // 128) * 128 for size in (7 * 4 * 3, 3 * 4 * 3)]
    assert sorted(gradients) == sorted(aligned)
