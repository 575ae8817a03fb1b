"""The size of a model's file, without writing it."""

from __future__ import annotations

import json

from netcalc.graph import Graph
from netcalc.spec.training import Precision

_ALIGNED = 8


def model_file_bytes(graph: Graph, precision: Precision = "float32") -> int:
    """Return the bytes of the safetensors file that holds a complete graph's parameters and state.

    Eight bytes tell the length of the header, which lists each tensor's dtype, shape and place in JSON and is
    filled up with spaces to a multiple of eight; the tensors follow, the larger dtype first, then by name
    (github.com/huggingface/safetensors, format). Parameters are float32, bfloat16 where training keeps them so;
    state is float32.
    """
    tensors: list[tuple[int, str, tuple[int, ...], int]] = []
    params_bytes = 2 if precision == "bfloat16" else 4
    for node in graph.nodes.values():
        if node.owner == node.name:
            tensors += [(-params_bytes, f"{node.name}/{k}", p.shape, p.size) for k, p in node.known.params.items()]
        tensors += [(-4, f"{node.name}/{k}", s.shape, s.size) for k, s in node.known.state.items()]
    header: dict[str, object] = {}
    offset = 0
    for width, name, shape, size in sorted(tensors):
        end = offset - width * size
        dtype = "BF16" if width == -2 else "F32"
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [offset, end]}
        offset = end
    length = len(json.dumps(header, separators=(",", ":")))
    return 8 + length + -length % _ALIGNED + offset
