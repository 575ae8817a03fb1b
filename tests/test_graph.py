"""The graph: facts along the edges, unknowns after an error, readers, and whole networks by their counts."""

from dataclasses import replace
from pathlib import Path

import pytest

from netcalc.diagnostics import SpecError
from netcalc.graph import build, build_complete
from netcalc.layers.base import Inferred, Layer
from netcalc.spec.load import load_spec, parse_spec

CONFIGS = Path(__file__).parents[1] / "configs"


def graph(layers, head="input: [8, 8, 4]"):
    return build(parse_spec(f"{head}\nlayers: {layers}", "net.yaml"))


def params(found):
    return sum(p.size for node in found.nodes.values() for p in node.known.params.values())


def macs(found):
    return sum(k.macs for node in found.nodes.values() for k in node.known.kernels)


def test_the_lecture_example_has_its_sizes_and_totals():
    found = build_complete(load_spec(CONFIGS / "lecture" / "stride2.yaml"))
    convs = [node.known for node in found.nodes.values() if node.kind == "conv"]
    assert [facts.output.shape for facts in convs] == [(61, 61, 96), (29, 29, 256), (13, 13, 384), (5, 5, 384)]
    assert [sum(p.size for p in facts.params.values()) for facts in convs] == [7_296, 614_656, 2_457_984, 3_686_784]
    dense = [sum(p.size for p in n.known.params.values()) for n in found.nodes.values() if n.kind == "dense"]
    assert dense == [39_325_696, 16_781_312, 4_097_000]
    assert params(found) == 66_970_728
    assert macs(found) == 1_111_190_816


def test_lenet5_has_its_published_counts():
    found = build_complete(load_spec(CONFIGS / "lenet5.yaml"))
    assert (params(found), macs(found)) == (61_706, 416_520)
    assert [n.known.output.shape for n in found.nodes.values() if n.kind == "avg_pool"] == [(14, 14, 6), (5, 5, 16)]
    assert found.outputs == ("output",)
    assert found.nodes["output"].known.output.shape == (10,)


def test_thirty_one_convolutions_of_the_lecture_end_in_one_pixel():
    """5×5 at stride 1: 125 → 45 after twenty, 5 after thirty, 1 after one more."""
    layers = "[{conv: {filters: 2, kernel: 5}, name: c, repeat: 31}]"
    sides = [n.known.output.sides[0] for n in graph(layers, "input: [125, 125, 3]").nodes.values()]
    assert (sides[19], sides[29], sides[30]) == (45, 5, 1)
    assert sides == list(range(121, 0, -4))


BRANCHES = """
  - {conv: {filters: 6, kernel: 3, padding: same}, name: stem}
  - parallel:
      branches:
        narrow: [{conv: {filters: 2, kernel: 1}}]
        wide: [{conv: {filters: 3, kernel: 3, padding: same}}, {conv: {filters: 5, kernel: 3, padding: same}}]
        pooled: [{max_pool: {kernel: 3, stride: 1, padding: same}}]
    name: mix
  - {conv: {filters: 6, kernel: 1}, name: back}
  - {add: , from: [back, stem], name: sum}
  - {global_avg_pool: , name: head}
"""


def test_a_graph_with_branches_a_merge_and_a_shared_node():
    found = graph(f"\n{BRANCHES}")
    assert found.complete
    assert {name: node.known.output.shape for name, node in found.nodes.items()} == {
        "stem": (8, 8, 6),
        "mix.narrow.conv1": (8, 8, 2),
        "mix.wide.conv1": (8, 8, 3),
        "mix.wide.conv2": (8, 8, 5),
        "mix.pooled.max_pool1": (8, 8, 6),
        "mix.concat": (8, 8, 13),
        "back": (8, 8, 6),
        "sum": (8, 8, 6),
        "head": (6,),
    }
    assert found.consumers["stem"] == ("mix.narrow.conv1", "mix.wide.conv1", "mix.pooled.max_pool1", "sum")
    assert found.consumers["mix.wide.conv1"] == ("mix.wide.conv2",)
    assert found.consumers["input"] == ("stem",)
    assert found.consumers["head"] == ()
    assert params(found) == (9 * 4 + 1) * 6 + (6 + 1) * 2 + (9 * 6 + 1) * 3 + (9 * 3 + 1) * 5 + (13 + 1) * 6


def test_nodes_stand_in_topological_order_and_every_edge_has_two_ends():
    found = graph(f"\n{BRANCHES}")
    seen = set(found.inputs)
    for name, node in found.nodes.items():
        assert set(node.inputs) <= seen
        seen.add(name)
    edges = {(source, node.name) for node in found.nodes.values() for source in node.inputs}
    assert edges == {(source, reader) for source, readers in found.consumers.items() for reader in readers}


def test_what_follows_an_error_is_unknown_and_not_reported():
    layers = """
  - {conv: {filters: 4, kernel: 9}, name: large}
  - {relu: , name: after}
  - {add: , from: [after, input], name: merged}
  - {conv: {filters: 4, kernel: 99}, name: later}
  - {relu: , from: input, name: beside}
  - {conv: {filters: 4, kernel: 3, groups: 3}, name: second}
"""
    found = graph(f"\n{layers}")
    assert not found.complete
    assert [d.node for d in found.diagnostics] == ["large", "second"]
    known = [name for name, node in found.nodes.items() if node.facts is not None]
    assert known == ["beside"]
    with pytest.raises(AssertionError, match="after"):
        _ = found.nodes["after"].known


def test_an_error_of_a_layer_has_its_line_its_node_and_its_input():
    layers = "\n  - relu\n  - sequence:\n      - conv:\n          filters: 4\n          kernel: 9\n    name: s\n"
    (found,) = graph(layers).diagnostics
    assert (found.code, found.span.line, found.span.column, found.span.end_column) == ("NC101", 7, 19, 20)
    assert (found.node, found.context) == ("s.conv1", ("input: 8×8×4",))


@pytest.mark.parametrize(
    ("layers", "place"),
    [
        ("[{max_pool: 9}]", (2, 21)),  # the scalar that stands for the kernel
        ("[{conv: {filters: 4, kernel: 3, groups: 3}}]", (2, 49)),
        ("[{conv: {kernel: 10, filters: 4}}]", (2, 26)),
        ("[flatten, {conv: {filters: 4, kernel: 3}}]", (2, 20)),  # no field is wrong: the layer
        ("[relu, {max_pool: {kernel: 2, padding: 2}}]", (2, 48)),
    ],
)
def test_an_error_points_at_its_field(layers, place):
    (found,) = graph(layers).diagnostics
    assert (found.span.line, found.span.column) == place


def test_a_merge_shows_every_shape_it_was_given():
    (found,) = graph("[{max_pool: 2}, {concat: , from: [input, max_pool1]}]").diagnostics
    assert found.context == ("input: 8×8×4, 4×4×4",)


def test_build_complete_raises_every_error():
    spec = parse_spec("input: [8, 8, 4]\nlayers: [{max_pool: 9}, {max_pool: 10, from: input}]", "net.yaml")
    with pytest.raises(SpecError) as error:
        build_complete(spec)
    assert [d.node for d in error.value.diagnostics] == ["max_pool1", "max_pool2"]


class PassOn(Layer):
    """A layer whose output is its input, type and all."""

    kind = "pass_on"

    def infer(self, *inputs):
        (x,) = inputs
        return Inferred(x)


def test_integer_pixels_reach_the_layers_as_floats():
    spec = parse_spec("input: {shape: [8, 8, 4], dtype: uint8}\nlayers: [relu]", "net.yaml")
    found = build(replace(spec, nodes=tuple(replace(node, layer=PassOn()) for node in spec.nodes)))
    assert found.inputs["input"].dtype == "uint8"
    assert found.nodes["relu1"].known.output.dtype == "float32"


def test_several_inputs_keep_their_own_types():
    head = "inputs: {image: {shape: [8, 8, 3], dtype: uint8}, line: [16, 2]}"
    found = graph(
        "[{flatten: , from: image}, {flatten: , from: line}, {concat: , from: [flatten1, flatten2]}]", head
    )
    assert {name: (x.shape, x.dtype) for name, x in found.inputs.items()} == {
        "image": ((8, 8, 3), "uint8"),
        "line": ((16, 2), "float32"),
    }
    assert found.nodes["concat1"].known.output.shape == (192 + 32,)
    assert found.consumers["line"] == ("flatten2",)


@pytest.mark.parametrize("shape", [[10], [12, 3], [8, 8, 3], [4, 6, 5, 2]])
def test_every_rank_from_one_to_four(shape):
    found = graph("[batch_norm, relu, {dense: 5}, flatten, softmax]", f"input: {shape}")
    assert found.complete
    assert found.nodes["dense1"].known.output.shape == (*shape[:-1], 5)
