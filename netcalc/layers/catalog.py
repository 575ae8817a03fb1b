"""The explicit list of layers."""

from __future__ import annotations

from netcalc.layers.activation import Relu, Sigmoid, Softmax, Tanh
from netcalc.layers.base import Layer
from netcalc.layers.conv import Conv, ConvTranspose, DepthwiseConv
from netcalc.layers.dense import Dense
from netcalc.layers.merge import Add, Concat
from netcalc.layers.norm import BatchNorm
from netcalc.layers.pool import AdaptiveAvgPool, AvgPool, GlobalAvgPool, GlobalMaxPool, MaxPool, StochasticPool
from netcalc.layers.recurrent import Gru, Lstm
from netcalc.layers.regularizer import Dropout
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
    Dropout,
    Relu,
    Tanh,
    Sigmoid,
    Softmax,
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
)

LAYERS: dict[str, type[Layer]] = {layer.kind: layer for layer in _CLASSES}
"""Every layer by the name that specs use."""
