"""How parameters start: initialisation as data, read by the compiler and by design rules."""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import BeforeValidator, Field, PositiveFloat, WithJsonSchema, model_validator

from netcalc.choice import Fields, OneOf


class Constant(Fields):
    """Every element the same value."""

    principal: ClassVar[str | None] = "value"
    value: float = Field(description="the value of every element")


class Uniform(Fields):
    """Uniform on [low, high]; the lecture's example is [−1, 1]."""

    low: float = Field(default=-1.0, description="lower end of the interval")
    high: float = Field(default=1.0, description="upper end of the interval")

    @model_validator(mode="after")
    def _ordered(self) -> Uniform:
        if self.low >= self.high:
            raise ValueError(f"`low` ({self.low}) should be below `high` ({self.high})")
        return self


class Normal(Fields):
    """Gaussian with mean μ and standard deviation σ; the lecture's example is N(0, 1)."""

    mean: float = Field(default=0.0, description="mean μ")
    std: PositiveFloat = Field(default=1.0, description="standard deviation σ")


class VarianceScaling(Fields):
    """Zero mean and variance scale / fan, where fan is fan_in or the mean of fan_in and fan_out."""

    scale: PositiveFloat = Field(description="numerator of the variance")
    fan: Literal["in", "average"] = Field(description="what the variance is divided by")
    distribution: Literal["normal", "uniform"] = Field(description="Gaussian, or uniform of the same variance")


class Orthogonal(Fields):
    """A random orthogonal matrix times a gain (Saxe et al. 2014): all singular values equal the gain.

    The matrix has the outputs as columns and everything else as rows; a parameter of several gates has one each.
    """

    principal: ClassVar[str | None] = "gain"
    gain: PositiveFloat = Field(default=1.0, description="what the orthogonal matrix is multiplied by")


class InitializerChoice(OneOf):
    """The initialisers that take values of their own."""

    constant: Constant | None = Field(default=None, description="every element the same value")
    uniform: Uniform | None = Field(default=None, description="uniform on [low, high]")
    normal: Normal | None = Field(default=None, description="Gaussian N(mean, std²)")
    variance_scaling: VarianceScaling | None = Field(default=None, description="variance scale / fan")
    orthogonal: Orthogonal | None = Field(default=None, description="orthogonal matrix times a gain")


def _scaled(scale: float, fan: str, distribution: str) -> dict[str, dict[str, Any]]:
    return {"variance_scaling": {"scale": scale, "fan": fan, "distribution": distribution}}


SHORTHANDS: dict[str, dict[str, dict[str, Any]]] = {
    "zeros": {"constant": {"value": 0.0}},
    "ones": {"constant": {"value": 1.0}},
    # Glorot & Bengio 2010, eq. 12 and 16: variance 2 / (fan_in + fan_out).
    "glorot_normal": _scaled(1.0, "average", "normal"),
    "glorot_uniform": _scaled(1.0, "average", "uniform"),
    # Caffe's "xavier" filler and LeCun et al. 1998: variance 1 / fan_in.
    "caffe_normal": _scaled(1.0, "in", "normal"),
    "caffe_uniform": _scaled(1.0, "in", "uniform"),
    # He et al. 2015, eq. 10: variance 2 / fan_in, for ReLU.
    "he_normal": _scaled(2.0, "in", "normal"),
    "he_uniform": _scaled(2.0, "in", "uniform"),
}
"""The named initialisers of the literature, each as the data it stands for."""

_WORDS = ("uniform", "normal", "orthogonal")
"""Initialisers whose fields all have defaults."""


def _expand(value: Any) -> Any:
    if isinstance(value, str):
        if value not in SHORTHANDS and value not in _WORDS:
            names = ", ".join([*SHORTHANDS, *InitializerChoice.model_fields])
            raise ValueError(f"should be one of {names}")
        return SHORTHANDS.get(value, value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return {"constant": {"value": value}}
    if isinstance(value, dict) and isinstance(value.get("uniform"), list) and len(value["uniform"]) == 2:
        low, high = value["uniform"]
        return {"uniform": {"low": low, "high": high}}
    return value


_SCHEMA = {
    "anyOf": [
        {"enum": [*SHORTHANDS, *_WORDS]},
        {"type": "number"},
        {"type": "object", "minProperties": 1, "maxProperties": 1},
    ]
}

Initializer: TypeAlias = Annotated[InitializerChoice, BeforeValidator(_expand), WithJsonSchema(_SCHEMA)]
"""An initialiser in a spec: `he_normal`, a number, `{uniform: [-1, 1]}` or `{normal: {std: 0.01}}`."""


@cache
def constant(value: float) -> InitializerChoice:
    """Return the initialiser that makes every element this value."""
    return InitializerChoice(constant=Constant(value=value))


@cache
def initializer(name: str) -> InitializerChoice:
    """Return a named initialiser."""
    return InitializerChoice.model_validate(SHORTHANDS.get(name, name))
