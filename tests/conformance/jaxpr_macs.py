"""Multiplies of the convolutions and matrix products in a jaxpr, counted from its shapes in Python ints."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn


def count_macs(jaxpr: Jaxpr | ClosedJaxpr) -> int:
    """Return the MACs of one call; taps on padding count, the dearest branch of a `cond` counts.

    Raises ValueError for a `while` that multiplies, whose number of turns no jaxpr tells.
    """
    return sum(_macs(equation) for equation in jaxpr.eqns)


def _macs(equation: JaxprEqn) -> int:
    params = equation.params
    match equation.primitive.name:
        case "conv_general_dilated":
            return _conv(equation)
        case "dot_general":
            (contracted, _), _ = params["dimension_numbers"]
            left, result = equation.invars[0].aval, equation.outvars[0].aval
            return math.prod(result.shape) * math.prod(left.shape[axis] for axis in contracted)
        case "scan":
            return params["length"] * count_macs(params["jaxpr"])
        case "cond":
            return max(map(count_macs, params["branches"]))
        case "while":
            if count_macs(params["body_jaxpr"]) or count_macs(params["cond_jaxpr"]):
                raise ValueError("a `while` that multiplies has no known number of turns")
            return 0
    return sum(map(count_macs, _inner(params)))


def _conv(equation: JaxprEqn) -> int:
    params = equation.params
    if any(hole != 1 for hole in params["lhs_dilation"]):
        raise ValueError(
            "a convolution over a dilated input counts on the input's extent, which this walk does not"
        )
    kernel, result = equation.invars[1].aval, equation.outvars[0].aval
    filters = kernel.shape[params["dimension_numbers"].rhs_spec[0]]
    return math.prod(result.shape) * math.prod(kernel.shape) // filters


def _inner(params: dict[str, Any]) -> Iterator[Jaxpr | ClosedJaxpr]:
    """Yield the jaxprs that a primitive calls: those of jit, custom derivatives, remat."""
    for value in params.values():
        for item in value if isinstance(value, tuple | list) else (value,):
            if isinstance(item, Jaxpr | ClosedJaxpr):
                yield item
