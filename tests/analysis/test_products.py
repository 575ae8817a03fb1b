"""What XLA:GPU does with convolutions and matrix products, each rule on a network of its own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from netcalc.analysis.operations import KEEP, UPDATE, Buffer, Operation
from netcalc.analysis.schedule import inference_schedule, training_schedule
from netcalc.analysis.setup import setup_of
from netcalc.analysis.tape import ALIGNMENT
from netcalc.graph import build_complete
from netcalc.spec.load import parse_spec
from netcalc.spec.training import UpdateSpec


def steps(text: str, batch: int = 64, **update: Any) -> tuple[Operation, ...]:
    graph = build_complete(parse_spec(text, "spec.yaml"))
    setup = setup_of(graph, UpdateSpec.model_validate({"optimizer": "sgd", **update}), batch)
    return training_schedule(graph, setup)


def named(operations: Iterable[Operation], name: str, node: str | None = None) -> list[Operation]:
    return [o for o in operations if o.name == name and node in (None, o.node)]


def one(operations: Iterable[Operation], name: str, node: str | None = None) -> Operation:
    (found,) = named(operations, name, node)
    return found


def aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def written(operation: Operation) -> list[int]:
    return [b.bytes for b in operation.writes if b.role != "argument"]


# Matrix products

DENSE = "input: [400]\nlayers: [{dense: 120, name: a}, tanh, {dense: 84, name: b}, tanh, {dense: 10, name: c}]\n"


def test_a_product_that_is_split_writes_partial_sums() -> None:
    found = steps(DENSE)
    # 64 × 400 by 400 × 120 in 8 parts, 64 × 120 by 120 × 84 in 4, 64 × 84 by 84 × 10 as a whole.
    assert [written(o) for o in named(found, "gemm")] == [[4 * 8 * 64 * 120], [4 * 4 * 64 * 84], [4 * 64 * 10]]
    assert written(one(found, "weight gradient", "b")) == [4 * 4 * 120 * 84]
    # The activation reads the partial sums themselves.
    assert one(found, "output", "tanh1").reads == one(found, "gemm", "a").writes


def test_partial_sums_are_in_float32_whatever_the_precision() -> None:
    found = steps(DENSE, precision="mixed")
    product = one(found, "gemm", "a")
    parts = written(product)[0] // (64 * 120 * 4)
    assert parts > 1
    assert written(product) == [parts * 64 * 120 * 4]
    assert written(one(found, "output", "tanh1")) == [64 * 120 * 2]


def test_operands_are_padded_to_whole_parts_and_those_of_weights_are_there_first() -> None:
    found = steps(DENSE)
    pads = [(o.node, written(o)[0]) for o in named(found, "pad")]
    # 400 terms become 416 and 120 become 128; backward, 84 become 96 and 120 become 128.
    assert sorted(size for node, size in pads if node == "a") == sorted([64 * 416 * 4, 416 * 120 * 4])
    assert sorted(size for node, size in pads if node == "b") == sorted(
        [64 * 128 * 4, 128 * 84 * 4, 64 * 96 * 4, 120 * 96 * 4]
    )
    of_weights = [o for o in named(found, "pad") if o.writes[0].role == "copy"]
    assert len(of_weights) == 3
    assert max(map(found.index, of_weights)) < found.index(one(found, "gemm", "a"))


# Copies of weights

CONVS = "input: [8, 8, 3]\nlayers: [{{conv: {{filters: 4, kernel: 3, bias: false}}, name: a}}, relu, {}]\n"


def test_weights_that_the_input_gradient_reads_are_kept_from_their_update() -> None:
    found = steps(CONVS.format("{conv: {filters: 5, kernel: 3, bias: false}, name: b}"))
    kept = one(found, KEEP)
    assert (kept.node, written(kept)) == ("b", [aligned(4 * 9 * 4 * 5)])
    assert kept.writes[0] in one(found, "input gradient", "b").reads
    assert kept.writes[0] in one(found, UPDATE, "b").reads
    assert not named(found, "input gradient", "a")  # so nothing reads the weights of `a` after their update


def test_the_update_of_a_pointwise_convolution_turns_its_kernel_for_the_input_gradient() -> None:
    pointwise = CONVS.format("{conv: {filters: 5, kernel: 1, bias: false}, name: b}")
    found = steps(pointwise)
    update, gradient, back = one(found, UPDATE, "b"), one(found, "input gradient"), one(found, "write back")
    turned, changed = update.writes[:2]
    assert turned in gradient.reads
    assert back.reads == (changed,)
    assert turned.bytes == changed.bytes == aligned(4 * 4 * 5)
    assert found.index(update) < found.index(gradient)
    # Where the update waits for a norm, or computes in another precision, the kernel is turned before the step.
    for other in ({"clip": {"norm": 1.0}}, {"precision": "mixed"}):
        found = steps(pointwise, **other)
        assert not named(found, "write back")
        copies = [o.writes[0] for o in named(found, "copy", "b")]
        assert copies[-1] in one(found, "input gradient").reads
        assert copies[-1] not in one(found, "conv", "b").reads


def test_a_kernel_of_one_tap_with_a_stride_is_not_turned() -> None:
    found = steps(CONVS.format("{conv: {filters: 5, kernel: 1, stride: 2, bias: false}, name: b}"))
    assert one(found, KEEP).node == "b"
    assert not named(found, "write back")


# Convolutions


def test_the_input_gradient_of_a_grouped_convolution_reads_a_spread_gradient() -> None:
    strided = "{depthwise_conv: {kernel: 3, stride: 2, padding: 1, bias: false}, name: b}"
    text = (
        f"input: [14, 14, 3]\nlayers: [{{conv: {{filters: 4, kernel: 3, padding: 1}}, name: a}}, relu, {strided}]"
    )
    found = steps(text, batch=2)
    spread = one(found, "spread")
    assert written(spread) == [2 * 16 * 16 * 4 * 4]  # 14 inputs and the reach of 3 taps
    assert spread.writes[0] in one(found, "input gradient", "b").reads
    assert not named(steps(text.replace("stride: 2, ", ""), batch=2), "spread")


def test_what_pads_unequal_margins_computes_the_input_itself() -> None:
    convs = "{conv: {filters: 4, kernel: 3, bias: false}}, batch_norm, relu"
    last = "{conv: {filters: 5, kernel: 2, padding: same, bias: false}, name: b}"
    found = steps(f"input: [10, 10, 3]\nlayers: [{convs}, {last}]", batch=2)
    assert written(one(found, "pad")) == [aligned(2 * 9 * 9 * 4 * 4)]
    assert not named(found, "input", "b")


def test_over_three_axes_the_step_reads_what_it_is_handed_with_channels_first() -> None:
    conv = "{conv: {filters: 4, kernel: 3}, name: a}"
    found = steps(f"input: [5, 6, 7, 3]\nlayers: [{conv}]", batch=2)
    assert written(one(found, "channels first")) == [aligned(2 * 5 * 6 * 7 * 3 * 4)]
    assert written(one(found, "copy", "a")) == [aligned(4 * 27 * 3 * 4)]
    assert not named(steps(f"input: [5, 6, 3]\nlayers: [{conv}]", batch=2), "channels first")


def test_a_convolution_adds_its_bias_and_applies_its_relu_itself() -> None:
    text = "input: [8, 8, 3]\nlayers: [{conv: {filters: 4, kernel: 3}, name: a}, ACT, {dense: 2, name: b}]\n"
    graph = build_complete(parse_spec(text.replace("ACT", "relu"), "spec.yaml"))
    (first, *_) = inference_schedule(graph, setup_of(graph, UpdateSpec(), 2))
    assert (first.name, written(first)) == ("conv", [2 * 36 * 4 * 4])
    assert not named(steps(text.replace("ACT", "relu")), "output", "relu1")
    # Not so a tanh, for which cuDNN has no convolution.
    assert named(steps(text.replace("ACT", "tanh")), "output", "tanh1")
    # Nor where another layer reads what the ReLU cuts off.
    forked = text.replace("{dense: 2, name: b}", "{sigmoid: , from: a}, {add: , from: [relu1, sigmoid1]}")
    assert named(steps(forked.replace("ACT", "relu")), "output", "relu1")


# Pools and the loss

POOLED = """\
input: [12, 12, 3]
layers: [{{conv: {{filters: 8, kernel: 3, bias: false}}}}, {}relu, {}, conv: {{filters: 2, kernel: 3}}]
"""


@pytest.mark.parametrize(
    ("norm", "pool", "precision", "stored"),
    [
        ("", "{max_pool: {kernel: 3, stride: 2}}", "float32", False),
        ("", "{max_pool: {kernel: 3, stride: 2}}", "mixed", True),
        ("", "{max_pool: 2}", "float32", False),
        ("batch_norm, ", "{max_pool: 2}", "float32", True),
    ],
)
def test_the_gradient_of_a_pooled_relu_is_stored_where_it_is_read_again(
    norm: str, pool: str, precision: str, stored: bool
) -> None:
    found = steps(POOLED.format(norm, pool), precision=precision)
    pooled = [o for o in named(found, "dy") if o.node in ("relu1", "max_pool1")]
    assert (len(pooled), len(named(found, "compare"))) == ((1, 0) if stored else (0, 1))
    if not stored:
        assert one(found, "compare").phase == "forward"


def test_local_response_normalisation_is_computed_anew_from_its_input() -> None:
    conv, norm = "{conv: {filters: 8, kernel: 3}}", "{local_response_norm: , name: norm}"
    found = steps(f"input: [12, 12, 3]\nlayers: [{conv}, relu, {norm}, {conv}]")
    # Forward nothing is written for it but the next convolution's input, backward one array beside its gradient.
    assert not [o for o in found if o.node == "norm" and o.phase == "forward" and o.writes]
    assert [o.name for o in found if o.node == "norm" and o.phase == "backward"] == ["weigh"]


def test_an_adaptive_pool_writes_what_it_pools() -> None:
    conv = "{conv: {filters: 8, kernel: 3}}"
    found = steps(f"input: [9, 9, 3]\nlayers: [{conv}, {{adaptive_avg_pool: 3, name: p}}, {conv}]")
    assert written(one(found, "pool", "p")) == [64 * 3 * 3 * 8 * 4]


def test_cross_entropy_makes_an_array_of_labels_before_all_else() -> None:
    text = "input: [4]\nlayers: [{dense: 10, name: a}]\n"
    found = steps(text, precision="mixed")
    labels: Buffer = one(found, "scatter labels").writes[0]
    assert labels.bytes == 64 * 10 * 4
    assert labels in one(found, "dz", "a").reads
    assert found.index(one(found, "scatter labels")) < found.index(one(found, "gemm"))
    assert not named(steps(text, loss="half_mse"), "scatter labels")


def test_recomputing_begins_when_the_forward_pass_is_done() -> None:
    convs = "{conv: {filters: 4, kernel: 3, bias: false}}, batch_norm, relu"
    found = steps(f"input: [12, 12, 3]\nlayers: [{convs}, {convs}, flatten, dense: 2]", remat="conv_outputs")
    barrier = one(found, "barrier")
    again = named(found, "recompute")
    assert again
    assert all(barrier.writes[0] in o.reads for o in again)
    assert not named(steps(f"input: [12, 12, 3]\nlayers: [{convs}]"), "barrier")
