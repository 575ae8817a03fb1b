"""How long a training goes on, how often it looks at the test split, and what it leaves of itself."""

from __future__ import annotations

import json
import os
from functools import partial

import jax
import pytest

from netcalc.analysis.device_files import known_devices
from netcalc.spec.schedules import FOLLOWS_LENGTH, ScheduleSpec
from netcalc.train.factors import Pace
from netcalc.train.loop import train
from netcalc.train.plan import make_plan
from netcalc.train.present_device import _KEYS, present_device
from netcalc.train.records import read_records
from netcalc.train.resources import measured_resources, resources_lines
from netcalc.train.run import CHECKPOINTS, create_run
from netcalc.train.schedules import make_factor
from netcalc.train.step_clock import StepClock
from tests.train.specs import graph_of

DENSE = """
name: dense
input: [8, 8, 1]
layers: [flatten, {dense: 10}]
train: {data: digits, batch_size: 256, epochs: 3, optimizer: {sgd: 0.1}}
"""
"""Six updates an epoch."""


class Silent:
    """Reports to nobody."""

    def step(self, epoch, done, running):
        pass

    def epoch(self, record):
        pass


def trained(tmp_path, *overrides, reporter=None):
    graph = graph_of(DENSE, *overrides)
    plan = make_plan(graph)
    run = create_run(tmp_path, graph, plan.preprocessing, {})
    return plan, run, train(plan, run, reporter or Silent(), lambda: None)


def seen(run):
    return [(record.epoch, record.step, "test_loss" in record.metrics) for record in read_records(run)]


EIGHTH = [(0, 0, True), (1, 6, False), (2, 8, True), (2, 12, False), (3, 16, True)]


@pytest.mark.parametrize(
    ("every", "expected"),
    [
        ("1 epoch", [(0, 0, True), (1, 6, True), (2, 12, True), (3, 18, True)]),
        ("2 epochs", [(0, 0, True), (1, 6, False), (2, 12, True), (3, 18, False), (3, 18, True)]),
        ("8 steps", [*EIGHTH, (3, 18, False), (3, 18, True)]),
        ("6 steps", [(0, 0, True), (1, 6, True), (2, 12, True), (3, 18, True)]),
    ],
)  # fmt: skip
def test_the_test_split_is_evaluated_as_often_as_asked_and_at_the_end(every, expected, tmp_path):
    _, run, outcome = trained(tmp_path, f"train.validate_every={every}")
    assert seen(run) == expected
    assert "test_loss" in outcome.last.metrics


def test_early_stopping_ends_a_training(tmp_path):
    """At a rate of almost nothing each value is a little better, but not by the least that counts."""
    _, run, outcome = trained(
        tmp_path, "train.optimizer={sgd: 1e-6}", "train.early_stopping={patience: 2, min_delta: 0.1}"
    )
    assert (outcome.ending, outcome.step) == ("early_stopping", 12)
    assert seen(run)[-1] == (2, 12, True)


def test_a_limit_on_time_ends_a_training_after_an_update(tmp_path):
    plan, run, outcome = trained(tmp_path, "train.max_time=1ms")
    assert outcome.ending == "max_time"
    assert outcome.step < plan.steps
    assert "test_loss" in outcome.last.metrics
    assert (run / CHECKPOINTS / "last").resolve().name == f"step-{outcome.step:08d}"


@pytest.mark.parametrize("metric", ["test_loss", "train_loss", "test_accuracy", "train_accuracy"])
def test_best_points_at_the_record_of_the_metric(metric, tmp_path):
    _, run, outcome = trained(tmp_path, f"train.best={metric}")
    records = [record for record in read_records(run) if metric in record.metrics]
    choose = min if metric.endswith("loss") else max
    expected = choose(records, key=lambda record: record.metrics[metric])
    assert outcome.best.step == expected.step
    assert (run / CHECKPOINTS / "best").resolve().name == f"step-{expected.step:08d}"


def test_so_many_checkpoints_stay(tmp_path):
    for keep in (1, 3):
        _, run, outcome = trained(
            tmp_path, f"train.keep_checkpoints={keep}", "train.checkpoint_every=1 steps", "train.best=train_loss"
        )
        best = {f"step-{outcome.best.step:08d}"}
        there = {path.name for path in (run / CHECKPOINTS).glob("step-*")}
        assert there - best == {f"step-{n:08d}" for n in range(19 - keep, 19)} - best
        assert best <= there


FIELDS = {
    "step": {"every_steps": 5}, "multistep": {"steps": [3, 9]}, "exponential": {"every_steps": 4},
    "sigmoid": {"center_steps": 8}, "sgdr": {"every_steps": 4}, "warmup_stable_decay": {"decay": 0.5},
}  # fmt: skip


@pytest.mark.parametrize("kind", ScheduleSpec.model_fields)
def test_the_schedules_that_follow_the_length_are_those_whose_rates_change_with_it(kind):
    spec = ScheduleSpec.model_validate({kind: FIELDS.get(kind, {})})
    short, long = (make_factor(spec, Pace(6, steps)) for steps in (18, 36))
    changes = any(float(short(step)) != float(long(step)) for step in range(18))
    assert changes == isinstance(spec.chosen, FOLLOWS_LENGTH)


def test_a_schedule_that_begins_later_is_the_same_moved():
    spec = ScheduleSpec.model_validate({"cosine": {"warmup_steps": 3}})
    whole, moved = make_factor(spec, Pace(6, 18)), make_factor(spec, Pace(6, 18, start=7))
    assert [float(moved(step + 7)) for step in range(20)] == [float(whole(step)) for step in range(20)]
    assert float(moved(0)) == float(whole(0))


def test_what_was_predicted_stands_beside_what_was_measured(tmp_path):
    clock = StepClock(Silent(), 1347)
    plan, _, _ = trained(tmp_path, reporter=clock)
    found = measured_resources(plan, jax.devices("cpu")[0], clock, 0)
    assert found.memory.predicted_low_bytes < found.memory.predicted_bytes < found.memory.predicted_high_bytes
    assert found.memory.measured_bytes > 20_000_000
    assert found.step.predicted_seconds is None
    assert 0 < found.step.measured_seconds < 60
    assert found.step.measured_steps >= 12
    assert json.dumps(resources_lines(found)).count("predicted") == 2


def test_drivers_names_lead_to_devices():
    known = known_devices()
    assert set(_KEYS.values()) <= known.keys()
    found = partial(present_device, devices=known)
    assert found("NVIDIA H100 80GB HBM3").key == "h100-sxm"
    assert found("NVIDIA GeForce RTX 4090").key == "rtx-4090"
    assert found("cpu") is None
    assert found("NVIDIA H100 of tomorrow") is None


@pytest.mark.slow
def test_memory_stays_flat_over_two_thousand_updates(tmp_path):
    """Past the first hundreds the process grows by less than a kilobyte an update: no array of one is kept."""
    page, resident = os.sysconf("SC_PAGE_SIZE"), []

    class Watching(Silent):
        def step(self, epoch, done, running):
            with open("/proc/self/statm") as stream:
                resident.append(int(stream.read().split()[1]) * page)

    overrides = (
        "train.epochs=",
        "train.steps=2400",
        "train.validate_every=500 steps",
        "train.checkpoint_every=50 steps",
    )
    trained(tmp_path, *overrides, reporter=StepClock(Watching(), 1347))
    assert len(resident) == 2400
    grown = max(resident[-200:]) - max(resident[200:400])
    assert grown < 2_000_000, f"{grown:,} bytes in 2,000 updates, from {max(resident[200:400]):,}"
