"""The rows that conformance walks: for each kind of layer, fields and input shapes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from netcalc.graph import Graph, Node, build_complete
from netcalc.spec.load import parse_spec

Shape = tuple[int, ...]

ROWS: dict[str, list[tuple[dict[str, Any], *tuple[Shape, ...]]]] = {
    "conv": [
        ({"filters": 4, "kernel": 3}, (7, 2)),
        ({"filters": 4, "kernel": 3}, (5, 6, 3)),
        ({"filters": 2, "kernel": 2}, (3, 4, 3, 2)),
        ({"filters": 3, "kernel": 1, "bias": False}, (4, 3, 5)),
        ({"filters": 2, "kernel": [2, 3], "stride": [1, 2]}, (4, 8, 2)),
        ({"filters": 2, "kernel": 2, "stride": 3}, (7, 9, 1)),
        ({"filters": 2, "kernel": [1, 2, 3], "stride": [1, 1, 2], "dilation": [1, 2, 1]}, (2, 4, 6, 2)),
        ({"filters": 2, "kernel": 3, "dilation": 2}, (7, 6, 2)),
        ({"filters": 2, "kernel": 2, "dilation": [3, 1], "stride": 2, "padding": "same"}, (6, 5, 2)),
        ({"filters": 6, "kernel": 3, "groups": 2}, (4, 5, 4)),
        ({"filters": 6, "kernel": 3, "groups": 3, "padding": 1, "bias": False}, (4, 4, 3)),
        ({"filters": 3, "kernel": 3, "groups": 3, "stride": 2}, (9, 3)),
        ({"filters": 2, "kernel": 3, "padding": "same"}, (4, 5, 2)),
        ({"filters": 2, "kernel": 2, "padding": "same"}, (5, 4, 2)),
        ({"filters": 2, "kernel": [2, 3], "stride": 2, "padding": "same"}, (5, 6, 2)),
        ({"filters": 2, "kernel": 1, "stride": 2, "padding": "same"}, (5, 6, 2)),
        ({"filters": 2, "kernel": 3, "padding": 2}, (3, 2, 2)),
        ({"filters": 2, "kernel": 3, "padding": [0, 1]}, (4, 3, 2)),
        ({"filters": 2, "kernel": 3, "padding": [[0, 2], [1, 0]], "stride": 2}, (5, 6, 2)),
        ({"filters": 2, "kernel": 2, "padding": [[1, 0], [0, 1], [2, 0]]}, (2, 3, 2, 2)),
        ({"filters": 2, "kernel": 2, "padding": 3}, (2, 2, 1)),
    ],
    "depthwise_conv": [
        ({"kernel": 3}, (7, 2)),
        ({"kernel": 3, "multiplier": 2}, (5, 6, 3)),
        ({"kernel": 2, "multiplier": 3, "bias": False}, (3, 4, 3, 2)),
        ({"kernel": [2, 3], "stride": [1, 2], "padding": "same"}, (4, 6, 3)),
        ({"kernel": 3, "dilation": 2, "padding": [[1, 0], [0, 2]]}, (6, 5, 2)),
        ({"kernel": 1, "multiplier": 2}, (3, 2, 1)),
    ],
    "conv_transpose": [
        ({"filters": 3, "kernel": 2, "stride": 2}, (4, 2)),
        ({"filters": 2, "kernel": 3}, (3, 4, 3)),
        ({"filters": 2, "kernel": 2, "stride": [1, 2, 1]}, (2, 3, 2, 2)),
        ({"filters": 3, "kernel": 3, "stride": 2, "padding": 1, "output_padding": 1}, (3, 4, 2)),
        ({"filters": 2, "kernel": [3, 2], "stride": [2, 3], "output_padding": [0, 2], "bias": False}, (3, 3, 2)),
        ({"filters": 4, "kernel": 3, "stride": 2, "groups": 2, "padding": [[0, 1], [2, 0]]}, (4, 3, 6)),
        ({"filters": 2, "kernel": 2, "stride": 2, "groups": 2}, (4, 4)),
        ({"filters": 2, "kernel": 3, "dilation": [2, 3], "padding": 1, "output_padding": [1, 2]}, (3, 4, 2)),
        ({"filters": 2, "kernel": 4, "stride": 2, "padding": "same"}, (3, 4, 2)),
        ({"filters": 2, "kernel": 3, "stride": 2, "padding": "same"}, (3, 4, 2)),
        ({"filters": 2, "kernel": [2, 3], "stride": [3, 1], "padding": "same", "dilation": [1, 2]}, (3, 4, 2)),
        ({"filters": 2, "kernel": 2, "stride": 1, "padding": 2}, (4, 5, 2)),
        ({"filters": 1, "kernel": 1, "stride": 2}, (3, 2)),
    ],
    "dense": [
        ({"units": 4}, (5,)),
        ({"units": 3, "bias": False}, (6,)),
        ({"units": 1}, (1,)),
        ({"units": 3}, (5, 2)),
        ({"units": 4}, (3, 2, 5)),
        ({"units": 2, "bias": False}, (2, 3, 2, 3)),
    ],
    "max_pool": [
        ({"kernel": 2}, (7, 2)),
        ({"kernel": 2}, (6, 5, 3)),
        ({"kernel": 2}, (4, 5, 3, 2)),
        ({"kernel": 3, "stride": 2}, (7, 8, 2)),
        ({"kernel": 2, "stride": 3}, (8, 7, 2)),
        ({"kernel": [3, 2], "stride": [1, 2]}, (5, 6, 2)),
        ({"kernel": 3, "stride": 2, "padding": 1}, (6, 5, 2)),
        ({"kernel": 3, "stride": 1, "padding": "same"}, (4, 5, 2)),
        ({"kernel": 2, "padding": "same"}, (5, 4, 2)),
        ({"kernel": 3, "stride": 2, "padding": [[0, 1], [2, 0]]}, (5, 6, 2)),
        ({"kernel": 3, "stride": 2, "rounding": "ceil"}, (6, 5, 2)),
        ({"kernel": 2, "stride": 2, "padding": 1, "rounding": "ceil"}, (5, 7, 2)),
        ({"kernel": [1, 2, 2], "rounding": "ceil", "padding": [0, 0, 1]}, (2, 3, 4, 1)),
    ],
    "avg_pool": [
        ({"kernel": 2}, (7, 2)),
        ({"kernel": 2}, (6, 5, 3)),
        ({"kernel": 2}, (4, 5, 3, 2)),
        ({"kernel": [3, 2], "stride": [1, 2]}, (5, 6, 2)),
        ({"kernel": 3, "stride": 2, "padding": 1}, (6, 5, 2)),
        ({"kernel": 3, "stride": 2, "padding": 1, "count_include_pad": False}, (6, 5, 2)),
        ({"kernel": 3, "stride": 1, "padding": "same"}, (4, 5, 2)),
        ({"kernel": 3, "stride": 1, "padding": "same", "count_include_pad": False}, (4, 5, 2)),
        ({"kernel": 2, "padding": [[0, 1], [1, 0]], "count_include_pad": False}, (5, 7, 2)),
        ({"kernel": 3, "stride": 2, "rounding": "ceil"}, (6, 5, 2)),
        ({"kernel": 3, "stride": 2, "rounding": "ceil", "count_include_pad": False}, (6, 5, 2)),
        ({"kernel": 3, "stride": 2, "padding": 1, "rounding": "ceil"}, (6, 8, 2)),
        ({"kernel": 3, "stride": 2, "padding": 1, "rounding": "ceil", "count_include_pad": False}, (6, 8, 2)),
        ({"kernel": 2, "padding": [[1, 0], [0, 0], [0, 1]], "rounding": "ceil"}, (2, 3, 4, 1)),
        ({"kernel": 3, "stride": 3, "padding": 1, "count_include_pad": False}, (8, 2)),
    ],
    "stochastic_pool": [
        ({"kernel": 2}, (7, 2)),
        ({"kernel": 2}, (6, 5, 3)),
        ({"kernel": 2, "alpha": 0.2}, (4, 5, 3, 2)),
        ({"kernel": [3, 2], "stride": [1, 2]}, (5, 6, 2)),
        ({"kernel": 3, "stride": 2, "padding": 1}, (6, 5, 2)),
        ({"kernel": 3, "stride": 1, "padding": "same", "alpha": 0.9}, (4, 5, 2)),
        ({"kernel": 3, "stride": 2, "padding": [[0, 1], [2, 0]], "rounding": "ceil"}, (5, 6, 2)),
        ({"kernel": 2, "padding": [[1, 0], [0, 0], [0, 1]], "rounding": "ceil"}, (2, 3, 4, 1)),
        ({"kernel": 2, "alpha": 1}, (5, 4, 2)),
    ],
    "adaptive_avg_pool": [
        ({"size": 3}, (6, 2)),
        ({"size": 3}, (7, 2)),
        ({"size": [2, 3]}, (4, 6, 2)),
        ({"size": [3, 4]}, (5, 7, 2)),
        ({"size": 5}, (3, 4, 2)),
        ({"size": [1, 2, 2]}, (2, 3, 4, 2)),
        ({"size": 1}, (3, 5, 2)),
    ],
    "global_avg_pool": [
        ({}, (5, 2)),
        ({}, (3, 4, 2)),
        ({}, (2, 3, 2, 3)),
        ({"keepdims": True}, (5, 2)),
        ({"keepdims": True}, (3, 4, 2)),
        ({"keepdims": True}, (2, 3, 2, 3)),
    ],
    "global_max_pool": [
        ({}, (5, 2)),
        ({}, (3, 4, 2)),
        ({"keepdims": True}, (3, 4, 2)),
        ({"keepdims": True}, (2, 3, 2, 3)),
    ],
    "batch_norm": [
        ({}, (4,)),
        ({}, (5, 3)),
        ({}, (3, 4, 2)),
        ({}, (2, 2, 3, 2)),
        ({"scale": False}, (3, 4, 2)),
        ({"shift": False}, (3, 4, 2)),
        ({"scale": False, "shift": False}, (3, 4, 2)),
        ({"momentum": 0.5, "epsilon": 0.1}, (3, 4, 2)),
        ({"momentum": 0}, (3, 2)),
        ({"momentum": 1}, (3, 2)),
    ],
    "layer_norm": [
        ({}, (5,)),
        ({}, (3, 4)),
        ({}, (3, 4, 3)),
        ({}, (2, 2, 3, 3)),
        ({"axes": "all"}, (5,)),
        ({"axes": "all"}, (3, 4)),
        ({"axes": "all"}, (3, 2, 3)),
        ({"axes": "all"}, (2, 2, 3, 3)),
        ({"scale": False}, (3, 4, 3)),
        ({"shift": False, "axes": "all"}, (3, 4, 3)),
        ({"scale": False, "shift": False, "epsilon": 0.1}, (3, 4, 3)),
    ],
    "group_norm": [
        ({"groups": 2}, (6,)),
        ({"groups": 2}, (3, 4)),
        ({"groups": 3}, (3, 4, 6)),
        ({"groups": 2}, (2, 2, 3, 4)),
        ({"groups": 1}, (3, 4, 2)),
        ({"groups": 4}, (3, 2, 4)),
        ({"groups": 2, "scale": False}, (3, 2, 4)),
        ({"groups": 2, "shift": False}, (3, 2, 4)),
        ({"groups": 2, "scale": False, "shift": False, "epsilon": 0.1}, (3, 2, 4)),
        ({}, (2, 2, 64)),
    ],
    "instance_norm": [
        ({}, (5, 2)),
        ({}, (3, 4, 2)),
        ({}, (2, 2, 3, 2)),
        ({"scale": True}, (3, 4, 2)),
        ({"shift": True}, (3, 4, 2)),
        ({"scale": True, "shift": True, "epsilon": 0.1}, (3, 4, 2)),
    ],
    "rms_norm": [
        ({}, (5,)),
        ({}, (3, 4)),
        ({}, (3, 4, 3)),
        ({}, (2, 2, 3, 3)),
        ({"scale": False, "epsilon": 0.1}, (3, 4, 3)),
    ],
    "local_response_norm": [
        ({}, (7,)),
        ({}, (2, 8)),
        ({"alpha": 0.5}, (2, 3, 9)),
        ({"size": 3, "alpha": 0.5, "beta": 0.5, "k": 1}, (2, 1, 2, 5)),
        ({"size": 4, "alpha": 0.5}, (3, 2, 6)),
        ({"size": 1, "alpha": 0.5}, (3, 2)),
        ({"size": 2, "alpha": 0.5}, (3, 1)),
        ({"size": 9, "alpha": 0.5}, (2, 3)),
    ],
    "layer_scale": [({}, (4,)), ({}, (5, 3)), ({}, (3, 4, 2)), ({"init": 0.1}, (2, 2, 3, 2))],
    "spatial_dropout": [
        ({}, (4, 9)),
        ({"rate": 0.25}, (4, 5, 6)),
        ({"rate": 0.1}, (2, 3, 2, 8)),
        ({"rate": 0}, (3, 6, 2)),
    ],
    "drop_path": [
        ({"rate": 0.25}, (20,)),
        ({"rate": 0.1}, (4, 3)),
        ({"rate": 0.25}, (4, 5, 3)),
        ({"rate": 0}, (6, 2)),
    ],
    "dropout": [
        ({}, (20,)),
        ({"rate": 0.25}, (4, 5, 3)),
        ({"rate": 0}, (6, 2)),
    ],
    "relu": [({}, (9,)), ({}, (3, 4, 2)), ({}, (2, 3, 2, 2))],
    "tanh": [({}, (9,)), ({}, (3, 4, 2))],
    "sigmoid": [({}, (9,)), ({}, (3, 4, 2))],
    "softmax": [({}, (5,)), ({}, (3, 4)), ({}, (2, 3, 4)), ({}, (2, 2, 2, 3))],
    "relu6": [({}, (9,)), ({}, (3, 4, 2))],
    "leaky_relu": [({}, (9,)), ({"slope": 0.2}, (3, 4, 2)), ({"slope": -1}, (5, 2)), ({"slope": 2}, (5, 2))],
    "prelu": [
        ({}, (9,)),
        ({}, (5, 3)),
        ({}, (3, 4, 2)),
        ({}, (2, 2, 3, 2)),
        ({"shared": True}, (9,)),
        ({"shared": True, "init": 0}, (3, 4, 2)),
    ],
    "abs": [({}, (9,)), ({}, (3, 4, 2))],
    "crelu": [({}, (9,)), ({}, (5, 2)), ({}, (3, 4, 2)), ({}, (2, 2, 3, 1))],
    "maxout": [
        ({"pieces": 2}, (6,)),
        ({"pieces": 3}, (5, 6)),
        ({"pieces": 2}, (3, 4, 4)),
        ({"pieces": 4}, (2, 2, 3, 4)),
        ({"pieces": 1}, (3, 2)),
    ],
    "hard_sigmoid": [({}, (9,)), ({}, (3, 4, 2))],
    "hard_swish": [({}, (9,)), ({}, (3, 4, 2))],
    "softsign": [({}, (9,)), ({}, (3, 4, 2))],
    "elu": [({}, (9,)), ({"alpha": 0.5}, (3, 4, 2))],
    "selu": [({}, (9,)), ({}, (3, 4, 2))],
    "celu": [({}, (9,)), ({"alpha": 0.5}, (3, 4, 2))],
    "softplus": [({}, (9,)), ({}, (3, 4, 2))],
    "silu": [({}, (9,)), ({}, (3, 4, 2))],
    "mish": [({}, (9,)), ({}, (3, 4, 2))],
    "gelu": [({}, (9,)), ({}, (3, 4, 2)), ({"approximate": "tanh"}, (9,)), ({"approximate": "tanh"}, (3, 4, 2))],
    "log_softmax": [({}, (5,)), ({}, (3, 4)), ({}, (2, 3, 4)), ({}, (2, 2, 2, 3))],
    "flatten": [({}, (5,)), ({}, (3, 2)), ({}, (3, 4, 2)), ({}, (2, 3, 2, 3))],
    "lstm": [
        ({"units": 3}, (4, 2)),
        ({"units": 2, "output": "last"}, (5, 3)),
        ({"units": 4, "bias": False}, (3, 1)),
    ],
    "gru": [
        ({"units": 3}, (4, 2)),
        ({"units": 2, "output": "last"}, (5, 3)),
        ({"units": 4, "bias": False}, (3, 1)),
    ],
    "reshape": [
        ({"shape": [6]}, (3, 2)),
        ({"shape": [2, -1, 3]}, (3, 4, 2)),
        ({"shape": [4, 3, 1, 2]}, (24,)),
        ({"shape": [-1]}, (2, 3, 2, 2)),
    ],
    "pad": [
        ({"padding": 2}, (3, 2)),
        ({"padding": [1, 0], "value": -1.5}, (3, 4, 2)),
        ({"padding": [[0, 1], [2, 0]], "mode": "reflect"}, (3, 4, 2)),
        ({"padding": [[5, 4]], "mode": "reflect"}, (3, 2)),
        ({"padding": 1, "mode": "reflect"}, (1, 3, 2)),
        ({"padding": [1, 2, 0], "mode": "edge"}, (2, 3, 2, 2)),
    ],
    "crop": [
        ({"crop": 1}, (5, 2)),
        ({"crop": [1, 0]}, (3, 4, 2)),
        ({"crop": [[0, 1], [2, 0]]}, (3, 4, 2)),
        ({"crop": [1, 0, 1]}, (3, 2, 4, 2)),
    ],
    "slice": [
        ({"stop": 2}, (5,)),
        ({"start": 2}, (3, 4)),
        ({"start": -3, "stop": -1}, (3, 2, 5)),
        ({"start": 1, "step": 2, "axis": "length"}, (6, 2)),
        ({"stop": 2, "axis": "height"}, (3, 4, 2)),
        ({"start": 1, "step": 2, "axis": "width"}, (3, 4, 2)),
        ({"start": 1, "axis": "depth"}, (3, 2, 2, 2)),
    ],
    "channel_shuffle": [({"groups": 2}, (6,)), ({"groups": 3}, (2, 3, 6)), ({"groups": 2}, (2, 2, 2, 4))],
    "upsample": [
        ({"scale": 2}, (3, 2)),
        ({"scale": [2, 3]}, (3, 4, 2)),
        ({"scale": 2, "method": "bilinear"}, (3, 2)),
        ({"scale": [2, 3], "method": "bilinear"}, (3, 4, 2)),
        ({"scale": [1, 2, 3], "method": "bilinear"}, (2, 1, 3, 2)),
        ({"scale": 4, "method": "bilinear"}, (2, 3, 1)),
    ],
    "add": [
        ({}, (5,), (5,)),
        ({}, (3, 4, 2), (3, 4, 2), (3, 4, 2)),
        ({}, (2, 3, 2, 2), (2, 3, 2, 2)),
    ],
    "concat": [
        ({}, (5,), (2,)),
        ({}, (3, 4, 2), (3, 4, 1), (3, 4, 3)),
        ({}, (2, 3, 2, 2), (2, 3, 2, 1)),
    ],
    "multiply": [
        ({}, (5,), (5,)),
        ({}, (3, 4, 2), (3, 4, 2), (3, 4, 2)),
        ({}, (3, 4, 2), (2,)),
        ({}, (2,), (5, 2), (2,)),
        ({}, (3, 4, 2), (1, 1, 2)),
        ({}, (3, 4, 1), (3, 4, 2)),
        ({}, (3, 1, 2), (1, 4, 2), (1,)),
        ({}, (2, 3, 2, 2), (2,), (2, 1, 1, 1)),
    ],
    "maximum": [
        ({}, (5,), (5,)),
        ({}, (3, 4, 2), (3, 4, 2), (3, 4, 2)),
        ({}, (2, 3, 2, 2), (2, 3, 2, 2)),
    ],
    "average": [
        ({}, (5,), (5,)),
        ({}, (3, 4, 2), (3, 4, 2), (3, 4, 2)),
        ({}, (2, 3, 2, 2), (2, 3, 2, 2)),
    ],
}
"""A new layer gets its rows here: the fewest that walk every form its fields take, in 1 to 3 dimensions."""


@dataclass(frozen=True, eq=False)
class Row:
    """A network of one node, compared and hashed by identity."""

    kind: str
    fields: Mapping[str, Any]
    shapes: tuple[Shape, ...]

    def __str__(self) -> str:
        fields = ",".join(f"{name}={value}" for name, value in self.fields.items()).replace(" ", "")
        return "-".join([self.kind, *([fields] if fields else []), *("x".join(map(str, s)) for s in self.shapes)])

    @cached_property
    def graph(self) -> Graph:
        """The network, by way of the spec language: JSON is YAML."""
        inputs = {f"x{index}": shape for index, shape in enumerate(self.shapes)}
        layer = {self.kind: self.fields, "name": "node", "from": list(inputs)}
        return build_complete(parse_spec(json.dumps({"inputs": inputs, "layers": [layer]})))

    @property
    def node(self) -> Node:
        """The one node."""
        return self.graph.nodes["node"]


ALL_ROWS = tuple(Row(kind, fields, tuple(shapes)) for kind, rows in ROWS.items() for fields, *shapes in rows)
