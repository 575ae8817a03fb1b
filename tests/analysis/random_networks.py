"""Random networks for hypothesis: chains of layers with groups, and what is done to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from hypothesis import strategies as st

from netcalc.graph import Graph, build_complete
from netcalc.spec.load import parse_spec

_PLAIN = (
    "conv: {filters: 8, kernel: 3, padding: same}",
    "conv: {filters: 8, kernel: 1}",
    "conv: {filters: 4, kernel: 3, padding: same}",
    "conv: {filters: 16, kernel: 3, padding: same, bias: false}",
    "max_pool: {kernel: 3, stride: 1, padding: 1}",
    "batch_norm: {}",
    "relu: {}",
    "tanh: {}",
    "dropout: 0.5",
)
_GROUPS = (
    "residual: [relu, tanh]",
    "residual: {body: [{conv: {filters: 8, kernel: 1}}, batch_norm], shortcut: [{conv: {filters: 8, kernel: 1}}]}",
    "parallel: [[relu], [{conv: {filters: 4, kernel: 1}}]]",
    "sequence: [relu, {conv: {filters: 8, kernel: 3, padding: same}}]",
)

plain_layers = st.sampled_from(_PLAIN)
chains = st.lists(plain_layers, min_size=1, max_size=14)
layers = st.lists(st.sampled_from((*_PLAIN, *_GROUPS)), min_size=1, max_size=10)


def network(layers: list[str], names: Mapping[int, str] | None = None) -> Graph:
    """Return the graph of a list of layers, some of them named by their position."""
    names = names or {}
    lines = [f"  - {{{layer}{f', name: {names[at]}' if at in names else ''}}}" for at, layer in enumerate(layers)]
    return build_complete(parse_spec("\n".join(["name: random", "input: [8, 8, 3]", "layers:", *lines])))


def renamed(graph: Graph, names: Mapping[str, str]) -> Graph:
    """Return the graph with nodes under other names."""
    spec = graph.spec
    nodes = tuple(
        replace(
            node,
            name=names[node.name],
            inputs=tuple(names.get(source, source) for source in node.inputs),
            share=None if node.share is None else names[node.share],
        )
        for node in spec.nodes
    )
    outputs = tuple(replace(output, node=names[output.node]) for output in spec.outputs)
    return build_complete(replace(spec, nodes=nodes, outputs=outputs))
