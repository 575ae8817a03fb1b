"""How deep a network is, and how far its last maps see."""

from __future__ import annotations

from netcalc.analysis.cost import has_kernel
from netcalc.analysis.receptive_field import ReceptiveField, receptive_fields
from netcalc.graph import Graph


def weighted_depth(graph: Graph) -> int:
    """Return the layers with weights on the longest path to an output at inference: ResNet-50 has 50.

    Convolutions, dense and recurrent layers count, each as one; norms and activations do not.
    """
    depths: dict[str, int] = dict.fromkeys(graph.inputs, 0)
    for node in graph.nodes.values():
        weighted = bool(node.known.params) and has_kernel(node.known, "conv", "gemm", "scan")
        depths[node.name] = max(depths[name] for name in node.inputs) + weighted
    return max(depths[name] for name in graph.inference_outputs)


def last_maps(graph: Graph) -> tuple[str, ReceptiveField] | None:
    """Return the node that gives an output its last maps of more than one position, and what a position sees.

    Of several outputs the one that sees least along its shortest axis; None where no such field is known. Global
    pooling and dense layers behind it see all that there is.
    """
    fields = receptive_fields(graph)
    found: list[tuple[str, ReceptiveField]] = []
    for output in graph.inference_outputs:
        before = graph.needed_for((output,))
        maps = (
            name
            for name, node in reversed(tuple(graph.nodes.items()))
            if name in before and name in fields and max(node.known.output.sides, default=1) > 1
        )
        if (last := next(maps, None)) is not None:
            found.append((last, fields[last]))
    return min(found, key=lambda pair: min(axis.size for axis in pair[1].axes), default=None)
