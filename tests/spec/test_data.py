"""`train.data:`: a model of fields for each source, and paths that lead from the file they stand in."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, get_args

import jsonschema
import pytest
import yaml

from netcalc.diagnostics import SpecError
from netcalc.spec.data import SOURCES, Downloaded, Packaged, Target
from netcalc.spec.dump import dump_spec
from netcalc.spec.load import load_spec, parse_spec
from netcalc.spec.schema import spec_schema

SPEC = "input: [8, 8, 3]\nlayers: [flatten, dense: 2]\ntrain:\n  data: {data}\n"

WRITTEN = {
    "digits": "digits",
    "mnist5k": "{source: mnist5k, split: [0.9, 0.1]}",
    **dict.fromkeys(get_args(Downloaded), "{source: NAME, path: /data}"),
    "image_folder": "{source: image_folder, path: flowers, channels: 1, on_corrupt: skip, resize: 8}",
    "idx": "{source: idx, images: a.gz, labels: b.gz, test_images: c.gz, test_labels: d.gz}",
    "npz": "{source: npz, path: x.npz, images: x, labels: y, classes: [cat, dog]}",
    "csv": "{source: csv, path: x.csv, shape: [8, 8, 3], label: kind, header: true, max_value: 16}",
    "parquet": "{source: parquet, path: cats, image: img, split: {shares: [0.8, 0.1, 0.1], seed: 3}}",
    "synthetic": "{source: synthetic, shape: [8, 8, 3], classes: 2, samples: 100, seed: 5}",
}


def text_of(name: str) -> str:
    return SPEC.replace("{data}", WRITTEN[name].replace("NAME", name))


def errors(data: str) -> list[str]:
    with pytest.raises(SpecError) as caught:
        parse_spec(SPEC.replace("{data}", data), "net.yaml")
    return [f"{d.code} {d.span.column if d.span else None} {d.message}" for d in caught.value.diagnostics]


def test_every_source_is_tried() -> None:
    assert SOURCES.keys() == WRITTEN.keys() >= set(get_args(Packaged))


@pytest.mark.parametrize("name", WRITTEN)
def test_a_source_is_read_by_its_model_and_survives_resolving(name: str) -> None:
    spec = parse_spec(text_of(name), "/specs/net.yaml")
    assert spec.train is not None
    assert type(spec.train.data) is SOURCES[name]
    assert spec.train.data.source == name
    again = parse_spec(dump_spec(spec), "/elsewhere/net.yaml").train
    assert again is not None
    assert again.data == spec.train.data


def test_the_json_schema_takes_every_source_with_its_own_fields() -> None:
    schema = jsonschema.Draft202012Validator(spec_schema())
    for name in WRITTEN:
        document = yaml.safe_load(text_of(name))
        assert schema.is_valid(document), name
        document["train"]["data"] = {"source": name, "colour": 1}
        assert not schema.is_valid(document), name
    for wrong in ({"source": "other"}, {"source": "npz"}, "npz"):
        document["train"]["data"] = wrong
        assert not schema.is_valid(document), wrong


TARGETS = [
    "{source: image_folder, path: x, masks: y, classes: [road, sky]}",
    "{source: csv, path: x.csv, shape: [8, 8, 3], values: [0, -1]}",
    "{source: csv, path: x.csv, shape: [8, 8, 3], values: [x, y], header: true}",
    "{source: parquet, path: cats, mask: outline, classes: [none, cat]}",
    *(f"{{source: synthetic, shape: [8, 8, 3], target: {target}}}" for target in get_args(Target)),
]


@pytest.mark.parametrize("data", TARGETS)
def test_targets_are_in_the_json_schema_and_survive_resolving(data: str) -> None:
    text = SPEC.format(data=data)
    schema = jsonschema.Draft202012Validator(spec_schema())
    assert schema.is_valid(yaml.safe_load(text))
    first = parse_spec(text, "net.yaml")
    resolved = parse_spec(dump_spec(first), "resolved.yaml")
    assert first.train is not None
    assert resolved.train is not None
    assert resolved.train.data == first.train.data


def test_the_folder_of_masks_is_relative_to_the_file(tmp_path: Path) -> None:
    (tmp_path / "net.yaml").write_text(SPEC.format(data="{source: image_folder, path: a/x, masks: a/y}"))
    train = load_spec(tmp_path / "net.yaml").train
    assert train is not None
    assert (train.data.path, train.data.masks) == (f"{tmp_path}/a/x", f"{tmp_path}/a/y")  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("changes", "valid"),
    [
        ("[{random_crop: 4}, horizontal_flip]", True),
        ("[{cutout: {size: 3}}]", True),
        ("[spin]", False),
        ("[{cutout: {side: 3}}]", False),
        ("horizontal_flip", False),
    ],
)
def test_the_json_schema_knows_the_changes_of_images(changes: str, valid: bool) -> None:
    text = SPEC.format(data="digits") + f"  augment: {changes}\n"
    assert jsonschema.Draft202012Validator(spec_schema()).is_valid(yaml.safe_load(text)) == valid


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("{source: dgits}", ['NC011 18 unknown `source` "dgits"']),
        ("{source: [a]}", ['NC011 18 unknown `source` ["a"]']),
        ("{pad: 2}", ["NC012 9 `data` needs `source`"]),
        ("", ["NC011 8 `data` takes its fields by name, not null"]),
        ("[npz]", ['NC011 9 `data` takes its fields by name, not ["npz"]']),
        ("npz", ["NC012 9 `data` needs `path`"]),
        ("{source: digits, path: x}", ["NC010 26 unknown field `path` of `data`"]),
        ("{source: npz, path: x, shape: [8, 8, 3]}", ["NC010 32 unknown field `shape` of `data`"]),
        ("{source: npz, path: ''}", ['NC011 29 `path` should be a path, not ""']),
        ("{source: npz, path: 3}", ["NC011 29 `path` should be text, not 3"]),
        ("{source: npz, path: x, classes: [a]}", ['NC011 41 `classes` should be a list of at least 2, not ["a"]']),
        ("{source: npz, path: x, classes: [a, a]}", ["`classes` should name every class once"]),
        ("{source: npz, path: x, test_images: t}", ["give `test_images` and `test_labels`, or neither"]),
        ("{source: csv, path: x, shape: [8, 8, 3], label: y}", ["`label` is a name, which needs `header: true`"]),
        ("{source: csv, path: x, shape: [8, 8, 3], label: 1.5}", ["`label` should be the index or the name"]),
        ("{source: csv, path: x, shape: [8, 8, 3], max_value: 256}", ["`max_value` should be less than"]),
        ("{source: synthetic, shape: [8, 8]}", ["`shape` "]),
        ("{source: synthetic, shape: [8, 8, 3], samples: 5}", ["`samples` (5) should be one for each of the 10"]),
        ("{source: digits, split: [0.5, 0.2, 0.2]}", ["`shares` should add up to 1, not 0.9"]),
        ("{source: digits, split: [1.5, -0.5]}", ["`shares[0]` ", "`shares[1]` "]),
        ("{source: digits, split: [0, 0.5, 0.5]}", ["`shares` should leave samples to train on"]),
        ("{source: digits, split: [0.5, 0.5, 0]}", ["`shares` should leave samples to test on"]),
        ("{source: digits, split: [1]}", ["`shares` should be a list of at least 2"]),
        ("{source: digits, split: {shares: [0.5, 0.5], sed: 1}}", ["unknown field `sed` of `split`"]),
    ],
)  # fmt: skip
def test_what_does_not_fit_a_source_is_told_at_its_place(data: str, said: list[str]) -> None:
    found = errors(data)
    assert len(found) == len(said)
    for message, part in zip(found, said, strict=True):
        assert part in message


def path_of(spec: Any) -> str:
    return str(spec.train.data.path)


def test_a_path_leads_from_the_file_that_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("nets/sub", "shared", "work"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "netcalc.toml").touch()
    spec = tmp_path / "nets/sub/net.yaml"
    spec.write_text(SPEC.replace("{data}", "{source: npz, path: ../x.npz}"))
    assert path_of(load_spec(spec)) == str(tmp_path / "nets/x.npz")
    (tmp_path / "shared/base.yaml").write_text(SPEC.replace("{data}", "{source: npz, path: x.npz}"))
    spec.write_text("extends: ../../shared/base.yaml\ntrain: {epochs: 2}\n")
    assert path_of(load_spec(spec)) == str(tmp_path / "shared/x.npz")
    monkeypatch.chdir(tmp_path / "work")
    assert path_of(load_spec(os.path.relpath(spec))) == str(tmp_path / "shared/x.npz")
    assert path_of(load_spec(spec, ["train.data.path=y.npz"])) == str(tmp_path / "work/y.npz")
    assert path_of(load_spec(spec, ["train.data={source: npz, path: y.npz}"])) == str(tmp_path / "work/y.npz")
    assert path_of(load_spec(spec, ["train.data.path=/y.npz"])) == "/y.npz"
    monkeypatch.setenv("HOME", "/home/me")
    assert path_of(load_spec(spec, ["train.data.path=~/y.npz"])) == "/home/me/y.npz"


def test_a_path_may_be_an_expression() -> None:
    text = "params: {set: flowers}\n" + SPEC.replace("{data}", "{source: image_folder, path: $set}")
    assert path_of(parse_spec(text, "/specs/net.yaml")) == "/specs/flowers"
