"""How often something is done in training: `500 steps`, `2 epochs`, `10min`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BeforeValidator, WithJsonSchema

from netcalc.units import parse_seconds

Unit = Literal["steps", "epochs", "seconds"]

_COUNT = re.compile(r"([1-9][0-9]{0,9}) *(step|epoch)s?")


@dataclass(frozen=True, slots=True)
class Interval:
    """A number of updates or epochs, or a time in seconds."""

    every: float
    unit: Unit


def parse_interval(text: str) -> Interval:
    """Return the interval that `500 steps`, `2 epochs` or `10min` stands for; raises ValueError."""
    counted = _COUNT.fullmatch(text)
    if counted is not None:
        return Interval(int(counted[1]), "epochs" if counted[2] == "epoch" else "steps")
    seconds = parse_seconds(text)
    if seconds <= 0:
        raise ValueError("should be longer than 0 s")
    return Interval(seconds, "seconds")


def _interval(value: object, examples: str, *allowed: Unit) -> object:
    try:
        if isinstance(value, str) and re.search("[a-z]", value) and parse_interval(value).unit in allowed:
            return value
    except ValueError:
        pass
    raise ValueError(f"should be a number with its unit: {examples}")


StepsOrTime = Annotated[
    str,
    BeforeValidator(lambda value: _interval(value, "500 steps or 10min", "steps", "seconds")),
    WithJsonSchema({"type": "string"}),
]
"""`500 steps` or `10min`, as it is written."""

StepsOrEpochs = Annotated[
    str,
    BeforeValidator(lambda value: _interval(value, "500 steps or 2 epochs", "steps", "epochs")),
    WithJsonSchema({"type": "string"}),
]
"""`500 steps` or `2 epochs`, as it is written: what does not depend on how fast a machine is."""
