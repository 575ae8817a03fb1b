"""Figures: published totals, counts by hand from the counting conventions, and laws that every network obeys."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netcalc.analysis.report import Report
from tests.analysis.networks import NESTED, report_of
from tests.conftest import ROOT


def config(name: str) -> Report:
    return report_of((ROOT / "configs" / name).read_text(encoding="utf-8"))


def spec(shape: list[int], layers: list[Any], **sections: Any) -> str:
    """Return a spec as text: JSON is YAML."""
    return json.dumps({"input": shape, "layers": layers, **sections})


def flops(shape: list[int], layers: list[Any]) -> list[int | None]:
    return [layer.flops.forward for layer in report_of(spec(shape, layers)).layers]


def test_lenet5() -> None:
    report = config("lenet5.yaml")
    assert (report.totals.params.trainable, report.totals.params.frozen, report.totals.params.state) == (
        61_706,
        0,
        0,
    )
    assert report.totals.macs.forward == 416_520
    maps = [layer.output for layer in report.layers if layer.type in ("conv", "avg_pool")]
    assert [tensor and tensor.shape for tensor in maps] == [(28, 28, 6), (14, 14, 6), (10, 10, 16), (5, 5, 16)]
    # 2·MACs + biases (the outputs of layers with weights) + tanh (one each) + 2×2 average pooling.
    outputs = 4704 + 1600 + 120 + 84 + 10
    tanh, pooling = 4704 + 1600 + 120 + 84, 4 * (14 * 14 * 6 + 5 * 5 * 16)
    assert report.totals.flops.forward == 2 * 416_520 + outputs + tanh + pooling == 852_370
    activations = report.totals.activations
    assert (activations.conv_output_elements, activations.weighted_output_elements) == (4704 + 1600, outputs)


def test_the_lecture_s_example() -> None:
    report = config("lecture/stride2.yaml")
    assert report.totals.params.trainable == 66_970_728
    assert report.totals.macs.forward == 1_111_190_816
    assert report.totals.activations.weighted_output_elements == 656_200
    assert report.totals.activations.conv_output_elements == 61**2 * 96 + 29**2 * 256 + 13**2 * 384 + 5**2 * 384
    sides = [layer.output.shape[0] for layer in report.layers if layer.type == "conv" and layer.output]
    assert sides == [61, 29, 13, 5]


def test_flops_of_a_small_network_by_hand() -> None:
    layers = [
        {"conv": {"filters": 3, "kernel": 3}},  # 6×6×2 → 4×4×3: 48 outputs of 18 taps, and a bias each
        "batch_norm",  # scale and shift: 2 each
        "relu",
        {"avg_pool": 2},  # 12 outputs of 4
        {"residual": [{"conv": {"filters": 3, "kernel": 1, "bias": False}}]},  # 12 outputs of 3, then 12 sums
        "dropout",
        "global_avg_pool",  # 3 outputs of 4
        {"dense": 4},  # 4 outputs of 3, and a bias each
        "softmax",  # exp, sum and division
    ]
    assert flops([6, 6, 2], layers) == [
        2 * 48 * 18 + 48, 2 * 48, 48, 4 * 12, 2 * 12 * 3, 12, 0, 12, 2 * 4 * 3 + 4, 3 * 4,
    ]  # fmt: skip
    report = report_of(spec([6, 6, 2], layers))
    assert report.totals.macs.forward == 48 * 18 + 12 * 3 + 4 * 3
    assert report.totals.flops.forward == 1776 + 96 + 48 + 48 + 72 + 12 + 12 + 28 + 12
    # Weights and biases of conv 57, scale and shift of batch norm 6 with its statistics 6, 1×1 conv 9, dense 16.
    params = report.totals.params
    assert (params.trainable, params.frozen, params.state) == (3 * 19 + 6 + 9 + 16, 0, 6)
    activations = report.totals.activations
    assert activations.conv_output_elements == 48 + 12
    assert activations.weighted_output_elements == 48 + 12 + 4
    assert activations.node_output_elements == 3 * 48 + 4 * 12 + 3 + 4 + 4


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        ("relu", 60), ("tanh", 60), ("sigmoid", 60), ("softmax", 180), ("dropout", 0), ("flatten", 0),
        ("batch_norm", 120), ({"batch_norm": {"scale": False}}, 120),
        ({"max_pool": 2}, 2 * 2 * 3 * 4), ({"max_pool": {"kernel": 3, "stride": 1}}, 2 * 3 * 3 * 9),
        ({"avg_pool": {"kernel": [2, 3], "stride": 1}}, 3 * 3 * 3 * 6),
        # Taps on padding are counted.
        ({"avg_pool": {"kernel": 3, "stride": 1, "padding": 1}}, 60 * 9),
        ({"conv": {"filters": 2, "kernel": 3, "padding": 1}}, 2 * (20 * 2) * 27 + 40),
        ({"conv": {"filters": 3, "kernel": 3, "groups": 3, "bias": False}}, 2 * (2 * 3 * 3) * 9),
        ({"conv": {"filters": 2, "kernel": 2, "dilation": 2}}, 2 * (2 * 3 * 2) * 12 + 12),
        ({"dense": 7}, 2 * 20 * 7 * 3 + 20 * 7), ({"dense": {"units": 7, "bias": False}}, 2 * 20 * 7 * 3),
        ("global_avg_pool", 60),
    ],
    ids=str,
)  # fmt: skip
def test_flops_of_one_layer(layer: Any, expected: int) -> None:
    assert flops([4, 5, 3], [layer]) == [expected]


def test_a_sum_costs_one_flop_for_each_input_beyond_the_first() -> None:
    for branches in (2, 3, 5):
        group = {"parallel": {"branches": [["flatten"]] * branches, "merge": "add"}}
        assert flops([4, 5, 3], [group])[-1] == 60 * (branches - 1)
    assert flops([4, 5, 3], [{"parallel": [["flatten"], ["flatten"]]}])[-1] == 0


def test_frozen_parts_are_counted_as_frozen() -> None:
    conv, norm, dense = {"conv": {"filters": 4, "kernel": 3}}, "batch_norm", {"dense": 5}
    free = report_of(spec([6, 6, 2], [conv, norm, "global_avg_pool", dense]))
    frozen_conv = report_of(spec([6, 6, 2], [{**conv, "trainable": False}, norm, "global_avg_pool", dense]))
    group = {"sequence": [conv, norm], "trainable": False}
    frozen_group = report_of(spec([6, 6, 2], [group, "global_avg_pool", dense]))
    conv_params, norm_params, dense_params = 4 * 19, 8, 25
    counted = [(r.totals.params.trainable, r.totals.params.frozen, r.totals.params.state)
               for r in (free, frozen_conv, frozen_group)]  # fmt: skip
    assert counted == [
        (conv_params + norm_params + dense_params, 0, 8),
        (norm_params + dense_params, conv_params, 8),
        (dense_params, conv_params + norm_params, 8),
    ]
    # Freezing costs nothing forward and spares nothing.
    assert len({(r.totals.macs.forward, r.totals.flops.forward) for r in (free, frozen_conv, frozen_group)}) == 1


def test_figures_are_for_one_sample_whatever_the_batch() -> None:
    one, many = report_of(NESTED, 1), report_of(NESTED, 64)
    assert (one.batch, many.batch) == (1, 64)
    assert (one.totals, one.layers) == (many.totals, many.layers)


def assert_sums(report: Report) -> None:
    """The totals are the sums of the rows."""
    totals, layers = report.totals, report.layers
    for kind in ("trainable", "frozen", "state"):
        assert getattr(totals.params, kind) == sum(getattr(layer.params, kind) for layer in layers)
    assert totals.macs.forward == sum(layer.macs.forward or 0 for layer in layers)
    assert totals.flops.forward == sum(layer.flops.forward or 0 for layer in layers)
    sizes = {layer.name: math.prod(layer.output.shape) for layer in layers if layer.output is not None}
    assert len(sizes) == len(layers)
    kinds = {layer.name: layer.type for layer in layers}
    activations = totals.activations
    assert activations.node_output_elements == sum(sizes.values())
    assert activations.conv_output_elements == sum(n for name, n in sizes.items() if kinds[name] == "conv")
    assert activations.weighted_output_elements == sum(
        n for name, n in sizes.items() if kinds[name] in ("conv", "dense")
    )


def test_totals_are_sums_of_rows() -> None:
    for report in (config("lenet5.yaml"), config("lecture/stride2.yaml"), report_of(NESTED)):
        assert_sums(report)
        assert report.complete


SIMPLE = st.sampled_from(["relu", "tanh", "batch_norm", "dropout"])
CONV = st.builds(
    lambda filters, kernel, bias, padding: {
        "conv": {"filters": filters, "kernel": kernel, "bias": bias, "padding": padding}
    },
    st.integers(1, 9), st.integers(1, 3), st.booleans(), st.sampled_from(["same", 1, 2]),
)  # fmt: skip
NODE = st.one_of(
    SIMPLE,
    CONV,
    st.builds(lambda units: {"dense": units}, st.integers(1, 9)),
    st.builds(lambda body: {"residual": body}, st.lists(SIMPLE, min_size=1, max_size=3)),
    st.builds(lambda a, b: {"parallel": [a, b]}, *[st.lists(SIMPLE, min_size=1, max_size=2)] * 2),
    st.builds(lambda inner: {"sequence": inner, "trainable": False}, st.lists(CONV, min_size=1, max_size=2)),
)
SHAPE = st.tuples(st.integers(3, 9), st.integers(3, 9), st.integers(1, 4)).map(list)


def reference_macs(shape: tuple[int, ...], layers: list[Any]) -> tuple[tuple[int, ...], int, int]:
    """Walk a list of nodes and return output shape, MACs and parameters, from the formulas of the lecture."""
    macs = params = 0
    for layer in layers:
        kind, fields = (layer, {}) if isinstance(layer, str) else next(iter(layer.items()))
        height, width, channels = shape
        if kind == "conv":
            kernel, filters = fields["kernel"], fields["filters"]
            pad = kernel - 1 if fields["padding"] == "same" else 2 * fields["padding"]
            shape = (height + pad - kernel + 1, width + pad - kernel + 1, filters)
            macs += shape[0] * shape[1] * filters * kernel * kernel * channels
            params += filters * (kernel * kernel * channels + fields["bias"])
        elif kind == "dense":
            shape = (height, width, fields)
            macs += height * width * channels * fields
            params += (channels + 1) * fields
        elif kind == "batch_norm":
            params += 2 * channels
        elif kind in ("residual", "sequence"):
            shape, inner_macs, inner_params = reference_macs(shape, fields)
            macs, params = macs + inner_macs, params + inner_params
        elif kind == "parallel":
            ends = [reference_macs(shape, branch) for branch in fields]
            macs += sum(end[1] for end in ends)
            params += sum(end[2] for end in ends)
            shape = (height, width, sum(end[0][2] for end in ends))
    return shape, macs, params


@settings(max_examples=60, deadline=None)
@given(SHAPE, st.lists(NODE, min_size=1, max_size=6))
def test_any_network_sums_up_and_agrees_with_the_formulas(shape: list[int], layers: list[Any]) -> None:
    report = report_of(spec(shape, layers))
    assert_sums(report)
    output, macs, params = reference_macs(tuple(shape), layers)
    held = report.totals.params
    assert report.outputs[0].shape == output
    assert (report.totals.macs.forward, (held.trainable or 0) + (held.frozen or 0)) == (macs, params)


@settings(max_examples=30, deadline=None)
@given(SHAPE, st.integers(1, 6), st.lists(SIMPLE, max_size=3))
def test_totals_are_linear_in_repetitions(shape: list[int], repeat: int, rest: list[Any]) -> None:
    # A block that keeps the shape costs as much each time.
    block = [{"conv": {"filters": shape[-1], "kernel": 3, "padding": "same"}}, *rest]
    once, often = (report_of(spec(shape, [{"sequence": block, "repeat": n}])).totals for n in (1, repeat))
    for kind in ("trainable", "frozen", "state"):
        assert getattr(often.params, kind) == repeat * getattr(once.params, kind)
    assert often.macs.forward == repeat * (once.macs.forward or 0)
    assert often.flops.forward == repeat * (once.flops.forward or 0)
    for kind in ("conv_output_elements", "weighted_output_elements", "node_output_elements"):
        assert getattr(often.activations, kind) == repeat * getattr(once.activations, kind)
