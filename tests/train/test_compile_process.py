"""The step that is compiled ahead of time is the one that a training runs."""

from __future__ import annotations

import jax
import pytest

import netcalc
from netcalc.analysis.compile_request import CannotAnswer
from netcalc.analysis.exact import DoesNotFit
from netcalc.train.ahead_of_time import compile_step, memory_of
from netcalc.train.compile_process import raw_inputs, refused
from netcalc.train.described_device import DescribedDevice
from netcalc.train.optimizers import make_updater
from netcalc.train.plan import make_plan
from netcalc.train.step import initial_train_state, make_train_step
from tests.conftest import ROOT


def test_it_is_assigned_what_a_trainings_own_step_is() -> None:
    graph = netcalc.load(ROOT / "configs" / "lenet5.yaml", ["train.data={source: digits, resize: 32}"])
    plan = make_plan(graph)
    optimizer = make_updater(plan.spec)
    batch = plan.dataset.train.images[: plan.spec.batch_size], plan.dataset.train.labels[: plan.spec.batch_size]
    step = make_train_step(plan.recipe, optimizer)
    run = step.lower(initial_train_state(plan.recipe, optimizer), plan.recipe.meter.zero(), *batch).compile()  # type: ignore[attr-defined]
    ahead = compile_step(graph, plan.spec, jax.devices("cpu")[0], raw_inputs(graph))
    assert memory_of(ahead) == memory_of(run)


@pytest.fixture
def described() -> DescribedDevice:
    return DescribedDevice(jax.devices("cpu")[0], "TPU v5e", "XLA 1", None)


def test_a_step_that_is_too_large_is_an_answer(described: DescribedDevice) -> None:
    said = "RESOURCE_EXHAUSTED: temporaries (2G) exceeds available HBM (1G). HLO module: jit_step.\nSee a page."
    answer = refused(said, described, 1.5)
    assert isinstance(answer, DoesNotFit)
    assert (answer.needed_bytes, answer.memory_bytes, answer.seconds) == (2**31, 2**30, 1.5)
    assert answer.said == said.splitlines()[0]


@pytest.mark.parametrize(
    ("said", "help"),
    [
        ("UNAVAILABLE: No PTX compilation provider is available.\n - ptxas_path: none", "netcalc-nn[exact-gpu]"),
        ("INTERNAL: libdevice not found at ./libdevice.10.bc", "netcalc-nn[exact-gpu]"),
        ("INTERNAL: something else", ""),
    ],
)
def test_what_is_missing_is_told_with_the_command(said: str, help: str, described: DescribedDevice) -> None:
    answer = refused(said, described, 1.5)
    assert isinstance(answer, CannotAnswer)
    assert said.splitlines()[0] in answer.message
    assert help in answer.help
    assert bool(help) == bool(answer.help)
