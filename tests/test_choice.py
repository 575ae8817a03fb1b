"""Short forms of fields and choices, and what strictness refuses."""

import math
from typing import Annotated

import pytest
from pydantic import ValidationError

from netcalc.choice import LIST_AS_TUPLE, Fields, OneOf


class Circle(Fields):
    principal = "radius"
    radius: float = 1.0


class Box(Fields):
    sides: tuple[int, ...] = ()


class OpenBox(Fields):
    sides: Annotated[tuple[int, ...], LIST_AS_TUPLE] = ()


class Shape(OneOf):
    circle: Circle | None = None
    box: Box | None = None


class Holder(Fields):
    shape: Shape | None = None
    circle: Circle = Circle()


@pytest.mark.parametrize(
    ("written", "kind", "fields"),
    [
        ("circle", "circle", {"radius": 1.0}),
        ({"circle": None}, "circle", {"radius": 1.0}),
        ({"circle": {}}, "circle", {"radius": 1.0}),
        ({"circle": 3}, "circle", {"radius": 3.0}),
        ({"circle": {"radius": 0.5}}, "circle", {"radius": 0.5}),
        ({"box": None}, "box", {"sides": ()}),
    ],
)
def test_a_choice_is_a_word_or_a_mapping_with_one_key(written, kind, fields):
    shape = Shape.model_validate(written)
    assert (shape.kind, shape.chosen.model_dump()) == (kind, fields)
    assert Shape.model_validate(shape.model_dump()) == shape
    assert Holder.model_validate({"shape": written}).shape == shape


@pytest.mark.parametrize(
    "written",
    [None, 3, [], {}, {"circle": {}, "box": {}}, "square", {"square": {}}, {"circle": [1]}, {"box": 3}, ["circle"]],
)
def test_anything_else_is_refused(written):
    with pytest.raises(ValidationError):
        Shape.model_validate(written)


@pytest.mark.parametrize("value", [True, "1", math.nan, math.inf, [1.0], {"radius": True}, {"radios": 1.0}])
def test_floats_are_numbers_and_finite(value):
    with pytest.raises(ValidationError):
        Circle.model_validate(value)


def test_null_stands_for_all_defaults():
    assert Circle.model_validate(None) == Circle()
    assert Holder.model_validate({"circle": None}).circle == Circle()
    assert Holder.model_validate({"shape": None}).shape is None


def test_lists_become_tuples_only_where_asked():
    with pytest.raises(ValidationError):
        Box.model_validate({"sides": [1]})
    assert OpenBox.model_validate({"sides": [1, 2]}).sides == (1, 2)
    for wrong in ("12", {1: 2}, [1.0], [True]):
        with pytest.raises(ValidationError):
            OpenBox.model_validate({"sides": wrong})


def test_fields_are_frozen_and_equal_by_value():
    assert Circle(radius=2) == Circle(radius=2.0)
    with pytest.raises(ValidationError):
        Circle().radius = 2.0
