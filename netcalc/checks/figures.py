"""The figures that budgets may limit: each is computed from a graph, with what every node adds to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from netcalc.analysis.cost import at_inference, count_params, forward_flops, forward_macs
from netcalc.analysis.demand import make_demand
from netcalc.analysis.depth import last_maps, weighted_depth
from netcalc.analysis.device_files import known_devices
from netcalc.analysis.devices import Device, find_device
from netcalc.analysis.estimate import Estimate, estimate
from netcalc.analysis.file_size import model_file_bytes
from netcalc.analysis.training import training_costs
from netcalc.diagnostics import CannotRunError
from netcalc.graph import Graph
from netcalc.spec.budgets import Budget, MemoryBudget, ReachBudget, TimeBudget, measured
from netcalc.units import format_bytes, format_seconds

_NONE: Mapping[str, float] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Amount:
    """A figure of a network and what its nodes add to it; nothing where they do not sum up to it."""

    total: float
    by_node: Mapping[str, float] = field(default_factory=lambda: _NONE)


class UnknownFigureError(Exception):
    """The figure cannot be told, for the reason given."""


@dataclass(frozen=True, slots=True)
class FigureKind:
    """How a figure is computed, from a complete graph and what its budget says, and how it is written."""

    of: Callable[[Graph, Any], Amount]
    unit: Literal["count", "bytes", "seconds"] = "count"

    def shown(self, value: float) -> str:
        """Return a value for people."""
        match self.unit:
            case "bytes":
                return format_bytes(round(value))
            case "seconds":
                return format_seconds(value)
        return f"{value:,.0f}" if float(value).is_integer() else f"{value:,}"

    def exact(self, value: float) -> str:
        """Return a value to the last byte, for where two of them look alike."""
        return (
            f"{round(value):,} B" if self.unit == "bytes" else f"{value:,.6g} s" if self.unit == "seconds" else ""
        )


def device_of(name: str) -> Device:
    """Return a device by name; raises UnknownFigureError where there is none."""
    try:
        return find_device(name, known_devices())
    except CannotRunError as error:
        raise UnknownFigureError(f"{error}; {error.help}") from None


def _sum(by_node: Mapping[str, float]) -> Amount:
    return Amount(sum(by_node.values()), by_node)


def _params(graph: Graph, budget: Budget) -> Amount:
    return _sum({node.name: count_params(node, node.known).total for node in graph.nodes.values()})


def _macs(graph: Graph, budget: Budget) -> Amount:
    return _sum({node.name: forward_macs(node.known) for node in at_inference(graph)})


def _flops(graph: Graph, budget: Budget) -> Amount:
    return _sum({node.name: forward_flops(node.known) for node in at_inference(graph)})


def _training_flops(graph: Graph, budget: Budget) -> Amount:
    return _sum({name: cost.flops for name, cost in training_costs(graph).items()})


def _activation_bytes(graph: Graph, budget: Budget) -> Amount:
    return _sum({node.name: 4 * node.known.output.size for node in at_inference(graph)})


def _depth(graph: Graph, budget: Budget) -> Amount:
    return Amount(weighted_depth(graph))


def _receptive_field(graph: Graph, budget: Budget) -> Amount:
    found = last_maps(graph)
    if found is None:
        raise UnknownFigureError("no receptive field is known: no maps, several inputs, or positions rearranged")
    node, reach = found
    side = float(min(axis.size for axis in reach.axes))
    return Amount(side, {node: side})


def _memory(graph: Graph, budget: MemoryBudget) -> Amount:
    found = _estimated(graph, budget)
    memory = found.memory.training if budget.during == "training" else found.memory.inference
    if memory is None:
        raise UnknownFigureError(f"memory has no rule for `{budget.device}`: `netcalc analyze --exact` asks XLA")
    ahead = found.memory.ahead_bytes if budget.during == "training" else 0
    by_node = {name: held.weights_bytes + held.alive_bytes for name, held in found.node_memory.items()}
    return Amount(memory.total_bytes + ahead, by_node)


def _time(graph: Graph, budget: TimeBudget) -> Amount:
    found = _estimated(graph, budget)
    assert found.seconds is not None
    if budget.during == "training":
        by_node = {name: seconds.training for name, seconds in found.node_seconds.items()}
        return Amount(found.seconds.training_step, by_node)
    by_node = {name: seconds.inference for name, seconds in found.node_seconds.items()}
    return Amount(found.seconds.inference_batch, by_node)


def _file_size(graph: Graph, budget: Budget) -> Amount:
    counts = {node.name: count_params(node, node.known) for node in graph.nodes.values()}
    return Amount(
        model_file_bytes(graph), {name: 4 * (count.total + count.state) for name, count in counts.items()}
    )


def _estimated(graph: Graph, budget: MemoryBudget | TimeBudget) -> Estimate:
    try:
        demand = make_demand(
            graph,
            batch=budget.batch,
            optimizer=budget.optimizer if isinstance(budget, MemoryBudget) else None,
            precision=budget.precision,
            remat=budget.remat if isinstance(budget, MemoryBudget) else None,
            device=None if budget.device is None else device_of(budget.device),
        )
    except ValueError as error:
        raise UnknownFigureError(str(error)) from None
    return estimate(graph, demand)


class Figures:
    """The figures of one complete graph, each computed once however many budgets limit it."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._known: dict[tuple[object, ...], Amount | UnknownFigureError] = {}

    def of(self, figure: str, budget: Budget | ReachBudget) -> Amount:
        """Return a figure as a budget measures it; raises UnknownFigureError."""
        key = (figure, *measured(budget))
        if key not in self._known:
            try:
                self._known[key] = FIGURES[figure].of(self.graph, budget)
            except UnknownFigureError as error:
                self._known[key] = error
        found = self._known[key]
        if isinstance(found, UnknownFigureError):
            raise UnknownFigureError(str(found))
        return found


FIGURES: Mapping[str, FigureKind] = MappingProxyType(
    {
        "params": FigureKind(_params),
        "macs": FigureKind(_macs),
        "flops": FigureKind(_flops),
        "training_flops": FigureKind(_training_flops),
        "activation_bytes": FigureKind(_activation_bytes, "bytes"),
        "memory": FigureKind(_memory, "bytes"),
        "time": FigureKind(_time, "seconds"),
        "depth": FigureKind(_depth),
        "receptive_field": FigureKind(_receptive_field),
        "file_size": FigureKind(_file_size, "bytes"),
    }
)
"""Every figure by the name that budgets give it."""
