"""Trees against models: pydantic's errors as Diagnostics at the line of the field."""

from __future__ import annotations

import json
import typing
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from pydantic import Tag, ValidationError
from pydantic_core import ErrorDetails

from netcalc.choice import Fields, OneOf
from netcalc.diagnostics import Diagnostic, cut, did_you_mean
from netcalc.spec.findings import MAX_FINDINGS
from netcalc.spec.source import YamlScalar, YamlTree, locate, plain, value_at

F = TypeVar("F", bound=Fields)

_ENCODER = json.JSONEncoder(ensure_ascii=False, default=str)

_WORDING = {
    "string_type": "should be text",
    "tuple_type": "Input should be a list",
    "int_type": "Input should be a whole number",
    "float_type": "Input should be a number",
    "bool_type": "Input should be true or false",
    "too_short": "Input should be a list of at least {min_length}",
    "too_long": "Input should be a list of at most {max_length}",
}
"""pydantic's messages in the words of a spec."""


def validate(model: type[F], tree: YamlTree, what: str, node: str = "") -> F | list[Diagnostic]:
    """Return the model filled from the tree, or every error as a Diagnostic; `what` names it in messages."""
    try:
        return model.model_validate(plain(tree))
    except ValidationError as error:
        problems = error.errors(include_url=False)[: MAX_FINDINGS + 1]
        return [_diagnostic(model, problem, tree, what, node) for problem in problems]


def _diagnostic(model: type[Fields], error: ErrorDetails, tree: YamlTree, what: str, node: str) -> Diagnostic:
    place = error["loc"]
    path = tuple(step for step in place if not _is_tag(step))
    name = _field_name(path, what)
    match error["type"]:
        case "extra_forbidden":
            owner = _field_name(path[:-1], what)
            span = locate(tree, path, key=True)
            known = _known_fields(model, place[:-1])
            help = did_you_mean(name, known)
            owner_model = _model_at(model, place[:-1])
            if owner_model is not None and issubclass(owner_model, OneOf):
                help = help or f"one of {', '.join(f'`{word}`' for word in known)}"
                return Diagnostic("NC010", f"unknown `{owner}`: `{name}`", span, help, node=node)
            return Diagnostic("NC010", f"unknown field `{name}` of `{owner}`", span, help, node=node)
        case "missing":
            owner = _field_name(path[:-1], what)
            span = locate(tree, path[:-1])
            return Diagnostic("NC012", f"`{owner}` needs `{name}`", span, _describe(model, place), node=node)
        case "unknown_choice":
            return _unknown_choice(error, tree, path, name, node)
        case "model_type":
            required = [
                f"{k}: ..."
                for k, field in (_model_at(model, place) or model).model_fields.items()
                if field.is_required()
            ]
            message = f"`{name}` takes its fields by name, not {_short(error['input'])}"
            help = f"write `{name}: {{{', '.join(required)}}}`"
            return Diagnostic("NC011", message, locate(tree, path), help, node=node)
    found = _short(error["input"])
    wording = _WORDING.get(error["type"])
    message = error["msg"] if wording is None else wording.format(**error.get("ctx", {}))
    message = message.removeprefix("Value error, ").removeprefix("Assertion failed, ")
    if message.startswith("Input should"):
        message = f"`{name}` {message.removeprefix('Input ')}, not {found}"
    elif message.startswith("should"):
        message = f"`{name}` {message}" + ("" if ", not " in message else f", not {found}")
    help = ""
    number = error["input"]
    if isinstance(number, float) and abs(number) < 2**53 and "whole number" in message:
        value = value_at(tree, path)
        if isinstance(value, YamlScalar) and value.computed:
            help = "`/` gives a fraction; `//` divides to whole numbers"
        elif number.is_integer():
            help = f"write {int(number)}"
    return Diagnostic("NC011", message, locate(tree, path), help, node=node)


def _unknown_choice(
    error: ErrorDetails, tree: YamlTree, path: tuple[int | str, ...], name: str, node: str
) -> Diagnostic:
    """Return what is wrong with the field that chooses between models: `source` of `data`."""
    field, known = error["ctx"]["field"], error["ctx"]["known"]
    value = error["input"]
    if not isinstance(value, dict):
        message = f"`{name}` takes its fields by name, not {_short(value)}"
        return Diagnostic("NC011", message, locate(tree, path), f"write `{name}: {{{field}: ...}}`", node=node)
    if field not in value:
        help = f"one of {', '.join(f'`{word}`' for word in known)}"
        return Diagnostic("NC012", f"`{name}` needs `{field}`", locate(tree, path), help, node=node)
    message = f"unknown `{field}` {_short(value[field])}"
    help = did_you_mean(str(value[field]), known)
    return Diagnostic("NC011", message, locate(tree, (*path, field)), help, node=node)


def _field_name(path: tuple[int | str, ...], what: str) -> str:
    """Return the last name of a path, with the indices after it: `mean[0]`."""
    indices = ""
    for step in reversed(path):
        if isinstance(step, str):
            return step + indices
        indices = f"[{step}]{indices}"
    return what + indices


def _short(value: object) -> str:
    text = ""
    for part in _ENCODER.iterencode(cut(value, 200) if isinstance(value, str) else value):
        text += part
        if len(text) > 200:
            break
    return cut("".join(c for c in text[:200] if c.isprintable()))


def _known_fields(model: type[Fields], path: tuple[int | str, ...]) -> Iterator[str]:
    inner = _model_at(model, path)
    yield from inner.model_fields if inner else ()


def _describe(model: type[Fields], path: tuple[int | str, ...]) -> str:
    inner = _model_at(model, path[:-1])
    field = inner.model_fields.get(str(path[-1])) if inner else None
    return f"`{path[-1]}`: {field.description}" if field and field.description else ""


def _model_at(model: type[Fields] | None, place: tuple[int | str, ...]) -> type[Fields] | None:
    """Return the model at a place of pydantic's; a tag in it tells which member of a union was tried."""
    annotation: Any = model
    for step in place:
        if isinstance(step, str) and _is_tag(step):
            annotation = next((m for m in typing.get_args(annotation) if _tag(m) == step), None)
            continue
        if isinstance(step, int):  # an item of a list has the model of the list
            continue
        if is_mapping(annotation):  # a name that people give
            annotation = field_model(annotation)
            continue
        model = field_model(annotation)
        if model is None:
            return None
        field = model.model_fields.get(step)
        annotation = field.annotation if field else None
    return field_model(annotation)


def _is_tag(step: int | str) -> bool:
    """Tell whether a step is the tag of a union: it is written in brackets, which no field's name holds."""
    return isinstance(step, str) and step.startswith("(")


def _tag(member: Any) -> str:
    return next((item.tag for item in getattr(member, "__metadata__", ()) if isinstance(item, Tag)), "")


def is_mapping(annotation: Any) -> bool:
    """Tell whether a field holds values by names that people give."""
    origin = typing.get_origin(annotation)
    return origin in (dict, Mapping) or any(map(is_mapping, typing.get_args(annotation)))


def field_model(annotation: Any) -> type[Fields] | None:
    """Return the model of fields that an annotation holds, None where there is none."""
    if isinstance(annotation, type) and issubclass(annotation, Fields):
        return annotation
    for part in typing.get_args(annotation):
        if (found := field_model(part)) is not None:
            return found
    return None
