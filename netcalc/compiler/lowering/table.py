"""The explicit table of lowerings: by exact class, so that a subclass never inherits the wrong one in silence."""

from __future__ import annotations

from netcalc.compiler.lowering.activation import lower_relu, lower_sigmoid, lower_softmax, lower_tanh
from netcalc.compiler.lowering.conv import lower_conv
from netcalc.compiler.lowering.dense import lower_dense
from netcalc.compiler.lowering.merge import lower_add, lower_concat
from netcalc.compiler.lowering.norm import lower_batch_norm
from netcalc.compiler.lowering.pool import lower_avg_pool, lower_global_avg_pool, lower_max_pool
from netcalc.compiler.lowering.regularizer import lower_dropout
from netcalc.compiler.lowering.shape import lower_flatten
from netcalc.compiler.lowering.signature import Lowering
from netcalc.layers.activation import Relu, Sigmoid, Softmax, Tanh
from netcalc.layers.base import Layer
from netcalc.layers.conv import Conv
from netcalc.layers.dense import Dense
from netcalc.layers.merge import Add, Concat
from netcalc.layers.norm import BatchNorm
from netcalc.layers.pool import AvgPool, GlobalAvgPool, MaxPool
from netcalc.layers.regularizer import Dropout
from netcalc.layers.shape import Flatten

LOWERINGS: dict[type[Layer], Lowering] = {
    Conv: lower_conv,
    Dense: lower_dense,
    MaxPool: lower_max_pool,
    AvgPool: lower_avg_pool,
    GlobalAvgPool: lower_global_avg_pool,
    BatchNorm: lower_batch_norm,
    Dropout: lower_dropout,
    Relu: lower_relu,
    Tanh: lower_tanh,
    Sigmoid: lower_sigmoid,
    Softmax: lower_softmax,
    Flatten: lower_flatten,
    Add: lower_add,
    Concat: lower_concat,
}
