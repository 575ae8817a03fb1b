"""Receptive fields of the zoo at the last feature map, against published ones."""

from __future__ import annotations

import pytest

from netcalc.analysis.receptive_field import AxisField, receptive_fields
from tests.configs.zoo import REFERENCE, label, load

PUBLISHED = REFERENCE["receptive_fields"]


def at_last_map(config: str, *overrides: str) -> tuple[AxisField, ...]:
    """Return the receptive field, in height and width, of the node before flattening or global pooling."""
    graph = load(config, *overrides)
    head = [node for node in graph.nodes.values() if node.kind in ("flatten", "global_avg_pool")][-1]
    return receptive_fields(graph)[head.inputs[0]].axes


@pytest.mark.parametrize("network", PUBLISHED, ids=label)
def test_receptive_fields_are_the_published_ones(network: dict) -> None:
    axes = at_last_map(network["config"], *network.get("set", ()))
    assert len(axes) == 2
    for axis in axes:
        assert (axis.size, axis.stride) == (network["size"], network["stride"])
        assert axis.padding[0] == network.get("padding", axis.padding[0])
