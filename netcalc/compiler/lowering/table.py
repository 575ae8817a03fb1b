"""The explicit table of lowerings: by exact class, so that a subclass never inherits the wrong one in silence."""

from __future__ import annotations

from netcalc.compiler.lowering.activation import (
    lower_abs,
    lower_celu,
    lower_crelu,
    lower_elu,
    lower_gelu,
    lower_hard_sigmoid,
    lower_hard_swish,
    lower_leaky_relu,
    lower_log_softmax,
    lower_maxout,
    lower_mish,
    lower_prelu,
    lower_relu,
    lower_relu6,
    lower_selu,
    lower_sigmoid,
    lower_silu,
    lower_softmax,
    lower_softplus,
    lower_softsign,
    lower_tanh,
)
from netcalc.compiler.lowering.conv import lower_conv, lower_conv_transpose, lower_depthwise_conv
from netcalc.compiler.lowering.dense import lower_dense
from netcalc.compiler.lowering.merge import lower_add, lower_average, lower_concat, lower_maximum, lower_multiply
from netcalc.compiler.lowering.norm import (
    lower_batch_norm,
    lower_group_norm,
    lower_instance_norm,
    lower_layer_norm,
    lower_local_response_norm,
    lower_rms_norm,
)
from netcalc.compiler.lowering.pool import (
    lower_adaptive_avg_pool,
    lower_avg_pool,
    lower_global_avg_pool,
    lower_global_max_pool,
    lower_max_pool,
    lower_stochastic_pool,
)
from netcalc.compiler.lowering.recurrent import lower_gru, lower_lstm
from netcalc.compiler.lowering.regularizer import lower_drop_path, lower_dropout, lower_spatial_dropout
from netcalc.compiler.lowering.scale import lower_layer_scale
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
    LayerNorm: lower_layer_norm,
    GroupNorm: lower_group_norm,
    InstanceNorm: lower_instance_norm,
    RmsNorm: lower_rms_norm,
    LocalResponseNorm: lower_local_response_norm,
    LayerScale: lower_layer_scale,
    Dropout: lower_dropout,
    SpatialDropout: lower_spatial_dropout,
    DropPath: lower_drop_path,
    Relu: lower_relu,
    Relu6: lower_relu6,
    LeakyRelu: lower_leaky_relu,
    Prelu: lower_prelu,
    Abs: lower_abs,
    Crelu: lower_crelu,
    Maxout: lower_maxout,
    HardSigmoid: lower_hard_sigmoid,
    HardSwish: lower_hard_swish,
    Softsign: lower_softsign,
    Tanh: lower_tanh,
    Sigmoid: lower_sigmoid,
    Elu: lower_elu,
    Selu: lower_selu,
    Celu: lower_celu,
    Softplus: lower_softplus,
    Silu: lower_silu,
    Mish: lower_mish,
    Gelu: lower_gelu,
    Softmax: lower_softmax,
    LogSoftmax: lower_log_softmax,
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
    Multiply: lower_multiply,
    Maximum: lower_maximum,
    Average: lower_average,
}
