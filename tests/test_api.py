"""The library's functions, as a program uses them."""

from __future__ import annotations

import dataclasses
import inspect
import json
from pathlib import Path

import jax
import numpy as np
import pytest

import netcalc
from netcalc.analysis.device_files import known_devices
from netcalc.analysis.devices import find_device
from tests.conftest import ROOT, Cli

LENET = ROOT / "configs" / "lenet5.yaml"
MISFIT = "input: [8, 8, 3]\nlayers:\n  - conv: {filters: 10, kernel: 3, groups: 5}\n  - batch_norm\n"


@pytest.fixture
def misfit(tmp_path: Path) -> Path:
    path = tmp_path / "misfit.yaml"
    path.write_text(MISFIT)
    return path


def test_everything_public_is_there_and_documented() -> None:
    for name in netcalc.__all__:
        value = getattr(netcalc, name)
        if name == "__version__":
            assert value.count(".") >= 2
            continue
        text = inspect.getdoc(value)
        assert text, name
        assert not text.startswith(f"{name}("), f"{name} has only the signature that dataclasses write"
        assert value.__name__ == name
        if inspect.isclass(value):
            methods = [m for m, f in vars(value).items() if callable(f) and not m.startswith("_")]
            assert all(inspect.getdoc(getattr(value, m)) for m in methods), name
    assert set(netcalc.__all__) <= set(dir(netcalc))
    assert list(netcalc.__all__) == sorted(netcalc.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'anaylze'"):
        netcalc.anaylze  # noqa: B018


def test_load_gives_every_node_its_facts() -> None:
    graph = netcalc.load(LENET)
    assert isinstance(graph, netcalc.Graph)
    assert graph.complete
    assert graph.name == "lenet5"
    assert graph.type_of("c3").shape == (10, 10, 16)
    assert graph.outputs == ("output",)
    assert graph.consumers["s2"] == ("c3",)
    assert netcalc.load(str(LENET)).nodes.keys() == graph.nodes.keys()


def test_load_takes_overrides() -> None:
    graph = netcalc.load(LENET, ["params.classes=20", "layers.c3.filters=8"])
    assert (graph.type_of("output").shape, graph.type_of("c3").shape) == ((20,), (10, 10, 8))


def test_analyze_takes_a_path_or_a_graph() -> None:
    graph = netcalc.load(LENET)
    report = netcalc.analyze(graph, batch=4)
    assert isinstance(report, netcalc.Report)
    assert (report.totals.params.trainable, report.totals.macs.forward, report.batch) == (61_706, 416_520, 4)
    assert netcalc.analyze(LENET, batch=4) == netcalc.analyze(str(LENET), batch=4) == report
    assert report.to_dict()["format"] == "netcalc.report/1"


def test_check_takes_a_path_or_a_graph(tmp_path: Path) -> None:
    assert netcalc.check(LENET) == netcalc.check(netcalc.load(LENET)) == ()
    (found,) = netcalc.check(netcalc.load(LENET, ["budgets.params.max=61705"]))
    assert isinstance(found, netcalc.Diagnostic)
    assert (found.code, found.severity) == ("NC401", "error")
    (tmp_path / "warned.yaml").write_text(
        "input: [8, 8, 1]\nlayers: [{conv: {filters: 2, kernel: 3}}, batch_norm]\n"
    )
    assert [d.code for d in netcalc.check(tmp_path / "warned.yaml")] == ["NC301"]


def test_analyze_takes_what_the_options_of_the_command_take(here: Cli) -> None:
    words = ("--batch", 64, "--optimizer", "sgd", "--precision", "mixed", "--remat", "conv_outputs")
    printed = here("analyze", LENET, *words, "--device", "t4", "--images", 1000, "-f", "json")
    report = netcalc.analyze(
        LENET, batch=64, optimizer="sgd", precision="mixed", remat="conv_outputs", device="t4", images=1000
    )
    assert json.loads(json.dumps(report.to_dict())) == {
        **json.loads(printed.stdout),
        "layers": [
            {**layer, "source": {**layer["source"], "file": str(LENET)}}
            for layer in json.loads(printed.stdout)["layers"]
        ],
    }
    # What is left out is the spec's own: a batch of 32.
    memory = netcalc.analyze(LENET, device="t4").totals.memory
    assert memory is not None
    assert (memory.batch, memory.optimizer, memory.precision, memory.device) == (32, "adam", "float32", "t4")
    assert netcalc.analyze(LENET).totals.memory is None


def test_analyze_takes_a_device_of_one_s_own() -> None:
    t4 = find_device("t4", known_devices())
    report = netcalc.analyze(LENET, device=dataclasses.replace(t4, key="mine", usable_bytes=10))
    assert report.totals.memory is not None
    assert (report.totals.memory.device, report.totals.memory.fits) == ("mine", False)


def test_analyze_says_which_argument_is_wrong() -> None:
    with pytest.raises(netcalc.CannotRunError, match="unknown device `h101`") as caught:
        netcalc.analyze(LENET, device="h101")
    assert "did you mean `h100`?" in caught.value.help
    for wrong in ({"batch": 0}, {"images": 5}, {"optimizer": "adm"}, {"precision": "half"}, {"remat": "all"}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            netcalc.analyze(LENET, **wrong)


def test_compile_gives_the_network_that_was_analysed() -> None:
    graph = netcalc.load(LENET)
    network = netcalc.compile(graph)
    assert isinstance(network, netcalc.Network)
    params, state = network.init(jax.random.key(0))
    assert sum(array.size for group in params.values() for array in group.values()) == 61_706
    x = np.zeros((3, 32, 32, 1), np.float32)
    output, _ = network.apply(params, state, x)
    assert output.shape == (3, 10)


@pytest.mark.parametrize("batch", [0, -3])
def test_a_batch_holds_at_least_one_sample(batch: int) -> None:
    with pytest.raises(ValueError, match=f"`batch` should be at least 1, not {batch}"):
        netcalc.analyze(LENET, batch=batch)


def test_load_takes_the_root_of_what_a_spec_extends(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("input: [8]\nlayers: [relu]\n")
    (tmp_path / "inner").mkdir()
    spec = tmp_path / "inner" / "spec.yaml"
    spec.write_text("extends: ../base.yaml\n")
    assert netcalc.load(spec, root=tmp_path).nodes.keys() == {"relu1"}
    with pytest.raises(netcalc.SpecError, match="NC019"):
        netcalc.load(spec, root=tmp_path / "inner")


def test_a_layer_that_does_not_fit_raises_with_every_diagnostic(misfit: Path) -> None:
    for use in (netcalc.load, netcalc.analyze):
        with pytest.raises(netcalc.SpecError) as caught:
            use(misfit)
        (found,) = caught.value.diagnostics
        assert (found.code, found.node) == ("NC102", "conv1")
        assert str(caught.value).startswith(f"{misfit}:3:")
        assert "error[NC102]: `groups` (5) does not divide the 3 input channels (use" in str(caught.value)
    # For `check` it is a finding like the others.
    assert [d.code for d in netcalc.check(misfit)] == ["NC102"]


def test_a_spec_that_makes_no_graph_raises_with_every_diagnostic(tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text("input: [8, 8, 3]\nlayers: [rleu, {dense: {}}, {dropout: 2}]\n")
    for use in (netcalc.load, netcalc.analyze):
        with pytest.raises(netcalc.SpecError) as caught:
            use(path)
        assert {d.code for d in caught.value.diagnostics} == {"NC011", "NC012", "NC013"}
        assert len(str(caught.value).splitlines()) == 3
    # For `check` they are findings like the others.
    assert netcalc.check(path) == caught.value.diagnostics


def test_check_of_a_path_is_what_the_command_tells(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text("input: [8, 8, 1]\nlayers: [{conv: {filters: 8, kernel: 3}}, batch_norm]\n")
    (tmp_path / "netcalc.toml").write_text("[[budgets]]\nfiles = ['*']\nparams = 3\n")
    assert [d.code for d in netcalc.check(path)] == ["NC301", "NC401"]
    assert [d.code for d in netcalc.check(path, ignore=["redundant-bias"])] == ["NC401"]
    assert [d.code for d in netcalc.check(netcalc.load(path))] == ["NC301"]
    with pytest.raises(netcalc.CannotRunError, match="no rule is called"):
        netcalc.check(path, select=["NC999"])


def test_a_missing_file_cannot_run(tmp_path: Path) -> None:
    (tmp_path / "lenet.yaml").write_text("input: [8]\nlayers: [relu]\n")
    for use in (netcalc.load, netcalc.analyze, netcalc.check):
        with pytest.raises(netcalc.CannotRunError, match=r"lenet5\.yaml: no such file") as caught:
            use(tmp_path / "lenet5.yaml")
        assert caught.value.help == "did you mean `lenet.yaml`?"


def test_overrides_that_lead_nowhere_raise() -> None:
    with pytest.raises(netcalc.SpecError, match="did you mean `classes`"):
        netcalc.load(LENET, ["params.clases=3"])


def test_results_are_frozen() -> None:
    graph = netcalc.load(LENET)
    report = netcalc.analyze(graph)
    for item, field in (
        (graph, "spec"),
        (report, "name"),
        (report.layers[0], "name"),
        (report.totals.macs, "forward"),
    ):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(item, field, None)
    with pytest.raises(TypeError):
        graph.nodes["c1"] = graph.nodes["c3"]  # type: ignore[index]
