"""The explicit list of layers."""

from __future__ import annotations

from netcalc.layers.activation import Relu, Sigmoid, Softmax, Tanh
from netcalc.layers.base import Layer
from netcalc.layers.conv import Conv
from netcalc.layers.dense import Dense
from netcalc.layers.merge import Add, Concat
from netcalc.layers.norm import BatchNorm
from netcalc.layers.pool import AvgPool, GlobalAvgPool, MaxPool
from netcalc.layers.regularizer import Dropout
from netcalc.layers.shape import Flatten

_CLASSES: tuple[type[Layer], ...] = (
    Conv,
    Dense,
    MaxPool,
    AvgPool,
    GlobalAvgPool,
    BatchNorm,
    Dropout,
    Relu,
    Tanh,
    Sigmoid,
    Softmax,
    Flatten,
    Add,
    Concat,
)

LAYERS: dict[str, type[Layer]] = {layer.kind: layer for layer in _CLASSES}
"""Every layer by the name that specs use."""
