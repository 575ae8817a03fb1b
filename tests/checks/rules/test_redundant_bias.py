"""NC301 speaks of biases that a `bias` field can take away, not of a normalisation's own shift."""

import pytest

from netcalc.checks.engine import check_graph
from netcalc.graph import build_complete
from netcalc.spec.load import parse_spec


def codes(layers):
    graph = build_complete(parse_spec(f"input: [6, 6, 4]\nlayers: [{layers}]"))
    return [d.code for d in check_graph(graph)]


@pytest.mark.parametrize("before", ["conv: {filters: 4, kernel: 3}", "dense: 4"])
def test_a_bias_before_batch_norm_is_found(before):
    assert codes(f"{{{before}}}, batch_norm") == ["NC301"]


@pytest.mark.parametrize(
    "before",
    ["conv: {filters: 4, kernel: 3, bias: false}", "batch_norm: ", "layer_norm: ", "group_norm: 2", "prelu: "],
)
def test_what_has_no_bias_to_switch_off_is_left_alone(before):
    assert codes(f"{{{before}}}, batch_norm") == []
