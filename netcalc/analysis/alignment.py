"""Which node of a network is which of another: the heaviest pairing that keeps the order of both.

A name that a person gave is believed. Else a pair weighs most where layer, inputs and output agree, whatever the
names, less where only the numbered name and the kind of layer do, and a common name settles what would otherwise be
a tie. Numbers alone would not do: that in `conv4` shifts when a convolution is put before it. Layers alone would
not either: a network twice as wide has hardly one of the old.

Candidates are bounded for each node and the heaviest chain of them is found in one pass (as in patience diff and
Hunt & Szymanski 1977), so time grows little faster than the number of nodes.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeAlias

from netcalc.graph import Graph, Node
from netcalc.layers.base import TensorType

_SAME_LAYER_AND_SHAPES = 10
_SAME_BUT_ELSEWHERE = 7
"""Layer and shapes agree, but one is in a group that both networks have and the other is not."""
_RENUMBERED = 4
"""The layer agrees, the names but for numbers, the shapes do not."""

_OWN_NAME_AND_LAYER, _OWN_NAME_AND_KIND, _OWN_NAME = 10, 9, 6
_NUMBER_AND_LAYER, _NUMBER_IN_GROUP_AND_KIND, _NUMBER_AND_KIND = 8, 6, 3
"""Names such as `conv4`, that a layer gets from its place, say less than those that a person gave, and least
outside a group, where every layer before it counts."""

MAX_CANDIDATES = 400_000
"""Pairs that are weighed, beside those that have one name."""
_WIDEST = 48
"""How far apart two nodes may stand among those of one layer."""

_Candidates: TypeAlias = Sequence[Mapping[int, int]]
"""For each node of one side, the weights of nodes of the other by their position."""


@dataclass(frozen=True, slots=True)
class Pair:
    """One node in both networks; `in_order` tells whether it stands among the same neighbours."""

    before: str
    after: str
    in_order: bool = True


@dataclass(frozen=True)
class Alignment:
    """The nodes that two networks have in common, in the order of the second, and those that only one has."""

    pairs: tuple[Pair, ...]
    removed: tuple[str, ...]
    added: tuple[str, ...]

    @cached_property
    def after_of(self) -> Mapping[str, str]:
        """For the name of each common node in the first network, that in the second."""
        return {pair.before: pair.after for pair in self.pairs}


def align(before: Graph, after: Graph) -> Alignment:
    """Return which node of a complete graph is which of another: the same pairs whichever graph is named first."""
    old, new = _traits(before), _traits(after)
    # Of pairings that weigh the same one is found; which one may not depend on the side that is named first.
    if [*map(_rank, old)] <= [*map(_rank, new)]:
        pairs = _pairs(old, new)
    else:
        pairs = [replace(pair, before=pair.after, after=pair.before) for pair in _pairs(new, old)]
    place = {name: position for position, name in enumerate(after.nodes)}
    pairs.sort(key=lambda pair: place[pair.after])
    known_before, known_after = {pair.before for pair in pairs}, {pair.after for pair in pairs}
    return Alignment(
        tuple(pairs),
        tuple(name for name in before.nodes if name not in known_before),
        tuple(name for name in after.nodes if name not in known_after),
    )


@dataclass(frozen=True, slots=True)
class _Trait:
    """What a node is recognised by: its layer, with all fields, and the tensors around it."""

    name: str
    words: str
    """The name with each number in it replaced."""
    group: str
    """The outermost group around the node; empty where there is none."""
    has_own_name: bool
    """Whether it is called other than layers are called that nobody named."""
    kind: str
    layer: tuple[str, str, bool, bool]
    shapes: tuple[tuple[tuple[int, ...], str], ...]


def _traits(graph: Graph) -> list[_Trait]:
    return [_trait(node, graph) for node in graph.nodes.values()]


def _trait(node: Node, graph: Graph) -> _Trait:
    tensors = (*(graph.type_of(name) for name in node.inputs), node.known.output)
    spec = node.spec
    layer = (node.kind, spec.layer.model_dump_json(), spec.trainable, spec.share is not None)
    group, dot, _ = node.name.partition(".")
    number = node.name.rpartition(".")[2].removeprefix(node.kind)
    return _Trait(
        name=node.name,
        words=_words(node.name),
        group=group if dot else "",
        has_own_name=not (number.isdecimal() or number == ""),
        kind=node.kind,
        layer=layer,
        shapes=tuple(map(_shape, tensors)),
    )


def _shape(type: TensorType) -> tuple[tuple[int, ...], str]:
    return (type.shape, type.dtype)


def _rank(trait: _Trait) -> tuple[object, ...]:
    return (trait.name, trait.layer, trait.shapes)


def _pairs(old: Sequence[_Trait], new: Sequence[_Trait]) -> list[Pair]:
    """Return all pairs: in order by what nodes are, then those that moved, then those that only changed number."""
    # Where both begin or end alike nothing else could weigh more.
    shorter = min(len(old), len(new))
    head = next((at for at in range(shorter) if old[at] != new[at]), shorter)
    tail = next((at for at in range(shorter - head) if old[-1 - at] != new[-1 - at]), shorter - head)
    middle_old, middle_new = old[head : len(old) - tail], new[head : len(new) - tail]
    chain = _heaviest_chain(_candidates(middle_old, middle_new))
    found = [Pair(trait.name, trait.name) for trait in (*old[:head], *old[len(old) - tail :])]
    found += [Pair(middle_old[i].name, middle_new[j].name) for i, j in chain]
    left_old, left_new = (
        _left(len(middle_old), [i for i, _ in chain]),
        _left(len(middle_new), [j for _, j in chain]),
    )
    renumbered = _renumbered(middle_old, middle_new, left_old, left_new)
    found += [Pair(middle_old[i].name, middle_new[j].name) for i, j in renumbered]
    paired_old, paired_new = {i for i, _ in renumbered}, {j for _, j in renumbered}
    by_name = {middle_new[j].name: middle_new[j] for j in left_new if j not in paired_new}
    for trait in (middle_old[i] for i in left_old if i not in paired_old):
        other = by_name.get(trait.name)
        if other is not None and (trait.layer == other.layer or _are_namesakes(trait, other)):
            found.append(Pair(trait.name, trait.name, in_order=False))
    return found


def _candidates(old: Sequence[_Trait], new: Sequence[_Trait]) -> _Candidates:
    """Return what each pair that is worth a thought weighs."""
    scale = 1 + min(len(old), len(new))
    found: list[dict[int, int]] = [{} for _ in old]
    place = {trait.name: j for j, trait in enumerate(new)}
    namesakes = {t.name for t in old if t.name in place and _are_namesakes(t, new[place[t.name]])}
    reach = max(2, min(_WIDEST, MAX_CANDIDATES // (8 * max(len(old), len(new), 1))))
    for i, j in _near([(t.layer, t.words) for t in old], [(t.layer, t.words) for t in new], reach):
        found[i][j] = _RENUMBERED * scale
    groups = ({t.group for t in old} & {t.group for t in new}) - {""}
    for i, j in _near([(t.layer, t.shapes) for t in old], [(t.layer, t.shapes) for t in new], reach):
        homes = old[i].group, new[j].group
        is_elsewhere = not groups.isdisjoint(homes) and _words(homes[0]) != _words(homes[1])
        if old[i].name not in namesakes and new[j].name not in namesakes:
            found[i][j] = (_SAME_BUT_ELSEWHERE if is_elsewhere else _SAME_LAYER_AND_SHAPES) * scale
    for i, trait in enumerate(old):
        at = place.get(trait.name)
        if at is not None:
            found[i][at] = _weight_of_names(trait, new[at]) * scale + 1
    return found


def _are_namesakes(old: _Trait, new: _Trait) -> bool:
    """Tell whether two nodes of one name are one node for the name's sake."""
    return old.has_own_name and old.kind == new.kind


def _weight_of_names(old: _Trait, new: _Trait) -> int:
    if old.layer == new.layer and old.shapes == new.shapes:
        return _SAME_LAYER_AND_SHAPES
    if old.layer == new.layer:
        return _OWN_NAME_AND_LAYER if old.has_own_name else _NUMBER_AND_LAYER
    if old.kind != new.kind:
        return _OWN_NAME
    if old.has_own_name:
        return _OWN_NAME_AND_KIND
    return _NUMBER_IN_GROUP_AND_KIND if old.group else _NUMBER_AND_KIND


def _near(old: Sequence[Hashable], new: Sequence[Hashable], reach: int) -> Iterable[tuple[int, int]]:
    """Yield the positions of equal keys that are near, counted from the first or from the last of the equals."""
    places_old, places_new = _places(old), _places(new)
    for key, mine in places_old.items():
        theirs = places_new.get(key, [])
        shift = len(theirs) - len(mine)
        for at, i in enumerate(mine):
            low, high = sorted((at, at + shift))
            if high - low <= 2 * reach:
                spans = [(low - reach, high + reach + 1)]
            else:
                spans = [(low - reach, low + reach + 1), (high - reach, high + reach + 1)]
            for start, end in spans:
                for j in theirs[max(0, start) : max(0, end)]:
                    yield i, j


def _places(keys: Sequence[Hashable]) -> Mapping[Hashable, list[int]]:
    places: dict[Hashable, list[int]] = defaultdict(list)
    for position, key in enumerate(keys):
        places[key].append(position)
    return places


@dataclass(frozen=True, slots=True)
class _Link:
    """The last pair of a chain, and the chain before it."""

    i: int
    j: int
    before: _Link | None


def _heaviest_chain(candidates: _Candidates) -> list[tuple[int, int]]:
    """Return the pairs (i, j), both rising, that weigh most together.

    The frontier holds, by rising j, the weight of the heaviest chain that ends at or before j; both rise along it.
    """
    ends: list[int] = []
    weights: list[int] = []
    links: list[_Link] = []
    for i, weight_by_j in enumerate(candidates):
        longer = []
        for j in sorted(weight_by_j):
            at = bisect_left(ends, j) - 1
            behind, link = (weights[at], links[at]) if at >= 0 else (0, None)
            longer.append((j, behind + weight_by_j[j], link))
        for j, weight, link in longer:
            at = bisect_left(ends, j)
            if at and weights[at - 1] >= weight:
                continue
            if at < len(ends) and ends[at] == j and weights[at] >= weight:
                continue
            stop = at
            while stop < len(ends) and weights[stop] <= weight:
                stop += 1
            ends[at:stop], weights[at:stop], links[at:stop] = [j], [weight], [_Link(i, j, link)]
    chain = []
    last = links[-1] if links else None
    while last is not None:
        chain.append((last.i, last.j))
        last = last.before
    return chain[::-1]


def _left(length: int, taken: Sequence[int]) -> list[int]:
    known = set(taken)
    return [position for position in range(length) if position not in known]


def _renumbered(
    old: Sequence[_Trait], new: Sequence[_Trait], left_old: Sequence[int], left_new: Sequence[int]
) -> list[tuple[int, int]]:
    """Return the pairs among what is left between two neighbours whose names differ in numbers alone."""
    gaps_old, gaps_new = _gaps(len(old), left_old), _gaps(len(new), left_new)
    keys_old = [(gaps_old[i], old[i].kind, old[i].words) for i in left_old]
    keys_new = [(gaps_new[j], new[j].kind, new[j].words) for j in left_new]
    found: list[dict[int, int]] = [{} for _ in left_old]
    for i, j in _near(keys_old, keys_new, 2):
        found[i][j] = 1
    return [(left_old[i], left_new[j]) for i, j in _heaviest_chain(found)]


def _gaps(length: int, left: Sequence[int]) -> Mapping[int, int]:
    """Return between which pairs each node that is left stands, as the number of pairs before it."""
    gaps = {}
    pairs = 0
    is_left = set(left)
    for position in range(length):
        if position in is_left:
            gaps[position] = pairs
        else:
            pairs += 1
    return gaps


def _words(name: str) -> str:
    return re.sub("[0-9]+", "#", name)
