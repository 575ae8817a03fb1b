"""Multiplies of the convolutions and matrix products in a jaxpr, counted from its shapes in Python ints."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn


def count_macs(jaxpr: Jaxpr | ClosedJaxpr) -> int:
    """Return the MACs of one call; taps on padding count, the dearest branch of a `cond` counts.

    A convolution of an input with holes between its elements is a transposed one, and counts on that input without
    its holes. At stride 1 there are no holes, and only the scope `conv_transpose` tells it.

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
    (x, kernel), result = (variable.aval for variable in equation.invars), equation.outvars[0].aval
    places = params["dimension_numbers"].rhs_spec
    filters, reads = kernel.shape[places[0]], kernel.shape[places[1]]
    if any(hole != 1 for hole in params["lhs_dilation"]) or _scope(equation) == "conv_transpose":
        return math.prod(x.shape) * math.prod(kernel.shape) // reads // params["feature_group_count"]
    return math.prod(result.shape) * math.prod(kernel.shape) // filters


def _scope(equation: JaxprEqn) -> str:
    return str(equation.source_info.name_stack).rpartition("/")[2]


def _inner(params: dict[str, Any]) -> Iterator[Jaxpr | ClosedJaxpr]:
    """Yield the jaxprs that a primitive calls: those of jit, custom derivatives, remat."""
    for value in params.values():
        for item in value if isinstance(value, tuple | list) else (value,):
            if isinstance(item, Jaxpr | ClosedJaxpr):
                yield item
