"""Memory of a step: tiny networks by hand, what each choice of a training adds, and laws that all networks obey."""

from __future__ import annotations

from dataclasses import astuple, fields
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netcalc.analysis.memory import (
    Memory,
    Parts,
    inference_memory,
    inference_step,
    node_memory,
    training_memory,
    training_step,
)
from netcalc.analysis.optimizers import OPTIMIZERS
from netcalc.analysis.setup import RawInput, Setup, setup_of
from netcalc.analysis.tape import ALIGNMENT
from netcalc.graph import Graph, build_complete
from netcalc.spec.load import parse_spec
from netcalc.spec.training import UpdateSpec
from tests.configs.zoo import load

SGD = {"optimizer": "sgd"}


def graph_of(text: str) -> Graph:
    """Return the graph of a spec, whose layers may stand alone for an input of four values."""
    return build_complete(parse_spec(text if "input" in text else f"input: [4]\nlayers: {text}", "spec.yaml"))


def setup(graph: Graph, batch: int = 32, **update: Any) -> Setup:
    return setup_of(graph, UpdateSpec.model_validate({**SGD, **update}), batch)


def training(graph: Graph, batch: int = 32, **update: Any) -> Memory:
    how = setup(graph, batch, **update)
    return training_memory(graph, how, training_step(graph, how))


def inference(graph: Graph, batch: int = 32, **update: Any) -> Memory:
    how = setup(graph, batch, **update)
    return inference_memory(graph, how, inference_step(graph, how))


def arena(memory: Memory) -> int:
    """Return the bytes that the step allocates itself."""
    return memory.parts.gradients + memory.parts.activations + memory.parts.transient


def aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


CHAIN = "[{dense: {units: 8, bias: false}, name: a}, relu, {dense: {units: 2, bias: false}, name: b}]"
HIDDEN, OUTPUT = 32 * 8 * 4, 32 * 2 * 4
"""Bytes of the two layers' outputs for 32 samples."""


# By hand


def test_one_convolution() -> None:
    graph = graph_of("input: [8, 8, 1]\nlayers: [{conv: {filters: 4, kernel: 3, bias: false}}]")
    found = training(graph, batch=2)
    outputs, kernel = 2 * 6 * 6 * 4 * 4, 3 * 3 * 4 * 4
    # Nothing takes the place of a convolution's result: outputs, the labels of that size, and the gradient.
    # Labels are a mask, as large as the input.
    assert astuple(found.parts) == (kernel, 0, 0, 0, 2 * (64 * 4 + 64 * 4), outputs, 2 * outputs, 0)
    # Half the squared error needs no array of labels.
    assert astuple(training(graph, batch=2, loss="half_mse").parts)[5:] == (outputs, outputs, 0)
    assert (found.total_bytes, found.peak_at) == (sum(astuple(found.parts)), "conv1")


def test_a_chain_of_two() -> None:
    found = training(graph_of(CHAIN))
    # At the input gradient of `b`: the ReLU's output, its gradient, the gradient of the network's output, and a
    # copy of the weights of `b`, whose update came first.
    assert arena(found) == HIDDEN + HIDDEN + OUTPUT + aligned(4 * 16)
    assert (found.parts.activations, found.parts.gradients, found.peak_at) == (HIDDEN, 0, "b")
    assert (found.parts.weights, found.parts.batch) == (4 * (4 * 8 + 8 * 2), 32 * (4 * 4 + 4))


def test_inference_of_a_chain_keeps_two_layers_at_once() -> None:
    found = inference(graph_of(CHAIN))
    assert (arena(found), found.parts.gradients, found.parts.optimizer) == (HIDDEN + OUTPUT, 0, 0)
    assert found.parts.batch == 32 * 4 * 4  # no labels
    deep = graph_of("[" + "{dense: {units: 8, bias: false}}, relu, " * 20 + "]")
    assert arena(inference(deep)) == 2 * HIDDEN


def test_a_residual_adds_in_place() -> None:
    body = "{residual: {body: [{dense: {units: 8, bias: false}}]}}"
    found = inference(graph_of(f"[{{dense: {{units: 8, bias: false}}}}, {body}]"))
    assert arena(found) == 2 * HIDDEN


def test_a_concatenation_is_a_copy_where_a_product_reads_it() -> None:
    branch = "[{dense: {units: 8, bias: false}}]"
    found = inference(graph_of(f"[{{parallel: [{branch}, {branch}]}}, {{dense: {{units: 2, bias: false}}}}]"))
    assert arena(found) == 2 * HIDDEN + 2 * HIDDEN


def test_a_pool_before_its_relu_keeps_a_byte_an_output_instead_of_the_map() -> None:
    layers = "[{conv: {filters: 16, kernel: 3, padding: same, bias: false}}, relu, {max_pool: 2}]"
    found = training(graph_of(f"input: [16, 16, 4]\nlayers: {layers}"), batch=8)
    convolved, pooled = 8 * 16 * 16 * 16 * 4, 8 * 8 * 8 * 16
    # Backward: the gradient of the whole map comes from the pooled one and from the indices, a byte each.
    assert arena(found) < convolved + 3 * 4 * pooled
    assert arena(found) >= convolved + pooled


# What is handed to the step


TWO_SLOTS = ("adadelta", "adam", "adamax", "adamw", "nadam", "radam", "lamb")


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("ema", [None, 0.9])
def test_slots_of_the_optimizer_and_of_the_moving_average(optimizer: str, ema: float | None) -> None:
    slots = (0 if optimizer in ("gd", "sgd") else 2 if optimizer in TWO_SLOTS else 1) + (ema is not None)
    found = training(graph_of(CHAIN), optimizer=optimizer, ema=ema)
    assert found.parts.optimizer == slots * 48 * 4
    gradient_sum = 48 * 4 if optimizer == "gd" else 0
    assert arena(found) - gradient_sum == arena(training(graph_of(CHAIN)))
    # Both are in float32 whatever the precision.
    narrow = training(graph_of(CHAIN), optimizer=optimizer, ema=ema, precision="bfloat16")
    assert narrow.parts.optimizer == slots * 48 * 4


def test_muon_keeps_one_value_for_a_weight_and_two_for_the_rest() -> None:
    found = training(graph_of("[{dense: 4}, batch_norm]"), optimizer="muon")
    weights, rest = found.parts.weights // 4 - 12, 12  # the biases of four units, scale and shift of four channels
    assert found.parts.optimizer == 4 * (weights + 2 * rest)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("update", [{"accumulate": 3}, {"optimizer": "gd"}])
def test_an_update_of_several_batches_keeps_the_sum_of_their_gradients(
    precision: str, update: dict[str, Any]
) -> None:
    plain = training(graph_of(CHAIN), optimizer="sgd", precision=precision)
    found = training(graph_of(CHAIN), **{"optimizer": "sgd", "precision": precision, **update})
    # In float32 whatever the precision; nothing else changes, for `batch_size` is what is on the device together.
    assert found.parts.gradients - plain.parts.gradients == 4 * 48
    assert found.total_bytes - plain.total_bytes == 4 * 48
    assert (found.parts.batch, found.transient) == (plain.parts.batch, plain.transient)


def test_the_norm_of_a_sum_of_gradients_is_taken_when_the_batches_are_gone() -> None:
    clipped = {"clip": {"norm": 1.0}}
    plain = training(graph_of(CHAIN), **clipped)
    found = training(graph_of(CHAIN), accumulate=2, **clipped)
    assert found.total_bytes - 4 * 48 == training(graph_of(CHAIN)).total_bytes <= plain.total_bytes


@pytest.mark.parametrize(
    ("precision", "weight", "hidden"), [("float32", 4, 4), ("mixed", 4, 2), ("bfloat16", 2, 2)]
)
def test_precision(precision: str, weight: int, hidden: int) -> None:
    text = f"input: [4]\nlayers: {CHAIN[:-1]}, batch_norm]"
    found = training(graph_of(text), optimizer="adam", precision=precision)
    assert (found.parts.weights, found.parts.optimizer) == (weight * (48 + 4), 2 * 4 * (48 + 4))
    assert found.parts.state == 4 * 4  # mean and variance of two channels, in float32 whatever the precision
    assert found.parts.batch == 32 * (4 * 4 + 4)
    deep = graph_of("[" + "{dense: {units: 8, bias: false}}, relu, " * 20 + "]")
    assert arena(inference(deep, precision=precision)) >= 2 * 32 * 8 * hidden
    if hidden == 2:
        assert arena(training(deep, precision=precision)) < arena(training(deep))


def test_mixed_precision_copies_weights_and_bfloat16_does_not() -> None:
    wide = graph_of("[{dense: {units: 4096, bias: false}}, {dense: {units: 1, bias: false}}]")
    mixed, whole = (training(wide, batch=1, precision=precision) for precision in ("mixed", "bfloat16"))
    assert arena(mixed) - arena(whole) >= 2 * 4096
    assert mixed.parts.weights == 2 * whole.parts.weights


def test_frozen_layers_have_no_gradients_and_no_slots() -> None:
    frozen = graph_of(CHAIN.replace("name: a", "name: a, trainable: false"))
    found = training(frozen, optimizer="adam")
    assert (found.parts.weights, found.parts.optimizer) == (4 * 48, 2 * 4 * 16)
    # Without an input gradient: the ReLU's output and the labels, beside them the outputs, which become a gradient.
    assert arena(found) == HIDDEN + 2 * OUTPUT
    everything = CHAIN.replace("name: a", "name: a, trainable: false").replace(
        "name: b", "name: b, trainable: false"
    )
    both = training(graph_of(everything), optimizer="adam")
    assert (both.parts.optimizer, both.parts.gradients) == (0, 0)


def test_shared_weights_count_once() -> None:
    shared = graph_of("[{dense: 4, name: a}, relu, {dense: 4, name: b, share: a}]")
    own = graph_of("[{dense: 4, name: a}, relu, {dense: 4, name: b}]")
    one, two = (training(graph, optimizer="momentum").parts for graph in (shared, own))
    assert (one.weights, one.optimizer) == (4 * 20, 4 * 20)
    assert (two.weights, two.optimizer) == (8 * 20, 8 * 20)
    how = setup(shared)
    held = node_memory(shared, how, training_step(shared, how).peak.alive)
    assert (held["a"].weights_bytes, held["b"].weights_bytes) == (4 * 20, 0)


def test_clipping_by_norm_keeps_all_gradients_until_the_last_is_known() -> None:
    layers = ", ".join(f"{{dense: {{units: {64 + n}, bias: false}}}}, tanh" for n in range(6))
    graph = graph_of(f"input: [64]\nlayers: [{layers}]")
    sizes = [node.known.params["kernel"].size for node in graph.nodes.values() if node.known.params]
    plain, norm = training(graph, batch=1), training(graph, batch=1, clip={"norm": 1.0})
    assert arena(norm) >= sum(aligned(4 * size) for size in sizes) > arena(plain)
    assert training(graph, batch=1, clip={"value": 1.0}) == plain


def test_heads_for_training_alone_cost_nothing_at_inference() -> None:
    heads = (
        "input: [4]\nlayers: [{dense: 8, name: a}, {dense: 32, name: head}, {dense: 2, name: b, from: a}]\n"
        "outputs: [b, {name: head, train_only: true}]\n"
    )
    alone = "input: [4]\nlayers: [{dense: 8, name: a}, {dense: 2, name: b, from: a}]\n"
    assert inference(graph_of(heads)) == inference(graph_of(alone))
    assert training(graph_of(heads)).parts.weights == training(graph_of(alone)).parts.weights + 4 * 32 * 9
    assert arena(training(graph_of(heads))) > arena(training(graph_of(alone)))


def test_bytes_of_the_inputs() -> None:
    def inputs(text: str, **update: Any) -> Any:
        return setup(graph_of(text), **update).inputs

    layers = "layers: [{conv: {filters: 4, kernel: 3}}]"
    assert inputs(f"input: [8, 8, 1]\n{layers}") == {"input": RawInput(256, is_prepared=False)}
    # What is not in the precision of the layers is copied into it.
    assert inputs(f"input: [8, 8, 1]\n{layers}", precision="mixed") == {"input": RawInput(256, is_prepared=True)}
    raw = graph_of(f"inputs: {{image: {{shape: [8, 8, 1], dtype: uint8}}}}\n{layers}")
    assert setup(raw).inputs == {"image": RawInput(64, is_prepared=True)}
    plain = graph_of(f"inputs: {{image: [8, 8, 1]}}\n{layers}")
    assert training(plain).parts.batch - training(raw).parts.batch == 32 * 64 * 3
    assert arena(inference(raw)) == arena(inference(plain)) + 32 * 64 * 4


def test_images_of_a_data_set_arrive_as_bytes_in_their_own_size() -> None:
    graph = graph_of(
        "input: [32, 32, 1]\nlayers: [{conv: {filters: 4, kernel: 3}}]\n"
        "train: {data: {source: mnist5k, pad: 2}, optimizer: sgd, batch_size: 16}"
    )
    assert graph.spec.train is not None
    how = setup_of(graph, graph.spec.train)
    assert (how.batch, how.inputs) == (16, {"input": RawInput(28 * 28, is_prepared=True)})
    found = training_memory(graph, how, training_step(graph, how))
    assert found.parts.batch == 16 * (28 * 28 + 4)
    # The prepared images are there for the kernel's gradient.
    assert found.parts.activations >= 16 * 32 * 32 * 4


def test_several_inputs_and_outputs() -> None:
    graph = graph_of(
        "inputs: {left: [8], right: {shape: [6], dtype: uint8}}\n"
        "layers:\n  - {dense: 4, name: a, from: left}\n  - {dense: 4, name: b, from: right}\n"
        "  - {add: , from: [a, b], name: c}\n"
        "outputs: [c, a]\n"
    )
    found = training(graph)
    assert found.parts.batch == 32 * (8 * 4 + 6 + 4)
    assert inference(graph).parts.batch == 32 * (8 * 4 + 6)
    assert found.parts.weights == 4 * (9 * 4 + 7 * 4)


def test_a_network_that_computes_nothing_allocates_nothing() -> None:
    graph = graph_of("[flatten]")
    found = training(graph)
    assert (arena(found), found.peak_at, found.parts.batch) == (0, None, 32 * (16 + 4))
    assert found.low_bytes <= found.total_bytes


# Laws


ZOO = ["lenet5", "resnet18", "mobilenet_v2", "googlenet", "densenet121", "unet_same", "m5", "deepconvlstm", "vgg11"]


@pytest.mark.parametrize("config", ZOO)
def test_parts_add_up_and_lie_in_the_interval(config: str) -> None:
    graph = load(config)
    for update in ({}, {"optimizer": "adam", "precision": "mixed", "ema": 0.9, "clip": {"norm": 1.0}}):
        trained, used = training(graph, 4, **update), inference(graph, 4, **update)
        for found in (trained, used):
            assert sum(astuple(found.parts)) == found.total_bytes
            assert sum(astuple(found.transient)) == found.parts.transient
            assert min(astuple(found.transient)) >= 0
            assert all(getattr(found.parts, field.name) >= 0 for field in fields(Parts))
            assert found.low_bytes <= found.total_bytes <= found.high_bytes
            assert found.peak_at in graph.nodes
        assert used.total_bytes <= trained.total_bytes


@pytest.mark.parametrize("config", ZOO)
def test_nodes_hold_what_is_alive_at_the_peak(config: str) -> None:
    graph = load(config)
    how = setup(graph, 2)
    step = training_step(graph, how)
    held = node_memory(graph, how, step.peak.alive)
    assert held.keys() == graph.nodes.keys()
    assert sum(node.alive_bytes for node in held.values()) == step.peak.bytes
    assert sum(node.weights_bytes for node in held.values()) == training_memory(graph, how, step).parts.weights


@pytest.mark.parametrize("config", ZOO)
def test_rematerialisation_takes_hardly_more_and_changes_nothing_that_a_step_is_handed(config: str) -> None:
    graph = load(config)
    plain, anew = training(graph, 4), training(graph, 4, remat="conv_outputs")
    # A little more where next to nothing can be computed anew and what is so lies beside what was kept for it.
    assert anew.low_bytes <= plain.high_bytes
    handed = [(m.parts.weights, m.parts.optimizer, m.parts.state, m.parts.batch) for m in (plain, anew)]
    assert handed[0] == handed[1]


@pytest.mark.parametrize("config", ["resnet18", "resnet50", "mobilenet_v1", "densenet121", "wrn_28_10"])
def test_where_batch_norm_keeps_most_rematerialisation_saves_a_sixth(config: str) -> None:
    graph = load(config)
    assert 6 * arena(training(graph, 16, remat="conv_outputs")) < 5 * arena(training(graph, 16))


@pytest.mark.parametrize("config", ZOO)
def test_a_larger_batch_takes_more_and_less_than_in_proportion(config: str) -> None:
    graph = load(config)
    for step in (training, inference):
        totals = [step(graph, batch).total_bytes for batch in (1, 2, 4, 8, 16)]
        assert totals == sorted(set(totals))
        assert all(twice <= 2 * once for once, twice in pairwise(totals))


LAYER = st.sampled_from(
    [
        "{conv: {filters: 8, kernel: 3, padding: same}}",
        "{conv: {filters: 8, kernel: 3, padding: same, bias: false}}",
        "{depthwise_conv: {kernel: 3, padding: same}}",
        "{conv_transpose: {filters: 8, kernel: 3, padding: same}}",
        "batch_norm", "relu", "tanh", "gelu", "layer_norm", "{dropout: 0.5}",
        "{max_pool: {kernel: 3, stride: 1, padding: 1}}",
        "{residual: {body: [{conv: {filters: 8, kernel: 3, padding: same}}, relu]}}",
        "{parallel: [[{conv: {filters: 4, kernel: 1}}], [{conv: {filters: 4, kernel: 1}}, relu]]}",
    ]
)  # fmt: skip


@settings(deadline=None, max_examples=60)
@given(
    st.lists(LAYER, min_size=1, max_size=8),
    st.integers(1, 40),
    st.sampled_from(list(OPTIMIZERS)),
    st.sampled_from(["float32", "mixed", "bfloat16"]),
    st.sampled_from(["none", "conv_outputs"]),
    st.sampled_from([None, {"norm": 1.0}, {"value": 1.0}]),
)
def test_laws_of_any_network(
    layers: list[str], batch: int, optimizer: str, precision: str, remat: str, clip: dict[str, float] | None
) -> None:
    graph = graph_of(f"input: [8, 8, 8]\nlayers: [{', '.join(layers)}, flatten, {{dense: 10}}]\n")
    update = {"optimizer": optimizer, "precision": precision, "remat": remat, "clip": clip}
    found, used = training(graph, batch, **update), inference(graph, batch, **update)
    assert sum(astuple(found.parts)) == found.total_bytes
    assert min(astuple(found.parts)) >= 0
    assert found.low_bytes <= found.total_bytes <= found.high_bytes
    assert used.total_bytes <= found.total_bytes
    assert found == training(graph, batch, **update)
    kept = found.parts.weights + found.parts.optimizer + found.parts.state + found.parts.batch
    assert found.low_bytes >= kept
