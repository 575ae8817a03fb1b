"""A training that goes on equals one that never stopped, bit by bit; what would be another one is refused."""

from __future__ import annotations

import json
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental.compilation_cache import compilation_cache

from netcalc.diagnostics import CannotRunError
from netcalc.graph import build_complete
from netcalc.spec.load import load_spec
from netcalc.train.checkpoint import Progress, SavedTraining, leaves_by_path, load_training
from netcalc.train.data_checksum import data_facts
from netcalc.train.loop import train
from netcalc.train.optimizers import make_updater
from netcalc.train.plan import make_plan
from netcalc.train.recipe import make_recipe
from netcalc.train.records import TIMINGS, read_records
from netcalc.train.restore import restored
from netcalc.train.resume import resume
from netcalc.train.run import CHECKPOINTS, change_spec, create_run
from netcalc.train.run_record import RunRecord
from netcalc.train.step import initial_train_state
from tests.train.specs import graph_of

NET = """
name: net
input: [8, 8, 1]
layers:
  - {conv: {filters: 4, kernel: 3, stride: 2, bias: false}, name: stem}
  - {batch_norm: , name: norm}
  - relu
  - dropout: 0.2
  - flatten
  - {dense: 10, name: scores}
train: {data: digits, batch_size: 256, epochs: 3}
"""
"""Six updates an epoch."""

METHODS = {
    "adam with everything": (
        "train.optimizer={adam: 0.01}", "train.clip={norm: 1}", "train.ema=0.9", "train.schedule=cosine",
    ),
    "bfloat16": ("train.optimizer=momentum", "train.precision=bfloat16"),
    "nesterov, mixed": ("train.optimizer=nesterov", "train.precision=mixed", "train.schedule={one_cycle: {}}"),
    "plateau": ("train.optimizer=sgd", "train.schedule={plateau: {patience: 1, threshold: 0.5}}"),
    "schedule free": ("train.optimizer={schedule_free: 0.1}",),
    "accumulated": ("train.optimizer=rud", "train.accumulate=2", "train.batch_size=128"),
}  # fmt: skip


class Silent:
    """Reports to nobody."""

    def step(self, epoch, done, running):
        pass

    def epoch(self, record):
        pass

    def returned(self, found, count):
        pass


def stop_after(updates):
    """Ask to stop before the update after so many."""
    asked = iter(range(updates + 1))
    return lambda: None if next(asked) < updates else 15


def never():
    return None


def started(graph, root, interrupted=never):
    plan = make_plan(graph)
    run = create_run(root, graph, plan.preprocessing, {})
    return run, train(plan, run, Silent(), interrupted)


def record_of(graph):
    return RunRecord(
        name="net", state="running", reason="", params=0, epochs=1, steps=1, best=("test_accuracy", "max"),
        data=data_facts(make_plan(graph).dataset), sessions=[],
    )  # fmt: skip


def resumed(run, *overrides, interrupted=never, **choices):
    found = resume(run, record_of(build_complete(load_spec(run / "spec.yaml"))), overrides=overrides, **choices)
    if found.changes:
        change_spec(run, found.plan.graph.spec)
    return train(found.plan, run, Silent(), interrupted, found.start)


def left_behind(run):
    """What a run came to but for its timings: the files that pointers lead to, byte by byte, and the records."""
    folder = run / CHECKPOINTS
    arrays = {
        (name, file): (folder / name / file).read_bytes()
        for name in ("last", "best")
        for file in ("model.safetensors", "training.safetensors")
    }
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    records = [{key: value for key, value in line.items() if key not in TIMINGS} for line in lines]
    rows = (run / "metrics.csv").read_text().splitlines()
    assert len(rows) == 1 + len(records)
    return arrays, records, {name: (folder / name).resolve().name for name in ("last", "best")}


@pytest.fixture(scope="module", autouse=True)
def compiled_once(tmp_path_factory):
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


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """Runs from start to end by their overrides."""
    runs = {}

    def made(*overrides):
        if overrides not in runs:
            runs[overrides] = started(graph_of(NET, *overrides), tmp_path_factory.mktemp("whole"))[0]
        return left_behind(runs[overrides])

    return made


@pytest.mark.parametrize("method", METHODS)
def test_stopped_within_an_epoch_and_at_its_end_it_ends_as_if_it_had_not(method, uninterrupted, tmp_path):
    overrides = METHODS[method]
    run, outcome = started(graph_of(NET, *overrides), tmp_path, stop_after(4))
    assert (outcome.ending, outcome.signal, outcome.step) == ("interrupted", 15, 4)
    assert resumed(run, interrupted=stop_after(2)).step == 6
    assert resumed(run, interrupted=stop_after(7)).step == 13
    assert resumed(run).ending == "complete"
    assert left_behind(run) == uninterrupted(*overrides)


EVERY = ("train.checkpoint_every=4 steps", "train.validate_every=5 steps", "train.keep_checkpoints=30")


@pytest.mark.parametrize("step", [0, 4, 5, 6, 8, 12, 18])
def test_every_checkpoint_leads_to_the_same_end(step, uninterrupted, tmp_path):
    run, _ = started(graph_of(NET, *EVERY), tmp_path)
    steps = sorted(path.name for path in (run / CHECKPOINTS).glob("step-*"))
    name = f"step-{step:08d}"
    if name not in steps:
        assert step == 5  # saved only where it is the best so far
        return
    assert {f"step-{n:08d}" for n in (0, 4, 6, 8, 12, 16, 18)} <= set(steps)
    resumed(run, checkpoint=name)
    assert left_behind(run) == uninterrupted(*EVERY)


def test_a_longer_training_equals_one_that_was_planned_so(uninterrupted, tmp_path):
    whole = uninterrupted("train.optimizer=sgd", "train.epochs=3")
    run, _ = started(graph_of(NET, "train.optimizer=sgd", "train.epochs=1"), tmp_path)
    resumed(run, "train.epochs=2")
    resumed(run, "train.epochs=3")
    assert left_behind(run) == whole


def test_a_longer_training_after_a_last_validation_of_its_own_does_too(uninterrupted, tmp_path):
    """With a validation every second epoch the third ends with one that the longer training does not have."""
    overrides = ("train.validate_every=2 epochs", "train.epochs=4")
    whole = uninterrupted(*overrides)
    run, _ = started(graph_of(NET, *overrides, "train.epochs=3"), tmp_path)
    assert len(read_records(run)) == 5
    resumed(run, "train.epochs=4")
    assert left_behind(run)[1] == whole[1]
    assert ["test_loss" in record for record in whole[1]] == [True, False, True, False, True]


COSINE = ("train.optimizer={sgd: 0.1}", "train.schedule=cosine")


def rates_refused(run, *overrides):
    with pytest.raises(CannotRunError) as error:
        resumed(run, *overrides)
    return error.value


def test_another_length_needs_a_word_on_the_schedule(uninterrupted, tmp_path):
    stopped, _ = started(graph_of(NET, *COSINE), tmp_path, stop_after(9))
    before = left_behind(stopped)
    said = rates_refused(stopped, "train.epochs=6")
    assert "36 updates instead of 18 change the `cosine` schedule: after 9 the learning rate is 0.5 of" in str(said)
    assert "0.8536 in a training so long" in str(said)
    assert all(f"--schedule {choice}" in said.help for choice in ("keep", "stretch", "restart"))
    assert left_behind(stopped) == before

    kept = shutil.copytree(stopped, tmp_path / "kept", symlinks=True)
    resumed(kept, "train.epochs=6", schedule="keep")
    whole = uninterrupted(*COSINE)
    assert left_behind(kept)[1][:4] == whole[1]
    frozen = load_training(kept / CHECKPOINTS / "last")
    name = "[0].params['scores']['kernel']"
    end = whole[0]["last", "training.safetensors"]
    assert frozen.step == 36  # at the end of the schedule the rate is 0
    assert frozen.arrays[name].tobytes() in end
    assert resumed(kept).ending == "complete"  # the choice is part of the run
    assert load_spec(kept / "spec.yaml").train.schedule_span.steps == 18


@pytest.mark.parametrize(("choice", "start", "steps"), [("keep", 0, 18), ("stretch", 0, 24), ("restart", 6, 18)])
def test_the_choice_tells_which_updates_the_schedule_spans(choice, start, steps, stopped_after_an_epoch):
    found = resume(stopped_after_an_epoch, record_of(graph_of(NET)), overrides=["train.epochs=4"], schedule=choice)
    assert (found.plan.pace.start, found.plan.pace.steps, found.plan.steps) == (start, steps, 24)


@pytest.fixture(scope="module")
def stopped_after_an_epoch(tmp_path_factory):
    return started(graph_of(NET, *COSINE), tmp_path_factory.mktemp("epoch"), stop_after(6))[0]


@pytest.mark.parametrize(
    ("overrides", "named"),
    [
        (["train.seed=1"], "`train.seed` 0 → 1"),
        (["train.optimizer=sgd"], "`train.optimizer`"),
        (["layers.stem.filters=8", "train.batch_size=9"], "`layers.stem.conv.filters` 4 → 8; `train.batch_size`"),
        (["train.best=test_loss"], "`train.best` nothing → {'metric': 'test_loss'}"),
        (["train.validate_every=2 epochs"], "`train.validate_every` 1 epoch → 2 epochs"),
        (["train.data.normalize=none"], "`train.data.normalize` auto → none"),
    ],
)  # fmt: skip
def test_what_would_be_another_training_is_refused_by_name(overrides, named, half_done):
    before = left_behind(half_done)
    with pytest.raises(CannotRunError, match="the spec is not the one that it was trained by") as error:
        resumed(half_done, *overrides)
    assert named in str(error.value)
    assert left_behind(half_done) == before


@pytest.fixture(scope="module")
def half_done(tmp_path_factory):
    return started(graph_of(NET), tmp_path_factory.mktemp("half"), stop_after(4))[0]


def test_what_concerns_no_update_may_change(half_done):
    changes = ("train.max_time=1h", "train.early_stopping={patience: 9}", "train.checkpoint_every=3 steps")
    found = resume(half_done, record_of(graph_of(NET)), overrides=changes)
    assert [change.path for change in found.changes] == [
        "train.early_stopping", "train.max_time", "train.checkpoint_every"
    ]  # fmt: skip


def test_other_data_are_refused(half_done):
    record = record_of(graph_of(NET))
    other = record.model_copy(update={"data": {**record.data, "sha256": "0", "train_samples": 1}})
    with pytest.raises(CannotRunError, match="`train_samples`, `sha256` differ"):
        resume(half_done, other)


def test_fewer_updates_than_are_made_are_refused(half_done):
    with pytest.raises(CannotRunError, match="4 updates are made already, `train` asks for 3"):
        resumed(half_done, "train.epochs=", "train.steps=3")


def test_a_damaged_checkpoint_is_named_and_the_one_before_leads_to_the_same_end(uninterrupted, tmp_path):
    run, _ = started(graph_of(NET), tmp_path, stop_after(14))
    for name in ("training.safetensors", "model.safetensors"):
        file = run / CHECKPOINTS / "last" / name
        whole = file.read_bytes()
        for damaged in (whole[:-1], whole[:-1] + bytes([whole[-1] ^ 1]), b""):
            file.write_bytes(damaged)
            with pytest.raises(CannotRunError, match=rf"step-00000014/{name}: damaged") as error:
                resumed(run)
            assert "--from previous" in error.value.help
        file.write_bytes(whole)
    (run / CHECKPOINTS / "last" / "checkpoint.json").write_text("{")
    with pytest.raises(CannotRunError, match=r"step-00000014/checkpoint\.json"):
        resumed(run)
    assert resumed(run, checkpoint="previous").ending == "complete"
    assert left_behind(run) == uninterrupted()


def test_previous_is_the_latest_before_the_last_that_is_not_damaged(uninterrupted, tmp_path):
    run, _ = started(graph_of(NET, "train.keep_checkpoints=4"), tmp_path, stop_after(14))
    folder, record = run / CHECKPOINTS, record_of(graph_of(NET))
    names = [path.name for path in sorted(folder.glob("step-*"))]
    assert names == ["step-00000000", "step-00000006", "step-00000012", "step-00000014"]
    (folder / "step-00000012" / "training.safetensors").write_bytes(b"")
    found = resume(run, record, checkpoint="previous")
    assert found.start.saved.step == 6
    (problem,) = found.damaged
    assert "step-00000012/training.safetensors: damaged" in problem
    (folder / "step-00000006" / "checkpoint.json").unlink()
    found = resume(run, record, checkpoint="previous")
    assert found.start.saved.step == 0
    assert ["step-00000012" in found.damaged[0], "step-00000006" in found.damaged[1]] == [True, True]
    assert resumed(run, checkpoint="previous").ending == "complete"
    assert left_behind(run)[:2] == uninterrupted("train.keep_checkpoints=4")[:2]


def test_where_all_before_the_last_are_damaged_each_is_named(tmp_path):
    run, _ = started(graph_of(NET), tmp_path, stop_after(14))
    steps = [path.name for path in (run / CHECKPOINTS).glob("step-*") if path.name != "step-00000014"]
    for name in steps:
        (run / CHECKPOINTS / name / "model.safetensors").write_bytes(b"x")
    assert steps
    with pytest.raises(CannotRunError, match="no checkpoint before the last one can be read") as error:
        resumed(run, checkpoint="previous")
    assert all(f"{name}/model.safetensors" in str(error.value) for name in steps)


def test_a_pointer_that_is_gone_leaves_the_previous_checkpoint(tmp_path):
    run, _ = started(graph_of(NET), tmp_path, stop_after(8))
    (run / CHECKPOINTS / "last").unlink()
    with pytest.raises(CannotRunError, match="no checkpoint `last`; it has best, step-00000006, step-00000008"):
        resumed(run)
    assert resume(run, record_of(graph_of(NET)), checkpoint="previous").start.saved.step == 8


def test_metrics_that_lost_records_are_named(half_done, tmp_path):
    run = shutil.copytree(half_done, tmp_path / "run", symlinks=True)
    (run / "metrics.jsonl").write_text("")
    with pytest.raises(CannotRunError, match=r"metrics\.jsonl: holds 0 records, the checkpoint was saved after 1"):
        resumed(run)


def test_records_after_the_checkpoint_are_cut_even_a_torn_one(uninterrupted, tmp_path):
    run, _ = started(graph_of(NET), tmp_path, stop_after(8))
    with open(run / "metrics.jsonl", "a") as stream:
        stream.write('{"epoch": 7, "step": 9')
    resumed(run)
    assert left_behind(run) == uninterrupted()


@pytest.mark.parametrize("optimizer", ["adam", "muon", "lars", "schedule_free"])
def test_kernels_and_what_the_optimizer_keeps_of_them_turn_for_another_device(optimizer, tmp_path):
    """A training on a GPU keeps kernels with the filters first; on a CPU it goes on with the filters last."""
    graph = graph_of(NET.replace("kernel: 3", "kernel: [3, 2]"), f"train.optimizer={optimizer}", "train.ema=0.5")
    plan = make_plan(graph)
    recipes = {
        p: make_recipe(graph, plan.spec, plan.recipe.task, plan.recipe.prepare, platform=p) for p in ("cpu", "gpu")
    }
    here, there = (
        (make_updater(plan.spec, recipe.facts), recipe) for recipe in (recipes["cpu"], recipes["gpu"])
    )  # fmt: skip
    numbered = iter(range(1000))

    def distinct(leaf):
        return (jnp.arange(leaf.size).reshape(leaf.shape) + 1000 * next(numbered)).astype(leaf.dtype)

    (from_optimizer, from_recipe), (to_optimizer, to_recipe) = there, here
    state = initial_train_state(from_recipe, from_optimizer)
    state = state._replace(optimizer=jax.tree.map(distinct, state.optimizer))
    before = leaves_by_path((state, plan.recipe.meter.zero()))
    after, _ = restored(SavedTraining(before, "OHWI", 0, Progress()), to_recipe, to_optimizer, tmp_path)
    kernels = 0
    for name, leaf in leaves_by_path((after, plan.recipe.meter.zero())).items():
        is_kernel = name.endswith("['stem']['kernel']")
        kernels += is_kernel
        assert is_kernel == (before[name].ndim == 4)
        np.testing.assert_array_equal(leaf, np.moveaxis(before[name], 0, -1) if is_kernel else before[name])
    assert kernels >= 3
    back, _ = restored(
        SavedTraining(leaves_by_path((after, plan.recipe.meter.zero())), "HWIO", 0, Progress()),
        from_recipe,
        from_optimizer,
        tmp_path,
    )
    jax.tree.map(np.testing.assert_array_equal, back, state)


def test_arrays_of_another_optimizer_are_named(half_done, tmp_path):
    plan = make_plan(graph_of(NET, "train.optimizer=sgd"))
    saved = load_training(half_done / CHECKPOINTS / "last")
    with pytest.raises(
        CannotRunError, match=r"training\.safetensors: `.*optimizer.*` belongs to no part of this training"
    ):
        restored(saved, plan.recipe, make_updater(plan.spec), tmp_path)


def test_a_run_without_a_checkpoint_goes_on_from_its_start(uninterrupted, tmp_path):
    graph = graph_of(NET)
    run = create_run(tmp_path, graph, make_plan(graph).preprocessing, {})
    (run / "metrics.jsonl").write_text('{"epoch": 0, "st')
    assert resumed(run).ending == "complete"
    assert left_behind(run) == uninterrupted()
