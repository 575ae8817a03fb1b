"""`netcalc.report/1`: the keys, their types, and a schema that says so."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from netcalc.analysis.demand import make_demand
from netcalc.analysis.device_files import known_devices
from netcalc.analysis.devices import find_device
from netcalc.analysis.exact import DoesNotFit, ExactMemory, PeakBuffer
from netcalc.analysis.report import analyze_graph, failed_report, report_schema
from netcalc.diagnostics import SpecError
from netcalc.graph import build
from netcalc.render.data import report_json
from netcalc.spec.load import parse_spec
from tests.analysis.networks import MISFIT, NESTED, TWO_INPUTS, report_of
from tests.conftest import ROOT, Cli

TENSOR = {"shape", "dtype"}
PARAMS = {"trainable", "frozen", "state"}
MACS = {"forward", "padding_exact", "training"}
MEMORY = {"total_bytes", "low_bytes", "high_bytes", "parts", "transient", "peak_at"}
TRANSIENT = {"activation_gradients", "weight_copies", "gaps", "recomputed_early"}
PARTS = {"weights", "gradients", "optimizer", "state", "batch", "activations", "transient", "snapshot"}
KEYS = {
    "": {"format", "name", "inputs", "outputs", "batch", "totals", "layers", "diagnostics", "complete"},
    "inputs[]": {"name", *TENSOR},
    "outputs[]": {"name", *TENSOR},
    "totals": {"params", "macs", "flops", "activations", "textbook", "update", "memory", "seconds", "cost"},
    "totals.params": PARAMS,
    "totals.macs": MACS,
    "totals.flops": {"forward", "training"},
    "totals.update": {"optimizer", "flops", "slot_elements"},
    "totals.activations": {"conv_output_elements", "weighted_output_elements", "node_output_elements"},
    "totals.textbook": {
        "params_bytes", "activation_bytes", "training_activation_bytes", "memory_bytes", "copies",
        "copies_beside_params",
    },
    "totals.memory": {
        "device", "batch", "optimizer", "precision", "training", "inference", "exact", "refused", "ahead_bytes",
        "usable_bytes", "fits",
    },
    "totals.memory.training": MEMORY,
    "totals.memory.training.parts": PARTS,
    "totals.memory.training.transient": TRANSIENT,
    "totals.memory.inference": MEMORY,
    "totals.memory.inference.parts": PARTS,
    "totals.memory.inference.transient": TRANSIENT,
    "totals.memory.exact": {
        "device", "compiler", "total_bytes", "parts", "peak_node", "largest", "memory_bytes", "rematerialized",
        "excludes", "seconds", "kind",
    },
    "totals.memory.exact.largest[]": {"bytes", "type", "part", "node", "operation"},
    "totals.memory.refused": {"device", "compiler", "needed_bytes", "memory_bytes", "said", "seconds", "kind"},
    "totals.memory.exact.parts": PARTS,
    "totals.seconds": {
        "training_step", "inference_batch", "epoch", "images", "images_per_second", "bound_by",
    },
    "totals.seconds.bound_by": {"compute", "bandwidth", "launch"},
    "totals.cost": {"epoch", "currency"},
    "layers[]": {
        "name", "type", "path", "source", "inputs", "output", "params", "macs", "flops", "memory", "seconds",
        "receptive_field", "shares", "train_only",
    },
    "layers[].receptive_field": {"axes", "aligned"},
    "layers[].receptive_field.axes[]": {"size", "stride", "padding", "centre"},
    "layers[].source": {"file", "line", "column"},
    "layers[].output": TENSOR,
    "layers[].params": PARAMS,
    "layers[].macs": MACS,
    "layers[].flops": {"forward", "training"},
    "layers[].memory": {"weights_bytes", "alive_bytes"},
    "layers[].seconds": {"training", "inference", "binds", "intensity"},
    "diagnostics[]": {
        "code", "severity", "message", "help", "file", "line", "column", "end_line", "end_column", "node",
        "context", "related",
    },
    "diagnostics[].related[]": {"file", "line", "column", "message"},
}  # fmt: skip
"""The contract: every object of the report, by its place, with exactly its keys."""

MAPPINGS = {"totals.seconds.bound_by", "totals.memory.exact.parts"}
"""Objects whose keys are not of the schema."""

CONFIGS = [Path("configs", name) for name in ("lenet5.yaml", "googlenet.yaml", "lecture/stride2.yaml")]
SCHEMA = jsonschema.Draft202012Validator(report_schema())


def keys_of(data: object, place: str = "") -> dict[str, set[frozenset[str]]]:
    """Return the sets of keys that the objects at each place have."""
    found: dict[str, set[frozenset[str]]] = {}
    if isinstance(data, dict):
        found[place] = {frozenset(data)}
        inner = [(value, f"{place}.{key}".lstrip(".")) for key, value in data.items()]
    elif isinstance(data, list):
        inner = [(item, f"{place}[]") for item in data]
    else:
        inner = []
    for value, where in inner:
        for key, sets in keys_of(value, where).items():
            found.setdefault(key, set()).update(sets)
    return found


def as_data(text: str) -> Any:
    """Return the report of a spec as JSON readers get it."""
    return json.loads(report_json(report_of(text)))


def failed() -> Any:
    with pytest.raises(SpecError) as caught:
        parse_spec("input: [8, 8, 1]\nlayers: [rleu, {dense: {}}]\n", "spec.yaml")
    return json.loads(report_json(failed_report(caught.value.diagnostics)))


def pointed(document: Any, pointer: str) -> Any:
    """Resolve a JSON pointer (RFC 6901)."""
    assert pointer.startswith("/")
    for step in pointer[1:].split("/"):
        step = step.replace("~1", "/").replace("~0", "~")
        document = document[int(step)] if isinstance(document, list) else document[step]
    return document


@pytest.mark.parametrize("text", [NESTED, TWO_INPUTS, MISFIT], ids=["nested", "two_inputs", "misfit"])
def test_keys_are_exactly_those_of_the_contract(text: str) -> None:
    for place, sets in keys_of(as_data(text)).items():
        assert sets == {frozenset(KEYS[place])}, place


def demanding(compiled: ExactMemory | DoesNotFit | None = None) -> Any:
    """Return the JSON report of a network of which everything is asked."""
    graph = build(parse_spec((ROOT / "configs" / "lenet5.yaml").read_text(encoding="utf-8"), "lenet5.yaml"))
    priced = replace(find_device("t4", known_devices()), price_per_hour=0.5, currency="USD")
    demand = make_demand(graph, batch=64, device=priced, images=60_000)
    largest = (PeakBuffer(1, "f32[1]", "other", None, "add"),)
    exact = ExactMemory("T4", "XLA", 1, dict.fromkeys(PARTS, 0), None, largest, None, 0, (), 1.0)
    return json.loads(report_json(analyze_graph(graph, textbook=True, demand=demand, compiled=compiled or exact)))


def refused() -> Any:
    """Return the same where the compiler refused the step."""
    return demanding(DoesNotFit("v5e", "XLA", 2, 1, "too large", 1.0))


def test_the_contract_is_walked_whole() -> None:
    reports = (demanding(), refused(), as_data(MISFIT))
    elsewhere = {"diagnostics[].related[]"}  # only findings of `check` name other places
    assert set(KEYS) == {place for report in reports for place in keys_of(report)} | elsewhere
    for report in reports:
        for place, sets in keys_of(report).items():
            assert sets == {frozenset(KEYS[place])}, place


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_reports_of_the_configs_follow_the_schema(here: Cli, config: Path) -> None:
    done = here("analyze", config, "--format", "json")
    assert (done.stderr, done.code) == ("", 0)
    data = json.loads(done.stdout)
    SCHEMA.validate(data)
    assert (data["format"], data["complete"], data["diagnostics"]) == ("netcalc.report/1", True, [])
    for place, sets in keys_of(data).items():
        assert sets == {frozenset(KEYS[place])}, place


@pytest.mark.parametrize("make", [
    lambda: as_data(NESTED), lambda: as_data(TWO_INPUTS), lambda: as_data(MISFIT), failed, demanding,
    refused,
], ids=["nested", "two_inputs", "misfit", "failed", "demanding", "refused"])  # fmt: skip
def test_reports_follow_the_schema(make: Callable[[], Any]) -> None:
    SCHEMA.validate(make())


def test_the_published_schema_is_the_current_one(golden) -> None:
    golden(ROOT / "docs" / "report.schema.json", json.dumps(report_schema(), indent=2) + "\n")


def test_the_schema_is_a_schema_and_describes_every_object() -> None:
    schema = report_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    objects = [schema, *(d for d in schema["$defs"].values() if d.get("type") == "object")]
    assert all(d.get("description") for d in objects)
    described = {frozenset(d["properties"]) for d in objects}
    assert described == {frozenset(keys) for place, keys in KEYS.items() if place not in MAPPINGS}
    # `kind` has one value, which tells the compiler's answers apart.
    assert all(d["properties"].keys() - set(d["required"]) <= {"kind"} for d in objects)


def _set(path: str, value: object) -> Callable[[Any], None]:
    def change(report: Any) -> None:
        *steps, last = path.split(".")
        for step in steps:
            report = report[int(step)] if isinstance(report, list) else report[step]
        report[last] = value

    return change


BREAKS = {
    "another format": _set("format", "netcalc.report/2"),
    "a figure as text": _set("totals.macs.forward", "416520"),
    "a fraction of a parameter": _set("layers.0.params.trainable", 1.5),
    "a line that is null": _set("layers.0.source.line", None),
    "a name that is null": _set("layers.0.name", None),
    "a path that is no text": _set("layers.0.path", 0),
    "a shape that is a number": _set("layers.0.output.shape", 8),
    "a side that is null": _set("inputs.0.shape", [8, None, 1]),
    "inputs that are one name": _set("layers.0.inputs", "input"),
    "layers as a mapping": _set("layers", {}),
    "an unknown severity": _set("diagnostics.0.severity", "fatal"),
    "a diagnostic without a code": lambda report: report["diagnostics"][0].pop("code"),
    "no totals": lambda report: report.pop("totals"),
    "no completeness": lambda report: report.pop("complete"),
    "completeness as text": _set("complete", "yes"),
    "a batch that is null": _set("batch", None),
}


@pytest.mark.parametrize("change", BREAKS.values(), ids=BREAKS)
def test_the_schema_rejects_what_is_broken(change: Callable[[Any], object]) -> None:
    whole = as_data(MISFIT)
    broken = copy.deepcopy(whole)
    change(broken)
    SCHEMA.validate(whole)
    with pytest.raises(jsonschema.ValidationError):
        SCHEMA.validate(broken)


def test_new_keys_may_come() -> None:
    SCHEMA.validate({**as_data(NESTED), "memory": {}})


def test_an_error_of_shape_leaves_what_follows_unknown() -> None:
    data = as_data(MISFIT)
    first, wrong, after = data["layers"]
    assert first["params"] == {"trainable": 224, "frozen": 0, "state": 0}
    for layer in (wrong, after):
        assert layer["output"] is None
        assert layer["params"] == {"trainable": None, "frozen": None, "state": None}
        assert layer["macs"] == dict.fromkeys(MACS)
        assert layer["flops"] == {"forward": None, "training": None}
    assert after["inputs"] == ["wrong"]
    assert data["totals"] == {
        "params": {"trainable": None, "frozen": None, "state": None},
        "macs": dict.fromkeys(MACS),
        "flops": {"forward": None, "training": None},
        "activations": dict.fromkeys(KEYS["totals.activations"]),
        "textbook": None,
        "update": None,
        "memory": None,
        "seconds": None,
        "cost": None,
    }
    assert data["outputs"] == [
        {"name": "conv1", "shape": [6, 6, 8], "dtype": "float32"},
        {"name": "relu1", "shape": None, "dtype": None},
    ]
    assert data["complete"] is False
    column = MISFIT.splitlines()[4].index("groups: 5") + len("groups: ") + 1
    (finding,) = data["diagnostics"]
    assert finding == {
        "code": "NC102", "severity": "error", "message": "`groups` (5) does not divide the 8 input channels",
        "help": "use 1 or 2", "file": "spec.yaml",
        "line": 5, "column": column, "end_line": 5, "end_column": column + 1,
        "node": "wrong", "context": ["input: 6×6×8"], "related": [],
    }  # fmt: skip


def test_a_spec_with_errors_still_gives_json(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("input: [8, 8, 1]\nlayers:\n  - rleu\n  - dense: {unit: 3}\n")
    done = cli("analyze", "bad.yaml", "-f", "json", "--batch", 8, cwd=tmp_path)
    data = json.loads(done.stdout)
    SCHEMA.validate(data)
    assert done.code == 1
    assert {"NC013", "NC012", "NC010"} == {finding["code"] for finding in data["diagnostics"]}
    assert all(finding["file"] == "bad.yaml" for finding in data["diagnostics"])
    assert (data["name"], data["layers"], data["complete"], data["batch"]) == (None, [], False, 8)
    assert data["totals"]["params"] == {"trainable": None, "frozen": None, "state": None}
    for finding in data["diagnostics"]:
        assert f"bad.yaml:{finding['line']}:{finding['column']}: error[{finding['code']}]" in done.stderr


def test_a_misfit_gives_json_and_exit_code_1(here: Cli, tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text(MISFIT)
    done = here("analyze", "spec.yaml", "-f", "json", cwd=tmp_path)
    assert done.code == 1
    assert json.loads(done.stdout) == as_data(MISFIT)
    assert "error[NC102]" in done.stderr


def test_json_is_the_same_in_any_encoding_of_stdout(cli: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "größe"
    folder.mkdir()
    (folder / "spec.yaml").write_text(MISFIT)
    words = ("analyze", "größe/spec.yaml", "-f", "json")
    plain, ascii = (cli(*words, cwd=tmp_path, env={"PYTHONIOENCODING": e}) for e in ("utf-8", "ascii"))
    assert plain.stdout == ascii.stdout
    assert json.loads(ascii.stdout)["diagnostics"][0]["file"] == "größe/spec.yaml"


@pytest.mark.parametrize(
    ("text", "name"),
    [((ROOT / "configs" / "lenet5.yaml").read_text(encoding="utf-8"), "lenet5"), (NESTED, "nested")],
    ids=["lenet5", "nested"],
)
def test_paths_and_lines_lead_to_the_node(text: str, name: str) -> None:
    document, lines = yaml.safe_load(text), text.splitlines()
    report = report_of(text)
    assert report.name == name
    for layer in report.layers:
        node = pointed(document, layer.path)
        group = layer.name.split(".")[-2] if "." in layer.name else ""
        kinds = {node} if isinstance(node, str) else set(node)
        if layer.type in ("add", "concat"):  # the merge of a group stands where the group does
            assert kinds & {"residual", "parallel"}, (layer.name, node)
        else:
            assert layer.type in kinds, (layer.name, node, group)
            given = node.get("name") if isinstance(node, dict) else None
            assert given is None or layer.name.split(".")[-1] == given
        here = lines[layer.source.line - 1][layer.source.column - 1 :]
        assert here.startswith(tuple(kinds)), (layer.name, here)


def test_paths_tell_nodes_apart_unless_they_repeat() -> None:
    layers = [layer for layer in report_of(NESTED).layers if not layer.name.startswith("stage.")]
    assert len({layer.path for layer in layers}) == len(layers)
    repeated = [layer for layer in report_of(NESTED).layers if layer.name.startswith("stage.")]
    assert [layer.name for layer in repeated] == [
        "stage.1.conv1", "stage.1.relu1", "stage.2.conv1", "stage.2.relu1",
    ]  # fmt: skip
    assert [layer.path for layer in repeated[:2]] == [layer.path for layer in repeated[2:]]


def test_inputs_are_wired_by_name() -> None:
    known = {"input"}
    for layer in report_of(NESTED).layers:
        assert set(layer.inputs) <= known, layer.name
        known.add(layer.name)
    two = report_of(TWO_INPUTS)
    assert [(t.name, t.shape, t.dtype) for t in two.inputs] == [
        ("left", (8, 8, 1), "float32"),
        ("right", (8, 8, 1), "uint8"),
    ]
    assert two.layers[-1].inputs == ("a", "b")
    assert [output.name for output in report_of(NESTED).outputs] == ["softmax1", "stage.2.relu1"]
