"""A training that returns to its last good state: what it comes to, bit by bit, and what it keeps for that."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.errors import JaxRuntimeError
from jax.experimental.compilation_cache import compilation_cache

from netcalc.analysis.batch_memory import BatchMemory
from netcalc.analysis.memory import training_memory, training_step
from netcalc.analysis.setup import setup_of
from netcalc.data.pipeline import epoch_order, training_batches
from netcalc.diagnostics import CannotRunError
from netcalc.graph import Graph
from netcalc.train import loop, post_mortem
from netcalc.train.checkpoint import leaves_by_path, load_training
from netcalc.train.loop import train
from netcalc.train.metrics import Sums
from netcalc.train.optimizers import make_updater
from netcalc.train.outcome import DivergedError, Outcome
from netcalc.train.plan import Plan, make_plan
from netcalc.train.post_mortem import BATCH, REPORT, PostMortem, files_of
from netcalc.train.records import read_records
from netcalc.train.rollback import Kept, first_kept, kept_if_finite
from netcalc.train.run import CHECKPOINTS, create_run
from netcalc.train.step import TrainState, TrainStep, initial_train_state, make_train_step, make_update
from tests.train.specs import graph_of
from tests.train.test_resume import left_behind, never, resumed, stop_after

SAMPLES, BLACK = 96, (17, 50)
"""Training samples, and those of them that are black: without a variance, they divide 0 by 0 in `all_of_it`."""

NET = """
name: net
input: [8, 8, 1]
layers:
  - {layer_norm: {axes: all, epsilon: 1e-60}, name: all_of_it}
  - {conv: {filters: 4, kernel: 3, stride: 2}, name: stem}
  - {batch_norm: , name: norm}
  - relu
  - dropout: 0.2
  - flatten
  - {dense: 4, name: scores}
train: {batch_size: 16, epochs: 3, on_nonfinite: {rollback: {limit: 10}}}
"""

METHODS = {
    "adam with everything": (
        "train.optimizer={adam: 0.01}", "train.clip={norm: 1}", "train.ema=0.9", "train.schedule=cosine",
    ),
    "bfloat16": ("train.optimizer=momentum", "train.precision=bfloat16"),
    "nesterov, mixed, remat": (
        "train.optimizer=nesterov", "train.precision=mixed", "train.remat=conv_outputs",
    ),
    "plateau": ("train.optimizer=sgd", "train.schedule={plateau: {patience: 1, threshold: 0.5}}"),
    "schedule free": ("train.optimizer={schedule_free: 0.1}",),
    "accumulated": ("train.optimizer=rud", "train.accumulate=2", "train.batch_size=8"),
}  # fmt: skip


class Noting:
    """Notes what is left out."""

    def __init__(self) -> None:
        self.found: list[PostMortem | None] = []

    def step(self, *args: Any) -> None: ...

    def epoch(self, *args: Any) -> None: ...

    def returned(self, found: PostMortem | None, count: int) -> None:
        self.found.append(found)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Noise in four classes, two black images among those to train on."""
    chance = np.random.default_rng(5)
    images = chance.integers(0, 256, (SAMPLES, 8, 8), np.uint8)
    images[list(BLACK)] = 0
    path = tmp_path_factory.mktemp("data") / "noise.npz"
    np.savez(
        path, images=images, labels=np.arange(SAMPLES) % 4, others=chance.integers(0, 256, (8, 8, 8), np.uint8),
        other_labels=np.arange(8) % 4,
    )  # fmt: skip
    return path


@pytest.fixture(scope="module")
def graph(archive: Path) -> Callable[..., Graph]:
    data = f"{{source: npz, path: {archive}, test_images: others, test_labels: other_labels, normalize: none}}"
    return lambda *overrides: graph_of(NET, f"train.data={data}", *overrides)


@pytest.fixture(scope="module", autouse=True)
def compiled_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Compile each program once for all tests: most of the time of so small a training is that."""
    names = ("jax_compilation_cache_dir", "jax_persistent_cache_min_compile_time_secs")
    before = {name: jax.config.values[name] for name in names}
    for name, value in zip(names, (str(tmp_path_factory.mktemp("compiled")), 0), strict=True):
        jax.config.update(name, value)
    compilation_cache.reset_cache()
    yield
    for name, value in before.items():
        jax.config.update(name, value)
    compilation_cache.reset_cache()


def started(
    graph: Graph, root: Path, interrupted: Callable[[], int | None] = never, noting: Noting | None = None
) -> tuple[Path, Outcome]:
    plan = make_plan(graph)
    run = create_run(root, graph, plan.preprocessing, {})
    return run, train(plan, run, noting or Noting(), interrupted)


def bad_updates(plan: Plan) -> tuple[int, ...]:
    """Return the updates that see a black image, by the order of the samples alone."""
    per_epoch = plan.steps_per_epoch
    found = []
    for epoch in range(1, plan.steps // per_epoch + 1):
        chunks = np.array_split(epoch_order(SAMPLES, plan.spec.seed, epoch), per_epoch)
        found += [
            (epoch - 1) * per_epoch + number
            for number, chunk in enumerate(chunks, 1)
            if not set(BLACK).isdisjoint(chunk)
        ]
    return tuple(found)


def made_by_hand(plan: Plan, left_out: Sequence[int]) -> tuple[dict[str, Any], list[float]]:
    """Return the leaves of the state after a training without some updates, and each epoch's mean loss."""
    optimizer = make_updater(plan.spec, plan.recipe.facts, plan.pace)
    update = make_update(plan.recipe, optimizer)
    current, losses, step = initial_train_state(plan.recipe, optimizer), [], 0
    for epoch in range(1, plan.steps // plan.steps_per_epoch + 1):
        sums = plan.recipe.meter.zero()
        for images, labels in training_batches(plan.dataset.train, plan.samples_per_update, plan.spec.seed, epoch):
            step += 1
            if step in left_out:
                current = current._replace(step=current.step + 1)
            else:
                current, sums = update(current, sums, images, labels)
        losses.append(sums.means()["loss"])
    return leaves_by_path((current, plan.recipe.meter.zero())), losses


def assert_same(run: Path, expected: dict[str, Any]) -> None:
    found = load_training(run / CHECKPOINTS / "last").arrays
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array, err_msg=name)


@pytest.mark.parametrize("method", METHODS)
def test_it_equals_a_training_in_which_the_bad_updates_are_left_out(
    method: str, graph: Callable[..., Graph], tmp_path: Path
) -> None:
    noting = Noting()
    run, outcome = started(graph(*METHODS[method]), tmp_path, noting=noting)
    plan = make_plan(graph(*METHODS[method]))
    bad = bad_updates(plan)
    assert len(bad) >= 3
    assert outcome.left_out == bad
    assert [found.step for found in noting.found if found is not None] == list(bad)
    expected, losses = made_by_hand(plan, bad)
    assert_same(run, expected)
    assert [record.metrics["train_loss"] for record in read_records(run)[1:]] == losses
    assert np.isfinite(losses).all()


@pytest.mark.parametrize("every", [1, 4, 1000])
def test_how_often_the_state_is_kept_changes_nothing(
    every: int, graph: Callable[..., Graph], tmp_path: Path
) -> None:
    """Updates of one sample: 96 an epoch, so that the loss is looked at in between."""
    overrides = ("train.batch_size=1", "train.epochs=2", "train.validate_every=50 steps")
    changed = graph(*overrides, f"train.on_nonfinite={{rollback: {{limit: 10, every: {every}}}}}")
    run, outcome = started(changed, tmp_path)
    plan = make_plan(changed)
    assert outcome.left_out == bad_updates(plan)
    assert_same(run, made_by_hand(plan, outcome.left_out)[0])


@pytest.fixture(scope="module")
def whole(graph: Callable[..., Graph], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return started(graph(), tmp_path_factory.mktemp("whole"))[0]


def test_two_runs_are_equal(graph: Callable[..., Graph], whole: Path, tmp_path: Path) -> None:
    assert left_behind(started(graph(), tmp_path)[0]) == left_behind(whole)


@pytest.mark.parametrize("checkpoint_every", ["1 steps", "1000 steps"])
def test_stopped_before_and_after_a_bad_update_it_ends_as_if_it_had_not(
    checkpoint_every: str, graph: Callable[..., Graph], whole: Path, tmp_path: Path
) -> None:
    changed = graph(f"train.checkpoint_every={checkpoint_every}")
    bad = bad_updates(make_plan(changed))
    for stop in {bad[0] - 1, bad[0], bad[0] + 1, bad[1]}:
        run, outcome = started(changed, tmp_path / str(stop), stop_after(stop))
        assert outcome.left_out == tuple(number for number in bad if number <= stop)
        assert resumed(run, interrupted=stop_after(3)).step == stop + 3
        assert resumed(run).left_out == bad
        assert left_behind(run) == left_behind(whole)


class KilledError(Exception):
    """What ends a training without a word."""


@pytest.mark.parametrize("after", [3, 6, 8, 11, 14])
def test_killed_it_ends_as_if_it_had_not_been(
    after: int, graph: Callable[..., Graph], whole: Path, tmp_path: Path
) -> None:
    asked = iter(range(after + 1))

    def killed() -> None:
        if next(asked) == after:
            raise KilledError

    changed = graph("train.checkpoint_every=2 steps")
    plan = make_plan(changed)
    run = create_run(tmp_path, changed, plan.preprocessing, {})
    with pytest.raises(KilledError):
        train(plan, run, Noting(), killed)
    assert resumed(run).left_out == bad_updates(plan)
    assert left_behind(run) == left_behind(whole)


def test_each_update_that_is_left_out_is_explained(graph: Callable[..., Graph], tmp_path: Path) -> None:
    noting = Noting()
    run, outcome = started(graph(), tmp_path, noting=noting)
    assert outcome.left_out
    for number, found in zip(outcome.left_out, noting.found, strict=True):
        assert found is not None
        assert (found.step, found.epoch) == (number, (number - 1) // 6 + 1)
        assert (found.where, found.node) == ("forward", "all_of_it")
        report, batch = (run / name for name in files_of(number))
        assert json.loads(report.read_text())["step"] == number
        with np.load(batch) as saved:
            assert not saved["images"].reshape(len(saved["images"]), -1).any(axis=1).all()
    assert not (run / REPORT).exists()
    assert not (run / BATCH).exists()
    *_, last = noting.found
    assert last is not None
    by_hand = [float(loss) for loss in last.losses]
    assert by_hand
    assert all(0.1 < loss < 10 for loss in by_hand)


def test_one_more_than_the_limit_ends_the_training(
    graph: Callable[..., Graph], whole: Path, tmp_path: Path
) -> None:
    limited = graph("train.on_nonfinite={rollback: {limit: 2}}", "train.checkpoint_every=1 steps")
    plan = make_plan(limited)
    first, second, third, *_ = bad_updates(plan)
    run = create_run(tmp_path, limited, plan.preprocessing, {})
    with pytest.raises(DivergedError) as caught:
        train(plan, run, Noting(), never)
    assert caught.value.left_out == (first, second)
    assert caught.value.found is not None
    assert caught.value.found.step == json.loads((run / REPORT).read_text())["step"] == third
    assert (run / BATCH).is_file()
    saved = load_training(run / CHECKPOINTS / "last")
    assert saved.step == caught.value.saved_step == third - 1
    assert saved.progress.left_out == (first, second)
    assert all(np.isfinite(array).all() for array in saved.arrays.values())

    with pytest.raises(DivergedError):
        resumed(run)
    with pytest.raises(CannotRunError, match="on_nonfinite"):
        resumed(run, "train.on_nonfinite.rollback.limit=1")
    resumed(run, "train.on_nonfinite.rollback.limit=10", "train.checkpoint_every=")
    assert left_behind(run) == left_behind(whole)


def test_a_run_that_was_aborted_may_go_on_with_rollback(
    graph: Callable[..., Graph], whole: Path, tmp_path: Path
) -> None:
    aborting = graph("train.on_nonfinite=abort", "train.checkpoint_every=1 steps")
    plan = make_plan(aborting)
    run = create_run(tmp_path, aborting, plan.preprocessing, {})
    with pytest.raises(DivergedError):
        train(plan, run, Noting(), never)
    with pytest.raises(CannotRunError, match="on_nonfinite"):
        resumed(run, "train.on_nonfinite=skip")
    resumed(run, "train.on_nonfinite={rollback: {limit: 10}}")
    assert left_behind(run) == left_behind(whole)
    with pytest.raises(CannotRunError, match="on_nonfinite"):
        resumed(run, "train.on_nonfinite=abort")


def test_every_update_of_the_whole_set_is_bad_and_the_training_ends(
    graph: Callable[..., Graph], tmp_path: Path
) -> None:
    changed = graph("train.optimizer=gd", "train.epochs=9", "train.on_nonfinite=rollback")
    with pytest.raises(DivergedError) as caught:
        started(changed, tmp_path)
    assert caught.value.left_out == (1, 2, 3)


def poisoned(monkeypatch: pytest.MonkeyPatch, at: int, times: int | None = None) -> None:
    """Let one update give parameters that are not finite, always or for the first few times."""
    left = iter(range(times)) if times is not None else iter(int, 1)

    def make(*args: Any) -> TrainStep:
        update = make_update(*args)

        def spoilt(current: TrainState, sums: Sums, images: Any, labels: Any) -> tuple[TrainState, Sums]:
            after, more = update(current, sums, images, labels)
            if int(after.step) == at and next(left, None) is not None:
                after = after._replace(params=jax.tree.map(lambda leaf: leaf * jnp.nan, after.params))
            return after, more

        return spoilt

    monkeypatch.setattr(loop, "make_update", make)


@pytest.mark.parametrize("optimizer", ["gd", "momentum"])
def test_parameters_that_are_not_finite_are_left_out_too(
    optimizer: str, graph: Callable[..., Graph], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The loss of the bad update is finite: it is in no metric all the same."""
    clean = graph("layers.all_of_it.epsilon=1e-5", f"train.optimizer={optimizer}")
    plan = make_plan(clean)
    poisoned(monkeypatch, at=2)
    run, outcome = started(clean, tmp_path)
    assert outcome.left_out == (2,)
    expected, losses = made_by_hand(plan, (2,))
    assert_same(run, expected)
    found = [record.metrics["train_loss"] for record in read_records(run)[1:]]
    np.testing.assert_array_equal(np.array(found, float), losses)


def test_what_is_finite_the_second_time_is_not_left_out(
    graph: Callable[..., Graph], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A machine that computes otherwise than before."""
    clean = graph("layers.all_of_it.epsilon=1e-5", "train.epochs=1")
    poisoned(monkeypatch, at=2, times=1)
    noting = Noting()
    run, outcome = started(clean, tmp_path, noting=noting)
    assert (outcome.left_out, noting.found) == ((), [None])
    assert_same(run, made_by_hand(make_plan(clean), ())[0])


def test_without_memory_to_examine_layers_the_training_goes_on(
    graph: Callable[..., Graph], whole: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def too_large(*args: Any) -> None:
        raise JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 9 bytes.")

    monkeypatch.setattr(post_mortem, "seen_batches", too_large)
    noting = Noting()
    run, _ = started(graph(), tmp_path, noting=noting)
    assert {found.where for found in noting.found if found is not None} == {"unknown"}
    assert left_behind(run) == left_behind(whole)


def test_the_update_is_that_of_a_training_which_aborts(graph: Callable[..., Graph]) -> None:
    texts = set()
    for policy in ("abort", "rollback"):
        plan = make_plan(graph(f"train.on_nonfinite={policy}"))
        optimizer = make_updater(plan.spec, plan.recipe.facts, plan.pace)
        state = initial_train_state(plan.recipe, optimizer)
        batch = (plan.dataset.train.images[np.arange(16)], plan.dataset.train.labels[:16])
        step: Any = make_train_step(plan.recipe, optimizer)
        texts.add(step.lower(state, plan.recipe.meter.zero(), *batch).as_text())
    assert len(texts) == 1


# What it keeps


def snapshot_bytes(graph: Graph) -> int:
    update = graph.spec.train
    assert update is not None
    setup = setup_of(graph, update)
    return training_memory(graph, setup, training_step(graph, setup)).parts.snapshot


def kept_of(plan: Plan) -> Kept:
    optimizer = make_updater(plan.spec, plan.recipe.facts, plan.pace)
    return first_kept(initial_train_state(plan.recipe, optimizer), plan.recipe.meter.zero())


@pytest.mark.parametrize("method", METHODS)
def test_the_model_of_memory_has_the_bytes_of_the_copy(method: str, graph: Callable[..., Graph]) -> None:
    """All but numbers that stand alone: counters, rates, the sums of metrics."""
    changed = graph(*METHODS[method])
    leaves = jax.tree.leaves(kept_of(make_plan(changed)))
    assert snapshot_bytes(changed) == sum(leaf.nbytes for leaf in leaves if leaf.ndim)
    assert snapshot_bytes(graph(*METHODS[method], "train.on_nonfinite=skip")) == 0


def test_the_largest_batch_leaves_room_for_the_copy(graph: Callable[..., Graph]) -> None:
    needed = {}
    for policy in ("abort", "rollback"):
        changed = graph(f"train.on_nonfinite={policy}")
        update = changed.spec.train
        assert update is not None
        memory = BatchMemory(changed)
        needed[policy] = (memory.fixed_bytes(update), memory.needed_bytes(update, 16))
    price = snapshot_bytes(changed)
    assert price > 0
    assert needed["rollback"] == tuple(size + price for size in needed["abort"])


def test_the_copy_is_renewed_in_its_place(graph: Callable[..., Graph]) -> None:
    plan = make_plan(graph("train.optimizer=adam"))
    kept = kept_of(plan)
    compiled: Any = kept_if_finite.lower(kept, *kept).compile()  # type: ignore[attr-defined]
    found = compiled.memory_analysis()
    size = sum(leaf.nbytes for leaf in jax.tree.leaves(kept))
    assert (found.argument_size_in_bytes, found.alias_size_in_bytes) == (2 * size, size)
    assert found.temp_size_in_bytes < size / 4


def test_a_training_keeps_one_copy_while_it_returns_too(
    graph: Callable[..., Graph], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The most bytes that are alive at once before and after updates, those that are made again among them."""
    most = {}
    for policy in ("skip", "{rollback: {limit: 10}}"):
        highest = []

        def make(*args: Any, highest: list[int] = highest) -> TrainStep:
            update = make_update(*args)

            def counted(*handed: Any) -> tuple[TrainState, Sums]:
                result = update(*handed)
                highest.append(sum(array.nbytes for array in jax.live_arrays() if array.ndim))
                return result

            return counted

        changed = graph(f"train.on_nonfinite={policy}", "train.optimizer=adam")
        monkeypatch.setattr(loop, "make_update", make)
        started(changed, tmp_path / policy[:4].strip("{"))
        most[policy[:4]] = max(highest)
        price = snapshot_bytes(changed)
    assert most["{rol"] - most["skip"] == price
