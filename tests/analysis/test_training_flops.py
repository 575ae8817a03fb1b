"""Training FLOPs: counts by hand, what freezing spares, and the optimizer's update."""

from __future__ import annotations

import json
from typing import Any

import pytest

from netcalc.analysis.optimizers import OPTIMIZERS
from netcalc.analysis.training import training_costs
from netcalc.graph import Graph, build_complete
from netcalc.spec.load import parse_spec
from netcalc.spec.training import OptimizerSpec
from tests.analysis.networks import MISFIT, report_of
from tests.configs.zoo import CONFIGS, load

CONV = {"conv": {"filters": 3, "kernel": 1}}
"""On 4×5×3: 60 outputs of 3 MACs and a bias each."""


def graph_of(layers: list[Any], **sections: Any) -> Graph:
    return build_complete(parse_spec(json.dumps({"input": [4, 5, 3], "layers": layers, **sections})))


def flops_of(*layers: Any) -> list[int]:
    return [cost.flops for cost in training_costs(graph_of(list(layers))).values()]


def frozen(layer: Any) -> dict[str, Any]:
    return {**(layer if isinstance(layer, dict) else {layer: None}), "trainable": False}


def test_a_small_network_by_hand() -> None:
    layers = [
        CONV,  # forward and weight gradient: 2 · 180 MACs; a bias forward and its gradient's sum
        "batch_norm",  # 5 forward, 5 backward: the batch's own statistics
        "relu",
        {"max_pool": {"kernel": 2, "stride": 1}},  # 36 outputs of 4; backward one each
        {"dropout": 0.5},  # mask and scale, forward and backward
        "flatten",
        {"dense": 4},  # three products of 36 · 4 MACs, a bias each
    ]
    by_hand = [
        2 * 2 * 180 + 2 * 60,
        (5 + 5) * 60,
        2 * 60,
        36 * 4 + 36,
        2 * 2 * 36,
        0,
        2 * 3 * 144 + 2 * 4,
    ]
    assert flops_of(*layers) == by_hand
    report = report_of(json.dumps({"input": [4, 5, 3], "layers": layers}))
    assert [layer.flops.training for layer in report.layers] == by_hand
    assert report.totals.flops.training == sum(by_hand)


@pytest.mark.parametrize(
    ("layer", "forward", "backward"),
    [
        ("relu", 60, 60), ("tanh", 60, 60), ("gelu", 120, 120), ("crelu", 120, 120), ("softmax", 180, 180),
        ("flatten", 0, 0), ({"dropout": 0}, 0, 0), ({"dropout": 0.1}, 120, 120),
        ({"spatial_dropout": 0.5}, 120, 120), ({"drop_path": 0.5}, 120, 120),
        ("batch_norm", 300, 300), ("instance_norm", 300, 300), ({"maxout": 3}, 60, 20),
        ({"avg_pool": 2}, 48, 48), ({"max_pool": 2}, 48, 12), ({"stochastic_pool": 2}, 96, 12),
        ("global_avg_pool", 60, 60), ("global_max_pool", 60, 3),
        ({"upsample": 2}, 0, 240), ({"upsample": {"scale": 2, "method": "bilinear"}}, 1920, 1920),
        ({"pad": 1}, 0, 0), ({"pad": {"padding": 1, "mode": "edge"}}, 0, 3 * (6 * 7 - 4 * 5)),
    ],
    ids=str,
)  # fmt: skip
def test_elementwise_work_forward_and_backward(layer: Any, forward: int, backward: int) -> None:
    # Below a trained convolution all backward work is done, alone on the input none that has no parameters.
    assert flops_of(CONV, layer)[-1] == forward + backward
    alone = flops_of(layer)[0]
    assert alone == (forward + backward if layer in ("batch_norm",) else forward)


@pytest.mark.parametrize(
    ("branches", "backward"),
    [
        ([["relu"], ["relu"]], 2 * 60),  # dy · b and dy · a
        ([["relu"], ["relu"], ["relu"]], 6 * 60),  # two products for each
        ([["relu"], ["global_avg_pool"]], 2 * 60 + 60),  # the gate's gradient is summed over positions
    ],
)
def test_the_gradients_of_a_product(branches: list[Any], backward: int) -> None:
    group = {"parallel": {"branches": branches, "merge": "multiply"}}
    assert flops_of(CONV, group)[-1] == (len(branches) - 1) * 60 + backward


def test_what_a_frozen_batch_norm_computes_is_that_of_inference() -> None:
    assert flops_of(CONV, frozen("batch_norm"))[1] == 2 * (2 * 60)
    assert flops_of(frozen("batch_norm"))[0] == 2 * 60


def test_nothing_trained_means_nothing_backward() -> None:
    layers = [frozen(CONV), frozen("batch_norm"), "relu", {"dropout": 0.5}, "flatten", frozen({"dense": 4})]
    forward = [2 * 180 + 60, 2 * 60, 60, 2 * 60, 0, 2 * 240 + 4]
    assert flops_of(*layers) == forward
    # Only what lies above the first trained layer has a backward pass.
    assert flops_of(*layers[:3], CONV, *layers[3:])[:3] == forward[:3]


def test_a_node_that_no_output_follows_from_has_no_backward_pass() -> None:
    layers = [CONV, {"relu": None, "name": "kept"}, {"tanh": None, "name": "aside", "from": "kept"}]
    assert [cost.flops for cost in training_costs(graph_of(layers, outputs=["kept"])).values()][1:] == [120, 60]


@pytest.mark.parametrize("config", CONFIGS)
def test_training_costs_more_than_its_products(config: str) -> None:
    graph = load(config)
    for name, cost in training_costs(graph).items():
        forward = 2 * sum(kernel.macs for kernel in graph.nodes[name].known.kernels)
        elementwise = sum(kernel.forward_training_flops for kernel in graph.nodes[name].known.kernels)
        assert cost.flops >= 2 * cost.macs + elementwise >= forward + elementwise


def test_unknown_nodes_leave_the_total_unknown() -> None:
    report = report_of(MISFIT)
    assert report.totals.flops.training is None
    assert [layer.flops.training is None for layer in report.layers] == [False, True, True]


@pytest.mark.parametrize("name", OptimizerSpec.model_fields)
def test_the_update_is_a_line_of_its_own(name: str) -> None:
    spec = {"input": [4, 5, 3], "layers": [CONV, frozen({"dense": 7})]}
    untrained = report_of(json.dumps(spec))
    report = report_of(json.dumps({**spec, "train": {"data": "digits", "optimizer": name}}))
    assert untrained.totals.update is None
    assert report.totals.flops == untrained.totals.flops
    update, cost = report.totals.update, OPTIMIZERS[name]
    assert update is not None
    weights, biases, others = 9, 3, cost.others or cost
    flops = weights * cost.flops + biases * others.flops
    if name == "adamw":
        flops += 2 * weights  # decay
    if name == "muon":
        flops += 5 * (3 * 2 * 3**3 + 5 * 3**2)  # three products of 3×3 matrices an iteration, and sums
    assert (update.optimizer, update.flops) == (name, flops)
    assert update.slot_elements == weights * cost.slots + biases * others.slots


def test_every_optimizer_of_the_spec_language_has_its_cost() -> None:
    assert set(OPTIMIZERS) == set(OptimizerSpec.model_fields)
