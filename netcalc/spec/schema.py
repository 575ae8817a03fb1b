"""The JSON Schema of specs, from the same models that validate them."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import TypeAdapter, WithJsonSchema
from pydantic.fields import FieldInfo

from netcalc.choice import Fields, OneOf
from netcalc.layers.base import Layer
from netcalc.layers.catalog import LAYERS
from netcalc.spec.nodes import MERGES
from netcalc.spec.sections import MODELS
from netcalc.spec.validation import field_model

Schema = dict[str, Any]

EXPRESSION: Schema = {
    "type": "string",
    "pattern": r"\$",
    "description": "$name or $(expression) over the parameters",
}
_NAME = "^[A-Za-z_][A-Za-z0-9_-]*$"
_VALUE = {"description": "a number, word, list or expression"}
_LAYERS: Schema = {"$ref": "#/$defs/layers"}
_NAMES: Schema = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}


def spec_schema() -> Schema:
    """Return the JSON Schema (draft 2020-12) of a spec: every layer, field and section with its description."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "netcalc spec",
        "description": "A convolutional network, and how to train it.",
        "type": "object",
        "additionalProperties": False,
        "properties": _sections(),
        "if": {"not": {"required": ["extends"]}},
        "then": {"properties": {"train": {"required": _required(MODELS["train"])}}},
        "$defs": {
            "layers": {"type": "array", "items": {"$ref": "#/$defs/node"}, "description": "nodes in order"},
            "node": _node(),
            "block": _block(),
            "defaults": _defaults(),
            **{f"layer.{kind}": _fields(layer) for kind, layer in LAYERS.items()},
        },
    }


def _sections() -> Schema:
    models = {name: _fields(model) for name, model in MODELS.items()}
    return {
        "extends": {"type": "string", "description": "a spec that this one is laid over"},
        "imports": {**_NAMES, "description": "files whose blocks may be used"},
        "name": {"type": "string", "pattern": rf"{_NAME}|\$", "description": "the network's name"},
        "input": {**models["input"], "description": "shape of one sample, channels last"},
        "inputs": {
            "type": "object",
            "additionalProperties": models["input"],
            "description": "several inputs by name",
        },
        "params": {
            "type": "object",
            "additionalProperties": _VALUE,
            "description": "free parameters, overridable with --set params.NAME=VALUE",
        },
        "defaults": {"$ref": "#/$defs/defaults"},
        "blocks": {
            "type": "object",
            "propertyNames": {"pattern": _NAME, "not": {"enum": sorted(LAYERS)}},
            "additionalProperties": {"$ref": "#/$defs/block"},
            "description": "templates of layers",
        },
        "layers": _LAYERS,
        "outputs": _outputs(),
        "train": {**models["train"], "description": "how to train it"},
        "budgets": {**models["budgets"], "description": "limits for `netcalc check`"},
        "resolved": {"type": "boolean", "description": "the flat form that `netcalc resolve` writes"},
    }


def _outputs() -> Schema:
    fields: Schema = {
        "type": "object",
        "additionalProperties": False,
        "required": ["name"],
        "properties": {
            "name": {"type": "string"},
            "train_only": {"type": "boolean", "description": "an auxiliary head: no part of inference"},
            "when": {"anyOf": [{"type": "boolean"}, EXPRESSION], "description": "whether it is an output"},
        },
    }
    one = {"anyOf": [{"type": "string"}, fields]}
    description = "the nodes whose tensors the network returns; the last by default"
    return {"anyOf": [*one["anyOf"], {"type": "array", "items": one, "minItems": 1}], "description": description}


def _node() -> Schema:
    wiring: Schema = {
        "name": {"type": "string", "description": "name of the node; type + count without it"},
        "from": {**_NAMES, "description": "the node or nodes to read; by default the node before"},
        "repeat": {"anyOf": [{"type": "integer", "minimum": 0}, EXPRESSION], "description": "how often"},
        "when": {"anyOf": [{"type": "boolean"}, EXPRESSION], "description": "whether the node is kept"},
        "trainable": {"anyOf": [{"type": "boolean"}, EXPRESSION], "description": "false freezes the node"},
        "share": {"type": "string", "description": "a node of the same type whose parameters it uses"},
    }
    layers = {kind: {"$ref": f"#/$defs/layer.{kind}"} for kind in LAYERS}
    branches = {
        "anyOf": [
            {"type": "array", "items": _LAYERS, "minItems": 1},
            {"type": "object", "additionalProperties": _LAYERS, "minProperties": 1},
        ],
        "description": "lists of layers side by side",
    }
    groups: Schema = {
        "sequence": {**_LAYERS, "description": "layers in order, as one group"},
        "residual": _group({"body": _LAYERS, "shortcut": _LAYERS}, "body", _LAYERS, "body + shortcut"),
        "parallel": _group(
            {"branches": branches, "merge": {"anyOf": [{"enum": list(MERGES)}, EXPRESSION]}},
            "branches",
            branches,
            "branches, then a merge",
        ),
    }
    block = {"type": ["object", "null"], "description": "a block of this name with its parameters"}
    mapping = {
        "type": "object",
        "properties": {**wiring, **layers, **groups},
        "additionalProperties": block,
        "minProperties": 1,
    }
    word = {"anyOf": [{"enum": list(LAYERS)}, {"type": "string", "pattern": _NAME}]}
    return {"anyOf": [word, mapping], "description": "a layer, group or block, with its wiring"}


def _group(properties: Schema, required: str, short: Schema, description: str) -> Schema:
    full = {"type": "object", "additionalProperties": False, "properties": properties, "required": [required]}
    return {"anyOf": [full, short], "description": description}


def _block() -> Schema:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["layers"],
        "properties": {
            "params": {
                "type": ["object", "null"],
                "additionalProperties": _VALUE,
                "description": "parameters with their defaults; null is required",
            },
            "layers": _LAYERS,
            "defaults": {"$ref": "#/$defs/defaults"},
        },
    }


def _defaults() -> Schema:
    fields = {kind: {"type": "object", "properties": _properties(layer)} for kind, layer in LAYERS.items()}
    return {
        "type": ["object", "null"],
        "additionalProperties": False,
        "properties": fields,
        "description": "fields by layer, for what a node does not say itself",
    }


def _fields(model: type[Fields]) -> Schema:
    """Return the schema of a model as specs may write it: in full, in short, or as an expression."""
    if issubclass(model, OneOf):
        choices = {"enum": list(model.model_fields)}
        full: Schema = {
            "type": "object",
            "properties": _properties(model),
            "additionalProperties": False,
            "minProperties": 1,
            "maxProperties": 1,
        }
        return {"anyOf": [choices, full, EXPRESSION]}
    properties = _properties(model)
    required = _required(model)
    if issubclass(model, Layer):
        required = []  # `defaults` may give any field of a layer
    full = {"type": "object", "properties": properties, "additionalProperties": False}
    if required and model is not MODELS["train"]:  # the spec that another one extends may give any field of it
        full["required"] = required
    forms: list[Schema] = [full]
    if model.principal is not None:
        forms.append(properties[model.principal])
    if not required:
        forms.append({"type": "null"})
    summary = {"description": (model.__doc__ or "").partition("\n")[0]} if issubclass(model, Layer) else {}
    return {"anyOf": [*forms, EXPRESSION], **summary}


def _required(model: type[Fields]) -> list[str]:
    return [name for name, field in model.model_fields.items() if field.is_required()]


def _properties(model: type[Fields]) -> Schema:
    return {name: _field(field) for name, field in model.model_fields.items()}


def _field(field: FieldInfo) -> Schema:
    annotation: Any = field.annotation
    for item in field.metadata:
        annotation = Annotated[annotation, item]
    return {"anyOf": [_type(annotation), EXPRESSION], "description": field.description or ""}


def _type(annotation: Any) -> Schema:
    """Return the schema of a field's type; models in it may be written in short."""
    plain = _unwrapped(annotation)
    if isinstance(plain, type) and issubclass(plain, Fields) and not _has_own_schema(annotation):
        return _fields(plain)
    if field_model(plain) is not None and not _has_own_schema(annotation):
        origin, members = typing.get_origin(plain), typing.get_args(plain)
        if origin in (typing.Union, types.UnionType):
            return {"anyOf": [_type(member) for member in members]}
        if origin is tuple:
            return {"type": "array", "items": _type(members[0])}
        if origin in (Mapping, dict):
            return {"type": "object", "additionalProperties": _type(members[1])}
    schema: Schema = _without_titles(TypeAdapter(annotation).json_schema())
    return schema


def _unwrapped(annotation: Any) -> Any:
    while typing.get_origin(annotation) is Annotated:
        annotation = typing.get_args(annotation)[0]
    return annotation


def _has_own_schema(annotation: Any) -> bool:
    return any(isinstance(item, WithJsonSchema) for item in getattr(annotation, "__metadata__", ()))


def _without_titles(schema: Any) -> Any:
    if isinstance(schema, Mapping):
        return {
            key: _without_titles(value)
            for key, value in schema.items()
            if key != "title" or not isinstance(value, str)
        }
    if isinstance(schema, list):
        return [_without_titles(item) for item in schema]
    return schema
