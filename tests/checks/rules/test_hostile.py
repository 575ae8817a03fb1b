"""Specs made to slow rules down, or to leave the range of floating point."""

from __future__ import annotations

import time

import pytest

from netcalc.checks.ruled import ruled
from netcalc.checks.rules import Subject
from netcalc.graph import build
from netcalc.spec.load import parse_spec

NODES = 4000
MOST_SECONDS = 3.0
"""Of CPU: plenty where time grows with the number of nodes, and not enough where it grows with its square."""

HEAD = "input: [8, 8, 4]\nlayers:\n"
SLOW = {
    "dead ends": "".join(f"  - {{relu: , name: r{i}, from: input}}\n" for i in range(NODES)),
    "slices of one input": "".join(
        f"  - {{slice: {{start: 0, stop: {i % 4 + 1}, step: {i + 1}}}, name: s{i}, from: input}}\n"
        for i in range(NODES)
    ),
    "one long chain read often": f"  - {{relu: , repeat: {NODES // 2}, name: chain}}\n"
    + "".join(f"  - {{batch_norm: , name: n{i}, from: chain}}\n" for i in range(NODES // 2)),
    "a chain of biases": f"  - repeat: {NODES // 2}\n"
    "    sequence: [{conv: {filters: 4, kernel: 1}}, batch_norm]\n",
    "sums of a rectified chain": "  - {tanh: , name: x}\n"
    + f"  - {{repeat: {NODES // 4}, sequence: [tanh, relu], name: chain}}\n"
    + "".join(f"  - {{relu: , name: r{i}, from: chain}}\n  - {{add: , from: [r{i}, x]}}\n"
              for i in range(NODES // 4)),
    "many outputs behind a long chain": "  - global_avg_pool\n"
    f"  - {{relu: , repeat: {NODES // 2}, name: chain}}\n"
    + "".join(f"  - {{tanh: , name: t{i}, from: chain}}\n" for i in range(NODES // 2))
    + "outputs: [" + ", ".join(f"t{i}" for i in range(NODES // 2)) + "]\n",
    "one merge of one tensor": f"  - {{relu: , name: x}}\n  - {{add: , from: [{', '.join(['x'] * NODES)}]}}\n",
}  # fmt: skip


@pytest.mark.parametrize("layers", SLOW.values(), ids=SLOW)
def test_time_does_not_grow_with_the_square_of_the_nodes(layers: str) -> None:
    subject = Subject(build(parse_spec(HEAD + layers)), object_size=50)
    start = time.process_time()
    for _ in ruled(subject):
        pass
    assert time.process_time() - start < MOST_SECONDS


@pytest.mark.parametrize(
    "init",
    ["{normal: {std: 1e300}}", "{uniform: [-1e308, 1e308]}", "1e300", "{normal: {std: 1e-300}}", "0", "-1e300"],
)
@pytest.mark.parametrize("activation", ["relu", "tanh", "{leaky_relu: 1e200}", "{leaky_relu: -1e-300}", "sigmoid"])
def test_no_initialisation_leaves_floating_point(init: str, activation: str) -> None:
    body = f"{{dense: {{units: 4, init: {init}, bias_init: {init}}}}}, {activation}"
    residual = f"  - {{repeat: 3, residual: [{body}]}}\n"
    for layers in (f"  - {{repeat: 5, sequence: [{body}]}}\n", residual):
        found = list(ruled(Subject(build(parse_spec(HEAD + layers)))))
        assert all("nan" not in f"{finding.message} " for finding in found)


@pytest.mark.parametrize(
    "train",
    [
        "{data: digits, optimizer: {sgd: 1e308}, batch_size: 1}",
        "{data: digits, optimizer: {momentum: {learning_rate: 1e-308, momentum: 0.9999999999999999}}}",
        "{data: digits, ema: 0.9999999999999999, steps: 2147483648}",
        "{data: digits, ema: 0, batch_size: 2147483648}",
        "{data: {source: digits, pad: [[1, 2], [3, 4], [5, 6]]}}",
        "{data: {source: mnist5k, resize: [16384, 1], pad: 2147483648}}",
    ],
)
def test_no_training_raises(train: str) -> None:
    for finding in ruled(Subject(build(parse_spec(f"{HEAD}  - flatten\n  - dense: 10\ntrain: {train}\n")))):
        assert finding.message
