"""What differs between two networks: changes told apart, and figures that add up."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

import netcalc
from netcalc.analysis.demand import make_demand
from netcalc.analysis.diff import Costs, Delta, Diff, NodeDiff, diff_schema
from netcalc.analysis.diff_graphs import diff_graphs
from netcalc.graph import Graph, build_complete
from netcalc.spec.load import load_spec, parse_spec
from tests.analysis.random_networks import chains, layers, network, plain_layers, renamed
from tests.conftest import ROOT

COSTS = [field.name for field in fields(Costs)]


def config(name: str, *overrides: str) -> Graph:
    return build_complete(load_spec(ROOT / "configs" / f"{name}.yaml", overrides))


def text(body: str, more: str = "") -> Graph:
    return build_complete(parse_spec(f"name: net\ninput: [16, 16, 3]\nlayers:\n{body}{more}"))


def compared(before: Graph, after: Graph, **options: Any) -> Diff:
    return netcalc.diff(before, after, **options)


def words(found: Diff) -> dict[str, tuple[str, ...]]:
    return {str(node.after or node.before): node.change for node in found.nodes}


def settings(found: Diff) -> dict[str, tuple[Any, Any]]:
    return {change.path: (change.before, change.after) for change in found.settings}


@given(layers)
def test_a_network_does_not_differ_from_itself(found: list[str]) -> None:
    data = compared(network(found), network(found)).to_dict()
    assert (data["differs"], data["nodes"], data["settings"]) == (False, [], [])
    assert all(data["totals"][name]["delta"] == 0 for name in COSTS)
    assert data["counts"]["unchanged"] == len(network(found).nodes)


@given(chains, st.data())
def test_names_alone_are_renames_alone(found: list[str], data: st.DataObject) -> None:
    graph = network(found)
    new = dict(zip(graph.nodes, data.draw(st.permutations([*graph.nodes, "x", "y"])), strict=False))
    result = compared(graph, renamed(graph, new))
    assert {node.before: node.after for node in result.nodes} == {a: b for a, b in new.items() if a != b}
    assert {node.change for node in result.nodes} <= {("renamed",)}
    assert result.settings == ()


@given(chains, plain_layers, st.data())
def test_one_layer_more_is_one_added_and_what_it_affects(found: list[str], layer: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(found)))
    own = {i: f"layer_{i}" for i in range(len(found))}
    longer = network([*found[:at], layer, *found[at:]], {i + (i >= at): name for i, name in own.items()})
    before = network(found, own)
    result = compared(before, longer)
    assert (result.counts.added, result.counts.removed) == (1, 0)
    facts = {name: (node.known, longer.nodes[name].known) for name, node in before.nodes.items()}
    for node in result.nodes:
        if node.change != ("added",):
            assert node.change == ("affected",)
            old, new = facts[str(node.before)]
            # The first trained layer needs no gradient of its input; a layer with parameters before it does.
            assert old != new or node.costs.training_macs.delta or node.costs.training_flops.delta


@given(layers, layers)
def test_totals_are_those_of_the_reports_and_nodes_add_up_to_them(old: list[str], new: list[str]) -> None:
    before, after = network(old), network(new)
    result = compared(before, after)
    reports = netcalc.analyze(before, batch=1), netcalc.analyze(after, batch=1)
    for name, of in REPORTED.items():
        delta: Delta = getattr(result.totals, name)
        assert (delta.before, delta.after) == tuple(map(of, reports))
        assert delta.delta == of(reports[1]) - of(reports[0])
    for name in COSTS:
        assert sum(getattr(node.costs, name).delta for node in result.nodes) == getattr(result.totals, name).delta


REPORTED: dict[str, Callable[[Any], Any]] = {
    "trainable_params": lambda report: report.totals.params.trainable,
    "frozen_params": lambda report: report.totals.params.frozen,
    "state": lambda report: report.totals.params.state,
    "macs": lambda report: report.totals.macs.forward,
    "training_macs": lambda report: report.totals.macs.training,
    "flops": lambda report: report.totals.flops.forward,
    "training_flops": lambda report: report.totals.flops.training,
    "activation_elements": lambda report: report.totals.activations.node_output_elements,
    "training_bytes": lambda report: report.totals.memory.training.total_bytes,
    "inference_bytes": lambda report: report.totals.memory.inference.total_bytes,
}
TIMES: dict[str, Callable[[Any], Any]] = {
    "training_seconds": lambda report: report.totals.seconds.training_step,
    "inference_seconds": lambda report: report.totals.seconds.inference_batch,
}


def test_memory_and_time_are_those_of_analyze_under_the_same_options() -> None:
    graphs = config("resnet18"), config("resnet34")
    options: dict[str, Any] = {"batch": 32, "optimizer": "momentum", "precision": "mixed", "device": "t4"}
    totals = compared(*graphs, **options).totals
    reports = [netcalc.analyze(graph, **options) for graph in graphs]
    for name, of in {**REPORTED, **TIMES}.items():
        delta = getattr(totals, name)
        old, new = map(of, reports)
        assert (delta.before, delta.after, delta.delta) == (old, new, new - old)
        assert delta.percent == (100 * (new - old) / old if old else None)


def test_each_side_has_its_own_batch_and_optimizer_unless_asked() -> None:
    train = "train: {{data: digits, batch_size: {}, optimizer: {}}}\n"
    before = text("  - dense: 10\n", train.format(16, "sgd"))
    after = text("  - dense: 10\n", train.format(64, "adam"))
    own = compared(before, after)
    assert [(side.batch, side.optimizer) for side in (own.before, own.after)] == [(16, "sgd"), (64, "adam")]
    assert own.totals.training_bytes.delta
    assert settings(own) == {
        "train.batch_size": (16, 64),
        "train.optimizer": ({"sgd": {"learning_rate": 0.01}}, {"adam": ADAM}),
    }
    assert (own.differs, own.nodes) == (True, ())
    asked = compared(before, after, batch=8, optimizer="sgd")
    assert asked.totals.training_bytes.delta == 0


ADAM = {"learning_rate": 0.001, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "dialect": "paper"}


def test_memory_of_a_device_without_a_rule_is_not_known() -> None:
    totals = compared(config("lenet5"), config("lenet5_original"), device="tpu-v4").totals
    assert totals.training_bytes == Delta(None, None, None, None)
    assert totals.training_seconds is not None


@given(layers, layers)
def test_the_other_way_round_everything_is_turned_around(old: list[str], new: list[str]) -> None:
    there, back = compared(network(old), network(new)), compared(network(new), network(old))
    for name in COSTS:
        assert getattr(there.totals, name).delta == -getattr(back.totals, name).delta
    turned = {"added": "removed", "removed": "added"}

    def facts(node: NodeDiff) -> tuple[Any, ...]:
        changes = {(change.path, repr(change.before), repr(change.after)) for change in node.fields}
        return (node.before, node.after, frozenset(node.change), frozenset(changes), node.costs.macs.delta)

    def turned_facts(node: NodeDiff) -> tuple[Any, ...]:
        change = frozenset(turned.get(word, word) for word in node.change)
        changes = {(change.path, repr(change.after), repr(change.before)) for change in node.fields}
        macs = node.costs.macs.delta
        assert macs is not None
        return (node.after, node.before, change, frozenset(changes), -macs)

    assert set(map(facts, there.nodes)) == set(map(turned_facts, back.nodes))


def test_a_field_of_a_layer() -> None:
    result = compared(config("lenet5"), config("lenet5", "layers.c1.filters=8"))
    assert words(result) == {"c1": ("changed",), "tanh1": ("affected",), "s2": ("affected",), "c3": ("affected",)}
    (c1, _, _, c3) = result.nodes
    assert [(change.path, change.before, change.after) for change in c1.fields] == [("filters", 6, 8)]
    # 5·5·1·2 weights and 2 biases more; 2 channels more for each of 16 kernels of 5·5.
    assert (c1.costs.trainable_params.delta, c3.costs.trainable_params.delta) == (52, 800)
    assert (c1.costs.macs.delta, c3.costs.macs.delta) == (28 * 28 * 50, 10 * 10 * 800)
    assert result.totals.trainable_params == Delta(61_706, 62_558, 852, 100 * 852 / 61_706)


def test_a_width_affects_or_changes_every_node_and_adds_none() -> None:
    result = compared(config("mobilenet_v2"), config("mobilenet_v2", "params.width=0.75"))
    counts = result.counts
    assert (counts.added, counts.removed, counts.renamed, counts.moved) == (0, 0, 0, 0)
    assert counts.changed > 0
    assert settings(result)["params.width"][1] == 0.75


def test_blocks_of_a_deeper_network_are_told_as_groups() -> None:
    result = compared(config("resnet18"), config("resnet34"))
    assert (result.counts.added, result.counts.unchanged) == (56, 68)
    groups = {node.group for node in result.nodes}
    assert groups == {"conv2_x.3", "conv3_x.3", "conv3_x.4", "conv5_x.3", *(f"conv4_x.{i}" for i in (3, 4, 5, 6))}
    assert settings(result)["params.depths"] == ([2, 2, 2, 2], [3, 4, 6, 3])


def test_receptive_fields_of_outputs() -> None:
    (pair,) = compared(
        text("  - {conv: {filters: 4, kernel: 3}, name: out}\n"),
        text("  - {conv: {filters: 4, kernel: 5}, name: out}\n"),
    ).outputs
    assert pair.before is not None
    assert pair.after is not None
    assert (pair.before.receptive_field, pair.after.receptive_field) == ((3.0, 3.0), (5.0, 5.0))
    assert (pair.before.shape, pair.after.shape) == ((14, 14, 4), (12, 12, 4))


BRANCHES = """\
  - {conv: {filters: 3, kernel: 1}, name: a}
  - {conv: {filters: 3, kernel: 3, padding: same}, name: b}
  - {add: , name: sum, from: [%s]}
"""


def test_another_input_is_a_move() -> None:
    result = compared(text(BRANCHES % "a, b"), text(BRANCHES % "b, input"))
    assert words(result) == {"sum": ("moved",)}
    wiring = result.nodes[0].inputs
    assert wiring is not None
    assert (wiring.before, wiring.after) == (("a", "b"), ("b", "input"))


def test_another_place_is_a_move() -> None:
    lines = ["  - {relu: , name: r}\n", "  - {tanh: , name: t}\n", "  - {conv: {filters: 3, kernel: 1}, name: c}\n"]
    result = compared(text("".join(lines)), text("".join((lines[2], *lines[:2]))))
    assert "moved" in words(result)["c"]
    assert result.counts.added == result.counts.removed == 0


def test_sharing_freezing_and_train_only_are_changes_of_the_node() -> None:
    body = "  - {{dense: 8, name: a}}\n  - {{dense: 8, name: b}}\n  - {{dense: 8, name: c{}}}\n"
    plain = text(body.format(""))
    frozen = compared(plain, text(body.format(", trainable: false")))
    assert [(c.path, c.before, c.after) for c in frozen.nodes[-1].fields] == [("trainable", True, False)]
    shared = compared(plain, text(body.format(", share: b")))
    (node,) = (node for node in shared.nodes if node.after == "c")
    assert [(c.path, c.before, c.after) for c in node.fields] == [("share", None, "b")]
    head = "  - {relu: , name: a}\n  - {tanh: , name: b, from: a}\n  - {tanh: , name: c, from: a}\n"
    one = text(head, "outputs: [b, c]\n")
    other = text(head, "outputs: [b, {name: c, train_only: true}]\n")
    result = compared(one, other)
    assert [(c.path, c.before, c.after) for c in result.nodes[0].fields] == [("train_only", False, True)]
    assert settings(result) == {"outputs": (["b", "c"], ["b", "c (train only)"])}


def test_parameters_that_json_has_no_number_for() -> None:
    before, after = (
        text("  - relu\n", f"params: {{x: .nan, y: [{y}], z: {z}}}\n") for y, z in ((".inf", 1), ("-.inf", True))
    )
    result = compared(before, after)
    assert settings(result) == {"params.y": ([".inf"], ["-.inf"]), "params.z": (1, True)}
    json.dumps(result.to_dict(), allow_nan=False)
    assert not compared(before, before).differs


def test_settings_beside_nodes() -> None:
    before = text("  - relu\n", "budgets: {params: {max: 10}}\n")
    after = build_complete(
        parse_spec(
            "name: other\ninputs: {image: {shape: [16, 16, 3], dtype: uint8}}\nlayers:\n  - {relu: , from: image}\n"
        )
    )
    result = compared(before, after)
    assert settings(result) == {
        "name": ("net", "other"),
        "inputs.input": ({"shape": [16, 16, 3], "dtype": "float32"}, None),
        "inputs.image": (None, {"shape": [16, 16, 3], "dtype": "uint8"}),
        "budgets.params": ({"level": "error", "max": 10}, None),
    }
    assert result.nodes == ()


def test_outputs_are_followed_by_what_they_are() -> None:
    layers = "  - {conv: {filters: 4, kernel: 1}}\n  - {conv: {filters: 8, kernel: 1}}\n"
    first = "  - {conv: {filters: 3, kernel: 1}}\n"
    before = text(layers, "outputs: [conv1, conv2]\n")
    followed = compared(before, text(first + layers, "outputs: [conv2, conv3]\n"))
    assert (settings(followed), followed.counts.added) == ({}, 1)
    # The same names, of other nodes.
    other = compared(before, text(first + layers, "outputs: [conv1, conv2, conv3]\n"))
    assert settings(other) == {"outputs": (["conv1", "conv2"], ["conv1", "conv2", "conv3"])}
    same_names = compared(text(layers), text(first + layers, "outputs: [conv2]\n"))
    assert settings(same_names) == {"outputs": (["conv3"], ["conv2"])}


def test_an_owner_of_parameters_that_is_gone() -> None:
    body = "  - {dense: 8, name: a}\n  - {tanh: , name: t}\n"
    before = text("  - {dense: 8, name: gone}\n" + body + "  - {dense: 8, name: z, share: a}\n")
    after = text("  - {tanh: , name: t}\n  - {dense: 8, name: z}\n")
    result = compared(before, after)
    (node,) = (node for node in result.nodes if node.after == "z")
    assert [(c.path, c.before, c.after) for c in node.fields] == [("share", "a", None)]


def test_the_published_schema_is_the_current_one(golden: Any) -> None:
    golden(ROOT / "docs" / "diff.schema.json", json.dumps(diff_schema(), indent=2) + "\n")


@pytest.mark.parametrize("device", [None, "t4", "tpu-v4"])
def test_diffs_follow_the_schema(device: str | None) -> None:
    schema = diff_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    objects = [schema, *(d for d in schema["$defs"].values() if d.get("type") == "object")]
    assert all(d.get("description") for d in objects)
    assert all(set(d["required"]) == d["properties"].keys() for d in objects)
    validator = jsonschema.Draft202012Validator(schema)
    for names in (("lenet5", "lenet5_original"), ("resnet18", "resnet34"), ("lenet5", "lenet5")):
        data = compared(*map(config, names), device=device).to_dict()
        validator.validate(json.loads(json.dumps(data, allow_nan=False)))


def test_sources_name_the_sides() -> None:
    graph = config("lenet5")
    demands = (make_demand(graph), make_demand(graph))
    found = diff_graphs(graph, graph, demands, ("HEAD:lenet5.yaml", "lenet5.yaml"))
    assert (found.before.source, found.after.source) == ("HEAD:lenet5.yaml", "lenet5.yaml")
