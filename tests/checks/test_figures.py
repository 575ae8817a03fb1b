"""Figures that budgets limit: against the report, published depths and receptive fields, and a real file."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import save

from netcalc.analysis.depth import last_maps, weighted_depth
from netcalc.analysis.file_size import model_file_bytes
from netcalc.analysis.report import analyze_graph
from netcalc.checks.figures import FIGURES, UnknownFigureError
from netcalc.graph import Graph, build_complete
from netcalc.spec.budgets import Budgets, MemoryBudget, SizeBudget, TimeBudget
from netcalc.spec.load import parse_spec
from tests.configs.zoo import load

SIZE = SizeBudget(max=0)


def graph_of(text: str) -> Graph:
    return build_complete(parse_spec(text))


def test_every_figure_has_a_field_in_the_spec_and_the_other_way_round() -> None:
    assert set(FIGURES) == set(Budgets.model_fields) - {"nodes", "baseline"}


@pytest.mark.parametrize(
    ("name", "depth"),
    [
        ("lenet5", 5), ("alexnet", 8), ("vgg16", 16), ("vgg19", 19), ("googlenet", 22), ("resnet18", 18),
        ("resnet50", 50), ("resnet152", 152), ("densenet121", 121), ("resnet20", 20),
    ],
)  # fmt: skip
def test_depth_is_what_networks_are_named_after(name: str, depth: int) -> None:
    assert weighted_depth(load(name)) == depth


# Araujo, Norris & Sim 2019, but for ResNet-50, whose stride stands in the 3×3 convolution here: 427 for 483.
@pytest.mark.parametrize(
    ("name", "side"), [("alexnet_2012", 195), ("vgg16", 212), ("resnet50", 427), ("lenet5", 16)]
)
def test_the_receptive_field_of_the_last_maps(name: str, side: int) -> None:
    found = last_maps(load(name))
    assert found is not None
    assert {int(axis.size) for axis in found[1].axes} == {side}


def test_of_two_heads_the_one_that_sees_less_counts() -> None:
    text = """
input: [32, 32, 1]
layers:
  - {conv: {filters: 2, kernel: 3}, name: near}
  - {conv: {filters: 2, kernel: 5}, name: far}
outputs: [near, far]
"""
    found = last_maps(graph_of(text))
    assert found is not None
    assert found[0] == "near"


def test_a_network_without_maps_has_no_receptive_field() -> None:
    with pytest.raises(UnknownFigureError, match="no receptive field"):
        FIGURES["receptive_field"].of(graph_of("input: [8]\nlayers: [{dense: 3}]\n"), SIZE)


@pytest.mark.parametrize("name", ["lenet5", "resnet20", "mobilenet_v2"])
def test_the_size_of_the_file_is_that_of_the_file(name: str) -> None:
    graph = load(name)
    arrays: dict[str, NDArray[np.float32]] = {}
    for node in graph.nodes.values():
        if node.owner == node.name:
            arrays |= {f"{node.name}/{key}": np.zeros(p.shape, np.float32) for key, p in node.known.params.items()}
        arrays |= {f"{node.name}/{key}": np.zeros(s.shape, np.float32) for key, s in node.known.state.items()}
    assert model_file_bytes(graph) == len(save(arrays))


def test_figures_are_those_of_the_report() -> None:
    graph = load("resnet18")
    report = analyze_graph(graph)
    totals = report.totals
    assert FIGURES["params"].of(graph, SIZE).total == totals.params.trainable
    assert FIGURES["macs"].of(graph, SIZE).total == totals.macs.forward
    assert FIGURES["flops"].of(graph, SIZE).total == totals.flops.forward
    assert FIGURES["training_flops"].of(graph, SIZE).total == totals.flops.training
    elements = totals.activations.node_output_elements
    assert elements is not None
    assert FIGURES["activation_bytes"].of(graph, SIZE).total == 4 * elements


def test_memory_and_time_are_those_of_the_estimate() -> None:
    from netcalc.api import analyze

    graph = load("resnet18")
    totals = analyze(graph, batch=16, device="t4", optimizer="adam", precision="mixed").totals
    assert totals.memory is not None
    assert totals.memory.training is not None
    assert totals.memory.inference is not None
    assert totals.seconds is not None
    asked = {"device": "t4", "batch": 16, "precision": "mixed"}
    memory = MemoryBudget.model_validate({**asked, "max": "1GB", "optimizer": "adam"})
    found = FIGURES["memory"].of(graph, memory)
    assert found.total == totals.memory.training.total_bytes + totals.memory.ahead_bytes
    at_inference = memory.model_copy(update={"during": "inference"})
    assert FIGURES["memory"].of(graph, at_inference).total == totals.memory.inference.total_bytes
    time = TimeBudget.model_validate({**asked, "max": "1s"})
    assert FIGURES["time"].of(graph, time).total == totals.seconds.training_step
    at_inference_time = time.model_copy(update={"during": "inference"})
    assert FIGURES["time"].of(graph, at_inference_time).total == totals.seconds.inference_batch


@pytest.mark.parametrize("device", ["h1000", "v5e"])
def test_a_device_without_a_rule_or_a_name_is_told(device: str) -> None:
    budget = MemoryBudget.model_validate({"device": device, "max": "1GB"})
    with pytest.raises(UnknownFigureError, match=r"unknown device|no rule"):
        FIGURES["memory"].of(load("lenet5"), budget)
