"""The step that is compiled ahead of time is the one that a training runs."""

from __future__ import annotations

from pathlib import Path

import jax
import pytest

import netcalc
from netcalc.analysis.compile_request import CannotAnswer, CompileRequest
from netcalc.analysis.exact import DoesNotFit, ExactMemory
from netcalc.analysis.memory import training_memory, training_step
from netcalc.analysis.setup import setup_of
from netcalc.analysis.targets import find_target
from netcalc.spec.nonfinite import OnNonfinite
from netcalc.spec.training import UpdateSpec
from netcalc.train.ahead_of_time import compile_step, memory_of
from netcalc.train.compile_process import answered, raw_inputs, refused
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


def test_the_copy_of_a_rollback_is_beside_the_same_step(tmp_path: Path) -> None:
    spec = tmp_path / "net.yaml"
    layers = "[{conv: {filters: 4, kernel: 3}}, batch_norm, flatten, {dense: 10}]"
    spec.write_text(f"input: [8, 8, 1]\nlayers: {layers}\n")
    graph = netcalc.load(spec)
    found = []
    for policy in ("abort", "rollback"):
        update = UpdateSpec(batch_size=8, on_nonfinite=OnNonfinite.model_validate(policy))
        answer = answered(CompileRequest(spec, (), None, update, find_target("cpu")))
        assert isinstance(answer, ExactMemory)
        assert sum(answer.parts.values()) == answer.total_bytes
        found.append(answer)
    plain, copied = found
    setup = setup_of(graph, update)
    foreseen = training_memory(graph, setup, training_step(graph, setup)).parts
    counter = 4  # of Adam's updates: no model has it
    assert copied.parts == {**plain.parts, "snapshot": foreseen.snapshot + counter}
    assert foreseen.snapshot == 4 * (3 * (4 * 9 + 4 + 2 * 4 + 144 * 10 + 10) + 2 * 4)


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
