"""Receptive fields: which part of the network's input an output position sees.

Araujo, Norris & Sim, "Computing Receptive Fields of Convolutional Neural Networks", Distill 2019: the interval
of input positions that output 0 sees, and how far it moves from one output to the next, followed through the
graph. Where paths merge, the interval is the hull of theirs; paths are aligned if stride and centre agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction

from netcalc.graph import Graph, Node
from netcalc.layers.base import WindowAxis

MAX_REACH = 2**53
"""Beyond this many positions a receptive field is unknown: floating point does not hold it exactly."""


@dataclass(frozen=True, slots=True)
class AxisField:
    """The receptive field along one spatial axis of the input, in input positions.

    Output i sees the positions from first + i·stride to last + i·stride; those below 0 or beyond the input are
    padding. `padding` is how far output 0 begins before the input and how far the last output ends behind it.
    """

    first: Fraction
    last: Fraction
    stride: Fraction
    padding: tuple[Fraction, Fraction]

    @property
    def size(self) -> Fraction:
        """Number of input positions that an output sees, padding included."""
        return self.last - self.first + 1

    @property
    def centre(self) -> Fraction:
        """The input position in the middle of what output 0 sees."""
        return (self.first + self.last) / 2


@dataclass(frozen=True, slots=True)
class ReceptiveField:
    """The receptive field of a node, and whether all paths to it agree in stride and centre."""

    axes: tuple[AxisField, ...]
    aligned: bool


_Span = tuple[int, int, int]
"""First, last and stride along one axis: no layer whose window is known has a stride that is no integer."""


@dataclass(frozen=True, slots=True)
class _Seen:
    spans: tuple[_Span, ...]
    sides: tuple[int, ...]
    """Output positions along each spatial axis of the input; 1 where the axis is gone."""
    aligned: bool


def receptive_fields(graph: Graph) -> Mapping[str, ReceptiveField]:
    """Return the receptive field of every node for which it is known; a network with one input only."""
    if len(graph.inputs) != 1:
        return {}
    (shape,) = (type.shape for type in graph.inputs.values())
    whole = shape[:-1]
    if not whole:
        return {}
    seen: dict[str, _Seen | None] = {name: _Seen(((0, 0, 1),) * len(whole), whole, True) for name in graph.inputs}
    for node in graph.nodes.values():
        sources = [seen[name] for name in node.inputs]
        known = [source for source in sources if source is not None]
        result = _after(node, _hull(known)) if known and len(known) == len(sources) else None
        if result is not None and any(abs(number) > MAX_REACH for span in result.spans for number in span):
            result = None
        seen[node.name] = result
    return _Fields({name: found for name in graph.nodes if (found := seen[name]) is not None}, whole)


class _Fields(Mapping[str, ReceptiveField]):
    """Receptive fields by node, each worked out when it is asked for: most readers want a few."""

    def __init__(self, seen: Mapping[str, _Seen], whole: tuple[int, ...]) -> None:
        self._seen, self._whole = seen, whole
        self._found: dict[int, ReceptiveField] = {}

    def __getitem__(self, name: str) -> ReceptiveField:
        seen = self._seen[name]
        # Layers without a window see what the one before them does: the same object.
        if id(seen) not in self._found:
            self._found[id(seen)] = _field(seen, self._whole)
        return self._found[id(seen)]

    def __iter__(self) -> Iterator[str]:
        return iter(self._seen)

    def __len__(self) -> int:
        return len(self._seen)


def _field(seen: _Seen, whole: tuple[int, ...]) -> ReceptiveField:
    axes = list(zip(seen.spans, seen.sides, whole, strict=True))
    found = {axis: _axis_field(*axis) for axis in axes}  # most often the axes are alike
    return ReceptiveField(tuple(found[axis] for axis in axes), seen.aligned)


def _axis_field(span: _Span, side: int, length: int) -> AxisField:
    first, last, stride = span
    behind = last + (side - 1) * stride - (length - 1)
    return AxisField(Fraction(first), Fraction(last), Fraction(stride), (Fraction(-first), Fraction(behind)))


def _hull(sources: Iterable[_Seen]) -> _Seen:
    """Return what all sources together see."""
    first, *others = sources
    if not others:
        return first
    merged = []
    aligned = all(source.aligned for source in (first, *others))
    for axis in range(len(first.spans)):
        spans = [source.spans[axis] for source in (first, *others)]
        lengths = [source.sides[axis] for source in (first, *others)]
        # A side of one position, such as a squeeze-excite gate, is broadcast: it has no stride of its own.
        moving = [span for span, side in zip(spans, lengths, strict=True) if side > 1] or spans
        centres = {start + end for start, end, _ in moving}
        strides = {stride for *_, stride in moving}
        aligned = aligned and len(centres) == 1 and len(strides) == 1
        merged.append((min(s for s, _, _ in spans), max(e for _, e, _ in spans), max(strides)))
    return _Seen(
        tuple(merged), tuple(map(max, zip(*(source.sides for source in (first, *others)), strict=True))), aligned
    )


def _after(node: Node, source: _Seen) -> _Seen | None:
    facts = node.facts
    if facts is None or facts.reach == "unknown":
        return None
    if facts.reach == "all":
        spans = (
            (first, last + (side - 1) * stride, stride)
            for (first, last, stride), side in zip(source.spans, source.sides, strict=True)
        )
        return _Seen(tuple(spans), (1,) * len(source.sides), source.aligned)
    if not facts.window:
        return source
    if len(facts.window) != len(source.spans):
        return None
    pairs = list(zip(source.spans, facts.window, strict=True))
    return _Seen(tuple(_slide(*pair) for pair in pairs), tuple(axis.output for _, axis in pairs), source.aligned)


def _slide(span: _Span, axis: WindowAxis) -> _Span:
    """Window w reads the positions from w·stride − leading padding over its extent."""
    first, last, stride = span
    low = axis.padding[0]
    return first - low * stride, last + (axis.extent - 1 - low) * stride, stride * axis.stride
