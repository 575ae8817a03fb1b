"""What a demand comes to in a report: memory, the least time and its price, and what is not known of them."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from typing import Any

import pytest

from netcalc.analysis.demand import make_demand
from netcalc.analysis.device_files import known_devices
from netcalc.analysis.devices import Device, find_device
from netcalc.analysis.estimate import estimate
from netcalc.analysis.exact import DoesNotFit, ExactMemory
from netcalc.analysis.report import Report, analyze_graph
from netcalc.analysis.roofline import Work, bounds, total_seconds
from netcalc.graph import Graph, build
from netcalc.layers.catalog import LAYERS
from netcalc.render.data import report_json
from netcalc.render.text import report_text
from netcalc.render.view import View
from netcalc.spec.load import parse_spec
from netcalc.spec.training import OptimizerSpec
from tests.analysis.networks import MISFIT, NESTED, TWO_INPUTS
from tests.configs.zoo import load
from tests.conformance.rows import ALL_ROWS

T4, H100, V5E = (find_device(name, known_devices()) for name in ("t4", "h100", "v5e"))
CPU = replace(T4, key="desk", kind="cpu")

DENSE = "name: d\ninput: [64]\nlayers: [{dense: {units: 32, bias: false}, name: a}]\n"
TRAINED = DENSE + "train: {data: digits, batch_size: 16, optimizer: momentum, precision: mixed}\n"
HEADS = """\
input: [8, 8, 3]
layers:
  - {conv: {filters: 4, kernel: 3}, name: stem}
  - {relu: , name: tail}
  - {flatten: , from: stem}
  - {dense: 10, name: aux}
outputs: [tail, {name: aux, train_only: true}]
"""


def graph_of(text: str) -> Graph:
    return build(parse_spec(text, "spec.yaml"))


def asked(text: str, **demand: Any) -> Report:
    graph = graph_of(text)
    return analyze_graph(graph, demand=make_demand(graph, **demand))


def test_the_report_of_a_demand() -> None:
    data = json.loads(report_json(asked(DENSE, batch=8, optimizer="adam", device=T4)))
    memory = data["totals"]["memory"]
    assert (memory["device"], memory["batch"], memory["optimizer"], memory["precision"]) == (
        "t4",
        8,
        "adam",
        "float32",
    )
    assert memory["training"]["parts"] == {
        "weights": 64 * 32 * 4,
        "gradients": 64 * 32 * 4,
        "optimizer": 2 * 64 * 32 * 4,
        "state": 0,
        "batch": 8 * (64 * 4 + 4),
        "activations": 0,
        "transient": 8 * 32 * 4,
        "snapshot": 0,
    }
    assert memory["training"]["total_bytes"] == sum(memory["training"]["parts"].values())
    assert (memory["training"]["peak_at"], memory["inference"]["peak_at"]) == ("a", "a")
    assert memory["inference"]["total_bytes"] == 64 * 32 * 4 + 8 * 64 * 4 + 8 * 32 * 4
    assert memory["exact"] is None
    assert (memory["usable_bytes"], memory["fits"]) == (T4.usable_bytes, True)
    assert data["layers"][0]["memory"] == {"weights_bytes": 8192, "alive_bytes": 8192 + 1024}
    assert data["batch"] == 8


def test_without_a_device_there_is_memory_and_no_time() -> None:
    report = asked(DENSE, batch=8)
    memory = report.totals.memory
    assert memory is not None
    assert (memory.device, memory.usable_bytes, memory.fits) == (None, None, None)
    assert memory.training is not None
    assert (report.totals.seconds, report.totals.cost, report.layers[0].seconds) == (None, None, None)


def test_without_a_demand_there_is_neither() -> None:
    report = analyze_graph(graph_of(DENSE), batch=8)
    assert (report.totals.memory, report.totals.seconds, report.totals.cost) == (None, None, None)
    assert (report.layers[0].memory, report.layers[0].seconds, report.batch) == (None, None, 8)


# What is asked for


def test_what_is_not_asked_for_is_the_spec_s_own() -> None:
    own = asked(TRAINED, device=T4)
    memory = own.totals.memory
    assert memory is not None
    assert (memory.batch, memory.optimizer, memory.precision, own.batch) == (16, "momentum", "mixed", 16)
    changed = asked(TRAINED, batch=4, optimizer="sgd", precision="float32", device=T4).totals.memory
    assert changed is not None
    assert (changed.batch, changed.optimizer, changed.precision) == (4, "sgd", "float32")
    bare = asked(DENSE, optimizer="sgd").totals.memory
    assert bare is not None
    assert (bare.batch, bare.optimizer, bare.precision) == (1, "sgd", "float32")


def test_the_update_is_that_of_the_optimizer_asked_about() -> None:
    def update(report: Report) -> tuple[str, int | None]:
        assert report.totals.update is not None
        return report.totals.update.optimizer, report.totals.update.slot_elements

    assert update(analyze_graph(graph_of(TRAINED))) == ("momentum", 64 * 32)
    assert update(asked(TRAINED, optimizer="adam")) == ("adam", 2 * 64 * 32)
    assert update(asked(DENSE, batch=1)) == ("adam", 2 * 64 * 32)
    assert analyze_graph(graph_of(DENSE)).totals.update is None


@pytest.mark.parametrize("optimizer", OptimizerSpec.model_fields)
def test_an_optimizer_asked_for_keeps_what_else_the_spec_says(optimizer: str) -> None:
    graph = graph_of(TRAINED.replace("mixed", "bfloat16, ema: 0.9, remat: conv_outputs"))
    update = make_demand(graph, optimizer=optimizer).update
    assert update.optimizer == OptimizerSpec.model_validate(optimizer)
    assert (update.ema, update.remat, update.precision, update.batch_size) == (0.9, "conv_outputs", "bfloat16", 16)
    assert make_demand(graph, remat="none").update.remat == "none"


@pytest.mark.parametrize(
    ("demand", "words"),
    [
        ({"batch": 0}, "`batch` should be at least 1, not 0"),
        ({"batch": -3}, "`batch` should be at least 1, not -3"),
        ({"images": 0, "device": T4}, "`images` should be at least 1, not 0"),
        ({"images": 10}, "`images` needs a `device`"),
        ({"optimizer": "adm"}, "unknown optimizer `adm`; did you mean `adam`?"),
        ({"precision": "mixd"}, "unknown precision `mixd`; did you mean `mixed`?"),
        ({"remat": "all"}, "unknown remat `all`; known: `none`, `conv_outputs`"),
    ],
)
def test_what_cannot_be_asked(demand: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        make_demand(graph_of(DENSE), **demand)


# Devices


def test_a_step_that_does_not_fit() -> None:
    small = replace(T4, usable_bytes=60_000)
    fits, not_fits = (asked(DENSE, batch=batch, device=small) for batch in (8, 8000))
    assert [r.totals.memory and r.totals.memory.fits for r in (fits, not_fits)] == [True, False]
    assert "does not fit: " in report_text(not_fits, View())
    total = fits.totals.memory and fits.totals.memory.training and fits.totals.memory.training.total_bytes
    ahead = fits.totals.memory and fits.totals.memory.ahead_bytes
    needed = (total or 0) + (ahead or 0)  # a batch is fetched while another is computed
    just = asked(DENSE, batch=8, device=replace(T4, usable_bytes=needed)).totals.memory
    short = asked(DENSE, batch=8, device=replace(T4, usable_bytes=needed - 1)).totals.memory
    assert [memory and memory.fits for memory in (just, short)] == [True, False]


@pytest.mark.parametrize("device", [V5E, CPU], ids=lambda device: device.kind)
def test_where_there_is_no_rule_memory_is_null_and_the_way_to_it_is_said(device: Device) -> None:
    report = asked(DENSE, batch=8, device=device)
    memory = report.totals.memory
    assert memory is not None
    assert (memory.training, memory.inference, memory.fits) == (None, None, None)
    assert (memory.device, memory.usable_bytes) == (device.key, device.usable_bytes)
    assert report.layers[0].memory is None
    assert report.totals.seconds is not None
    text = report_text(report, View())
    assert f"no rule for {device.key}: `--exact` asks the compiler" in text
    assert "alive at peak" not in text


def test_what_the_compiler_said_decides_whether_it_fits() -> None:
    graph = graph_of(DENSE)
    total = T4.usable_bytes + 1
    exact = ExactMemory("T4", "XLA", total, {"other": total}, None, (), T4.memory_bytes, 0, ("workspace",), 1.0)
    refusal = DoesNotFit("v5e", "XLA", None, None, "too large", 1.0)
    for device in (T4, replace(V5E, usable_bytes=T4.usable_bytes)):
        demand = make_demand(graph, batch=8, device=device)
        memory = estimate(graph, demand, exact).memory
        assert (memory.exact, memory.refused, memory.fits) == (exact, None, False)
        memory = estimate(graph, demand, refusal).memory
        assert (memory.exact, memory.refused, memory.fits) == (None, refusal, False)


def test_time_and_price_of_an_epoch() -> None:
    priced = replace(T4, price_per_hour=3600.0, currency="EUR")
    report = asked(DENSE, batch=8, device=priced, images=100)
    seconds, cost = report.totals.seconds, report.totals.cost
    assert seconds is not None
    assert cost is not None
    assert seconds.epoch == pytest.approx(100 / 8 * seconds.training_step)
    assert (seconds.images, cost.currency) == (100, "EUR")
    assert seconds.images_per_second == pytest.approx(8 / seconds.training_step)
    assert cost.epoch == pytest.approx(seconds.epoch)  # a price of one a second
    assert asked(DENSE, batch=8, device=T4, images=100).totals.cost is None
    without = asked(DENSE, batch=8, device=priced).totals
    assert without.cost is None
    assert without.seconds is not None
    assert (without.seconds.epoch, without.seconds.images) == (None, None)


def test_the_least_time_of_one_product_is_that_of_the_roofline() -> None:
    seconds = asked(DENSE, batch=8, device=T4).totals.seconds
    assert seconds is not None
    x, y, w = 8 * 64 * 4, 8 * 32 * 4, 64 * 32 * 4
    product = Work("gemm", "a", 2 * 8 * 64 * 32, x + y + w)
    assert seconds.inference_batch == total_seconds(bounds([product], T4, "float32"))
    # In training also the labels as an array, the gradient of the outputs, that of the weights and the update.
    rest = [
        Work("scatter labels", "a", 0, y, "vector"),
        Work("dz", "a", 0, 3 * y, "vector"),
        product,
        Work("update", "a", 0, w + 2 * (w + 2 * w), "vector"),
    ]
    assert seconds.training_step == pytest.approx(total_seconds(bounds([product, *rest], T4, "float32")))


def test_a_network_that_runs_nothing_takes_no_time_and_has_no_rate() -> None:
    report = asked("input: [8]\nlayers: [flatten]\n", batch=4, device=T4, images=10)
    seconds = report.totals.seconds
    assert seconds is not None
    assert (seconds.training_step, seconds.images_per_second, seconds.epoch) == (0, None, 0)
    assert report.layers[0].seconds is not None
    assert (report.layers[0].seconds.binds, report.layers[0].seconds.intensity) == (None, None)
    text = report_text(report, View())
    assert "images/s" not in text
    assert "bound by" not in text


NETWORKS = {"nested": NESTED, "two inputs": TWO_INPUTS, "heads": HEADS}
DEVICES = pytest.mark.parametrize("device", [T4, H100, V5E], ids=lambda device: device.key)


@DEVICES
@pytest.mark.parametrize("graph", [*map(graph_of, NETWORKS.values()), load("resnet18"), load("googlenet")],
                         ids=lambda graph: graph.name)  # fmt: skip
def test_seconds_of_the_nodes_add_up(graph: Graph, device: Device) -> None:
    report = analyze_graph(graph, demand=make_demand(graph, batch=4, optimizer="adam", device=device))
    totals = report.totals.seconds
    assert totals is not None
    nodes = [layer.seconds for layer in report.layers if layer.seconds is not None]
    assert len(nodes) == len(report.layers)
    assert math.fsum(node.training for node in nodes) == pytest.approx(totals.training_step)
    assert math.fsum(node.inference for node in nodes) == pytest.approx(totals.inference_batch)
    assert sum(totals.bound_by.values()) == pytest.approx(totals.training_step)
    assert totals.inference_batch <= totals.training_step
    for layer in report.layers:
        if layer.train_only and layer.seconds is not None:
            assert layer.seconds.inference == 0


@pytest.mark.parametrize("kind", LAYERS)
def test_every_kind_of_layer_has_a_memory_and_a_time(kind: str) -> None:
    for row in (row for row in ALL_ROWS if row.kind == kind):
        report = analyze_graph(row.graph, demand=make_demand(row.graph, batch=2, device=T4))
        memory, (layer, *_) = report.totals.memory, report.layers
        assert memory is not None
        assert memory.training is not None
        assert memory.inference is not None
        assert memory.training.low_bytes <= memory.training.total_bytes <= memory.training.high_bytes
        assert memory.inference.total_bytes <= memory.training.total_bytes
        assert layer.memory is not None
        assert layer.memory.weights_bytes == 4 * (layer.params.trainable or 0)
        if layer.macs.forward:
            assert layer.seconds is not None
            assert 0 < layer.seconds.inference < layer.seconds.training


def test_an_incomplete_network_has_neither() -> None:
    report = asked(MISFIT, batch=8, device=T4, images=10)
    assert not report.complete
    assert (report.totals.memory, report.totals.seconds, report.totals.cost) == (None, None, None)
    assert {layer.memory for layer in report.layers} == {layer.seconds for layer in report.layers} == {None}
