"""The JSON Schema of specs: whole in itself, and at one with what is read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
import yaml

from netcalc.diagnostics import SpecError
from netcalc.spec.load import parse_spec
from netcalc.spec.schema import spec_schema

SCHEMA = spec_schema()


def references(schema: Any) -> Iterator[str]:
    """Yield what a schema refers to, wherever in it."""
    if isinstance(schema, dict):
        for key, value in schema.items():
            if key == "$ref":
                yield value
            else:
                yield from references(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from references(value)


def test_what_the_schema_refers_to_is_in_it() -> None:
    assert set(references(SCHEMA)) <= {f"#/$defs/{name}" for name in SCHEMA["$defs"]}


SPEC = "input: [8, 8, 3]\nlayers: [flatten, dense: 2]\n"
AUGMENT, NODES = "train: {data: digits, augment: WRITTEN}", "budgets: {nodes: WRITTEN}"


@pytest.mark.parametrize(
    ("section", "written", "valid"),
    [
        (AUGMENT, "[]", True),
        (AUGMENT, "[{random_crop: 4}, horizontal_flip, {rotation: {degrees: 15}}]", True),
        (AUGMENT, "[horizontal_flop]", False),
        (AUGMENT, "[{random_crop: four}]", False),
        (AUGMENT, "[{random_crop: {pading: 4}}]", False),
        (AUGMENT, "[{random_crop: 4, rotation: 15}]", False),
        (AUGMENT, "horizontal_flip", False),
        (NODES, "{'stage*': {params: 3k}}", True),
        (NODES, "{'stage*': {macs: {max: 3k, level: warn}}}", True),
        (NODES, "{'stage*': {parms: 3k}}", False),
        (NODES, "[params]", False),
    ],
)
def test_lists_and_mappings_of_fields_are_taken_as_they_are_read(section: str, written: str, valid: bool) -> None:
    text = SPEC + section.replace("WRITTEN", written)
    assert jsonschema.Draft202012Validator(SCHEMA).is_valid(yaml.safe_load(text)) == valid
    if valid:
        assert parse_spec(text, "net.yaml").nodes
    else:
        with pytest.raises(SpecError):
            parse_spec(text, "net.yaml")


@pytest.mark.parametrize(
    ("train", "alone", "over"),
    [
        ("{data: digits}", True, True),
        ("{epochs: 3}", False, True),
        ("{epocs: 3}", False, False),
        ("{epochs: 0}", False, False),
        ("null", False, False),
    ],
)
def test_what_a_training_needs_may_stand_in_the_spec_that_is_extended(train: str, alone: bool, over: bool) -> None:
    schema = jsonschema.Draft202012Validator(SCHEMA)
    assert schema.is_valid(yaml.safe_load(f"{SPEC}train: {train}")) == alone
    assert schema.is_valid(yaml.safe_load(f"extends: other.yaml\ntrain: {train}")) == over
