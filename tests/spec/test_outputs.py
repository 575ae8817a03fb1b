"""Outputs that a condition leaves out."""

import pytest

from netcalc.diagnostics import SpecError
from netcalc.graph import build_complete
from netcalc.spec.load import parse_spec

HEADS = """
input: [8, 8, 3]
params: {aux: false, main: true}
layers:
  - {conv: {filters: 4, kernel: 3}, name: stem}
  - {global_avg_pool: , name: main}
  - {global_avg_pool: , name: aux, from: stem, when: $aux}
outputs:
  - {name: main, when: $main}
  - {name: aux, train_only: true, when: $aux}
"""


@pytest.mark.parametrize(("aux", "outputs"), [("false", ("main",)), ("true", ("main", "aux"))])
def test_when_keeps_an_output_only_if_true(aux, outputs):
    graph = build_complete(parse_spec(HEADS, overrides=[f"params.aux={aux}"]))
    assert graph.outputs == outputs
    assert graph.inference_outputs == ("main",)


@pytest.mark.parametrize("aux", ["false", "true"])
def test_an_output_for_inference_must_remain(aux):
    with pytest.raises(SpecError) as caught:
        parse_spec(HEADS, overrides=["params.main=false", f"params.aux={aux}"])
    assert [d.code for d in caught.value.diagnostics] == ["NC012"]


def test_when_is_true_or_false():
    with pytest.raises(SpecError) as caught:
        parse_spec(HEADS, overrides=["params.aux=1"])
    assert {d.code for d in caught.value.diagnostics} == {"NC011"}
