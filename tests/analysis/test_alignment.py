"""Which node is which: pairs of renamed, renumbered, widened and rebuilt networks."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

import netcalc
from netcalc.analysis.alignment import Alignment, _heaviest_chain, align
from netcalc.graph import Graph, build_complete
from netcalc.spec.load import parse_spec
from tests.analysis.random_networks import chains, layers, network, plain_layers, renamed
from tests.conftest import ROOT


def text(*lines: str) -> Graph:
    return build_complete(parse_spec("input: [16, 16, 3]\nlayers:\n" + "".join(f"  - {line}\n" for line in lines)))


def conv(filters: int, name: str = "") -> str:
    return f"{{conv: {{filters: {filters}, kernel: 3, padding: same}}{f', name: {name}' if name else ''}}}"


def names(found: Alignment) -> dict[str, str]:
    return {pair.before: pair.after for pair in found.pairs if pair.before != pair.after}


weights = st.lists(
    st.dictionaries(st.integers(0, 6), st.integers(1, 9), max_size=5).map(dict), min_size=0, max_size=7
)


@given(weights)
def test_the_chain_weighs_most(candidates: list[dict[int, int]]) -> None:
    # Every chain, the plain way: the best of leaving out a row and of taking each of its pairs.
    def heaviest(row: int, least: int) -> int:
        if row == len(candidates):
            return 0
        taken = (w + heaviest(row + 1, j + 1) for j, w in candidates[row].items() if j >= least)
        return max(heaviest(row + 1, least), *taken, 0)

    chain = _heaviest_chain(candidates)
    assert sum(candidates[i][j] for i, j in chain) == heaviest(0, 0)
    assert all(a[0] < b[0] and a[1] < b[1] for a, b in pairwise(chain))


@given(layers)
def test_a_network_is_itself(found: list[str]) -> None:
    graph = network(found)
    same = align(graph, graph)
    assert [(pair.before, pair.after, pair.in_order) for pair in same.pairs] == [(n, n, True) for n in graph.nodes]
    assert (same.removed, same.added) == ((), ())


@given(chains, st.data())
def test_names_alone_change_nothing_else(found: list[str], data: st.DataObject) -> None:
    graph = network(found)
    pool = [*graph.nodes, *(f"new{i}" for i in range(3))]
    new = dict(zip(graph.nodes, data.draw(st.permutations(pool)), strict=False))
    other = renamed(graph, new)
    pairs = align(graph, other).pairs
    assert [(pair.before, pair.after) for pair in pairs] == list(new.items())
    assert all(pair.in_order for pair in pairs)


@given(chains, plain_layers, st.data())
def test_a_layer_that_is_put_in_is_the_only_one_added(found: list[str], layer: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(found)))
    longer = [*found[:at], layer, *found[at:]]
    numbered = align(network(found), network(longer))
    assert (len(numbered.added), numbered.removed) == (1, ())
    assert all(pair.in_order for pair in numbered.pairs)
    own = {i: f"layer_{chr(97 + i)}" for i in range(len(found))}
    named = align(network(found, own), network(longer, {i + (i >= at): name for i, name in own.items()}))
    assert (len(named.added), named.removed, names(named)) == (1, (), {})


@given(layers, layers)
def test_the_other_way_round_the_pairs_are_the_same(old: list[str], new: list[str]) -> None:
    before, after = network(old), network(new)
    there, back = align(before, after), align(after, before)
    assert {(p.before, p.after, p.in_order) for p in there.pairs} == {
        (p.after, p.before, p.in_order) for p in back.pairs
    }
    assert (there.removed, there.added) == (back.added, back.removed)


@given(layers, layers)
def test_every_node_is_told_once(old: list[str], new: list[str]) -> None:
    before, after = network(old), network(new)
    found = align(before, after)
    assert sorted([*(p.before for p in found.pairs), *found.removed]) == sorted(before.nodes)
    assert sorted([*(p.after for p in found.pairs), *found.added]) == sorted(after.nodes)


def test_numbers_that_shift_are_renamed() -> None:
    before = text(conv(8), "relu", conv(16), "relu", conv(32), "relu")
    after = text(conv(8), "relu", conv(12), conv(16), "relu", conv(32), "relu")
    found = align(before, after)
    assert (found.added, found.removed) == (("conv2",), ())
    assert names(found) == {"conv2": "conv3", "conv3": "conv4"}


def test_own_names_tell_which_of_several_alike_is_new() -> None:
    before = text(conv(8, "start"), conv(8, "a"), conv(8, "b"), conv(8, "c"))
    for at in range(1, 5):
        order = ["start", "a", "b", "c"]
        order.insert(at, "new")
        found = align(before, text(*(conv(8, name) for name in order)))
        assert (found.added, found.removed, names(found)) == (("new",), (), {})


def test_a_wider_network_has_the_same_nodes() -> None:
    widths = [8, 16, 32, 64, 128, 256]

    def of(factor: float, *, named: bool) -> Graph:
        named_convs = (conv(int(w * factor), f"layer_{w}" if named else "") for w in widths)
        return text(*(line for named_conv in named_convs for line in (named_conv, "relu")))

    for factor, named in ((2, True), (1.5, True), (1.5, False)):
        found = align(of(1, named=named), of(factor, named=named))
        assert (found.added, found.removed, names(found)) == ((), (), {})


def test_another_layer_under_the_same_name_is_the_same_node() -> None:
    before, after = (
        text(conv(8), f"{{{kind}: {{kernel: 2, stride: 2}}, name: pool}}") for kind in ("max_pool", "avg_pool")
    )
    assert align(before, after).pairs[1].after == "pool"


def test_of_layers_alike_those_that_keep_their_numbers_are_the_same() -> None:
    found = align(text("relu", "relu", "relu"), text("relu", "relu", "relu", "relu", "relu"))
    assert (found.added, names(found)) == (("relu4", "relu5"), {})


def test_a_common_name_settles_a_tie() -> None:
    lines = ("relu", "relu", conv(8))
    before = renamed(text(*lines), {"relu1": "relu3", "relu2": "relu4", "conv1": "conv1"})
    found = align(before, text("relu", "relu", "relu", "relu", conv(12)))
    assert (found.added, names(found)) == (("relu1", "relu2"), {})


def test_an_own_name_is_believed_before_another_node_of_the_same_layer() -> None:
    found = align(text(conv(8, "stem")), text(conv(8), conv(16, "stem")))
    assert (found.added, names(found)) == (("conv1",), {})


def test_a_layer_that_changed_with_its_number_is_found_between_its_neighbours() -> None:
    before = text("tanh", conv(8), "sigmoid")
    after = text(conv(4), "tanh", conv(12), "sigmoid")
    found = align(before, after)
    assert (found.added, found.removed, names(found)) == (("conv1",), (), {"conv1": "conv2"})


def test_a_node_that_changed_its_place_and_a_field() -> None:
    before = text("{dropout: 0.5, name: drop}", "{tanh: , name: t}", "{relu: , name: r}")
    after = text("{tanh: , name: t}", "{relu: , name: r}", "{dropout: 0.2, name: drop}")
    found = align(before, after)
    assert {pair.before: pair.in_order for pair in found.pairs} == {"t": True, "r": True, "drop": False}


def test_nodes_that_changed_places() -> None:
    before = text(conv(3, "a"), "{tanh: , name: t}", "{relu: , name: r}")
    after = text("{relu: , name: r}", conv(3, "a"), "{tanh: , name: t}")
    found = align(before, after)
    assert {pair.before: pair.in_order for pair in found.pairs} == {"a": True, "t": True, "r": False}


@pytest.mark.parametrize(
    ("before", "after", "added"),
    [
        ("resnet18", "resnet34", 56),
        ("vgg11", "vgg13", 4),
        ("resnet50", "resnet152", 340),
        ("densenet121", "densenet169", 168),
    ],
)
def test_deeper_networks_of_a_family_have_blocks_more_and_nothing_else(before: str, after: str, added: int) -> None:
    old, new = (netcalc.load(ROOT / "configs" / f"{name}.yaml") for name in (before, after))
    found = align(old, new)
    assert (len(found.added), found.removed, names(found)) == (added, (), {})
    assert all(pair.in_order for pair in found.pairs)


def chain_of(length: int, kinds: str) -> Graph:
    lines = {"c": conv(8), "r": "relu", "t": "tanh", "p": "{max_pool: {kernel: 3, stride: 1, padding: 1}}"}
    return text(*(lines[kinds[i % len(kinds)]] for i in range(length)))


PAIRS: dict[str, Callable[[int], tuple[Graph, Graph]]] = {
    "one more in front": lambda n: (chain_of(n, "cr"), text(conv(4), *([conv(8), "relu"] * (n // 2)))),
    "all alike": lambda n: (chain_of(n, "r"), chain_of(n + n // 4, "r")),
    "in another order": lambda n: (chain_of(n, "crrtp"), chain_of(n, "ptcrc")),
    "nothing in common": lambda n: (chain_of(n, "cr"), chain_of(n, "tp")),
}


@pytest.mark.parametrize("kind", PAIRS)
def test_four_times_the_nodes_take_less_than_eight_times_the_time(kind: str) -> None:
    def seconds(length: int) -> float:
        before, after = PAIRS[kind](length)
        gc.collect()
        gc.disable()
        try:
            start = time.process_time()
            align(before, after)
            return time.process_time() - start
        finally:
            gc.enable()

    few, many = (min(seconds(n) for _ in range(3)) for n in (1_500, 6_000))
    assert many < 8 * few
