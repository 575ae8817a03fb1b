"""The explicit table of lowerings: by exact class, so that a subclass never inherits the wrong one in silence."""

from __future__ import annotations

from netcalc.compiler.lowering.activation import lower_relu, lower_sigmoid, lower_softmax, lower_tanh
from netcalc.compiler.lowering.conv import lower_conv, lower_conv_transpose, lower_depthwise_conv
from netcalc.compiler.lowering.dense import lower_dense
from netcalc.compiler.lowering.merge import lower_add, lower_concat
from netcalc.compiler.lowering.norm import lower_batch_norm
from netcalc.compiler.lowering.pool import (
    lower_adaptive_avg_pool,
    lower_avg_pool,
    lower_global_avg_pool,
    lower_global_max_pool,
    lower_max_pool,
    lower_stochastic_pool,
)
from netcalc.compiler.lowering.recurrent import lower_gru, lower_lstm
from netcalc.compiler.lowering.regularizer import lower_dropout
from netcalc.compiler.lowering.shape import (
    lower_channel_shuffle,
    lower_crop,
    lower_flatten,
    lower_pad,
    lower_reshape,
    lower_slice,
    lower_upsample,
)
from netcalc.compiler.lowering.signature import Lowering
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

LOWERINGS: dict[type[Layer], Lowering] = {
    Conv: lower_conv,
    DepthwiseConv: lower_depthwise_conv,
    ConvTranspose: lower_conv_transpose,
    Dense: lower_dense,
    MaxPool: lower_max_pool,
    AvgPool: lower_avg_pool,
    StochasticPool: lower_stochastic_pool,
    AdaptiveAvgPool: lower_adaptive_avg_pool,
    GlobalAvgPool: lower_global_avg_pool,
    GlobalMaxPool: lower_global_max_pool,
    BatchNorm: lower_batch_norm,
    Dropout: lower_dropout,
    Relu: lower_relu,
    Tanh: lower_tanh,
    Sigmoid: lower_sigmoid,
    Softmax: lower_softmax,
    Lstm: lower_lstm,
    Gru: lower_gru,
    Flatten: lower_flatten,
    Reshape: lower_reshape,
    Pad: lower_pad,
    Crop: lower_crop,
    Slice: lower_slice,
    ChannelShuffle: lower_channel_shuffle,
    Upsample: lower_upsample,
    Add: lower_add,
    Concat: lower_concat,
}
