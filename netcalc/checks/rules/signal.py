"""How large signals are before training, from the initialisation alone."""

from __future__ import annotations

import math
from collections.abc import Mapping

from netcalc.checks.rules.kinds import NORMS
from netcalc.graph import Graph, Node
from netcalc.layers.activation import LeakyRelu
from netcalc.layers.base import ParamSpec
from netcalc.layers.initializer import Constant, Normal, Orthogonal, Uniform, VarianceScaling

LARGEST = 300.0
"""log2 of the scales that are told apart; the product of a few of them is still a floating-point number."""

_HALVES = frozenset(("relu", "relu6", "silu", "gelu", "mish", "hard_swish", "crelu"))
"""E[f(x)²] = E[x²] / 2 for a symmetric x: exact for ReLU, near for its smooth forms."""
_BOUNDED = {"tanh": 0.0, "softsign": 0.0, "sigmoid": -2.0, "hard_sigmoid": -2.0}
"""log2 of the most, for tanh, or the least, for sigmoid, that E[f(x)²] is."""
_WEIGHTED = frozenset(("conv", "depthwise_conv", "conv_transpose", "dense"))
_SCALED = frozenset((*NORMS, "lstm", "gru", "softmax", "log_softmax", "softplus"))
"""Layers whose output has a scale of its own, whatever that of the input is."""


def signal_scales(graph: Graph) -> Mapping[str, float]:
    """Return log2 of E[x²] of what each node gives before training, for inputs with E[x²] = 1.

    E[y²] = fan_in · Var(w) · E[x²] for a layer with weights, half of it behind a ReLU (He et al. 2015, eq. 5 to 9).
    Correlations between positions, and so what pools and padding change, are left aside. Nodes behind unknown facts
    are left out.
    """
    scales = dict.fromkeys(graph.inputs, 0.0)
    for node in graph.nodes.values():
        if node.facts is None or any(name not in scales for name in node.inputs):
            continue
        scales[node.name] = _after(node, [scales[name] for name in node.inputs])
    return scales


def _after(node: Node, inputs: list[float]) -> float:
    kind, largest = node.kind, max(inputs)
    if kind in _WEIGHTED:
        return _weighted(node.known.params, largest)
    if kind in _HALVES:
        return largest - 1
    if kind in _SCALED:
        return 0.0
    if kind in _BOUNDED:
        return min(largest, 0.0) if _BOUNDED[kind] == 0 else _BOUNDED[kind]
    if kind == "add":
        return largest + math.log2(sum(2.0 ** (scale - largest) for scale in inputs))
    layer = node.spec.layer
    if isinstance(layer, LeakyRelu):
        return min(largest + math.log2((1 + layer.slope * layer.slope) / 2), LARGEST)
    return largest


def _weighted(params: Mapping[str, ParamSpec], scale: float) -> float:
    """Return the scale behind a product with weights and a bias."""
    bias = params.get("bias")
    power = 2.0**scale * params["kernel"].fan_in * _power(params["kernel"])
    if bias is not None:
        power += _power(bias)
    return min(max(math.log2(power), -LARGEST), LARGEST) if power > 0 else -LARGEST


def _power(param: ParamSpec) -> float:
    """Return E[w²] of a parameter as it starts, no more than floating point goes on with."""
    power = _second_moment(param)
    return power if power < 2.0**LARGEST else 2.0**LARGEST


def _second_moment(param: ParamSpec) -> float:
    match param.init.chosen:
        case Constant(value=value):
            return value * value
        case Uniform(low=low, high=high):
            return low * low / 3 + low * high / 3 + high * high / 3
        case Normal(mean=mean, std=std):
            return mean * mean + std * std
        case VarianceScaling(scale=scale, fan=fan):
            return scale / (param.fan_in if fan == "in" else (param.fan_in + param.fan_out) / 2)
        case Orthogonal(gain=gain):
            rows, columns = param.size // param.shape[-1], param.shape[-1]
            return gain * gain / max(rows, columns)
    raise AssertionError(f"{param.init.kind} has no known scale")
