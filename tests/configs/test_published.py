"""The zoo: every config is sound, its header is true, and its counts are the published ones, to the digit."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

import netcalc
from netcalc.graph import build_complete
from netcalc.spec.dump import dump_spec
from netcalc.spec.load import parse_spec
from netcalc.spec.schema import spec_schema
from netcalc.spec.source import parse_yaml, plain
from tests.configs.zoo import BLOCKS, CONFIGS, FOLDER, REFERENCE, label, load, totals

PUBLISHED = REFERENCE["networks"]
SCHEMA = jsonschema.Draft202012Validator(spec_schema())

STATED = re.compile(r"([\d,]+) parameters, ([\d,]+) MACs")
"""A network's counts in the comment at the head of its config."""


def header(config: str) -> str:
    """Return the comment at the head of a config, its lines joined."""
    lines = (FOLDER / f"{config}.yaml").read_text(encoding="utf-8").splitlines()
    end = next(index for index, line in enumerate(lines) if not line.startswith("#"))
    return " ".join(line.removeprefix("#").strip() for line in lines[:end])


def as_data(path: Path):
    """Return the data of a YAML file, nothing expanded."""
    return plain(parse_yaml(path.read_text(encoding="utf-8"), str(path)))


@pytest.mark.parametrize("network", PUBLISHED, ids=label)
def test_counts_are_the_published_ones(network: dict) -> None:
    overrides = network.get("set", ())
    found, graph = totals(network["config"], *overrides), load(network["config"], *overrides)
    figures = {
        "params": found.params.trainable,
        "state": found.params.state,
        "macs": found.macs.forward,
        "gmacs": round(found.macs.forward / 1e9, 3),
        "padding_exact": found.macs.padding_exact,
        "training": found.macs.training,
        "conv_output_elements": found.activations.conv_output_elements,
        "output": list(graph.type_of(graph.outputs[0]).shape),
    }
    published = {key: value for key, value in network.items() if key not in ("config", "set", "source")}
    assert "params" in published
    assert {key: figures.get(key) for key in published} == published
    assert found.params.frozen == 0


@pytest.mark.parametrize("network", PUBLISHED, ids=label)
def test_the_header_of_a_published_network_states_its_parameters(network: dict) -> None:
    if network.get("set") != ["params.kernel5=5", "params.batch_norm=false", "params.aux=true"]:
        assert f"{network['params']:,}" in header(network["config"])


@pytest.mark.parametrize("config", CONFIGS)
def test_the_header_states_the_counts_and_a_command(config: str) -> None:
    text = header(config)
    (counts,) = STATED.findall(text)
    found = totals(config)
    assert counts == (f"{found.params.trainable:,}", f"{found.macs.forward:,}")
    assert f"netcalc analyze configs/{config}.yaml" in text


@pytest.mark.parametrize("config", CONFIGS)
def test_checks_find_no_error(config: str) -> None:
    assert [finding for finding in netcalc.check(load(config)) if finding.severity == "error"] == []


@pytest.mark.parametrize("config", CONFIGS)
def test_a_network_has_the_name_of_its_file(config: str) -> None:
    assert load(config).name == config.replace("/", "_")


@pytest.mark.parametrize("config", CONFIGS)
def test_the_resolved_form_is_the_same_network(config: str) -> None:
    graph = load(config)
    again = build_complete(parse_spec(dump_spec(graph.spec), "resolved.yaml"))
    assert (again.name, again.inputs, again.outputs) == (graph.name, graph.inputs, graph.outputs)
    assert again.inference_outputs == graph.inference_outputs
    assert tuple(again.nodes) == tuple(graph.nodes)
    for name, node in graph.nodes.items():
        other = again.nodes[name]
        assert other.facts == node.facts, name
        places = {"span": node.spec.span, "path": node.spec.path, "fields": node.spec.fields}
        assert replace(other.spec, **places, used_at=node.spec.used_at) == node.spec, name
    assert (again.spec.train, again.spec.budgets) == (graph.spec.train, graph.spec.budgets)


@pytest.mark.parametrize(
    "path", [*(FOLDER / f"{config}.yaml" for config in CONFIGS), *BLOCKS], ids=lambda p: p.stem
)
def test_the_schema_accepts_it(path: Path) -> None:
    SCHEMA.validate(as_data(path))


def test_every_block_is_used() -> None:
    defined = {name for path in BLOCKS for name in as_data(path)["blocks"]}
    text = "\n".join(path.read_text(encoding="utf-8") for path in FOLDER.rglob("*.yaml"))
    assert {name for name in defined if re.search(rf"(- \{{?|\[){name}\b", text)} == defined


@pytest.mark.parametrize(("config", "heads"), [("googlenet", ("aux1", "aux2")), ("inception_v3", ("aux",))])
def test_auxiliary_heads_serve_training_alone(config: str, heads: tuple[str, ...]) -> None:
    without, graph = load(config), load(config, "params.aux=true")
    assert len(graph.outputs) == 1 + len(heads)
    assert {name.partition(".")[0] for name in graph.train_only} == set(heads)
    assert set(graph.nodes) - set(without.nodes) == graph.train_only
    with_heads, alone = totals(config, "params.aux=true").macs, totals(config).macs
    assert (with_heads.forward, with_heads.padding_exact) == (alone.forward, alone.padding_exact)
    assert with_heads.training > alone.training


def test_auxiliary_heads_of_googlenet_have_their_parameters() -> None:
    more = totals("googlenet", "params.aux=true").params.trainable - totals("googlenet").params.trainable
    head = 2048 * 1024 + 1024 + 1024 * 1000 + 1000
    assert more == (512 + 2) * 128 + head + (528 + 2) * 128 + head


def test_version_1_of_resnet50_strides_on_the_first_1x1() -> None:
    version1 = totals("resnet50", "params.version=1")
    assert version1.params == totals("resnet50").params
    # The first 1×1 of stages 3 to 5 makes a quarter of the outputs, and the 3×3 reads a map of a quarter.
    saved = sum(filters * side**2 * 3 * (2 * filters) for filters, side in [(128, 28), (256, 14), (512, 7)])
    assert totals("resnet50").macs.forward - version1.macs.forward == saved
    first = load("resnet50", "params.version=1").nodes["conv3_x.1.residual1.body.conv1"].known
    assert first.output.shape == (28, 28, 128)


def sides(config: str) -> list[int]:
    graph = load(config)
    return [node.known.output.sides[0] for node in graph.nodes.values() if node.kind == "conv"]


def test_the_lectures_stacks_have_its_sizes() -> None:
    assert sides("lecture/conv20") == list(range(121, 44, -4))
    assert sides("lecture/conv30") == list(range(121, 4, -4))
    assert sides("lecture/conv31") == list(range(121, 0, -4))
    assert load("lecture/conv20").nodes["layer.4.conv1"].known.output.shape == (109, 109, 384)
    assert load("lecture/conv31").nodes["output"].known.output.shape == (1, 1, 1000)
    assert sides("lecture/padded") == [125] * 20
    assert totals("lecture/padded").params == totals("lecture/conv20").params


def test_the_average_pool_head_reads_a_map_of_9x9() -> None:
    nodes = load("lecture/average_pool_head").nodes
    assert nodes["conv4"].known.output.shape == (9, 9, 384)
    assert nodes["avg_pool1"].known.output.shape == (1, 1, 384)
    convs = [node.name for node in load("lecture/stride2").nodes.values() if node.kind == "conv"]
    for name in convs:
        assert nodes[name].known.params == load("lecture/stride2").nodes[name].known.params
