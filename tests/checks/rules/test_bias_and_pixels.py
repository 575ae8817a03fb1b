"""Cancelled biases and dropped pixels: what the rules must find, what they must leave alone, and what they say."""

from __future__ import annotations

import json
from typing import Any

import pytest

from netcalc.checks.engine import check_graph
from netcalc.diagnostics import Diagnostic
from netcalc.graph import build
from netcalc.spec.load import parse_spec

SHAPE = [8, 8, 2]
CONV = {"filters": 4, "kernel": 3}


def check(layers: list[Any], shape: list[int] = SHAPE, **sections: Any) -> list[Diagnostic]:
    """Check a spec, JSON being YAML, and leave what other rules find of it aside."""
    found = check_graph(build(parse_spec(json.dumps({"input": shape, "layers": layers, **sections}))))
    return [d for d in found if d.code in ("NC301", "NC302") or d.severity == "error"]


def named(layer: str, name: str, fields: Any = None, **wiring: Any) -> dict[str, Any]:
    return {layer: fields, "name": name, **wiring}


FOUND: dict[str, list[tuple[list[Any], set[str]]]] = {
    "NC301": [
        ([{"conv": CONV}, "batch_norm"], {"conv1"}),
        ([{"conv": {**CONV, "bias": True}}, "batch_norm", "relu"], {"conv1"}),
        (["flatten", {"dense": 4}, "batch_norm"], {"dense1"}),
        # γ and β of the normalisation do not matter, it subtracts the mean all the same.
        ([{"conv": CONV}, {"batch_norm": {"scale": False, "shift": False}}], {"conv1"}),
        # A frozen bias is cancelled as well.
        ([named("conv", "c", CONV, trainable=False), "batch_norm"], {"c"}),
        ([{"residual": [{"conv": {**CONV, "filters": 2, "padding": 1}}, "batch_norm"]}], {"residual1.body.conv1"}),
        ([{"conv": CONV}, "batch_norm", {"conv": CONV}, "batch_norm"], {"conv1", "conv2"}),
    ],
    "NC302": [
        ([{"conv": {**CONV, "stride": 2}}], {"conv1"}),
        ([{"max_pool": 3}], {"max_pool1"}),
        ([{"avg_pool": {"kernel": 3, "stride": 3}}], {"avg_pool1"}),
        ([{"conv": {**CONV, "stride": [2, 1]}}], {"conv1"}),
        ([{"conv": {**CONV, "stride": [1, 2]}}], {"conv1"}),
        # The dilated kernel spans 5 pixels.
        ([{"conv": {**CONV, "stride": 2, "dilation": 2}}], {"conv1"}),
        # Padding before does not help the end.
        ([{"conv": {**CONV, "kernel": 4, "stride": 4, "padding": [[1, 0], [1, 0]]}}], {"conv1"}),
    ],
}
LEFT_ALONE: dict[str, list[list[Any]]] = {
    "NC301": [
        [{"conv": {**CONV, "bias": False}}, "batch_norm"],
        [{"conv": CONV}, "relu", "batch_norm"],
        [{"conv": CONV}],
        ["batch_norm"],
        # The shift of one normalisation before another is the other's business, not a bias to leave out.
        ["batch_norm", "batch_norm"],
        # Another node sees the bias.
        [named("conv", "c", CONV), named("batch_norm", "n"), named("relu", "r", **{"from": "c"}),
         named("add", "sum", **{"from": ["n", "r"]})],
        # A frozen normalisation subtracts the stored mean, which does not follow the bias.
        [{"conv": CONV}, named("batch_norm", "n", trainable=False)],
        [{"sequence": [{"conv": CONV}, "batch_norm"], "trainable": False}],
    ],
    "NC302": [
        [{"conv": CONV}],
        [{"conv": {**CONV, "kernel": 2, "stride": 2}}],
        [{"conv": {**CONV, "stride": 2, "padding": "same"}}],
        # (8 + 2 − 3) / 2 is no integer either, but what is left over is padding.
        [{"conv": {**CONV, "stride": 2, "padding": 1}}],
        [{"max_pool": 2}, {"max_pool": 2}, {"max_pool": 2}],
        [{"max_pool": {"kernel": 3, "rounding": "ceil"}}],
        # A stride beyond the kernel passes over pixels everywhere: a projection means to.
        [{"conv": {"filters": 4, "kernel": 1, "stride": 2}}],
        [{"avg_pool": {"kernel": 2, "stride": 5}}],
        ["global_avg_pool"],
        ["flatten", {"dense": 3}],
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("code", "layers", "nodes"),
    [(code, *case) for code, cases in FOUND.items() for case in cases],
    ids=lambda value: json.dumps(value) if isinstance(value, list) else "",
)
def test_rules_find_what_they_should(code: str, layers: list[Any], nodes: set[str]) -> None:
    found = check(layers)
    assert {(d.code, d.node, d.severity) for d in found} == {(code, node, "warning") for node in nodes}
    assert all(d.help and d.span is not None for d in found)


@pytest.mark.parametrize(
    ("code", "layers"),
    [(code, layers) for code, cases in LEFT_ALONE.items() for layers in cases],
    ids=lambda value: json.dumps(value) if isinstance(value, list) else "",
)
def test_rules_leave_alone_what_they_should(code: str, layers: list[Any]) -> None:
    assert code not in {d.code for d in check(layers)}


def test_a_bias_that_an_output_shows_is_not_redundant() -> None:
    layers = [named("conv", "c", CONV), named("batch_norm", "n")]
    assert [d.code for d in check(layers)] == ["NC301"]
    assert check(layers, outputs=["c", "n"]) == []


def test_a_bias_is_pointed_at_where_it_is_written() -> None:
    text = "input: [8, 8, 2]\nlayers:\n  - conv: {filters: 4, kernel: 3, bias: true}\n  - batch_norm\n"
    (found,) = check_graph(build(parse_spec(text)))
    assert found.message == "the bias of `conv1` is cancelled by `batch_norm1`"
    assert found.help == "set `bias: false`"
    assert found.context == ("input: 8×8×2",)
    assert found.span is not None
    assert (found.span.line, found.span.column) == (3, text.splitlines()[2].index("true") + 1)
    (found,) = check_graph(build(parse_spec(text.replace(", bias: true", ""))))
    assert found.span is not None
    assert (found.span.line, found.span.column, found.span.end_column) == (3, 5, 9)


@pytest.mark.parametrize("side", range(5, 14))
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("padding", [0, 1, 2])
def test_dropped_pixels_are_counted(side: int, stride: int, padding: int) -> None:
    fields = {"filters": 1, "kernel": 5, "stride": stride, "padding": padding}
    found = check([{"conv": fields}], [side, side, 1])
    # Where no window ends at or beyond the last pixel, the pixels behind the last window are dropped.
    ends = [start + 4 for start in range(-padding, side + padding - 4, stride)]
    dropped = max(0, side - 1 - ends[-1])
    assert len(found) == (dropped > 0)
    if dropped:
        assert f"drops {dropped} of the last pixels of its {side}×{side} input" in found[0].message


@pytest.mark.parametrize("fields", [
    {"filters": 1, "kernel": 3, "stride": 2}, {"filters": 1, "kernel": 5, "stride": 3},
    {"filters": 1, "kernel": 3, "stride": 4, "dilation": 2},
])  # fmt: skip
def test_the_sides_that_are_advised_fit(fields: dict[str, int]) -> None:
    advised = 0
    for side in range(8, 20):
        for finding in check([{"conv": fields}], [side, side, 1]):
            sides = finding.help.removeprefix("sides that fit: ").replace(",", " or").split(" or ")
            assert len(sides) == 2
            for fitting in map(int, sides):
                assert check([{"conv": fields}], [fitting, fitting, 1]) == [], (side, fitting)
                advised += 1
    assert advised


def test_rules_go_on_beside_a_layer_that_does_not_fit() -> None:
    layers = [{"conv": CONV}, "batch_norm", {"conv": {"filters": 4, "kernel": 99}}, {"max_pool": 3}]
    found = check(layers, budgets={"params": 1})
    # The budget cannot be known, and nothing is said of it.
    assert [d.code for d in found] == ["NC101", "NC301"]
