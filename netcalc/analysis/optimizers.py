"""What an optimizer costs: values kept for each trained parameter, and FLOPs once an update whatever the batch."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the command line lists optimizers before it knows that anything is to be computed
    from netcalc.graph import Graph
    from netcalc.layers.base import ParamSpec
    from netcalc.spec.training import UpdateSpec


@dataclass(frozen=True, slots=True)
class UpdateCost:
    """The price of one update per parameter.

    `slots` are values that the optimizer keeps from step to step, beside the parameter itself; `flops` counts each
    add, multiply, division, root, sign and comparison of the update rule in its default dialect as one, decay of
    weights aside. `others` is the price of what is no weight, where the rule treats it otherwise. A rule that
    `orthogonalizes` multiplies matrices beside.
    """

    slots: int
    flops: int
    others: UpdateCost | None = None
    orthogonalizes: bool = False


_MOMENTUM = UpdateCost(slots=1, flops=4)  # γv, αg, γv − αg, θ + v
# m: 3, v: 4 with g², m̂ and v̂: 2 divisions, root, + ε, division, · α, θ − …
_ADAM = UpdateCost(slots=2, flops=14)
_NADAM = UpdateCost(slots=2, flops=18)  # as adam, and g's part of the step: 2 products, division, sum
_RATIO_OF_NORMS = 5  # of θ and of the step: squares and their sums; the product

OPTIMIZERS: Mapping[str, UpdateCost] = MappingProxyType(
    {
        "gd": UpdateCost(slots=0, flops=2),  # αg, θ − αg
        "sgd": UpdateCost(slots=0, flops=2),
        "momentum": _MOMENTUM,
        "nesterov": UpdateCost(slots=1, flops=7),  # as momentum, and v' − v, · γ, sum
        "rud": UpdateCost(slots=1, flops=6),  # as nesterov without · γ
        "adagrad": UpdateCost(slots=1, flops=7),  # g², sum, + ε, root, division, · α, θ − …
        # two means of squares: 4 each, two roots of sums: 4, ratio, · g, · α, θ − …
        "adadelta": UpdateCost(slots=2, flops=16),
        "rmsprop": UpdateCost(slots=1, flops=9),  # v: 4, + ε, root, division, · α, θ − …
        "adam": _ADAM,
        "adamax": UpdateCost(slots=2, flops=10),  # m: 3, u: 3 with |g|, two divisions, · α, θ − …
        "adamw": _ADAM,
        "nadam": _NADAM,
        "radam": UpdateCost(slots=2, flops=15),  # as adam, and · r
        "lion": UpdateCost(slots=1, flops=9),  # the mix of m and g: 3, sign, m: 3, · α, θ − …
        "lars": UpdateCost(slots=1, flops=4 + _RATIO_OF_NORMS, others=_MOMENTUM),
        "lamb": UpdateCost(slots=2, flops=14 + _RATIO_OF_NORMS, others=_ADAM),
        # m: 3, both corrected: 2, the mix of m and g: 3, its norm: 3 with the division, · scale, · α, θ − …
        "muon": UpdateCost(slots=1, flops=14, others=_NADAM, orthogonalizes=True),
        "schedule_free": UpdateCost(slots=1, flops=13),  # z: 2, x from y: 3, x: 3, y: 3, y' − y, y + …
    }
)
"""Every optimizer of the spec language by its name."""

AVERAGE_FLOPS = 3
"""FLOPs per parameter of a moving average, which keeps one value: d·a, (1 − d)·θ, sum."""

DECAY_FLOPS = 2
"""FLOPs per weight of a decay: λθ, sum."""

ITERATIONS = 5
"""Newton–Schulz iterations of Muon."""


def trained_params(graph: Graph) -> Iterator[ParamSpec]:
    """Yield the parameters of a graph that training changes, shared ones once."""
    for node in graph.nodes.values():
        if node.facts is not None and node.owner == node.name and node.spec.trainable:
            yield from node.facts.params.values()


def kept_elements(update: UpdateSpec, params: Iterable[ParamSpec]) -> int:
    """Return the values that the optimizer and a moving average keep for parameters."""
    averaged = update.ema is not None
    return sum((_cost(update, param).slots + averaged) * param.size for param in params)


def update_flops(update: UpdateSpec, params: Iterable[ParamSpec]) -> int:
    """Return the FLOPs of one update of parameters, gradients not included."""
    averaged = AVERAGE_FLOPS * (update.ema is not None)
    decays = getattr(update.optimizer.chosen, "weight_decay", 0.0) > 0
    total = 0
    for param in params:
        cost = _cost(update, param)
        decay = DECAY_FLOPS * (decays and param.role == "weight")
        total += (cost.flops + decay + averaged) * param.size
        if cost.orthogonalizes:
            total += _orthogonalization_flops(param)
    return total


def _cost(update: UpdateSpec, param: ParamSpec) -> UpdateCost:
    cost = OPTIMIZERS[update.optimizer.kind]
    return cost if param.role == "weight" or cost.others is None else cost.others


def scratch_elements(update: UpdateSpec, param: ParamSpec) -> int:
    """Return the values that an update of a parameter computes with beside its gradient: X, A, A² and their sum."""
    if not _cost(update, param).orthogonalizes:
        return 0
    matrices, rows, columns = _matrices(param)
    return matrices * (rows * columns + 3 * rows * rows)


def _orthogonalization_flops(param: ParamSpec) -> int:
    """X ← aX + (bA + cA²)X with A = XXᵀ; a product is 2 FLOPs a multiply."""
    matrices, rows, columns = _matrices(param)
    products = 2 * rows * rows * columns + 2 * rows**3 + 2 * rows * rows * columns
    sums = 3 * rows * rows + 2 * rows * columns
    return matrices * ITERATIONS * (products + sums)


def _matrices(param: ParamSpec) -> tuple[int, int, int]:
    """Return how many matrices a weight is, and the sides of each, inputs and outputs, the shorter first."""
    sides = dict(zip(param.axes, param.shape, strict=True))
    inputs = math.prod(side for axis, side in sides.items() if axis in "dhwi")
    rows, columns = sorted((inputs, sides["o"]))
    return sides.get("g", 1), rows, columns
