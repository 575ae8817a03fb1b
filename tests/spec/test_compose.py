"""Names and wiring: what groups, repetition and conditions expand to."""

import time

import pytest

from netcalc.diagnostics import SpecError
from netcalc.spec.load import parse_spec
from netcalc.spec.source import parse_yaml, plain


def outputs(text):
    return tuple(output.node for output in spec(text).outputs)


def spec(layers, head="input: [8, 8, 4]"):
    lead = " " if layers.startswith("[") else "\n"
    return parse_spec(f"{head}\nlayers:{lead}{layers}", "net.yaml")


def wires(layers, head="input: [8, 8, 4]"):
    """Return every node's name with the names that it reads."""
    return {node.name: list(node.inputs) for node in spec(layers, head).nodes}


def codes(layers, head="input: [8, 8, 4]"):
    with pytest.raises(SpecError) as error:
        spec(layers, head)
    return [d.code for d in error.value.diagnostics]


def test_a_name_is_the_type_and_its_count_in_the_list():
    assert list(wires("[relu, tanh, relu, {dropout: 0.1}, {relu: }]")) == [
        "relu1",
        "tanh1",
        "relu2",
        "dropout1",
        "relu3",
    ]


def test_an_explicit_name_does_not_shift_the_others():
    assert list(wires("[relu, {relu: , name: mid}, relu]")) == ["relu1", "mid", "relu3"]


def test_a_name_in_one_block_does_not_depend_on_another_block():
    before = "  - sequence: [relu]\n  - sequence: [tanh, {dense: 3}]\n"
    after = "  - sequence: [relu, relu, dropout, {dense: 4}]\n  - sequence: [tanh, {dense: 3}]\n"
    assert list(wires(before))[-2:] == list(wires(after))[-2:] == ["sequence2.tanh1", "sequence2.dense1"]


def test_a_node_left_out_keeps_its_count_but_gives_no_name():
    assert wires("[relu, {relu: , when: false}, relu]") == {"relu1": ["input"], "relu3": ["relu1"]}


def test_order_wires_nodes():
    assert wires("[relu, tanh, sigmoid]") == {"relu1": ["input"], "tanh1": ["relu1"], "sigmoid1": ["tanh1"]}


def test_from_reads_another_node_and_the_next_node_reads_on():
    layers = "[relu, tanh, {sigmoid: , from: relu1}, softmax]"
    assert wires(layers)["sigmoid1"] == ["relu1"]
    assert wires(layers)["softmax1"] == ["sigmoid1"]


def test_repeat_numbers_from_one_and_chains():
    layers = "[{relu: , name: act, repeat: 3}, {tanh: , from: act}, {sigmoid: , from: act.2}]"
    assert wires(layers) == {
        "act.1": ["input"],
        "act.2": ["act.1"],
        "act.3": ["act.2"],
        "tanh1": ["act.3"],
        "sigmoid1": ["act.2"],
    }


def test_repeat_of_a_group_gives_each_instance_a_scope():
    layers = "[{sequence: [relu, {tanh: , from: relu1}], name: stage, repeat: 2}, softmax]"
    assert wires(layers) == {
        "stage.1.relu1": ["input"],
        "stage.1.tanh1": ["stage.1.relu1"],
        "stage.2.relu1": ["stage.1.tanh1"],
        "stage.2.tanh1": ["stage.2.relu1"],
        "softmax1": ["stage.2.tanh1"],
    }


def test_index_counts_from_zero_and_the_inner_one_hides_the_outer():
    layers = "[{sequence: [{dense: $(index + 1)}, {dense: $(index + 10), repeat: 2}], repeat: 2}]"
    units = {node.name: node.layer.units for node in spec(layers).nodes}
    assert units == {
        "sequence1.1.dense1": 1,
        "sequence1.1.dense2.1": 10,
        "sequence1.1.dense2.2": 11,
        "sequence1.2.dense1": 2,
        "sequence1.2.dense2.1": 10,
        "sequence1.2.dense2.2": 11,
    }


def test_index_steers_what_stands_inside_a_repeated_group():
    layers = "[{sequence: [{max_pool: 2, when: $(index > 0)}, {relu: , repeat: $(index + 1)}], repeat: 2}]"
    assert list(wires(layers)) == [
        "sequence1.1.relu1.1",
        "sequence1.2.max_pool1",
        "sequence1.2.relu1.1",
        "sequence1.2.relu1.2",
    ]


def test_repeat_zero_passes_its_input_on_under_its_name():
    assert wires("[relu, {sequence: [tanh], name: s, repeat: 0}, {sigmoid: , from: s}]") == {
        "relu1": ["input"],
        "sigmoid1": ["relu1"],
    }


def test_repeat_one_still_has_a_number():
    assert list(wires("[{relu: , repeat: 1}]")) == ["relu1.1"]


def test_a_node_left_out_cannot_be_read():
    assert codes("[{relu: , name: a, when: false}, {tanh: , from: a}]") == ["NC020"]


def test_when_keeps_by_a_parameter():
    head = "input: [8, 8, 4]\nparams: {deep: false}"
    assert list(wires("[relu, {tanh: , when: $deep}, {sigmoid: , when: $(not deep)}]", head)) == [
        "relu1",
        "sigmoid1",
    ]


def test_a_residual_adds_its_input():
    assert wires("[relu, {residual: [tanh, sigmoid]}, softmax]") == {
        "relu1": ["input"],
        "residual1.body.tanh1": ["relu1"],
        "residual1.body.sigmoid1": ["residual1.body.tanh1"],
        "residual1.add": ["residual1.body.sigmoid1", "relu1"],
        "softmax1": ["residual1.add"],
    }


def test_a_residual_with_a_shortcut_counts_names_in_each_part():
    layers = """
  - residual:
      body: [{conv: {filters: 4, kernel: 1}}, {conv: {filters: 4, kernel: 1}}]
      shortcut: [{conv: {filters: 4, kernel: 1}}]
"""
    assert wires(layers) == {
        "residual1.body.conv1": ["input"],
        "residual1.body.conv2": ["residual1.body.conv1"],
        "residual1.shortcut.conv1": ["input"],
        "residual1.add": ["residual1.body.conv2", "residual1.shortcut.conv1"],
    }


def test_the_order_of_the_parts_in_the_text_does_not_matter():
    parts = ["body: [relu]", "shortcut: [tanh]"]
    written = [wires(f"[{{residual: {{{', '.join(order)}}}}}]") for order in (parts, parts[::-1])]
    assert written[0] == written[1]


@pytest.mark.parametrize("empty", ["{body: []}", "{body: [{relu: , when: false}]}", "[]"])
def test_an_empty_body_is_the_identity(empty):
    assert wires(f"[relu, {{residual: {empty}}}]")["residual1.add"] == ["relu1", "relu1"]


def test_parallel_names_branches_by_number_or_by_name():
    assert wires("[{parallel: [[relu], [tanh, relu]]}]") == {
        "parallel1.branch1.relu1": ["input"],
        "parallel1.branch2.tanh1": ["input"],
        "parallel1.branch2.relu1": ["parallel1.branch2.tanh1"],
        "parallel1.concat": ["parallel1.branch1.relu1", "parallel1.branch2.relu1"],
    }
    layers = "[{parallel: {branches: {wide: [relu], deep: [tanh]}, merge: add}, name: mix}, softmax]"
    assert wires(layers) == {
        "mix.wide.relu1": ["input"],
        "mix.deep.tanh1": ["input"],
        "mix.add": ["mix.wide.relu1", "mix.deep.tanh1"],
        "softmax1": ["mix.add"],
    }


def test_an_empty_branch_is_the_identity():
    assert wires("[relu, {parallel: [[], [tanh]]}]")["parallel1.concat"] == ["relu1", "parallel1.branch2.tanh1"]


def test_merge_may_be_an_expression():
    head = "input: [8, 8, 4]\nparams: {how: add}"
    assert "parallel1.add" in wires("[{parallel: {branches: [[relu], []], merge: $how}}]", head)


def test_a_group_name_stands_for_its_last_node_and_a_part_for_its_own():
    layers = """
  - {residual: {body: [relu], shortcut: [tanh]}, name: r}
  - {sequence: [relu, {sequence: [tanh], name: inner}], name: s}
  - {parallel: {branches: {a: [relu], b: []}}, name: p}
  - {sigmoid: , from: r, name: of_r}
  - {sigmoid: , from: r.body, name: of_body}
  - {sigmoid: , from: r.shortcut, name: of_shortcut}
  - {sigmoid: , from: s, name: of_s}
  - {sigmoid: , from: s.inner, name: of_inner}
  - {sigmoid: , from: p.a, name: of_a}
  - {sigmoid: , from: p.b, name: of_b}
  - {sigmoid: , from: p.concat, name: of_p}
"""
    found = {name: inputs[0] for name, inputs in wires(layers).items() if name.startswith("of_")}
    assert found == {
        "of_r": "r.add",
        "of_body": "r.body.relu1",
        "of_shortcut": "r.shortcut.tanh1",
        "of_s": "s.inner.tanh1",
        "of_inner": "s.inner.tanh1",
        "of_a": "p.a.relu1",
        "of_b": "s.inner.tanh1",
        "of_p": "p.concat",
    }


def test_from_looks_in_the_innermost_scope_then_outward():
    layers = """
  - {relu: , name: a}
  - {tanh: , name: b}
  - sequence:
      - {sigmoid: , name: a}
      - sequence:
          - {softmax: , from: a, name: reads_middle}
          - {softmax: , from: b, name: reads_outer}
          - {relu: , name: a}
          - {softmax: , from: a, name: reads_inner}
      - {softmax: , from: sequence1.a, name: down}
    name: s
"""
    found = wires(layers)
    assert found["s.sequence1.reads_middle"] == ["s.a"]
    assert found["s.sequence1.reads_outer"] == ["b"]
    assert found["s.sequence1.reads_inner"] == ["s.sequence1.a"]
    assert found["s.down"] == ["s.sequence1.a"]


def test_input_inside_groups_is_the_input_of_the_network():
    layers = "[relu, {residual: {body: [tanh, {sequence: [{sigmoid: , from: input}]}]}}]"
    assert wires(layers)["residual1.body.sequence1.sigmoid1"] == ["input"]


def test_one_branch_can_read_a_node_of_another():
    layers = """
  - parallel:
      branches:
        a: [{relu: , name: shared}, tanh]
        b: [{sigmoid: , from: a.shared}]
"""
    assert wires(layers)["parallel1.b.sigmoid1"] == ["parallel1.a.shared"]


def test_a_group_can_start_from_a_named_node():
    layers = "[{relu: , name: a}, tanh, {residual: [sigmoid], from: a}, {parallel: [[relu], []], from: a}]"
    found = wires(layers)
    assert found["residual1.add"] == ["residual1.body.sigmoid1", "a"]
    assert found["parallel1.concat"] == ["parallel1.branch1.relu1", "a"]


def test_merge_layers_read_the_nodes_they_name_in_order():
    found = wires("[{relu: , name: a}, {tanh: , name: b}, {concat: , from: [b, input, a, b]}]")
    assert found["concat1"] == ["b", "input", "a", "b"]


def test_several_inputs_are_read_by_name():
    head = "inputs: {left: [8, 8, 4], right: {shape: [8, 8, 4], dtype: uint8}}"
    layers = "[{relu: , from: left}, {residual: [tanh], from: right}, {add: , from: [relu1, residual1]}]"
    assert wires(layers, head) == {
        "relu1": ["left"],
        "residual1.body.tanh1": ["right"],
        "residual1.add": ["residual1.body.tanh1", "right"],
        "add1": ["relu1", "residual1.add"],
    }
    assert codes("[{relu: , from: left}, {tanh: , from: input}]", head) == ["NC020"]


def test_the_only_input_may_have_another_name():
    found = wires(
        "[relu, {add: , from: [relu1, image]}, {add: , from: [input, image]}]", "inputs: {image: [8, 8, 4]}"
    )
    assert found == {"relu1": ["image"], "add1": ["relu1", "image"], "add2": ["image", "image"]}


def test_outputs_are_the_last_node_or_those_named():
    layers = "[{relu: , name: a}, {residual: [tanh], name: r}, sigmoid]"
    assert outputs(layers) == ("sigmoid1",)
    assert outputs(f"{layers}\noutputs: r") == ("r.add",)
    assert outputs(f"{layers}\noutputs: [r.body, a, sigmoid1]") == ("r.body.tanh1", "a", "sigmoid1")


def test_two_names_of_one_node_are_one_output_too_many():
    assert codes("[{residual: [tanh], name: r}]\noutputs: [r, r.add]") == ["NC021"]


def test_trainable_false_holds_for_everything_below():
    layers = """
  - {dense: 3, trainable: true}
  - sequence:
      - dense: 3
      - {dense: 3, trainable: true}
      - {residual: [{dense: 3}]}
    trainable: false
  - {dense: 3, trainable: false, repeat: 2}
  - dense: 3
"""
    assert [node.name for node in spec(layers).nodes if node.trainable] == ["dense1", "dense3"]


@pytest.mark.parametrize(
    "layers",
    [
        "[{relu: , name: a}, {tanh: , name: a}]",
        "[relu, {tanh: , name: relu1}]",
        "[{sequence: [relu], name: a}, {relu: , name: a}]",
        "[{relu: , name: a, repeat: 2}, {relu: , name: a}]",
        "[{sequence: [{relu: , name: x}, {tanh: , name: x}]}]",
        "[{parallel: {branches: {add: [relu], b: [tanh]}, merge: add}}]",
    ],
)
def test_one_name_twice_is_an_error(layers):
    assert codes(layers) == ["NC021"]


def test_the_same_name_in_two_scopes_is_fine():
    layers = "[{sequence: [{relu: , name: x}]}, {sequence: [{relu: , name: x}]}, {relu: , name: x}]"
    assert list(wires(layers)) == ["sequence1.x", "sequence2.x", "x"]


def test_a_taken_name_tells_where_it_was_taken():
    with pytest.raises(SpecError) as error:
        spec("  - {relu: , name: a}\n  - tanh\n  - {relu: , name: a}\n")
    (found,) = error.value.diagnostics
    assert "`a` is taken at line 3" in found.message
    assert found.span.line == 5


def test_reading_a_later_node_is_an_error_that_names_it():
    with pytest.raises(SpecError, match="no node `late` before this one"):
        spec("[{relu: , from: late}, {tanh: , name: late}]")


def test_a_misspelt_node_is_suggested_from_its_own_scope():
    with pytest.raises(SpecError) as error:
        spec("[{relu: , name: first}, {sequence: [{relu: , name: stem}, {tanh: , from: sten}]}]")
    assert [d.help for d in error.value.diagnostics] == ["did you mean `stem`?"]


@pytest.mark.parametrize(
    "broken",
    [
        "{convv: 3, name: a}",
        "{conv: {kernel: 3}, name: a}",
        "{relu: , name: a, from: nowhere}",
        "{parallel: [[relu]], name: a}",
        "{parallel: {branches: [[relu], []], merge: how}, name: a}",
        "{sequence: [{convv: 3}], name: a}",
        "{residual: {body: 3}, name: a}",
        "{dense: $units, name: a}",
    ],
)
def test_an_error_in_a_node_is_not_reported_again_by_its_readers(broken):
    layers = f"[relu, {broken}, tanh, {{sigmoid: , from: a}}, {{add: , from: [a, relu1]}}]\noutputs: [a, sigmoid1]"
    assert len(codes(layers)) == 1


def test_all_errors_are_collected_in_the_order_of_the_text():
    layers = """
  - conv: {filters: 0, kernel: 3}
  - {relu: , from: nowhere}
  - {convv: }
  - {dense: $units}
outputs: nobody
train: {data: digits, epoch: 3}
"""
    assert codes(layers) == ["NC011", "NC020", "NC013", "NC015", "NC020", "NC010"]


POINTERS = """
  - relu
  - {conv: {filters: 4, kernel: 1}, repeat: 2}
  - residual: [relu, {tanh: }]
  - residual: {shortcut: [sigmoid], body: [{sequence: [softmax]}]}
  - parallel: [[relu], [tanh]]
  - {parallel: {branches: [[relu], [{dropout: 0.5}]]}}
  - {parallel: {branches: {a: [relu], b-2: [{sequence: [tanh, sigmoid]}]}, merge: add}}
"""


def test_the_pointer_of_a_node_leads_to_it_in_the_text():
    document = plain(parse_yaml(f"input: [8, 8, 4]\nlayers:{POINTERS}", "net.yaml"))
    for node in spec(POINTERS).nodes:
        target = document
        for step in node.path.split("/")[1:]:
            target = target[int(step)] if isinstance(target, list) else target[step]
        kinds = [target] if isinstance(target, str) else list(target)
        merged = {"add": ["residual", "parallel"], "concat": ["parallel"]}
        assert node.layer.kind in kinds or any(kind in merged[node.layer.kind] for kind in kinds), node.path


def test_every_name_can_be_used_to_read_and_as_an_output():
    names = [node.name for node in spec(POINTERS).nodes]
    readers = "".join(f"  - {{relu: , from: {name}, name: reader{i}}}\n" for i, name in enumerate(names))
    found = wires(POINTERS + readers)
    assert [found[f"reader{i}"] for i in range(len(names))] == [[name] for name in names]
    assert outputs(POINTERS + f"outputs: [{', '.join(names)}]") == tuple(names)


@pytest.mark.parametrize(
    "layers",
    [
        "[{sequence: [{relu: , repeat: 1000}], repeat: 1000}]",
        "[{sequence: [{sequence: [{sequence: [], repeat: 10000}], repeat: 10000}], repeat: 10000}]",
        "[{residual: [{residual: [{residual: [relu], repeat: 10000}], repeat: 10000}], repeat: 10000}]",
    ],
)
def test_too_many_nodes_end_the_expansion_soon(layers):
    start = time.process_time()
    assert codes(layers) == ["NC005"]
    assert time.process_time() - start < 8


def test_repeat_is_bounded_by_itself():
    assert len(spec("[{relu: , repeat: 10000}]").nodes) == 10_000
    assert codes("[{relu: , repeat: 10001}]") == ["NC011"]
    assert codes("[{relu: , repeat: 1000000000000}]") == ["NC011"]
