"""Blocks, their parameters, defaults, and what they may see."""

from __future__ import annotations

import pytest

from netcalc.diagnostics import SpecError
from netcalc.graph import build_complete
from netcalc.spec.load import parse_spec

BLOCK = """
input: [16, 16, 3]
params: {width: 4}
blocks:
  unit:
    params: {filters: , kernel: 3, twice: $(2 * filters)}
    layers:
      - conv: {filters: $filters, kernel: $kernel, padding: same}
      - relu
"""


def spec_of(text: str):
    return parse_spec(text, "net.yaml")


def names_of(text: str) -> list[str]:
    return [node.name for node in spec_of(text).nodes]


def fields_of(text: str, name: str):
    return next(node.layer for node in spec_of(text).nodes if node.name == name)


def errors_of(text: str) -> list[tuple[str, int]]:
    with pytest.raises(SpecError) as error:
        spec_of(text)
    return [(d.code, d.span.line if d.span else 0) for d in error.value.diagnostics]


def test_a_block_stands_for_its_layers_under_its_name() -> None:
    text = BLOCK + "layers:\n  - unit: {filters: 8}\n  - {unit: {filters: 2}, name: last}\n"
    assert names_of(text) == ["unit1.conv1", "unit1.relu1", "last.conv1", "last.relu1"]
    assert fields_of(text, "unit1.conv1").filters == 8
    assert spec_of(text).nodes[2].inputs == ("unit1.relu1",)


def test_arguments_are_evaluated_where_they_stand_and_defaults_see_earlier_parameters() -> None:
    body = BLOCK.replace("filters: $filters,", "filters: $twice,")
    assert fields_of(body + "layers:\n  - unit: {filters: $(width * 3)}\n", "unit1.conv1").filters == 24


def test_a_block_sees_its_own_parameters_and_index_and_nothing_else() -> None:
    outer = BLOCK.replace("kernel: $kernel", "kernel: $width")
    assert errors_of(outer + "layers:\n  - unit: {filters: 8}\n") == [("NC015", 8)]
    indexed = BLOCK.replace("kernel: $kernel", "kernel: $(index + 1)")
    text = indexed + "layers:\n  - {unit: {filters: 8}, repeat: 3}\n"
    assert [fields_of(text, f"unit1.{n}.conv1").kernel for n in (1, 2, 3)] == [1, 2, 3]


def test_input_inside_a_block_is_what_the_block_reads() -> None:
    text = """
input: [8, 8, 4]
blocks:
  skip:
    layers:
      - relu
      - {add: , from: [relu1, input]}
layers:
  - tanh
  - skip
  - parallel: [[skip], [tanh]]
"""
    by_name = {node.name: node for node in spec_of(text).nodes}
    assert by_name["skip1.add1"].inputs == ("skip1.relu1", "tanh1")
    assert by_name["parallel1.branch1.skip1.add1"].inputs == ("parallel1.branch1.skip1.relu1", "skip1.add1")


def test_blocks_use_blocks_in_any_order_of_definition() -> None:
    text = """
input: [4]
blocks:
  outer: {params: {n: }, layers: [inner: {units: $n}, relu]}
  inner: {params: {units: }, layers: [dense: $units]}
layers: [outer: {n: 5}]
"""
    assert names_of(text) == ["outer1.inner1.dense1", "outer1.relu1"]
    assert fields_of(text, "outer1.inner1.dense1").units == 5


def test_a_block_that_uses_itself_is_an_error_not_a_hang() -> None:
    text = """
input: [4]
blocks:
  a: {layers: [b]}
  b: {layers: [relu, a]}
layers: [a]
"""
    assert errors_of(text) == [("NC018", 5)]


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ("- unit", [("NC012", 10)]),
        ("- unit: {kernel: 3}", [("NC012", 10)]),
        ("- unit: {filters: 8, kernl: 3}", [("NC010", 10)]),
        ("- unit: 8", [("NC011", 10)]),
        ("- unit: {filters: {a: 2}}", [("NC011", 10)]),
        ("- unti: {filters: 8}", [("NC013", 10)]),
        ("- {unit: {filters: 8}, share: x}", [("NC023", 10)]),
    ],
)
def test_a_wrong_use_is_reported_at_its_line(layers: str, expected: list[tuple[str, int]]) -> None:
    assert errors_of(BLOCK.lstrip("\n") + f"layers:\n  {layers}\n") == expected


@pytest.mark.parametrize("name", ["conv", "residual", "repeat", "share", "9lives", "a.b"])
def test_some_names_are_not_for_blocks(name: str) -> None:
    text = f"input: [4]\nblocks:\n  {name}: {{layers: [relu]}}\nlayers: [tanh]\n"
    assert errors_of(text) == [("NC017", 3)]


DEFAULTS = """
input: [8, 8, 3]
params: {rate: 0.25}
defaults: {conv: {bias: false, padding: same}, dropout: {rate: $rate}}
blocks:
  unit:
    params: {k: 1}
    defaults: {conv: {kernel: $k, padding: valid}}
    layers:
      - conv: {filters: 4}
      - conv: {filters: 4, kernel: 5, padding: 2}
layers:
  - conv: {filters: 2, kernel: 3}
  - {conv: {filters: 2, kernel: 3, bias: true}, name: explicit}
  - dropout
  - {dropout: 0.5, name: said}
  - unit: {k: 3}
"""


def test_what_a_node_does_not_say_comes_from_its_block_then_the_spec_then_the_layer() -> None:
    spec_default = fields_of(DEFAULTS, "conv1")
    assert (spec_default.bias, spec_default.padding, spec_default.stride) == (False, "same", 1)
    assert fields_of(DEFAULTS, "explicit").bias is True
    assert fields_of(DEFAULTS, "dropout1").rate == 0.25
    assert fields_of(DEFAULTS, "said").rate == 0.5
    inner = fields_of(DEFAULTS, "unit1.conv1")
    assert (inner.kernel, inner.padding, inner.bias) == (3, "valid", False)
    outdone = fields_of(DEFAULTS, "unit1.conv2")
    assert (outdone.kernel, outdone.padding) == (5, 2)


@pytest.mark.parametrize(
    ("defaults", "code"),
    [
        ("{covn: {bias: false}}", "NC013"),
        ("{conv: {bais: false}}", "NC010"),
        ("{conv: 3}", "NC011"),
        ("3", "NC011"),
    ],
)
def test_wrong_defaults_are_reported_though_no_node_takes_them(defaults: str, code: str) -> None:
    assert errors_of(f"input: [4]\ndefaults: {defaults}\nlayers: [relu]\n") == [(code, 2)]


SHARED = """
input: [8, 8, 3]
layers:
  - {conv: {filters: 3, kernel: 3, padding: same}, name: first}
  - relu
  - {conv: {filters: 3, kernel: 3, padding: same}, share: first, name: second}
  - {conv: {filters: 3, kernel: 3, padding: same}, share: second, name: third}
"""


def test_sharing_leads_to_the_owner() -> None:
    graph = build_complete(spec_of(SHARED))
    assert [graph.nodes[name].owner for name in ("first", "second", "third")] == ["first"] * 3


@pytest.mark.parametrize(
    ("old", "new"),
    [("share: first", "share: relu1"), ("share: first", "share: input"), ("share: first", "share: [first]")],
)
def test_only_a_node_of_the_same_type_is_shared_with(old: str, new: str) -> None:
    codes = [code for code, _ in errors_of(SHARED.replace(old, new))]
    assert codes in (["NC023"], ["NC011"])


def test_shared_parameters_must_have_the_same_shapes() -> None:
    second = "padding: same}, share: first, name: second}"
    assert second in SHARED
    other = SHARED.replace(second, "padding: same, groups: 3}, share: first, name: second}")
    other = other.replace("share: second", "share: first")
    with pytest.raises(SpecError) as error:
        build_complete(spec_of(other))
    assert [d.code for d in error.value.diagnostics] == ["NC023"]


def test_train_only_outputs_are_marked() -> None:
    text = SHARED + "outputs: [third, {name: relu1, train_only: true}]\n"
    graph = build_complete(spec_of(text))
    assert graph.outputs == ("third", "relu1")
    assert graph.inference_outputs == ("third",)
    assert graph.train_only == frozenset()
    head = text.replace("outputs:", "  - {dense: 5, from: relu1, name: head}\noutputs:").replace(
        "name: relu1", "name: head"
    )
    assert build_complete(spec_of(head)).train_only == {"head"}


def test_a_network_needs_an_output_for_inference() -> None:
    assert errors_of(SHARED + "outputs: {name: third, train_only: true}\n") == [("NC012", 8)]
