"""What an optimizer costs for each trained parameter: values kept, and FLOPs once a step whatever the batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class UpdateCost:
    """The price of one update per parameter.

    `slots` are values that the optimizer keeps from step to step, beside the parameter itself; `flops` counts each
    add, multiply, division and root of the update rule as one.
    """

    slots: int
    flops: int


OPTIMIZERS: Mapping[str, UpdateCost] = MappingProxyType(
    {
        "sgd": UpdateCost(slots=0, flops=2),  # αg, θ − αg
        "momentum": UpdateCost(slots=1, flops=4),  # γv, αg, γv − αg, θ + v
        "nesterov": UpdateCost(slots=1, flops=6),  # as momentum, and θ + γv
        # m: 3, v: 4 with g², m̂ and v̂: 2 divisions, root, + ε, division, · α, θ − …
        "adam": UpdateCost(slots=2, flops=14),
    }
)
"""Every optimizer of the spec language by its name."""

AVERAGE_FLOPS = 3
"""FLOPs per parameter of a moving average, which keeps one value: d·a, (1 − d)·θ, sum."""
