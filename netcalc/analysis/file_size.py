"""The size of a model's file, without writing it."""

from __future__ import annotations

import json

from netcalc.graph import Graph

_ALIGNED = 8


def model_file_bytes(graph: Graph) -> int:
    """Return the bytes of the safetensors file that training leaves of a complete graph's parameters and state.

    Eight bytes tell the length of the header, which lists each tensor's dtype, shape and place in JSON and is
    filled up with spaces to a multiple of eight; the tensors follow by name (github.com/huggingface/safetensors,
    format). All are float32, whatever the precision that they were trained in.
    """
    tensors: list[tuple[str, tuple[int, ...], int]] = []
    for node in graph.nodes.values():
        if node.owner == node.name:
            tensors += [(f"{node.name}/{k}", p.shape, p.size) for k, p in node.known.params.items()]
        tensors += [(f"{node.name}/{k}", s.shape, s.size) for k, s in node.known.state.items()]
    header: dict[str, object] = {}
    offset = 0
    for name, shape, size in sorted(tensors):
        end = offset + 4 * size
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [offset, end]}
        offset = end
    length = len(json.dumps(header, separators=(",", ":")))
    return 8 + length + -length % _ALIGNED + offset
