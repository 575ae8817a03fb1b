"""What is known of each parameter, in the structure of the parameters: rules differ for weights and the rest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax

from netcalc.layers.base import ParamSpec

ParamFacts = Callable[[Any], Any]
"""From parameters, or anything of their structure, to a ParamSpec in the place of each array."""


def no_facts(params: Any) -> Any:
    """Stand for facts that are not given; raises TypeError where a rule asks for them."""
    raise TypeError("this update needs to know what each parameter is")


def is_weight(facts: ParamFacts) -> Callable[[Any], Any]:
    """Return the function from parameters to whether each is a weight: no bias, scale, shift or slope."""

    def mask(params: Any) -> Any:
        return jax.tree.map(lambda spec: spec.role == "weight", facts(params))

    return mask


def matrix_axes(spec: ParamSpec) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the axes of a weight that are inputs and those that are outputs; the gates of a cell are neither."""
    inputs = tuple(i for i, axis in enumerate(spec.axes) if axis in "dhwi")
    outputs = tuple(i for i, axis in enumerate(spec.axes) if axis == "o")
    return inputs, outputs
