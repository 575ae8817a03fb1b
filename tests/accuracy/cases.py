"""Networks and layers on which netcalc's account of other tools is held against the tools themselves.

`peers.json` holds what the tools printed; `test_peer_tools.py` runs them again where they are installed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from netcalc.analysis.convention import Form
from netcalc.analysis.other_tools import compare_tools
from netcalc.graph import Graph, build_complete
from netcalc.spec.load import parse_spec
from tests.configs.zoo import FOLDER, load

PEERS = Path(__file__).parent / "peers.json"


@dataclass(frozen=True)
class Network:
    """A network of the zoo that torchvision has too: how torchvision writes some layers, and what it has beside."""

    config: str
    """File of `configs/`."""
    written: Mapping[str, Form] = field(default_factory=dict)
    pooled: int | None = None
    """Side of an adaptive pooling before `flatten` that leaves a map of this size as it is."""
    overrides: tuple[str, ...] = ()

    def graph(self) -> Graph:
        if self.pooled is None:
            return load(self.config, *self.overrides)
        text = (FOLDER / f"{self.config}.yaml").read_text(encoding="utf-8")
        text = text.replace("  - flatten", f"  - adaptive_avg_pool: {self.pooled}\n  - flatten")
        return build_complete(parse_spec(text, f"{self.config}.yaml", self.overrides))


_BRANCH_POOLS = [
    name
    for name, node in load("inception_v3").nodes.items()
    if node.kind in ("avg_pool", "max_pool") and "parallel" in name
]

NETWORKS: dict[str, Network] = {
    "alexnet": Network("alexnet", pooled=6),
    "vgg11": Network("vgg16", pooled=7, overrides=("params.convs=[1, 1, 2, 2, 2]",)),
    "vgg16": Network("vgg16", pooled=7),
    "resnet18": Network("resnet18"),
    "resnet50": Network("resnet50"),
    "wide_resnet50_2": Network("wide_resnet50_2"),
    "resnext50_32x4d": Network("resnext50"),
    "squeezenet1_1": Network("squeezenet1_1"),
    "googlenet": Network("googlenet", {"relu": "function"}),
    "inception_v3": Network("inception_v3", {"relu": "function", **dict.fromkeys(_BRANCH_POOLS, "function")}),
    "densenet121": Network("densenet121", {"relu2": "function", "global_avg_pool": "function"}),
    "mobilenet_v2": Network("mobilenet_v2", {"global_avg_pool": "function"}),
    "mobilenet_v3_small": Network("mobilenet_v3_small"),
    "mobilenet_v3_large": Network("mobilenet_v3_large"),
    "efficientnet_b0": Network("efficientnet_b0"),
    "shufflenet_v2_x1_0": Network("shufflenet_v2_x1_0", {"global_avg_pool": "method"}),
    # LayerNorm2d is a class of torchvision's own.
    "convnext_tiny": Network("convnext_tiny", {f"layer_norm{n}": "function" for n in range(1, 6)}),
}
"""By the names of torchvision's builders."""


@dataclass(frozen=True)
class LayerCase:
    """One layer, behind a convolution or dense layer of four outputs where it has no parameters of its own."""

    shape: tuple[int, ...]
    layers: list[Any]

    def graph(self) -> Graph:
        return netcalc_graph(self.shape, self.layers)


def netcalc_graph(shape: tuple[int, ...], layers: list[Any]) -> Graph:
    """Return the graph of a spec written as data; JSON is YAML."""
    spec = {"name": "layer", "input": list(shape), "layers": layers}
    return build_complete(parse_spec(json.dumps(spec), "layer.yaml"))


_CONV = {"conv": {"filters": 4, "kernel": 1}}
_LINE, _MAP, _VOLUME = (9, 4), (5, 7, 4), (5, 6, 3, 4)


def _behind_conv(shape: tuple[int, ...], layer: Any) -> LayerCase:
    return LayerCase(shape, [_CONV, layer])


_ANY_RANK: dict[str, Any] = {
    "batch_norm": "batch_norm",
    "max_pool": {"max_pool": 2},
    "avg_pool": {"avg_pool": 2},
    "global_avg_pool": "global_avg_pool",
    "global_max_pool": "global_max_pool",
    "upsample_nearest": {"upsample": 2},
    "upsample_bilinear": {"upsample": {"scale": 2, "method": "bilinear"}},
}
_ON_MAPS: dict[str, Any] = {
    "relu": "relu", "relu6": "relu6", "leaky_relu": "leaky_relu", "prelu": "prelu", "elu": "elu", "selu": "selu",
    "celu": "celu", "softplus": "softplus", "silu": "silu", "mish": "mish", "gelu": "gelu", "tanh": "tanh",
    "sigmoid": "sigmoid", "hard_sigmoid": "hard_sigmoid", "hard_swish": "hard_swish", "softsign": "softsign",
    "softmax": "softmax", "log_softmax": "log_softmax", "dropout": "dropout", "pad": {"pad": 1},
    "batch_norm_plain": {"batch_norm": {"scale": False, "shift": False}},
    "group_norm": {"group_norm": 2},
    "instance_norm": "instance_norm",
    "instance_norm_affine": {"instance_norm": {"scale": True, "shift": True}},
    "layer_norm": {"layer_norm": {"axes": "all"}},
    "layer_norm_plain": {"layer_norm": {"axes": "all", "scale": False, "shift": False}},
    "local_response_norm": {"local_response_norm": 5},
    "adaptive_avg_pool": {"adaptive_avg_pool": [2, 3]},
}  # fmt: skip

LAYER_CASES: dict[str, LayerCase] = {
    "conv": LayerCase(_MAP, [_CONV]),
    "depthwise_conv": LayerCase(_MAP, [{"depthwise_conv": {"kernel": 3, "stride": 2, "padding": 1}}]),
    "conv_transpose": LayerCase(
        _MAP, [{"conv_transpose": {"filters": 6, "kernel": 3, "stride": 2, "padding": 1, "output_padding": 1}}]
    ),
    "conv_transpose_groups": LayerCase(
        _MAP, [{"conv_transpose": {"filters": 6, "kernel": 3, "stride": 2, "groups": 2, "bias": False}}]
    ),
    "dense_on_a_map": LayerCase(_MAP, [{"dense": 3}]),
    "dense_without_bias": LayerCase(_MAP, [{"dense": {"units": 3, "bias": False}}]),
    "layer_norm_of_channels": LayerCase(_MAP, [{"dense": 3}, "layer_norm"]),
    "rms_norm": LayerCase(_MAP, [{"dense": 3}, "rms_norm"]),
    "lstm": LayerCase((11, 5), [{"lstm": 7}]),
    "lstm_without_bias": LayerCase((11, 5), [{"lstm": {"units": 7, "bias": False}}]),
    "gru": LayerCase((11, 5), [{"gru": 7}]),
    "local_response_norm_1d": _behind_conv(_LINE, {"local_response_norm": 5}),
    **{name: _behind_conv(_MAP, layer) for name, layer in _ON_MAPS.items()},
    **{
        f"{name}_{len(shape) - 1}d": _behind_conv(shape, layer)
        for name, layer in _ANY_RANK.items()
        for shape in (_LINE, _MAP, _VOLUME)
    },
}


def predicted(graph: Graph, written: Mapping[str, Form]) -> dict[str, dict[str, int | None]]:
    """Return what netcalc says that each tool prints, as `peers.json` writes it."""
    return {
        tool.tool: {"printed": tool.printed, "params": tool.params, "activations": tool.activations}
        for tool in compare_tools(graph, written).tools
    }
