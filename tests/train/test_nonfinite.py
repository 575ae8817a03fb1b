"""A training that is not finite any more: found without gating updates, explained, or skipped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from netcalc.graph import build_complete
from netcalc.spec.load import parse_spec
from netcalc.spec.nonfinite import OnNonfinite
from netcalc.train.checkpoint import load_checkpoint
from netcalc.train.loop import train
from netcalc.train.optimizers import make_updater
from netcalc.train.outcome import DivergedError
from netcalc.train.plan import Plan, make_plan
from netcalc.train.post_mortem import BATCH, REPORT, PostMortem
from netcalc.train.run import CHECKPOINTS
from netcalc.train.step import initial_train_state, make_update

NET = """
name: net
input: [8, 8, 1]
layers:
  - {conv: {filters: 4, kernel: 3}, name: first}
  - relu
  - flatten
  - {dense: 16, name: middle}
  - relu
  - {dense: 10, name: head}
train: {data: digits, batch_size: 64, epochs: 2, optimizer: {sgd: 0.05}}
"""


class Silent:
    def step(self, *args: Any) -> None: ...

    def epoch(self, *args: Any) -> None: ...

    def returned(self, *args: Any) -> None: ...


def planned(*overrides: str, text: str = NET) -> Plan:
    return make_plan(build_complete(parse_spec(text, "net.yaml", overrides)))


def diverged(folder: Path, *overrides: str, text: str = NET) -> PostMortem:
    with pytest.raises(DivergedError) as caught:
        train(planned(*overrides, text=text), folder, Silent(), lambda: None)
    assert caught.value.found is not None
    return caught.value.found


def test_the_first_bad_update_is_found_and_named(tmp_path: Path) -> None:
    found = diverged(tmp_path, "train.optimizer={sgd: 1e25}")
    assert (found.step, found.epoch, found.where, found.node) == (2, 1, "forward", "middle")
    assert found.place.startswith("net.yaml:8:")
    assert len(found.losses) == 1
    assert "overflowed" in found.cause
    inputs = {one.name: one for one in found.ranges}
    assert inputs["input"].nonfinite == 0
    assert inputs["input"].extent > 1e20
    assert inputs["output"].nonfinite > 0
    report = json.loads((tmp_path / REPORT).read_text())
    assert (report["step"], report["node"]) == (2, "middle")
    with np.load(tmp_path / BATCH) as batch:
        assert batch["images"].shape == (64, 8, 8, 1) or len(batch["images"]) in (61, 62, 63, 64)
        assert len(batch["labels"]) == len(batch["images"])


def test_no_checkpoint_of_what_is_not_finite(tmp_path: Path) -> None:
    diverged(tmp_path, "train.optimizer={sgd: 1e25}", "train.checkpoint_every=1 steps")
    graph = planned().graph
    paths = sorted((tmp_path / CHECKPOINTS).glob("step-*"))
    assert paths
    for path in paths:
        saved = load_checkpoint(path, graph)
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(saved.params))


def test_it_is_found_late_in_a_training_too(tmp_path: Path) -> None:
    """A rate a little too large: the outputs of a linear network grow by a factor an update until they overflow."""
    linear = (
        NET[: NET.index("layers:")] + "layers: [flatten, {dense: 10, name: head}]\n" + NET[NET.index("train:") :]
    )
    found = diverged(tmp_path, "train.loss=half_mse", "train.optimizer={sgd: 0.12}", "train.epochs=9", text=linear)
    assert found.epoch >= 2
    assert found.step > 21
    assert len(found.losses) == 8
    assert list(found.losses) == sorted(found.losses)
    assert found.losses[-1] > 1e20


def test_batches_of_an_accumulated_update_are_examined(tmp_path: Path) -> None:
    found = diverged(tmp_path, "train.optimizer={sgd: 1e25}", "train.accumulate=3", "train.batch_size=16")
    assert (found.step, found.where) == (2, "forward")


@pytest.mark.parametrize("accumulate", [1, 2])
def test_skipping_leaves_everything_as_it_was(accumulate: int) -> None:
    plan = planned("train.on_nonfinite=skip", f"train.accumulate={accumulate}", "train.optimizer=adam")
    optimizer = make_updater(plan.spec, plan.recipe.facts, plan.pace)
    update = make_update(plan.recipe, optimizer)
    state = initial_train_state(plan.recipe, optimizer)
    images, labels = plan.dataset.train.images[np.arange(64)], plan.dataset.train.labels[:64]
    state, sums = update(state, plan.recipe.meter.zero(), images, labels)
    before = jax.tree.map(np.asarray, (state.params, state.optimizer))
    poisoned = state._replace(
        params=jax.tree.map(lambda leaf: leaf.at[(0,) * leaf.ndim].set(jnp.nan), state.params)
    )
    kept = jax.tree.map(np.asarray, poisoned.params)
    after, sums = update(poisoned, sums, images, labels)
    assert int(after.step) == 2
    for a, b in zip(jax.tree.leaves(kept), jax.tree.leaves(after.params), strict=True):
        np.testing.assert_array_equal(a, np.asarray(b))
    for a, b in zip(jax.tree.leaves(before[1]), jax.tree.leaves(after.optimizer), strict=True):
        np.testing.assert_array_equal(a, np.asarray(b))
    assert float(sums.weight) == 64
    assert np.isfinite(float(sums.loss))


def test_skipping_a_finite_update_changes_nothing() -> None:
    states = []
    for policy in ("abort", "skip"):
        plan = planned(f"train.on_nonfinite={policy}")
        optimizer = make_updater(plan.spec, plan.recipe.facts, plan.pace)
        images, labels = plan.dataset.train.images[np.arange(64)], plan.dataset.train.labels[:64]
        start = initial_train_state(plan.recipe, optimizer)
        state, _ = make_update(plan.recipe, optimizer)(start, plan.recipe.meter.zero(), images, labels)
        states.append(state.params)
    for a, b in zip(*map(jax.tree.leaves, states), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7)


def test_skipping_costs_what_clipping_does() -> None:
    from netcalc.analysis.setup import setup_of

    graph = planned().graph
    assert graph.spec.train is not None
    plain = graph.spec.train
    assert not setup_of(graph, plain).gradients_wait
    skip = OnNonfinite.model_validate("skip")
    assert setup_of(graph, plain.model_copy(update={"on_nonfinite": skip})).gradients_wait
    both = plain.model_copy(update={"on_nonfinite": skip, "accumulate": 2})
    assert not setup_of(graph, both).gradients_wait


def test_labels_that_overflow_are_named_as_the_cause(tmp_path: Path) -> None:
    images = np.zeros((40, 4, 4, 1), np.uint8)
    values = np.full((40, 2), 3e30, np.float32)
    np.savez(tmp_path / "data.npz", images=images, labels=values)
    text = f"""\
name: net
input: [4, 4, 1]
layers: [flatten, {{dense: 2}}]
train:
  data: {{source: npz, path: {tmp_path / "data.npz"}}}
  loss: half_mse
"""
    found = diverged(tmp_path, text=text)
    assert found.where == "loss"
    assert found.cause.startswith("labels so large that their losses overflow")
    assert any(one.name == "labels" and one.largest == pytest.approx(3e30) for one in found.ranges)
