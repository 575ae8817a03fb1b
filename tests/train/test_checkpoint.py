"""Checkpoints survive what may happen to them, or say that they did not."""

import errno
import json
import os

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from netcalc.diagnostics import CannotRunError
from netcalc.train import checkpoint, durable
from netcalc.train.checkpoint import Progress, load_checkpoint, point, prune, save_checkpoint
from netcalc.train.metrics import Sums
from netcalc.train.optimizers import make_updater
from netcalc.train.plan import make_plan
from netcalc.train.step import evaluated_params, initial_train_state
from tests.train.specs import BRANCHING, graph_of


def save(directory, params, current, epoch, metrics=None):
    sums = Sums(jnp.zeros(()), jnp.zeros(()), {"accuracy": jnp.zeros(())})
    return save_checkpoint(directory, params, current, sums, Progress(epoch=epoch), metrics or {})


@pytest.fixture(scope="module")
def fresh():
    plan = make_plan(graph_of(BRANCHING))
    optimizer = make_updater(plan.spec)
    current = initial_train_state(plan.recipe, optimizer)
    return plan, current, evaluated_params(plan.recipe, optimizer, current)


@pytest.fixture
def saved(fresh, tmp_path):
    _, current, params = fresh
    return save(tmp_path, params, current, 3, {"accuracy": 0.5})


def test_what_is_saved_is_what_is_loaded(fresh, saved):
    plan, current, params = fresh
    found = load_checkpoint(saved, plan.graph)
    assert (found.step, found.epoch) == (0, 3)
    jax.tree.map(np.testing.assert_array_equal, found.params, params)
    jax.tree.map(np.testing.assert_array_equal, found.state, current.state)


def test_nothing_in_it_is_a_pickle(saved):
    assert {path.suffix for path in saved.iterdir()} == {".safetensors", ".json"}
    assert all(not path.read_bytes().startswith(b"\x80") for path in saved.iterdir())


def test_every_changed_byte_of_the_model_is_noticed(fresh, saved):
    model = saved / "model.safetensors"
    data = model.read_bytes()
    for position in (0, 9, len(data) // 2, len(data) - 1):
        altered = bytearray(data)
        altered[position] ^= 1
        model.write_bytes(altered)
        with pytest.raises(CannotRunError, match=r"model\.safetensors: damaged"):
            load_checkpoint(saved, fresh[0].graph)


def test_a_truncated_model_is_noticed(fresh, saved):
    model = saved / "model.safetensors"
    model.write_bytes(model.read_bytes()[:-100])
    with pytest.raises(CannotRunError, match="damaged"):
        load_checkpoint(saved, fresh[0].graph)


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"format": "other/1", "step": 1, "epoch": 1, "files": {}}'])
def test_damaged_metadata_is_noticed(fresh, saved, text):
    (saved / "checkpoint.json").write_text(text)
    with pytest.raises(CannotRunError, match=r"checkpoint\.json"):
        load_checkpoint(saved, fresh[0].graph)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("step",), "x"),
        (("epoch",), -1),
        (("files",), []),
        (("files", "model.safetensors"), 3),
        (("files", "model.safetensors", "bytes"), "many"),
        (("files", "model.safetensors", "sha256"), None),
    ],
)
def test_a_damaged_field_of_the_metadata_is_named(fresh, saved, place, value):
    meta = json.loads((saved / "checkpoint.json").read_text())
    owner = meta
    for key in place[:-1]:
        owner = owner[key]
    owner[place[-1]] = value
    (saved / "checkpoint.json").write_text(json.dumps(meta))
    with pytest.raises(CannotRunError, match=r"checkpoint\.json: ") as caught:
        load_checkpoint(saved, fresh[0].graph)
    assert f"`{'.'.join(place)}`" in str(caught.value)


def test_metrics_of_a_training_that_diverged_are_read(fresh, tmp_path):
    plan, current, params = fresh
    path = save(tmp_path, params, current, 3, {"loss": float("nan")})
    assert load_checkpoint(path, plan.graph).epoch == 3


def test_a_parameter_of_another_dtype_is_named(fresh, tmp_path):
    plan, current, params = fresh
    stem = {name: array.astype(np.float16) for name, array in params["stem"].items()}
    path = save(tmp_path, params | {"stem": stem}, current, 3)
    with pytest.raises(CannotRunError, match=r"`stem/kernel` should have .*float32, found .*float16"):
        load_checkpoint(path, plan.graph)


def test_a_checkpoint_of_another_network_names_the_parameter(saved):
    other = graph_of(BRANCHING, "layers.stem.filters=9")
    with pytest.raises(CannotRunError, match=r"`stem/kernel` should have shape \(3, 3, 1, 9\)"):
        load_checkpoint(saved, other)


def test_a_full_disk_leaves_the_earlier_checkpoint(fresh, saved, tmp_path, monkeypatch):
    plan, current, params = fresh
    point(tmp_path, "last", saved)

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(durable.os, "fsync", full)
    later = current._replace(step=current.step + 1)
    with pytest.raises(CannotRunError, match="No space left"):
        save(tmp_path, params, later, 4)
    monkeypatch.undo()
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".partial")] == []
    assert load_checkpoint(tmp_path / "last", plan.graph).epoch == 3


def test_a_full_disk_is_said_of_pointers_and_of_what_cannot_be_removed(fresh, saved, tmp_path, monkeypatch):
    _, current, params = fresh
    save(tmp_path, params, current._replace(step=current.step + 1), 4)

    def full(*args, **options):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(durable.os, "replace", full)
    with pytest.raises(CannotRunError, match=rf"{tmp_path}/best: .*No space left"):
        point(tmp_path, "best", saved)
    monkeypatch.setattr(checkpoint.shutil, "rmtree", full)
    with pytest.raises(CannotRunError, match=rf"{tmp_path}: .*No space left"):
        prune(tmp_path, 1)


def test_pointers_swap_and_only_what_they_name_stays(fresh, saved, tmp_path):
    plan, current, params = fresh
    second = save(tmp_path, params, current._replace(step=current.step + 1), 4)
    third = save(tmp_path, params, current._replace(step=current.step + 2), 5)
    (tmp_path / ".step-00000009.partial").mkdir()
    point(tmp_path, "last", second)
    point(tmp_path, "last", third)
    point(tmp_path, "best", saved)
    prune(tmp_path, 2)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "best", "last", "step-00000000", "step-00000002"
    ]  # fmt: skip
    assert load_checkpoint(tmp_path / "last", plan.graph).epoch == 5
    assert json.loads((tmp_path / "best" / "checkpoint.json").read_text())["epoch"] == 3
