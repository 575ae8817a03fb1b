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
from netcalc.layers.conv import Conv, ConvTranspose, DepthwiseConv
from netcalc.layers.dense import Dense
from netcalc.layers.merge import Add, Average, Concat, Maximum, Multiply
from netcalc.layers.norm import BatchNorm, GroupNorm, InstanceNorm, LayerNorm, LocalResponseNorm, RmsNorm
from netcalc.layers.pool import AdaptiveAvgPool, AvgPool, GlobalAvgPool, GlobalMaxPool, MaxPool, StochasticPool
from netcalc.layers.recurrent import Gru, Lstm
from netcalc.layers.regularizer import Dropout, DropPath, SpatialDropout
from netcalc.layers.scale import LayerScale
from netcalc.layers.shape import ChannelShuffle, Crop, Flatten, Pad, Reshape, Slice, Upsample

_CLASSES: tuple[type[Layer], ...] = (
    Conv,
    DepthwiseConv,
    ConvTranspose,
    Dense,
    MaxPool,
    AvgPool,
    StochasticPool,
    AdaptiveAvgPool,
    GlobalAvgPool,
    GlobalMaxPool,
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
    Lstm,
    Gru,
    Flatten,
    Reshape,
    Pad,
    Crop,
    Slice,
    ChannelShuffle,
    Upsample,
    Add,
    Concat,
    Multiply,
    Maximum,
    Average,
)

LAYERS: dict[str, type[Layer]] = {layer.kind: layer for layer in _CLASSES}
"""Every layer by the name that specs use."""
