"""The memory model beside what XLA's compiler assigns, configuration by configuration."""

from __future__ import annotations

import functools
import importlib.util
import json
import math
import os
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pytest

import netcalc
from netcalc.analysis.memory import Memory, training_memory, training_step
from netcalc.analysis.setup import setup_of
from netcalc.graph import Graph
from netcalc.spec.training import UpdateSpec
from tests.accuracy.configurations import EVERY, FITTED, HELD_OUT, Configuration
from tests.accuracy.remake_xla_totals import DATA
from tests.conftest import ROOT

PAGE = ROOT / "docs" / "memory.md"
BY_FAMILY = {"fitted": FITTED, "held out": HELD_OUT}


@dataclass(frozen=True)
class Comparison:
    """One configuration: what the model says, and what XLA assigned, in bytes."""

    configuration: Configuration
    predicted: Memory
    compiled_bytes: int

    @property
    def error(self) -> float:
        """Relative error of the total."""
        return self.predicted.total_bytes / self.compiled_bytes - 1


@functools.cache
def graph_of(network: str) -> Graph:
    return netcalc.load(ROOT / "configs" / f"{network}.yaml")


def predicted(configuration: Configuration) -> Memory:
    graph = graph_of(configuration.network)
    setup = setup_of(graph, UpdateSpec.model_validate(configuration.update()))
    return training_memory(graph, setup, training_step(graph, setup))


@functools.cache
def assigned() -> dict[str, dict[str, Any]]:
    lines = map(json.loads, DATA.read_text(encoding="utf-8").splitlines())
    return {line["key"]: line for line in lines}


@functools.cache
def compared(split: str) -> tuple[Comparison, ...]:
    configurations = (c for family in BY_FAMILY[split].values() for c in family)
    return tuple(Comparison(c, predicted(c), assigned()[c.key]["total"]) for c in configurations)


def spread(comparisons: Iterable[Comparison]) -> tuple[float, float, float]:
    """Return the mean, the 95th percentile and the maximum of the errors' sizes."""
    errors = sorted(abs(comparison.error) for comparison in comparisons)
    return sum(errors) / len(errors), errors[math.ceil(0.95 * len(errors)) - 1], errors[-1]


def kept(split: str) -> list[Comparison]:
    """Return the configurations without rematerialisation, whose memory depends on one schedule."""
    return [comparison for comparison in compared(split) if comparison.configuration.remat == "none"]


def test_every_configuration_has_been_compiled():
    assert {configuration.key for configuration in EVERY} == assigned().keys()
    assert not [key for key, line in assigned().items() if "error" in line]


def test_no_family_is_in_both_parts():
    networks = [{c.network for family in split.values() for c in family} for split in (FITTED, HELD_OUT)]
    assert not networks[0] & networks[1]


@pytest.mark.parametrize("split", BY_FAMILY)
def test_errors_are_within_the_goal(split):
    mean, most, worst = spread(kept(split))
    assert mean <= 0.015
    assert most <= 0.05
    assert worst <= 0.08


@pytest.mark.parametrize("split", BY_FAMILY)
def test_totals_lie_in_the_interval(split):
    outside = [
        comparison.configuration.key
        for comparison in compared(split)
        if not comparison.predicted.low_bytes <= comparison.compiled_bytes <= comparison.predicted.high_bytes
    ]
    assert len(outside) <= 0.05 * len(compared(split)), outside


@pytest.mark.parametrize("configuration", EVERY, ids=lambda configuration: configuration.key)
def test_what_a_step_is_handed_is_exact(configuration):
    """Arguments and outputs beside the arena: equal but for the table of pointers, some bytes a tensor."""
    parts = predicted(configuration).parts
    setup = setup_of(graph_of(configuration.network), UpdateSpec.model_validate(configuration.update()))
    handed = parts.weights + parts.optimizer + setup.sum_bytes + parts.state + parts.batch
    line = assigned()[configuration.key]
    nodes = graph_of(configuration.network).nodes.values()
    tensors = 8 + sum(4 * len(node.known.params) + 2 * len(node.known.state) for node in nodes)
    assert 0 <= line["total"] - line["temp"] - handed <= 16 * tensors


def test_the_page_of_memory_has_the_table(golden):
    lines = ["| split | configurations | mean error | 95 % are within | largest |", "|:--|--:|--:|--:|--:|"]
    for split in BY_FAMILY:
        for what, rows in (("", kept(split)), (", with remat", _with_remat(split))):
            mean, most, worst = spread(rows)
            lines.append(f"| {split}{what} | {len(rows)} | {mean:.1%} | {most:.1%} | {worst:.1%} |")
    lines += ["", "| configuration | split | model | XLA | error |", "|:--|:--|--:|--:|--:|"]
    for split in BY_FAMILY:
        for comparison in compared(split):
            model, xla = comparison.predicted.total_bytes / 1e6, comparison.compiled_bytes / 1e6
            key = comparison.configuration.key
            lines.append(f"| {key} | {split} | {model:,.1f} MB | {xla:,.1f} MB | {comparison.error:+.1%} |")
    before = PAGE.read_text(encoding="utf-8").partition("| split | configurations |")[0]
    golden(PAGE, before + "\n".join(lines) + "\n")


def _with_remat(split: str) -> list[Comparison]:
    return [comparison for comparison in compared(split) if comparison.configuration.remat != "none"]


@pytest.mark.skipif(
    not (importlib.util.find_spec("jax_plugins") and importlib.util.find_spec("jax_plugins.xla_cuda13")),
    reason="needs the GPU compiler: pip install '.[exact-gpu]'",
)
@pytest.mark.parametrize("key", ["lenet5 b256 sgd float32", "resnet20 b128 momentum float32"])
def test_the_compiler_still_says_what_the_data_say(key):
    """A change of the step or of the compiler shows here first; remake the data then."""
    (configuration,) = (c for c in EVERY if c.key == key)
    request = json.dumps({"network": configuration.network, "update": configuration.update()})
    done = subprocess.run(
        [sys.executable, "-m", "tests.accuracy.compile_one", request],
        capture_output=True, text=True, check=True, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    total = json.loads(done.stdout.splitlines()[-1])["total"]
    assert total == pytest.approx(assigned()[key]["total"], rel=0.02)
    memory = predicted(configuration)
    assert memory.low_bytes * 0.98 <= total <= memory.high_bytes * 1.02


def test_the_measuring_script_runs_where_there_is_a_device(capsys):
    from tests.accuracy.measure_on_gpu import one

    assert one("lenet5 b64 momentum float32", "cpu") == 0
    figures = json.loads(capsys.readouterr().out)
    assert (
        figures["predicted"]
        == predicted(next(c for c in EVERY if c.key == "lenet5 b64 momentum float32")).total_bytes
    )
    assert figures["compiled"] > 0
    assert figures.get("peak") is None  # JAX does not count the memory of a CPU
