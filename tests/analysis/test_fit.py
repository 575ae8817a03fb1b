"""Whether training fits, against trying every batch on networks small enough for that."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netcalc.analysis.device_files import known_devices
from netcalc.analysis.devices import Device
from netcalc.analysis.estimate import Demand, estimate
from netcalc.analysis.fit import DeviceFit, Fit, fit_devices
from netcalc.analysis.largest_batch import MOST
from netcalc.analysis.memory import Step, training_step
from netcalc.analysis.setup import Setup
from netcalc.graph import Graph, build_complete
from netcalc.render.fit import fit_json
from netcalc.spec.load import parse_spec
from netcalc.spec.training import OptimizerSpec, UpdateSpec
from tests.analysis.networks import NESTED, TWO_INPUTS
from tests.analysis.test_contract import keys_of
from tests.configs.zoo import load
from tests.conftest import ROOT

CONVS = """\
name: convs
input: [12, 12, 3]
layers:
  - {conv: {filters: 16, kernel: 3, padding: same, bias: false}, name: c1}
  - batch_norm
  - relu
  - {conv: {filters: 32, kernel: 3, stride: 2}, name: c2}
  - batch_norm
  - relu
  - max_pool: 2
  - flatten
  - {dense: 10, name: fc}
"""

WIDE = """\
name: wide
input: [8, 8, 1]
layers:
  - flatten
  - {dense: 2000, name: big}
  - relu
  - {dense: 10, name: logits}
"""

LENET = (ROOT / "configs/lenet5.yaml").read_text(encoding="utf-8")
NETWORKS = {"convs": CONVS, "wide": WIDE, "nested": NESTED, "two_inputs": TWO_INPUTS, "lenet": LENET}
TRIED = 150
"""Batches that are tried one by one."""


@cache
def graph_of(text: str) -> Graph:
    return build_complete(parse_spec(text, "spec.yaml"))


def update_with(
    optimizer: str = "adam", precision: str = "float32", remat: str = "none", **more: Any
) -> UpdateSpec:
    return UpdateSpec.model_validate({"optimizer": optimizer, "precision": precision, "remat": remat, **more})


def gpu(usable_bytes: int) -> Device:
    """Return a GPU of which so much can be used."""
    return replace(known_devices()["t4"], key="small", memory_bytes=2 * usable_bytes, usable_bytes=usable_bytes)


def needed_bytes(graph: Graph, update: UpdateSpec, batch: int, *, high: bool = False) -> int:
    """Return what training takes by the report of `netcalc analyze`, and one more batch of inputs and labels."""
    memory = estimate(graph, Demand(update, batch)).memory.training
    assert memory is not None
    return (memory.high_bytes if high else memory.total_bytes) + memory.parts.batch


def needs(text: str, update: UpdateSpec, *, high: bool = False) -> list[int]:
    return _needs(text, update.model_dump_json(exclude_none=True), high=high)


@cache
def _needs(text: str, update: str, *, high: bool) -> list[int]:
    spec = UpdateSpec.model_validate_json(update)
    return [needed_bytes(graph_of(text), spec, batch, high=high) for batch in range(1, TRIED + 1)]


def by_trying(taken: list[int], usable_bytes: int) -> int:
    """Return the number of batches before the first that is too large."""
    return next((smaller for smaller, size in enumerate(taken) if size > usable_bytes), TRIED)


def fit_one(text: str, update: UpdateSpec, usable_bytes: int, batch: int | None = None) -> DeviceFit:
    (found,) = fit_devices(graph_of(text), update, [gpu(usable_bytes)], batch).devices
    return found


SETTINGS = [
    ("adam", "float32", "none"),
    ("sgd", "float32", "conv_outputs"),
    ("momentum", "mixed", "none"),
    ("adam", "mixed", "conv_outputs"),
    ("nesterov", "bfloat16", "none"),
]


@pytest.mark.parametrize("setting", SETTINGS, ids="-".join)
@pytest.mark.parametrize("text", NETWORKS.values(), ids=NETWORKS)
def test_every_batch_up_to_the_largest_fits_and_the_next_does_not(text: str, setting: tuple[str, str, str]) -> None:
    update = update_with(*setting)
    taken = needs(text, update)
    limits = {size + off for size in taken[:-1:7] for off in (-1, 0, 500)}
    for usable in sorted(limit for limit in limits if limit < max(taken)):
        found = fit_devices(graph_of(text), update, [gpu(usable)] * 2).devices[0]
        assert found.max_batch == by_trying(taken, usable), usable
        assert found.max_batch is not None
        judged = max(found.max_batch, 1)
        assert found.needed_bytes == taken[judged - 1]
        assert found.margin_bytes == usable - taken[judged - 1]
        assert found.fits == (found.max_batch > 0) == (found.margin_bytes >= 0)


def test_steps_down_occur_and_are_seen() -> None:
    # Without a step in these figures the test above would be of bisection alone.
    update, network = update_with("momentum", "mixed", "none"), NETWORKS["convs"]
    taken = needs(network, update)
    falls = [batch for batch in range(1, TRIED) if taken[batch] < taken[batch - 1]]
    assert falls
    for batch in falls:
        usable = taken[batch - 1] - 1
        assert fit_one(network, update, usable).max_batch == by_trying(taken, usable) < batch


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_any_small_network(data: st.DataObject) -> None:
    def number(least: int, most: int) -> int:
        return data.draw(st.integers(least, most))

    layers: list[Any] = []
    for _ in range(number(1, 3)):
        kind = data.draw(st.sampled_from(["conv", "batch_norm", "relu", "max_pool", "residual"]))
        conv = {"conv": {"filters": number(1, 24), "kernel": 3, "padding": "same"}}
        more: dict[str, list[Any]] = {
            "conv": [conv],
            "batch_norm": [conv, "batch_norm", "relu"],
            "relu": [conv, "relu"],
            "max_pool": [{"max_pool": 2}],
            "residual": [{"residual": {"body": [conv, "relu"], "shortcut": [conv]}}],
        }
        layers += more[kind]
    text = json.dumps({"input": [8, 8, number(1, 4)], "layers": [*layers, "flatten", {"dense": number(1, 300)}]})
    update = update_with(*data.draw(st.sampled_from(SETTINGS)))
    most = 60
    taken = [needed_bytes(graph_of(text), update, batch) for batch in range(1, most + 1)]
    usable = data.draw(st.integers(taken[0] // 2, max(taken) - 1))
    assert fit_one(text, update, usable).max_batch == by_trying(taken, usable)


def test_remedies_give_what_trying_gives() -> None:
    update = update_with()
    usable = needs(CONVS, update)[80]  # of small batches, batch norm keeps float32 in mixed precision, too
    found = fit_one(CONVS, update, usable)
    assert found.max_batch == 81
    changes = {remedy.change: remedy.max_batch for remedy in found.remedies}
    assert {"precision: mixed", "optimizer: sgd"} <= set(changes)
    assert list(changes.values()) == sorted(changes.values(), reverse=True)
    for change, most in changes.items():
        fields = dict(part.split(": ") for part in change.split(", "))
        expected = by_trying(needs(CONVS, update_with(**fields)), usable)
        assert most == expected > 81


def test_what_is_chosen_already_is_no_remedy() -> None:
    update = update_with("sgd", "bfloat16", "conv_outputs")
    assert fit_one(CONVS, update, needs(CONVS, update)[5]).remedies == ()
    update = update_with("momentum", "mixed", "none")
    changes = [remedy.change for remedy in fit_one(CONVS, update, needs(CONVS, update)[20]).remedies]
    words = {part for change in changes for part in change.split(", ")}
    assert words <= {"precision: bfloat16", "remat: conv_outputs", "optimizer: sgd"}
    assert words


def test_all_changes_together_where_a_batch_needs_that() -> None:
    # Parameters are most of it, and Adam keeps two values for each.
    update = update_with()
    usable = needs(WIDE, update)[0]
    found = fit_one(WIDE, update, usable, batch=100_000)
    assert not found.fits
    assert any("optimizer: sgd" in remedy.change and "precision" in remedy.change for remedy in found.remedies)


@pytest.mark.parametrize("batch", [1, 20, 21, 22, 40])
def test_a_batch_that_is_asked_about(batch: int) -> None:
    update = update_with()
    taken = needs(CONVS, update)
    found = fit_one(CONVS, update, taken[20], batch)
    assert (found.max_batch, found.fits) == (21, batch <= 21)
    assert found.margin_bytes == taken[20] - taken[batch - 1]
    assert bool(found.remedies) == (batch > 21)


def test_the_safe_batch_fits_at_the_upper_end_of_the_interval() -> None:
    update = update_with()
    usable = needs(CONVS, update)[99]
    found = fit_one(CONVS, update, usable)
    assert found.safe_batch == by_trying(needs(CONVS, update, high=True), usable)
    assert 0 < (found.safe_batch or 0) < (found.max_batch or 0)


def test_not_even_one_sample() -> None:
    update = update_with()
    taken = needs(CONVS, update)
    found = fit_one(CONVS, update, taken[0] - 1)
    assert (found.max_batch, found.safe_batch, found.fits, found.margin_bytes) == (0, 0, False, -1)
    assert found.mem_fraction is None
    assert found.remedies
    nothing = fit_one(CONVS, update, 1)
    assert (nothing.max_batch, nothing.margin_bytes, nothing.remedies) == (0, 1 - taken[0], ())


def test_a_network_that_always_fits() -> None:
    found = fit_one("input: [1]\nlayers: [{dense: 1}]\n", update_with(), 2**45)
    assert (found.max_batch, found.at_least, found.remedies) == (MOST, True, ())
    assert f"{MOST:,}" in found.note


def test_a_network_without_parameters() -> None:
    found = fit_one("input: [4, 4, 1]\nlayers: [relu]\n", update_with(), 2**20)
    assert found.max_batch is not None
    assert found.max_batch > 0


def test_jax_takes_three_quarters_by_default() -> None:
    update = update_with()
    taken = needs(CONVS, update)[0]
    fractions = {
        usable: fit_one(CONVS, update, usable, 1).mem_fraction
        for usable in (taken, taken + 1, 100 * taken // 80, 4 * taken // 3 - 1, 4 * taken // 3 + 1, taken - 1)
    }
    assert list(fractions.values()) == [1.0, 1.0, 0.81 if 100 * taken % 80 else 0.8, 0.76, None, None]


def test_what_limits_a_convolution_and_a_dense_network() -> None:
    # 12·12·16 values of c1 are the largest of a batch of 40, 64·2000 weights of `big` the largest of a batch of 1.
    found = fit_one(CONVS, update_with(), 2**30, 40)
    assert found.limited_by is not None
    assert (found.limited_by.node, found.limited_by.bytes) == ("c1", 40 * 12 * 12 * 16 * 4)
    found = fit_one(WIDE, update_with(), 2**30, 1)
    assert found.limited_by is not None
    assert (found.limited_by.node, found.limited_by.bytes) == ("big", 64 * 2000 * 4)
    sizes = [tensor.bytes for tensor in found.largest]
    assert sizes == sorted(sizes, reverse=True)
    assert found.limited_by == found.largest[0]


def test_what_the_spec_says_of_training_counts() -> None:
    params = 64 * 2000 + 2000 + 2000 * 10 + 10
    plain, averaged = (fit_one(WIDE, update_with(**more), 2**30, 8) for more in ({}, {"ema": 0.9}))
    assert averaged.needed_bytes == (plain.needed_bytes or 0) + 4 * params
    clipped = fit_one(CONVS, update_with(clip={"norm": 1.0}), 2**30, 8)
    update = update_with(clip={"norm": 1.0})
    assert clipped.needed_bytes == needed_bytes(graph_of(CONVS), update, 8)


def test_devices_are_answered_for_as_if_alone() -> None:
    update = update_with()
    limits = [needs(CONVS, update)[batch - 1] for batch in (3, 70, 9, 70)]
    together = fit_devices(graph_of(CONVS), update, map(gpu, limits)).devices
    assert [found.max_batch for found in together] == [3, 70, 9, 70]
    assert [found.max_batch for found in together] == [fit_one(CONVS, update, one).max_batch for one in limits]
    assert {found.remedies for found in together} == {()}


@pytest.mark.parametrize(("names", "most"), [(["t4"], 300), (list(known_devices()), 900)], ids=["one", "all"])
def test_few_steps_are_laid_out(monkeypatch: pytest.MonkeyPatch, names: list[str], most: int) -> None:
    # Of a deep network each takes ten milliseconds, which is nearly all of an answer's time.
    laid_out = []

    def counted(graph: Graph, setup: Setup) -> Step:
        laid_out.append((setup.batch, setup.compute_bytes, setup.remat))
        return training_step(graph, setup)

    monkeypatch.setattr("netcalc.analysis.batch_memory.training_step", counted)
    fit_devices(load("resnet18"), update_with(), [known_devices()[name] for name in names])
    assert len(laid_out) <= most
    assert len(laid_out) - len(set(laid_out)) <= 2  # for the parameters of two more optimizers


def everywhere(batch: int | None = None) -> Fit:
    return fit_devices(graph_of(CONVS), update_with(), known_devices().values(), batch)


@pytest.mark.parametrize("batch", [None, 64])
def test_memory_has_a_rule_on_gpus_alone(batch: int | None) -> None:
    for found, device in zip(everywhere(batch).devices, known_devices().values(), strict=True):
        assert found.device == device.key
        known = [found.max_batch, found.fits, found.needed_bytes, found.margin_bytes, found.limited_by]
        if device.kind == "gpu":
            assert None not in known
        else:
            assert set(known) == {None}
            assert f"--device {device.key} --exact" in found.note


TENSOR = {"node", "tensor", "bytes"}
KEYS = {
    "": {"format", "name", "optimizer", "precision", "remat", "batch", "devices"},
    "devices[]": {
        "device", "name", "memory_bytes", "usable_bytes", "max_batch", "at_least", "safe_batch", "fits",
        "needed_bytes", "margin_bytes", "mem_fraction", "peak_at", "limited_by", "largest", "remedies", "note",
    },
    "devices[].limited_by": TENSOR,
    "devices[].largest[]": TENSOR,
    "devices[].remedies[]": {"change", "max_batch"},
}  # fmt: skip
"""The contract `netcalc.fit/1`: every object, by its place, with exactly its keys."""


def test_keys_are_exactly_those_of_the_contract() -> None:
    one = fit_devices(graph_of(CONVS), update_with(), [gpu(2**22)], 10_000)
    found: dict[str, set[frozenset[str]]] = {}
    for fit in (one, everywhere()):
        data = json.loads(fit_json(fit))
        assert data["format"] == "netcalc.fit/1"
        for place, sets in keys_of(data).items():
            found.setdefault(place, set()).update(sets)
    assert found == {place: {frozenset(keys)} for place, keys in KEYS.items()}


def test_optimizers_are_those_of_specs() -> None:
    for kind in OptimizerSpec.model_fields:
        update = update_with(kind)
        assert fit_one(CONVS, update, 2**30, 8).needed_bytes == needed_bytes(graph_of(CONVS), update, 8)
