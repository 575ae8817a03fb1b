"""`--set PATH=VALUE`: what a path reaches, what its value means, and where errors in it are reported."""

import pytest

from netcalc.diagnostics import SpecError
from netcalc.graph import build_complete
from netcalc.spec.load import load_spec, parse_spec
from netcalc.spec.optimizers import OptimizerSpec

SPEC = """
name: net
input: [16, 16, 3]
params: {width: 8, classes: 10, depths: [1, 2], free: 0}
layers:
  - {conv: {filters: $width, kernel: 3}, name: c1}
  - relu
  - {avg_pool: 2, name: p1}
  - batch_norm
  - conv: {filters: 4, kernel: 3}
  - {residual: [{conv: {filters: 4, kernel: 1}}, relu], name: short}
  - residual:
      body: [{conv: {filters: 4, kernel: 1}}]
      shortcut: [{conv: {filters: 4, kernel: 1}, name: project}]
  - sequence: [{dropout: 0.5}, {sequence: [{dense: 5}], name: inner}]
  - {parallel: [[{conv: {filters: 2, kernel: 1}}], []], name: numbered}
  - {parallel: {branches: {a: [relu], b: [{max_pool: {kernel: 1}}]}, merge: add}, name: named}
  - {add: , from: [named, numbered], name: total}
  - global_avg_pool
  - {dense: $classes, name: out}
outputs: [out]
train:
  data: digits
  epochs: 5
  optimizer: adam
budgets: {params: 62k, macs: {max: 1M}}
"""


def spec(*overrides):
    return parse_spec(SPEC, "net.yaml", overrides)


def layer(name, *overrides):
    return {node.name: node.layer for node in spec(*overrides).nodes}[name]


def refusals(*overrides):
    with pytest.raises(SpecError) as error:
        build_complete(spec(*overrides))
    return error.value.diagnostics


def test_without_overrides_the_spec_is_whole():
    assert len(build_complete(spec()).nodes) == 21


def test_a_parameter_is_replaced_before_expansion():
    assert spec("params.width=32").params["width"] == 32
    assert layer("c1", "params.width=32").filters == 32
    assert spec("params.depths.1=7").params["depths"] == [1, 7]
    assert spec("params.depths=[5]").params["depths"] == [5]


def test_the_value_of_a_parameter_may_use_those_before_it():
    assert layer("out", "params.classes=$(width * 3)").units == 24


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("c1.filters", 5),
        ("c1.stride", 2),
        ("conv2.filters", 5),
        ("0.filters", 5),
        ("4.filters", 5),
        ("p1.kernel", 4),
        ("p1.stride", 1),
        ("batch_norm1.momentum", 0.5),
        ("out.units", 3),
        ("short.conv1.filters", 7),
        ("short.body.conv1.filters", 7),
        ("residual2.body.conv1.filters", 7),
        ("residual2.shortcut.project.filters", 7),
        ("residual2.shortcut.0.filters", 7),
        ("sequence1.dropout1.rate", 0.25),
        ("sequence1.inner.dense1.units", 9),
        ("numbered.branch1.conv1.filters", 6),
        ("named.b.max_pool1.kernel", 2),
    ],
)
def test_a_field_of_a_layer_is_reached_by_the_names_of_its_nodes(path, value):
    def fields(*overrides):
        return {n.name: n.layer.model_dump() for n in spec(*overrides).nodes}

    before, after = fields(), fields(f"layers.{path}={value}")
    (changed,) = [name for name in before if before[name] != after[name]]
    field = path.rpartition(".")[2]
    assert after[changed] == {**before[changed], field: value}


def test_setting_a_second_field_keeps_the_scalar_that_stood_for_the_first():
    pool = layer("p1", "layers.p1.stride=1")
    assert (pool.kernel, pool.stride) == (2, 1)
    assert layer("out", "layers.out.bias=false").units == 10
    assert layer("sequence1.dropout1", "layers.sequence1.dropout1.rate=0.1").rate == 0.1


def test_a_bare_layer_takes_its_first_field():
    assert layer("batch_norm1", "layers.batch_norm1.scale=false").scale is False
    assert layer("global_avg_pool1", "layers.global_avg_pool1.keepdims=true").keepdims is True


def test_fields_below_a_field():
    assert layer("c1", "layers.c1.kernel=[3, 5]", "layers.c1.kernel.1=1").kernel == (3, 1)
    chosen = layer("c1", "layers.c1.init.normal.std=0.01").init
    assert (chosen.kind, chosen.chosen.std) == ("normal", 0.01)
    again = layer("c1", "layers.c1.init=normal", "layers.c1.init.normal.mean=1").init
    assert (again.chosen.mean, again.chosen.std) == (1.0, 1.0)


def test_wiring_of_a_node():
    assert [n.name for n in spec("layers.relu1.name=act").nodes][1] == "act"
    names = [n.name for n in spec("layers.relu1.repeat=3").nodes]
    assert names[1:4] == ["relu1.1", "relu1.2", "relu1.3"]
    assert "relu1" not in {n.name for n in spec("layers.relu1.when=false").nodes}
    assert [n.name for n in spec("layers.short.trainable=false").nodes if not n.trainable] == [
        "short.body.conv1",
        "short.body.relu1",
        "short.add",
    ]
    inputs = {n.name: n.inputs for n in spec("layers.out.from=c1").nodes}
    assert inputs["out"] == ("c1",)


def test_one_of_several_inputs():
    inputs = {n.name: n.inputs for n in spec("layers.total.from.0=short").nodes}
    assert inputs["total"] == ("short.add", "numbered.concat")


def test_whole_parts():
    assert [n.name for n in spec("layers=[relu]", "outputs=relu1").nodes] == ["relu1"]
    assert layer("out", "layers.relu1={dense: 7}").units == 10
    assert layer("dense1", "layers.relu1={dense: 7}").units == 7
    branches = [n.name for n in spec("layers.numbered.branch2=[tanh, relu]").nodes]
    assert "numbered.branch2.relu1" in branches
    assert "named.a.sigmoid1" in [n.name for n in spec("layers.named.a=[sigmoid]").nodes]
    shortcut = [n.name for n in spec("layers.residual2.shortcut=[]").nodes]
    assert "residual2.shortcut.project" not in shortcut


@pytest.mark.parametrize("group", ["numbered", "named"])
def test_the_merge_of_a_parallel_group_whether_written_or_not(group):
    other = {"numbered": "add", "named": "concat"}[group]
    assert f"{group}.{other}" in [n.name for n in spec(f"layers.{group}.merge={other}").nodes]


def test_training():
    assert spec("train.epochs=3").train.epochs == 3
    assert spec("train.batch_size=64").train.batch_size == 64
    assert spec("train.seed=7", "train.seed=8").train.seed == 8


@pytest.mark.parametrize("written", ["adam", "{adam: }", "{adam: {}}", "{adam: 0.5}", "{adam: {beta1: 0.5}}"])
def test_a_field_of_the_optimizer_however_it_is_written(written):
    found = spec(f"train.optimizer={written}", "train.optimizer.adam.learning_rate=0.25").train.optimizer
    assert (found.kind, found.chosen.learning_rate) == ("adam", 0.25)
    assert found.chosen.beta1 == (0.5 if "beta1" in written else 0.9)


@pytest.mark.parametrize("written", ["adam", "{adam: {beta1: 0.5}}", "{momentum: {learning_rate: 7}}"])
def test_naming_an_optimizer_chooses_it(written):
    found = spec(f"train.optimizer={written}", "train.optimizer.momentum.learning_rate=0.1").train.optimizer
    assert (found.kind, found.chosen.learning_rate, found.chosen.momentum) == ("momentum", 0.1, 0.9)


def test_short_forms_keep_what_they_stand_for():
    data = spec("train.data.pad=2").train.data
    assert (data.source, data.pad) == ("digits", 2)
    assert spec("input.dtype=uint8").inputs[0].type.shape == (16, 16, 3)
    assert spec("input.dtype=uint8").inputs[0].type.dtype == "uint8"
    assert spec("input.0=32").inputs[0].type.shape == (32, 16, 3)
    assert spec("input.shape.0=32").inputs[0].type.shape == (32, 16, 3)
    assert spec("budgets.params.max=5k").budgets.params.max == 5000
    assert spec("budgets.macs.max=7").budgets.macs.max == 7


def test_a_section_that_was_not_there():
    text = "input: [4]\nlayers: [relu]\n"
    found = parse_spec(text, "net.yaml", ["train.data=digits", "train.epochs=2", "budgets.macs=3", "name=x"])
    assert (found.train.epochs, found.budgets.macs.max, found.name) == (2, 3, "x")


def test_the_value_is_yaml_and_may_hold_an_equals_sign():
    assert spec("params.free=1e1").params["free"] == 10.0
    assert spec("params.free='10'").params["free"] == "10"
    assert spec("params.free=a=b").params["free"] == "a=b"
    assert spec("params.free=").params["free"] is None
    assert spec(" train.epochs = 3 ").train.epochs == 3
    assert layer("c1", "layers.c1={conv: {filters: 3, kernel: [1, 2]}, name: c1}").kernel == (1, 2)


def test_overrides_apply_in_order_and_leave_the_text_alone():
    assert layer("c1", "params.width=3", "layers.c1.filters=$(width + 1)", "params.width=5").filters == 6
    assert layer("c1").filters == 8


def test_an_aliased_node_changes_only_where_it_is_named():
    text = "input: [4]\nlayers: [&d {dense: {units: 3}}, *d]\n"
    found = parse_spec(text, "net.yaml", ["layers.dense2.units=5"])
    assert [node.layer.units for node in found.nodes] == [3, 5]


@pytest.mark.parametrize(
    ("override", "help"),
    [
        ("params.widht=3", "did you mean `width`?"),
        ("parms.width=3", "did you mean `params`?"),
        ("layers.c1x.filters=3", "did you mean `c1`?"),
        ("layers.short.body.conv9.filters=3", "did you mean `conv1`?"),
        ("layers.sequence1.inner.dens1.units=3", "did you mean `dense1`?"),
        ("layers.numbered.branch3.conv1.filters=3", "did you mean `branch2`?"),
        ("layers.named.bb.relu1=3", "did you mean `b`?"),
        ("layers.named.b.max_pol1.kernel=3", "did you mean `max_pool1`?"),
        ("train.optimizer.adamm.learning_rate=3", "did you mean `adam`?"),
        (
            "train.optimizer.learning_rate=3",
            "known: " + ", ".join(f"`{name}`" for name in OptimizerSpec.model_fields),
        ),
        ("layers.c1.init.norml.std=3", "did you mean `normal`?"),
        ("layers.99.filters=3", None),
        ("layers.-1.filters=3", None),
        ("input.3=3", ""),
        ("input.height=3", ""),
        ("params.depths.two=3", ""),
        ("params.depths.-1=3", ""),
        ("params.depths.99999999999999999999999=3", ""),
        ("params.width.deep=3", ""),
        ("train.epochs.first=3", ""),
        ("train.epochs", ""),
        ("=3", ""),
        ("train..epochs=3", ""),
        (".=3", ""),
        ("", ""),
    ],
)
def test_a_path_that_leads_nowhere_is_an_error_with_a_suggestion(override, help):
    (found,) = refusals(override)
    assert found.code == "NC016"
    assert found.span.file == f"--set {override.partition('=')[0].strip()}"
    assert help is None or found.help == help


@pytest.mark.parametrize(
    ("override", "code", "message"),
    [
        ("train.epochs=-3", "NC011", "`epochs` should be greater than 0, not -3"),
        ("train.epoch=3", "NC010", "unknown field `epoch` of `train`"),
        ("layers.c1.filters=many", "NC011", '`filters` should be a whole number, not "many"'),
        ("layers.c1.filtres=3", "NC010", "unknown field `filtres` of `conv`"),
        ("layers.relu1=0", "NC014", "a node is a layer's name or a mapping with one"),
        ("layers.out.units=0", "NC011", "`units` should be greater than 0, not 0"),
        ("layers.relu1.from=nowhere", "NC020", "no node `nowhere` before this one"),
        ("layers.relu1={rleu: }", "NC013", "unknown layer or block `rleu`"),
        ("layers.c1.filters=$wdth", "NC015", "`wdth` is not a parameter here"),
        ("layers.c1.filters=[1", "NC002", "not valid YAML"),
        ("layers.c1.filters=\udcff", "NC002", "the text is not UTF-8"),
        ("layers.c1={conv: 1, conv: 2}", "NC003", "`conv` is written twice"),
        ("layers.c1.filters=!!int 3", "NC004", "YAML tags"),
        ("layers.c1.kernel=17", "NC101", "`kernel` (17) is larger than the input's height (16)"),
        ("layers.c1.groups=2", "NC102", "`groups` (2) does not divide the 3 input channels"),
        ("name=a/b", "NC011", "`name` should be a word"),
        ("outputs=nobody", "NC020", "no node `nobody` for an output"),
        ("train.optimizer.adam.learning_rate=0", "NC011", "`learning_rate` should be greater than 0, not 0"),
    ],
)
def test_an_error_in_an_overriding_value_points_at_the_override(override, code, message):
    found = refusals(override)
    (first,) = found
    assert first.code == code
    assert first.message.startswith(message)
    assert first.span.file == f"--set {override.partition('=')[0]}"


def test_errors_elsewhere_still_point_at_the_file():
    text = SPEC.replace("dropout: 0.5", "dropout: 5")
    with pytest.raises(SpecError) as error:
        parse_spec(text, "net.yaml", ["layers.c1.filters=0", "train.epochs=0"])
    places = [(d.span.file, d.span.line) for d in error.value.diagnostics]
    assert places == [("--set layers.c1.filters", 1), ("--set train.epochs", 1), ("net.yaml", 15)]


def test_load_spec_takes_overrides(tmp_path):
    file = tmp_path / "net.yaml"
    file.write_text(SPEC)
    assert load_spec(file, ["params.width=2", "train.epochs=1"]).train.epochs == 1


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("blocks.nope.params.x=3", "no block `nope`"),
        ("blocks.b.params.x=3", "no parameter `x`"),
        ("blocks.b.param.n=3", "no `param`"),
        ("defaults.covn.bias=false", "did you mean `conv`"),
    ],
)
def test_blocks_and_defaults_must_exist(assignment, message):
    text = "input: [4]\nblocks: {b: {params: {n: 2}, layers: [dense: $n]}}\nlayers: [b]\n"
    with pytest.raises(SpecError, match=message) as error:
        parse_spec(text, overrides=[assignment])
    assert [d.code for d in error.value.diagnostics] == ["NC016"]
    assert str(error.value).startswith(f"--set {assignment.partition('=')[0]}: error[NC016]")
