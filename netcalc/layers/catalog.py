"""The explicit list of layers."""

from __future__ import annotations

from netcalc.layers.activation import (
    Abs,
    Celu,
    Crelu,
    Elu,
    Gelu,
    HardSigmoid,
    HardSwish,
    LeakyRelu,
    LogSoftmax,
    Maxout,
    Mish,
    Prelu,
    Relu,
    Relu6,
    Selu,
    Sigmoid,
    Silu,
    Softmax,
    Softplus,
    Softsign,
    Tanh,
)
from netcalc.layers.base import Layer
from netcalc.layers.conv import Conv
from netcalc.layers.dense import Dense
from netcalc.layers.merge import Add, Average, Concat, Maximum, Multiply
from netcalc.layers.norm import BatchNorm, GroupNorm, InstanceNorm, LayerNorm, LocalResponseNorm, RmsNorm
from netcalc.layers.pool import AvgPool, GlobalAvgPool, MaxPool
from netcalc.layers.regularizer import Dropout, DropPath, SpatialDropout
from netcalc.layers.scale import LayerScale
from netcalc.layers.shape import Flatten

_CLASSES: tuple[type[Layer], ...] = (
    Conv,
    Dense,
    MaxPool,
    AvgPool,
    GlobalAvgPool,
    BatchNorm,
    LayerNorm,
    GroupNorm,
    InstanceNorm,
    RmsNorm,
    LocalResponseNorm,
    LayerScale,
    Dropout,
    SpatialDropout,
    DropPath,
    Relu,
    Relu6,
    LeakyRelu,
    Prelu,
    Abs,
    Crelu,
    Maxout,
    HardSigmoid,
    HardSwish,
    Softsign,
    Tanh,
    Sigmoid,
    Elu,
    Selu,
    Celu,
    Softplus,
    Silu,
    Mish,
    Gelu,
    Softmax,
    LogSoftmax,
    Flatten,
    Add,
    Concat,
    Multiply,
    Maximum,
    Average,
)

LAYERS: dict[str, type[Layer]] = {layer.kind: layer for layer in _CLASSES}
"""Every layer by the name that specs use."""
