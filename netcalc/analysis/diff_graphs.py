"""Two graphs compared: which nodes and settings differ, and what that comes to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import zip_longest
from math import isfinite, isnan
from typing import Any, Literal, get_args

from netcalc.analysis.alignment import Alignment, Pair, align
from netcalc.analysis.diff import (
    FORMAT,
    ChangeWord,
    Costs,
    Counts,
    Diff,
    NodeDiff,
    Output,
    OutputPair,
    Side,
    Wiring,
)
from netcalc.analysis.diff_costs import node_costs, totals
from netcalc.analysis.estimate import Demand
from netcalc.analysis.report import Report, analyze_graph
from netcalc.analysis.value_changes import ValueChange, value_changes
from netcalc.graph import Graph, Node

MAX_SOURCES = 64
"""Inputs of a node that are compared where nodes between were added or removed."""


def diff_graphs(
    before: Graph, after: Graph, demands: tuple[Demand, Demand], sources: tuple[str, str] | None = None
) -> Diff:
    """Return what differs between two complete graphs.

    `demands` say what memory and time are of, on each side; `sources` name the files in place of the specs' own.
    """
    alignment = align(before, after)
    old, new = (
        _Analysed(graph, analyze_graph(graph, demand=demand))
        for graph, demand in zip((before, after), demands, strict=True)
    )
    files = sources or (before.spec.file, after.spec.file)
    nodes, total = _nodes(old, new, alignment)
    settings = tuple(value_changes(*_settings(before, after, alignment), levels=2))
    words = [word for node in nodes for word in node.change]
    return Diff(
        FORMAT,
        _side(before, files[0], demands[0]),
        _side(after, files[1], demands[1]),
        differs=bool(nodes or settings),
        settings=settings,
        totals=totals(old.report, new.report),
        outputs=tuple(OutputPair(*pair) for pair in zip_longest(_outputs(old), _outputs(new))),
        counts=Counts(unchanged=total - len(nodes), **{word: words.count(word) for word in get_args(ChangeWord)}),
        nodes=nodes,
    )


class _Analysed:
    """A graph with its report."""

    def __init__(self, graph: Graph, report: Report) -> None:
        self.graph, self.report = graph, report
        self.layers = {layer.name: layer for layer in report.layers}


def _side(graph: Graph, source: str, demand: Demand) -> Side:
    update = demand.update
    device = demand.device.key if demand.device else None
    return Side(graph.name, source, demand.batch, update.optimizer.kind, update.precision, update.remat, device)


# Nodes


def _nodes(old: _Analysed, new: _Analysed, alignment: Alignment) -> tuple[tuple[NodeDiff, ...], int]:
    """Return the nodes that differ, and how many nodes there are in both networks together."""
    removed, added = set(alignment.removed), set(alignment.added)
    groups = {"removed": _whole_groups(old.graph.nodes, removed), "added": _whole_groups(new.graph.nodes, added)}
    inputs = _same_inputs(old.graph, new.graph)
    names = {**inputs, **alignment.after_of}
    read_before, read_after = _sources(old.graph, removed), _sources(new.graph, added)
    nodes = []
    total = 0
    for item in _in_order(old.graph, new.graph, alignment):
        total += 1
        if isinstance(item, Pair):
            was, now = read_before[item.before], read_after[item.after]
            is_rewired = tuple(names.get(name) for name in was) != now
            found = _common(old, new, item, is_rewired, alignment)
            if found is not None:
                nodes.append(found)
        else:
            word, name = item
            nodes.append(_single(old if word == "removed" else new, name, word, groups[word].get(name)))
    return tuple(nodes), total


def _in_order(
    before: Graph, after: Graph, alignment: Alignment
) -> Iterator[Pair | tuple[Literal["added", "removed"], str]]:
    """Yield all nodes in the second network's order, what is removed before the common node that follows it."""
    removed, pairs = set(alignment.removed), {pair.after: pair for pair in alignment.pairs}
    rest = iter(before.nodes)
    for name in after.nodes:
        pair = pairs.get(name)
        if pair is not None and pair.in_order:
            for earlier in rest:
                if earlier == pair.before:
                    break
                if earlier in removed:
                    yield "removed", earlier
        yield ("added", name) if pair is None else pair
    yield from (("removed", name) for name in rest if name in removed)


def _common(old: _Analysed, new: _Analysed, pair: Pair, is_rewired: bool, alignment: Alignment) -> NodeDiff | None:
    """Return what differs at a node that both networks have; None where nothing does."""
    was, now = old.layers[pair.before], new.layers[pair.after]
    fields = _field_changes(old.graph, new.graph, pair, alignment)
    costs = node_costs(was, now)
    is_moved = is_rewired or not pair.in_order
    of_itself: dict[ChangeWord, bool] = {
        "changed": bool(fields),
        "renamed": pair.before != pair.after,
        "moved": is_moved,
    }
    words = [word for word, is_so in of_itself.items() if is_so]
    if not fields and (was.output != now.output or _costs_differ(costs)):
        words.append("affected")
    if not words:
        return None
    wiring = Wiring(was.inputs, now.inputs) if is_rewired else None
    return NodeDiff(tuple(words), was.name, now.name, now.type, None, fields, wiring, was.output, now.output, costs)


def _field_changes(before: Graph, after: Graph, pair: Pair, alignment: Alignment) -> tuple[ValueChange, ...]:
    old, new = before.nodes[pair.before], after.nodes[pair.after]
    owner = old.spec.share and alignment.after_of.get(old.spec.share, "")
    old_only, new_only = old.name in before.train_only, new.name in after.train_only
    if old.spec.layer == new.spec.layer and old.spec.trainable == new.spec.trainable:
        changes = []
    else:
        changes = list(value_changes(_fields(old), _fields(new)))
    if owner != new.spec.share:
        changes.append(ValueChange("share", old.spec.share, new.spec.share))
    if old_only != new_only:
        changes.append(ValueChange("train_only", old_only, new_only))
    return tuple(changes)


def _fields(node: Node) -> dict[str, Any]:
    return {"type": node.kind, **node.spec.layer.model_dump(mode="json"), "trainable": node.spec.trainable}


def _single(side: _Analysed, name: str, word: Literal["added", "removed"], group: str | None) -> NodeDiff:
    layer = side.layers[name]
    if word == "added":
        return NodeDiff(
            (word,), None, name, layer.type, group, (), None, None, layer.output, node_costs(None, layer)
        )
    return NodeDiff((word,), name, None, layer.type, group, (), None, layer.output, None, node_costs(layer, None))


def _costs_differ(costs: Costs) -> bool:
    """Tell whether a node costs other than before, whatever the batch, the optimizer and the device."""
    return any(
        figure.delta
        for figure in (
            costs.trainable_params, costs.frozen_params, costs.state, costs.macs, costs.training_macs,
            costs.flops, costs.training_flops,
        )
    )  # fmt: skip


def _whole_groups(names: Iterable[str], chosen: set[str]) -> Mapping[str, str]:
    """Return the outermost group around each chosen node of which every node is chosen, where there is one."""
    others: set[str] = set()
    for name in names:
        if name not in chosen:
            others.update(_groups(name))
    found = {}
    for name in chosen:
        group = next((group for group in _groups(name) if group not in others), None)
        if group is not None:
            found[name] = group
    return found


def _groups(name: str) -> Iterator[str]:
    """Yield the groups around a node, the outermost first."""
    end = name.find(".")
    while end >= 0:
        yield name[:end]
        end = name.find(".", end + 1)


def _same_inputs(before: Graph, after: Graph) -> Mapping[str, str]:
    """Return which input is which: by name, and by place where names are new."""
    names = dict(zip(before.inputs, after.inputs, strict=False))
    return {
        old: old if old in after.inputs else names[old]
        for old in before.inputs
        if old in after.inputs or (old in names and names[old] not in before.inputs)
    }


def _sources(graph: Graph, unpaired: set[str]) -> Mapping[str, tuple[str, ...]]:
    """Return what each node reads, with what they read in place of nodes that the other network does not have.

    So a node is not moved by another that is put before it.
    """
    read: dict[str, tuple[str, ...]] = {}
    for node in graph.nodes.values():
        found: dict[str, None] = {}
        for name in node.inputs:
            found.update(dict.fromkeys(read[name] if name in unpaired else (name,)))
        read[node.name] = tuple(found)[:MAX_SOURCES]
    return read


# Settings


def _settings(before: Graph, after: Graph, alignment: Alignment) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what the specs say beside nodes, outputs that are the same nodes under the same names."""
    own, new = ([output.node for output in graph.spec.outputs] for graph in (before, after))
    followed = [alignment.after_of.get(name, name) for name in own]
    # Other outputs are shown under their own names, unless only those are the same.
    shown = followed if followed == new or own == new else own
    return _setting(before, shown), _setting(after, new)


def _setting(graph: Graph, outputs: list[str]) -> dict[str, Any]:
    spec = graph.spec
    heads = [
        f"{name} (train only)" if output.train_only else name
        for name, output in zip(outputs, spec.outputs, strict=True)
    ]
    return {
        "name": spec.name,
        "inputs": {item.name: {"shape": list(item.type.shape), "dtype": item.type.dtype} for item in spec.inputs},
        "outputs": heads,
        "params": {name: _as_json(value) for name, value in spec.params.items()},
        "train": None if spec.train is None else spec.train.model_dump(mode="json"),
        "budgets": spec.budgets.model_dump(mode="json", exclude_none=True),
    }


def _as_json(value: Any) -> Any:
    """Return the value of a parameter; what JSON has no number for is written as in YAML."""
    if isinstance(value, list | tuple):
        return [_as_json(item) for item in value]
    if isinstance(value, float) and not isfinite(value):
        return ".nan" if isnan(value) else ".inf" if value > 0 else "-.inf"
    return value


def _outputs(side: _Analysed) -> list[Output]:
    outputs = []
    for name in side.graph.inference_outputs:
        reach = side.layers[name].receptive_field
        sizes = None if reach is None else tuple(axis.size for axis in reach.axes)
        outputs.append(Output(name, side.graph.type_of(name).shape, sizes))
    return outputs
