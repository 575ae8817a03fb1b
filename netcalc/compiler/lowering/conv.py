"""Convolution."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import lax

from netcalc.compiler.context import Context
from netcalc.compiler.lowering.signature import Arrays
from netcalc.graph import Node
from netcalc.layers.base import TensorType
from netcalc.layers.conv import Conv, ConvTranspose
from netcalc.layers.window import transposed_windows

SPATIAL = {1: "W", 2: "HW", 3: "DHW"}


def lower_conv(
    node: Node, params: Arrays, state: Arrays, /, *inputs: jax.Array, ctx: Context
) -> tuple[jax.Array, Arrays]:
    """Cross-correlation over all spatial axes, kernel in HWIO order."""
    layer = node.spec.layer
    assert isinstance(layer, Conv)
    return _windowed(node, params, *inputs, groups=layer.groups), {}


def lower_depthwise_conv(
    node: Node, params: Arrays, state: Arrays, /, *inputs: jax.Array, ctx: Context
) -> tuple[jax.Array, Arrays]:
    """Cross-correlation of each channel with its own filters."""
    (x,) = inputs
    return _windowed(node, params, x, groups=x.shape[-1]), {}


def lower_conv_transpose(
    node: Node, params: Arrays, state: Arrays, /, *inputs: jax.Array, ctx: Context
) -> tuple[jax.Array, Arrays]:
    """y[S·i − P + d·t] += x[i] · w[t]: a convolution of the input spread S apart with the kernel turned round.

    The named scope tells readers of the jaxpr that it is a transposed one, which at stride 1 nothing else does.
    """
    (x,) = inputs
    layer = node.spec.layer
    assert isinstance(layer, ConvTranspose)
    axes = transposed_windows(
        TensorType(x.shape[1:]),
        kernel=layer.kernel,
        stride=layer.stride,
        padding=layer.padding,
        dilation=layer.dilation,
        output_padding=layer.output_padding,
    )
    kernel = jnp.flip(params["kernel"], range(len(axes)))
    with jax.named_scope("conv_transpose"):
        y = _convolve(
            x,
            kernel,
            strides=[1] * len(axes),
            padding=[(a.extent - 1 - a.padding[0], a.extent - 1 - a.padding[1] + a.trailing) for a in axes],
            spread=[a.stride for a in axes],
            dilation=[a.dilation for a in axes],
            groups=layer.groups,
        )
    return _biased(y, params), {}


def _windowed(node: Node, params: Arrays, x: jax.Array, *, groups: int) -> jax.Array:
    window = node.known.window
    y = _convolve(
        x,
        params["kernel"],
        strides=[axis.stride for axis in window],
        padding=[axis.padding for axis in window],
        spread=[1] * len(window),
        dilation=[axis.dilation for axis in window],
        groups=groups,
    )
    return _biased(y, params)


def _convolve(
    x: jax.Array,
    kernel: jax.Array,
    *,
    strides: Sequence[int],
    padding: Sequence[tuple[int, int]],
    spread: Sequence[int],
    dilation: Sequence[int],
    groups: int,
) -> jax.Array:
    axes = SPATIAL[len(strides)]
    return lax.conv_general_dilated(
        x,
        kernel.astype(x.dtype),
        window_strides=strides,
        padding=padding,
        lhs_dilation=spread,
        rhs_dilation=dilation,
        feature_group_count=groups,
        dimension_numbers=(f"N{axes}C", f"{axes}IO", f"N{axes}C"),
    )


def _biased(y: jax.Array, params: Arrays) -> jax.Array:
    return y + params["bias"].astype(y.dtype) if "bias" in params else y
