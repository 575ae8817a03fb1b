"""An update of several batches: the same as of all their samples at once, where nothing looks across a batch."""

import math
from itertools import islice

import jax
import numpy as np
import pytest

from netcalc.data.pipeline import split_batch, training_batches
from netcalc.diagnostics import SpecError
from netcalc.train.ahead_of_time import as_declared, compile_step, memory_of
from netcalc.train.loop import train
from netcalc.train.optimizers import make_updater
from netcalc.train.plan import make_plan
from netcalc.train.run import create_run
from netcalc.train.step import evaluated_params, initial_train_state, make_update
from tests.train.specs import DENSE, SHORT, graph_of


def trained(text, *overrides, updates=3, data=None):
    """Return what is evaluated and the state after some updates, and the metrics of all of them."""
    plan = make_plan(graph_of(text, *overrides))
    optimizer = make_updater(plan.spec, plan.recipe.facts, plan.pace)
    update, current = make_update(plan.recipe, optimizer), initial_train_state(plan.recipe, optimizer)
    batches = data or training_batches(plan.dataset.train, plan.samples_per_update, plan.spec.seed, 1)
    sums = plan.recipe.meter.zero()
    for images, labels in islice(batches, updates):
        current, sums = update(current, sums, images, labels)
    return evaluated_params(plan.recipe, optimizer, current), current, sums.means()


def assert_close(found, expected, atol=1e-6):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=atol), found, expected)


@pytest.mark.parametrize("optimizer", ["nesterov: 0.05", "muon: 0.01", "schedule_free: 0.1"])
def test_as_many_samples_give_the_same_update_in_parts(optimizer):
    """Of 1,347 samples in updates of at most 60: the parts differ in size, 20, 20 and 19 or so."""
    choice = f"train.optimizer={{{optimizer}}}"
    whole, _, metrics = trained(DENSE, choice, "train.batch_size=60", updates=4)
    parts, current, metrics_of_parts = trained(
        DENSE, choice, "train.batch_size=23", "train.accumulate=3", updates=4, data=batches_of(60)
    )
    assert_close(parts, whole, atol=2e-5)
    assert metrics_of_parts == pytest.approx(metrics, rel=1e-5)
    assert int(current.step) == 4


def batches_of(size):
    plan = make_plan(graph_of(DENSE))
    return list(islice(training_batches(plan.dataset.train, size, 0, 1), 5))


def test_samples_count_alike_whatever_the_size_of_their_part():
    """A mean of means would count those of a small part more: here it is told apart."""
    plan = make_plan(graph_of(DENSE, "train.optimizer={sgd: 1.0}", "train.batch_size=4", "train.accumulate=2"))
    images, labels = plan.dataset.train.images[:5], plan.dataset.train.labels[:5]
    assert [len(part) for _, part in split_batch((images, labels), 4)] == [3, 2]
    overrides = "train.optimizer={sgd: 1.0}", "train.batch_size=4"
    start = trained(DENSE, *overrides, updates=0)[0]
    found, _, _ = trained(DENSE, *overrides, "train.accumulate=2", data=[(images, labels)])
    whole, first, second = (
        trained(DENSE, *overrides, data=[(images[part], labels[part])])[0]
        for part in (slice(0, 5), slice(0, 3), slice(3, 5))
    )
    assert_close(found, whole)
    of_means = jax.tree.map(lambda s, a, b: s + ((a - s) + (b - s)) / 2, start, first, second)
    assert not np.allclose(of_means["dense1"]["kernel"], whole["dense1"]["kernel"], atol=1e-4)


@pytest.mark.parametrize("size", [100, 5000])
def test_batch_gradient_descent_takes_the_whole_training_set(size):
    found, current, metrics = trained(DENSE, "train.optimizer={gd: 0.1}", f"train.batch_size={size}", updates=9)
    whole, _, expected = trained(DENSE, "train.optimizer={sgd: 0.1}", "train.batch_size=1347", updates=1)
    assert int(current.step) == 1  # an epoch is one update
    assert_close(found, whole)
    assert metrics == pytest.approx(expected, rel=1e-5)


def test_bounds_are_on_the_gradient_of_all_samples():
    clip = "train.clip={norm: 0.05}", "train.optimizer={sgd: 1.0}"
    whole, _, _ = trained(DENSE, *clip, "train.batch_size=64")
    parts, _, _ = trained(DENSE, *clip, "train.batch_size=16", "train.accumulate=4")
    assert_close(parts, whole)


def test_a_plateau_sees_the_mean_loss_of_all_samples():
    """With one update an epoch and a patience of one it lowers the rate where the loss of an update was higher."""
    schedule = "train.schedule={plateau: {patience: 1}}"
    update = "train.optimizer={sgd: 0.1}", "train.epochs=null", "train.steps=1", schedule
    _, whole, _ = trained(DENSE, *update, "train.batch_size=1347")
    _, parts, _ = trained(DENSE, *update, "train.batch_size=400", "train.accumulate=4")
    assert float(parts.optimizer.plateau.best_value) == pytest.approx(
        float(whole.optimizer.plateau.best_value), rel=1e-6
    )


def test_statistics_move_with_every_batch():
    """Batch norm sees a batch, not an update: three of its running averages for one of the optimizer's steps."""
    still = SHORT.replace("{dropout: 0.2}", "relu")
    overrides = "train.optimizer={sgd: 1e-30}", "train.batch_size=8"
    plan = make_plan(graph_of(still))
    images, labels = plan.dataset.train.images[:24], plan.dataset.train.labels[:24]
    _, together, _ = trained(still, *overrides, "train.accumulate=3", data=[(images, labels)])
    one_by_one = [(images[i : i + 8], labels[i : i + 8]) for i in (0, 8, 16)]
    _, apart, _ = trained(still, *overrides, data=one_by_one)
    assert (int(together.step), int(apart.step)) == (1, 3)
    assert_close(together.state, apart.state)


def test_every_batch_of_an_update_has_its_own_dropout():
    """The same samples twice: with one mask for both their mean loss would be that of one."""
    text = DENSE.replace("{dense: 32}, relu", "{dense: 32}, relu, {dropout: 0.5}")
    plan = make_plan(graph_of(text, "train.batch_size=64", "train.accumulate=2"))
    images, labels = plan.dataset.train.images[:64], plan.dataset.train.labels[:64]
    optimizer = make_updater(plan.spec, plan.recipe.facts, plan.pace)
    update = make_update(plan.recipe, optimizer)
    losses = []
    for copies in (1, 2):
        batch = np.concatenate([images] * copies), np.concatenate([labels] * copies)
        _, sums = update(initial_train_state(plan.recipe, optimizer), plan.recipe.meter.zero(), *batch)
        losses.append(sums.means()["loss"])
    assert losses[0] != pytest.approx(losses[1], rel=1e-6)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_sum_is_float32_and_in_the_compilers_account(precision):
    graph = graph_of(DENSE, f"train.precision={precision}", "train.optimizer=adam")
    (declared,) = as_declared(graph).items()
    inputs, device = dict([declared]), jax.devices("cpu")[0]
    update = graph.spec.train
    summing = update.model_copy(update={"accumulate": 2})
    plain, gathered = (memory_of(compile_step(graph, spec, device, inputs)) for spec in (update, summing))
    params = sum(spec.size for node in graph.nodes.values() for spec in node.known.params.values())
    # Parameters, Adam's two values of each, and beside them the sum.
    assert 0 <= gathered.argument_bytes - plain.argument_bytes - 4 * params < 64


class Silent:
    """A reporter that counts."""

    def __init__(self):
        self.seen = []

    def step(self, epoch, done, running):
        self.seen.append(done)

    def epoch(self, record):
        pass


@pytest.mark.parametrize(
    ("overrides", "steps"),
    [
        (("train.accumulate=4",), 2 * math.ceil(1347 / 128)),
        (("train.optimizer=gd",), 2),
        (("train.accumulate=100",), 2),
    ],
)
def test_a_training_counts_updates(overrides, steps, tmp_path):
    graph = graph_of(DENSE, "train.epochs=2", *overrides)
    plan, reporter = make_plan(graph), Silent()
    run = create_run(tmp_path, graph, plan.preprocessing, {})
    outcome = train(plan, run, reporter, lambda: None)
    assert (outcome.last.step, outcome.last.epoch) == (steps, 2)
    assert len(reporter.seen) == steps
    assert reporter.seen[-1] == 1347
    assert math.isfinite(outcome.last.metrics["test_loss"])


def test_a_signal_lets_the_update_under_way_finish(tmp_path):
    graph = graph_of(DENSE, "train.accumulate=4")
    plan, asked = make_plan(graph), []
    run = create_run(tmp_path, graph, plan.preprocessing, {})

    def after_three():
        asked.append(None)
        return 2 if len(asked) > 3 else None

    assert train(plan, run, Silent(), after_three).step == 3


def test_batch_gradient_descent_takes_no_accumulation():
    with pytest.raises(SpecError) as error:
        graph_of(DENSE, "train.optimizer=gd", "train.accumulate=2")
    (found,) = error.value.diagnostics
    assert "leave `accumulate` out" in found.message
    assert found.span is not None
