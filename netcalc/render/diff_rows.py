"""The wording of a diff and what of it is folded, shared by the renderers for people."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from netcalc.analysis.diff import Delta, Diff, NodeDiff, OutputPair, Side
from netcalc.analysis.value_changes import ValueChange
from netcalc.diagnostics import cut
from netcalc.render.figures import UNKNOWN
from netcalc.render.printable import printable
from netcalc.units import format_bytes, format_seconds, format_shape, plural

NONE = "–"
"""What stands for a value on the side that does not have it."""
MOST_ALIKE = 10
"""Nodes that are affected, or that have only another name, are named up to this number."""
_LONGEST_VALUE = 60

_COUNTS = (
    ("trainable_params", "trainable params"),
    ("frozen_params", "frozen params"),
    ("state", "state"),
    ("macs", "forward MACs"),
    ("training_macs", "training MACs"),
    ("flops", "forward FLOPs"),
    ("training_flops", "training FLOPs"),
    ("activation_elements", "activations"),
)
_SIZES = (("training_bytes", "training memory"), ("inference_bytes", "inference memory"))
_TIMES = (("training_seconds", "training step ≥"), ("inference_seconds", "inference ≥"))
_WHERE_ANY = ("frozen_params", "state")
"""Figures that are left out where both networks have none."""


@dataclass(frozen=True, slots=True)
class TotalRow:
    """A figure of both networks, as people read it."""

    label: str
    before: str
    after: str
    change: str = ""
    percent: str = ""


@dataclass(frozen=True, slots=True)
class NodeRow:
    """A node, or nodes that are told as one, with what is other about it."""

    mark: str
    name: str
    type: str
    params: str
    macs: str
    details: tuple[tuple[str, str], ...] = ()


def title(diff: Diff) -> str:
    """Return the names of both networks, or one where both have it."""
    return _arrow(diff.before.name, diff.after.name)


def headline(diff: Diff) -> str:
    """Return in one line what differs most: parameters and MACs, or that nothing does."""
    if not diff.differs:
        return f"{title(diff)}: no differences"
    totals = diff.totals
    params = _delta(_sum(totals.trainable_params, totals.frozen_params))
    return f"{title(diff)}: {_in_words(params, 'parameters')}, {_in_words(totals.macs, 'MACs')}"


def counted(diff: Diff) -> str:
    """Return `2 settings changed; 3 nodes added, 12 affected; 8 unchanged`."""
    counts = diff.counts
    parts = [plural(len(diff.settings), "setting") + " changed"] if diff.settings else []
    numbers = [
        (counts.added, "added"),
        (counts.removed, "removed"),
        (counts.changed, "changed"),
        (counts.renamed, "renamed"),
        (counts.moved, "moved"),
        (counts.affected, "affected"),
    ]
    found = [f"{number:,} {word}" for number, word in numbers if number]
    if found:
        parts.append(f"nodes: {', '.join(found)}, {counts.unchanged:,} unchanged")
    return "; ".join(parts)


def total_rows(diff: Diff) -> list[TotalRow]:
    """Return the totals; figures that neither network has are left out."""
    totals = diff.totals
    rows = []
    for name, label in _COUNTS:
        delta: Delta = getattr(totals, name)
        if name not in _WHERE_ANY or delta.before or delta.after:
            rows.append(_total(label, delta, lambda value: f"{value:,}"))
    rows += [_total(label, getattr(totals, name), lambda value: format_bytes(int(value))) for name, label in _SIZES]
    for name, label in _TIMES:
        if (timed := getattr(totals, name)) is not None:
            rows.append(_total(label, timed, format_seconds))
    for pair in diff.outputs:
        rows += _output_rows(pair, alone=len(diff.outputs) == 1)
    return rows


def conditions(diff: Diff) -> str:
    """Return what memory and time are of."""
    return f"memory{_and_time(diff)} for {_arrow(_condition(diff.before), _condition(diff.after))}"


def unknown_memory(diff: Diff) -> str:
    """Return why memory is not known, nothing where it is."""
    if diff.totals.training_bytes.delta is not None:
        return ""
    return f"{UNKNOWN} no rule for the memory of {diff.after.device}; `netcalc analyze --exact` asks the compiler"


def setting_rows(diff: Diff) -> list[tuple[str, str, str]]:
    """Return the settings that changed, each with its values before and after."""
    return [(printable(change.path), *_values(change)) for change in diff.settings]


def node_rows(diff: Diff, *, whole: bool) -> list[NodeRow]:
    """Return a row a node; unless `whole`, one a group that came or went, and one for many affected nodes."""
    if whole:
        return [_node_row(node) for node in diff.nodes]
    rows: list[NodeRow] = []
    groups = _members(diff.nodes)
    affected = [node for node in diff.nodes if node.change == ("affected",)]
    renamed = [node for node in diff.nodes if node.change == ("renamed",)]
    folded = {id(node) for alike in (affected, renamed) if len(alike) > MOST_ALIKE for node in alike}
    told: set[tuple[str, str]] = set()
    for node in diff.nodes:
        if id(node) in folded:
            continue
        if node.group is None:
            rows.append(_node_row(node))
            continue
        key = (node.change[0], node.group)
        if key not in told:
            told.add(key)
            rows.append(_group_row(node, groups[key]))
    if len(renamed) > MOST_ALIKE:
        such = f"such as {_arrow(str(renamed[0].before), str(renamed[0].after))}"
        rows.append(NodeRow("~", plural(len(renamed), "node"), "renamed", "", "", (("", such),)))
    if len(affected) > MOST_ALIKE:
        rows.append(_sum_row("~", plural(len(affected), "node"), "affected", affected))
    return rows


# One node


def _node_row(node: NodeDiff) -> NodeRow:
    mark = {"added": "+", "removed": "-"}.get(node.change[0], "~")
    name = _arrow(node.before or str(node.after), node.after or str(node.before))
    return NodeRow(mark, name, node.type, *_sums([node]), tuple(_details(node)))


def _details(node: NodeDiff) -> Iterator[tuple[str, str]]:
    for change in node.fields:
        before, after = _values(change)
        yield change.path, f"{before} → {after}"
    if node.inputs is not None:
        yield "inputs", f"{', '.join(node.inputs.before)} → {', '.join(node.inputs.after)}"
    elif "moved" in node.change:
        yield "place", "among other nodes"
    if node.before is not None and node.after is not None and node.output_before != node.output_after:
        shapes = (node.output_before, node.output_after)
        yield "output", " → ".join(UNKNOWN if tensor is None else format_shape(tensor.shape) for tensor in shapes)


def _members(nodes: Iterable[NodeDiff]) -> dict[tuple[str, str], list[NodeDiff]]:
    members: dict[tuple[str, str], list[NodeDiff]] = {}
    for node in nodes:
        if node.group is not None:
            members.setdefault((node.change[0], node.group), []).append(node)
    return members


def _group_row(first: NodeDiff, members: Sequence[NodeDiff]) -> NodeRow:
    if len(members) == 1:
        return _node_row(first)
    mark = "+" if first.change[0] == "added" else "-"
    return _sum_row(mark, str(first.group), f"{len(members):,} nodes", members)


def _sum_row(mark: str, name: str, type: str, members: Sequence[NodeDiff]) -> NodeRow:
    return NodeRow(mark, name, type, *_sums(members))


def _sums(members: Sequence[NodeDiff]) -> tuple[str, str]:
    """Return by how much the parameters and the forward MACs of nodes differ."""
    params = [_sum(node.costs.trainable_params, node.costs.frozen_params) for node in members]
    return _signed(_added_up(after - before for before, after in params)), _signed(
        _added_up(node.costs.macs.delta or 0 for node in members)
    )


# Outputs, figures and values


def _output_rows(pair: OutputPair, *, alone: bool) -> Iterator[TotalRow]:
    """Yield the receptive field of an output, and its shape where that differs."""
    before, after = pair.before, pair.after
    shapes = [NONE if output is None else format_shape(output.shape) for output in (before, after)]
    present = after or before
    suffix = "" if alone or present is None else f" of {printable(present.name)}"
    if shapes[0] != shapes[1]:
        yield TotalRow(f"output{suffix}", *shapes)
    old, new = (None if output is None else output.receptive_field for output in (before, after))
    change = ""
    if old is not None and new is not None and old != new and len(old) == len(new):
        change = "×".join(f"{b - a:+,g}" for a, b in zip(old, new, strict=True))
    yield TotalRow(f"receptive field{suffix}", _reach(old), _reach(new), change)


def _total(label: str, delta: Delta, write: Callable[[Any], str]) -> TotalRow:
    before, after = (UNKNOWN if value is None else write(value) for value in (delta.before, delta.after))
    if delta.delta is None:
        return TotalRow(label, before, after, UNKNOWN)
    if not delta.delta:
        return TotalRow(label, before, after, "0")
    sign = "+" if delta.delta > 0 else "-"
    return TotalRow(label, before, after, f"{sign}{write(abs(delta.delta))}", percent(delta))


def percent(delta: Delta) -> str:
    """Return `+12.34 %`; nothing where the figure before is 0 or does not change."""
    if not delta.percent:
        return ""
    if abs(delta.percent) < 0.005:
        return "< +0.01 %" if delta.percent > 0 else "> -0.01 %"
    return f"{delta.percent:+,.2f} %"


def _in_words(delta: Delta, what: str) -> str:
    if not delta.delta:
        return f"{UNKNOWN if delta.delta is None else 'as many'} {what}"
    share = percent(delta)
    return f"{_signed(delta.delta)} {what}" + (f" ({share})" if share else "")


def _delta(figures: tuple[int | float, int | float]) -> Delta:
    before, after = figures
    return Delta(before, after, after - before, 100 * (after - before) / before if before else None)


def _sum(*deltas: Delta) -> tuple[int | float, int | float]:
    """Return figures of complete networks added up, before and after."""
    return _added_up(d.before or 0 for d in deltas), _added_up(d.after or 0 for d in deltas)


def _added_up(values: Iterable[int | float]) -> int | float:
    return sum(values)


def _signed(value: int | float) -> str:
    return f"{value:+,}" if value else "0"


def _reach(sizes: tuple[float, ...] | None) -> str:
    return UNKNOWN if sizes is None else "×".join(f"{size:,g}" if size < 1e6 else f"{size:,.0f}" for size in sizes)


def _values(change: ValueChange) -> tuple[str, str]:
    return _value(change.before), _value(change.after)


def _value(value: Any) -> str:
    """Return a value of a spec in YAML's short form, cut to what fits a line."""
    return printable(cut("".join(_words(value)), _LONGEST_VALUE))


def _words(value: Any) -> Iterator[str]:
    match value:
        case None:
            yield NONE
        case bool():
            yield str(value).lower()
        case dict():
            yield "{"
            for at, (key, inner) in enumerate(value.items()):
                yield f"{', ' if at else ''}{key}: "
                yield from _words(inner)
            yield "}"
        case list() | tuple():
            yield "["
            for at, inner in enumerate(value):
                yield ", " if at else ""
                yield from _words(inner)
            yield "]"
        case _:
            yield str(value)


def _arrow(before: str, after: str) -> str:
    return printable(before if before == after else f"{before} → {after}")


def _condition(side: Side) -> str:
    remat = "" if side.remat == "none" else f", remat {side.remat}"
    where = "" if side.device is None else f" on {side.device}"
    return f"batch {side.batch:,}, {side.optimizer}, {side.precision}{remat}{where}"


def _and_time(diff: Diff) -> str:
    return "" if diff.totals.training_seconds is None else " and least time"
