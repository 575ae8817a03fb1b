"""A node knows which of its fields hold values of expressions."""

from __future__ import annotations

import pytest

from netcalc.spec.load import parse_spec


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        ("conv: {filters: $n, kernel: 3}", {"filters"}),
        ("conv: {filters: 4, kernel: 3}", set()),
        ("dense: $(n + 1)", {"units"}),
        ("dense: 4", set()),
        ("relu", set()),
        ("unit: {m: 3}", {"units"}),
    ],
)
def test_computed_fields_are_named(layer: str, expected: set[str]) -> None:
    head = "input: [8, 8, 1]\nparams: {n: 2}\nblocks: {unit: {params: {m: }, layers: [{dense: $m}]}}\n"
    (node,) = parse_spec(f"{head}layers: [{layer}]\n").nodes
    assert node.computed == expected


def test_a_default_may_be_computed() -> None:
    (node,) = parse_spec(
        "input: [8, 8, 1]\nparams: {n: 2}\ndefaults: {dense: {bias_init: $n}}\nlayers: [{dense: 4}]\n"
    ).nodes
    assert node.computed == {"bias_init"}
