"""Training end to end on the small digits."""

import json
import math
import shutil

import jax
import numpy as np
import pytest

from netcalc.compiler.network import compile_graph
from netcalc.diagnostics import CannotRunError, SpecError
from netcalc.graph import build_complete
from netcalc.spec.load import parse_spec
from netcalc.train.checkpoint import load_checkpoint
from netcalc.train.device import choose_device
from netcalc.train.environment import environment
from netcalc.train.evaluate import evaluate_run
from netcalc.train.loop import train
from netcalc.train.optimizers import make_updater
from netcalc.train.plan import make_plan
from netcalc.train.run import CHECKPOINTS, create_run, open_run
from netcalc.train.step import initial_train_state
from tests.train.specs import BRANCHING, CONVNET, DENSE, SHORT, graph_of


class Watcher:
    """Keeps what a training reports."""

    def __init__(self):
        self.records, self.steps = [], 0

    def step(self, epoch, done, running):
        self.steps += 1

    def epoch(self, record):
        self.records.append(record)


def run_training(graph, root, interrupted=lambda: None):
    plan, watcher = make_plan(graph), Watcher()
    run = create_run(root, graph, plan.preprocessing, environment(choose_device("cpu")))
    return run, train(plan, run, watcher, interrupted), watcher


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return run_training(graph_of(CONVNET), tmp_path_factory.mktemp("runs"))


def test_a_small_convnet_learns_the_digits(trained):
    _, outcome, watcher = trained
    losses = [record.metrics["train_loss"] for record in watcher.records[1:]]
    assert outcome.last.metrics["test_accuracy"] > 0.9
    assert losses == sorted(losses, reverse=True)
    assert watcher.steps == outcome.last.step == 4 * math.ceil(1347 / 32)


def test_the_loss_before_training_is_close_to_ln_classes(trained):
    _, _, watcher = trained
    assert watcher.records[0].epoch == 0
    assert watcher.records[0].metrics["test_loss"] == pytest.approx(math.log(10), abs=0.4)


def test_the_run_directory_tells_everything(trained):
    run, outcome, _ = trained
    assert {path.name for path in run.iterdir()} == {
        "spec.yaml", "preprocessing.json", "environment.json", "metrics.jsonl", "metrics.csv", "checkpoints"
    }  # fmt: skip
    records = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [record["epoch"] for record in records] == [0, 1, 2, 3, 4]
    assert records[-1]["test_accuracy"] == outcome.last.metrics["test_accuracy"]
    assert len((run / "metrics.csv").read_text().splitlines()) == 1 + len(records)
    environment = json.loads((run / "environment.json").read_text())
    assert environment["packages"]["jax"] == jax.__version__
    assert environment["device"]["platform"] == "cpu"


def test_evaluation_repeats_the_figures_to_the_last_digit(trained):
    run, outcome, _ = trained
    for name, record in (("last", outcome.last), ("best", outcome.best)):
        metrics = evaluate_run(run, name).metrics
        assert (metrics["loss"], metrics["accuracy"]) == (
            record.metrics["test_loss"],
            record.metrics["test_accuracy"],
        )


def test_the_stored_spec_builds_the_same_graph(trained):
    run, _, _ = trained
    original, (stored, _) = graph_of(CONVNET), open_run(run)
    assert list(stored.nodes) == list(original.nodes)
    for name, node in original.nodes.items():
        again = stored.nodes[name]
        assert (again.spec.layer, again.inputs, again.facts) == (node.spec.layer, node.inputs, node.facts)
    assert stored.spec.train == original.spec.train


def params_after(text, tmp_path, *overrides):
    graph = graph_of(text, *overrides)
    run, _, _ = run_training(graph, tmp_path)
    return load_checkpoint(run / CHECKPOINTS / "last", graph)


def test_one_seed_gives_bitwise_one_result_and_another_seed_another(tmp_path):
    first = params_after(SHORT, tmp_path)
    again = params_after(SHORT, tmp_path)
    other = params_after(SHORT, tmp_path, "train.seed=1")
    leaves = [jax.tree.leaves((saved.params, saved.state)) for saved in (first, again, other)]
    assert all(np.array_equal(a, b) for a, b in zip(leaves[0], leaves[1], strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(leaves[0], leaves[2], strict=True))
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["short-1", "short-2", "short-3"]


def test_a_branching_network_trains_and_its_statistics_move(tmp_path):
    graph = graph_of(BRANCHING, "train.epochs=8", "train.optimizer={adam: 0.01}")
    run, outcome, watcher = run_training(graph, tmp_path)
    saved = load_checkpoint(run / CHECKPOINTS / "last", graph)
    assert outcome.last.metrics["test_accuracy"] > 0.6
    assert watcher.records[-1].metrics["train_loss"] < watcher.records[1].metrics["train_loss"]
    assert not np.allclose(saved.state["shared"]["mean"], 0)
    assert evaluate_run(run, "last").metrics["loss"] == outcome.last.metrics["test_loss"]


@pytest.mark.parametrize("optimizer", ["sgd: 0.05", "momentum: 0.02", "nesterov: 0.02", "adam: 0.003"])
@pytest.mark.parametrize("loss", ["cross_entropy", "half_mse"])
def test_every_optimizer_lowers_every_loss(optimizer, loss, tmp_path):
    graph = graph_of(CONVNET, f"train.optimizer={{{optimizer}}}", f"train.loss={loss}", "train.epochs=1")
    _, outcome, watcher = run_training(graph, tmp_path)
    assert outcome.last.metrics["test_loss"] < 0.8 * watcher.records[0].metrics["test_loss"]
    assert outcome.last.metrics["test_accuracy"] > 0.5


def test_a_final_softmax_does_not_count_twice_under_cross_entropy():
    with_softmax = make_plan(graph_of(BRANCHING))
    assert with_softmax.network.outputs == ("scores",)
    half = make_plan(graph_of(BRANCHING, "train.loss=half_mse"))
    assert half.network.outputs == ("softmax1",)


def test_frozen_nodes_keep_their_parameters_and_statistics(tmp_path):
    freeze = "layers.stem.trainable=false", "layers.shared.trainable=false"
    graph = graph_of(SHORT, *freeze)
    plan = make_plan(graph)
    before = initial_train_state(plan.recipe, make_updater(plan.spec))
    run, _, _ = run_training(graph, tmp_path)
    after = load_checkpoint(run / CHECKPOINTS / "last", graph)
    for name in ("stem", "shared"):
        jax.tree.map(np.testing.assert_array_equal, after.params[name], before.params[name])
    jax.tree.map(np.testing.assert_array_equal, after.state["shared"], before.state["shared"])
    assert not np.array_equal(after.params["scores"]["kernel"], before.params["scores"]["kernel"])


def test_a_signal_ends_the_training_after_saving(tmp_path):
    graph = graph_of(DENSE)
    asked = []

    def after_ten():
        asked.append(None)
        return 15 if len(asked) > 10 else None

    run, outcome, watcher = run_training(graph, tmp_path, after_ten)
    assert outcome.signal == 15
    assert (outcome.ending, outcome.step, watcher.steps) == ("interrupted", 10, 10)
    assert [record.step for record in watcher.records] == [0]
    assert load_checkpoint(run / CHECKPOINTS / "last", graph).step == 10


def test_steps_may_end_within_an_epoch(tmp_path):
    _, outcome, _ = run_training(graph_of(DENSE, "train.epochs=null", "train.steps=50"), tmp_path)
    assert (outcome.last.step, outcome.last.epoch) == (50, 2)


@pytest.mark.parametrize(
    ("overrides", "code"),
    [
        (("input=[9, 9, 1]",), "NC201"),
        (("train.data.pad=1",), "NC201"),
        (("train.data.resize=[10, 10]",), "NC201"),
        (("layers.dense1.units=11",), "NC202"),
        (("train.data.normalize={mean: [0.1, 0.2, 0.3], std: [1, 1, 1]}",), "NC011"),
        (("outputs=[conv1, dense1]",), "NC203"),
    ],
)
def test_what_does_not_fit_is_said_before_training(overrides, code):
    with pytest.raises(SpecError) as error:
        make_plan(graph_of(CONVNET, *overrides))
    assert [d.code for d in error.value.diagnostics] == [code]
    assert error.value.diagnostics[0].span is not None


def test_a_spec_without_a_train_section_cannot_be_trained():
    with pytest.raises(SpecError) as error:
        make_plan(graph_of("name: n\ninput: [4]\nlayers: [dense: 2]"))
    assert [(d.code, d.span) for d in error.value.diagnostics] == [("NC200", None)]


def test_what_is_missing_is_shown_nowhere_else():
    with pytest.raises(SpecError) as error:
        make_plan(graph_of("name: n\nbudgets: {params: 100}\ninput: [4]\nlayers: [dense: 2]"))
    assert error.value.diagnostics[0].span is None


TWO_INPUTS = """
inputs: {left: [8, 8, 1], right: [8, 8, 1]}
layers: [{add: , from: [left, right]}, flatten, {dense: 10}]
train: {data: digits}
"""
HEADS = """
input: [8, 8, 1]
params: {aux: true}
layers:
  - {flatten: , name: flat}
  - {dense: 10, name: head, from: flat, when: $aux}
  - {dense: 10, name: scores, from: flat}
outputs: [scores, {name: head, train_only: true, when: $aux}]
train: {data: digits}
"""


@pytest.mark.parametrize(
    ("text", "words", "line"),
    [
        (TWO_INPUTS, ("one input", "2: `left`, `right`"), 2),
        (
            HEADS.replace("{name: head, train_only: true, when: $aux}", "head"),
            ("one output", "`scores`, `head`"),
            8,
        ),
    ],
    ids=["inputs", "outputs"],
)
def test_what_has_not_one_input_and_one_output_says_which(text, words, line):
    with pytest.raises(SpecError) as error:
        make_plan(graph_of(text))
    (found,) = error.value.diagnostics
    assert found.code == "NC203"
    assert found.span.line == line
    for word in words:
        assert word in f"{found.message} ({found.help})"


def test_without_its_auxiliary_heads_a_network_can_be_trained():
    assert make_plan(graph_of(HEADS, "params.aux=false")).network.outputs == ("scores",)


def test_a_file_name_of_several_lines_stays_in_the_comment(tmp_path):
    graph = build_complete(parse_spec(CONVNET, "a\nlayers: [relu]\n\x1b.yaml"))
    run = create_run(tmp_path, graph, make_plan(graph).preprocessing, {})
    assert open_run(run)[0].nodes.keys() == graph.nodes.keys()
    assert (run / "spec.yaml").read_text(encoding="utf-8").startswith("# Resolved from a�layers: [relu]��.yaml by")


@pytest.mark.parametrize("change", [{"classes": list("abcdefghij")}, {"source": [9, 8, 1], "resize": [8, 8]}])
def test_a_preprocessing_of_other_data_is_not_evaluated(trained, tmp_path, change):
    run = shutil.copytree(trained[0], tmp_path / "copy", symlinks=True)
    file = run / "preprocessing.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(CannotRunError, match=r"preprocessing\.json: .* not those of the data set `digits`"):
        evaluate_run(run, "last")


def test_a_map_of_one_pixel_counts_as_class_scores():
    text = CONVNET.replace("- flatten\n  - dense: 10", "- conv: {filters: 10, kernel: 4}")
    plan = make_plan(graph_of(text))
    assert compile_graph(plan.graph).graph.nodes["conv2"].known.output.shape == (1, 1, 10)


def test_a_training_that_diverges_leaves_valid_json(tmp_path):
    graph = graph_of(CONVNET, "train.optimizer={sgd: 1e30}", "train.epochs=1", "train.batch_size=512",
                     "train.on_nonfinite=skip")  # fmt: skip
    run, outcome, _ = run_training(graph, tmp_path)
    assert math.isnan(outcome.last.metrics["test_loss"])

    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    last = (run / "metrics.jsonl").read_text().splitlines()[-1]
    assert json.loads(last, parse_constant=refuse)["test_loss"] is None
    meta = (run / CHECKPOINTS / "last" / "checkpoint.json").read_text()
    assert json.loads(meta, parse_constant=refuse)["metrics"]["loss"] is None
    assert math.isnan(evaluate_run(run, "last").metrics["loss"])
