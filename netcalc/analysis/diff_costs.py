"""The figures of two reports side by side: of the networks, and of a node."""

from __future__ import annotations

from math import prod
from typing import TypeAlias

from netcalc.analysis.diff import Delta, NodeCosts, Totals
from netcalc.analysis.report import LayerReport, Report

_Figure: TypeAlias = int | float | None


def totals(before: Report, after: Report) -> Totals:
    """Return what two networks cost, from reports in which memory was asked for."""
    figures = (_delta(*pair) for pair in zip(_of_network(before), _of_network(after), strict=True))
    times = zip(_times_of_network(before), _times_of_network(after), strict=True)
    return Totals(*figures, *(_known_delta(*pair) for pair in times))


def node_costs(before: LayerReport | None, after: LayerReport | None) -> NodeCosts:
    """Return what a node costs; nothing in a network that does not have it."""
    present = after or before
    assert present is not None, "one of the networks has the node"
    nothing = (0,) * len(_of_node(present))
    old, new = (nothing if layer is None else _of_node(layer) for layer in (before, after))
    no_time = tuple(None if time is None else 0.0 for time in _times_of_node(present))
    times = zip(*(no_time if layer is None else _times_of_node(layer) for layer in (before, after)), strict=True)
    figures = (_delta(*pair) for pair in zip(old, new, strict=True))
    return NodeCosts(*figures, *(_known_delta(*pair) for pair in times))


def _delta(before: _Figure, after: _Figure) -> Delta:
    if before is None or after is None:
        return Delta(before, after, None, None)
    return Delta(before, after, after - before, 100 * (after - before) / before if before else None)


def _known_delta(before: _Figure, after: _Figure) -> Delta | None:
    return None if before is None or after is None else _delta(before, after)


def _of_network(report: Report) -> tuple[_Figure, ...]:
    """Return the figures in the order of `Totals`."""
    totals, memory = report.totals, report.totals.memory
    assert memory is not None, "memory was asked for"
    return (
        totals.params.trainable,
        totals.params.frozen,
        totals.params.state,
        totals.macs.forward,
        totals.macs.training,
        totals.flops.forward,
        totals.flops.training,
        totals.activations.node_output_elements,
        None if memory.training is None else memory.training.total_bytes,
        None if memory.inference is None else memory.inference.total_bytes,
    )


def _times_of_network(report: Report) -> tuple[float | None, float | None]:
    seconds = report.totals.seconds
    return (None, None) if seconds is None else (seconds.training_step, seconds.inference_batch)


def _of_node(layer: LayerReport) -> tuple[_Figure, ...]:
    """Return the figures in the order of `NodeCosts`."""
    memory = layer.memory
    return (
        layer.params.trainable,
        layer.params.frozen,
        layer.params.state,
        layer.macs.forward,
        layer.macs.training,
        layer.flops.forward,
        layer.flops.training,
        None if layer.output is None else prod(layer.output.shape),
        None if memory is None else memory.weights_bytes + memory.alive_bytes,
    )


def _times_of_node(layer: LayerReport) -> tuple[float | None, float | None]:
    seconds = layer.seconds
    return (None, None) if seconds is None else (seconds.training, seconds.inference)
