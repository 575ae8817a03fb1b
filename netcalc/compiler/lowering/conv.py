"""Convolution."""

from __future__ import annotations

import jax
from jax import lax

from netcalc.compiler.context import Context
from netcalc.compiler.lowering.signature import Arrays
from netcalc.graph import Node
from netcalc.layers.conv import Conv

SPATIAL = {1: "W", 2: "HW", 3: "DHW"}


def lower_conv(
    node: Node, params: Arrays, state: Arrays, /, *inputs: jax.Array, ctx: Context
) -> tuple[jax.Array, Arrays]:
    """Cross-correlation over all spatial axes, kernel in HWIO order."""
    (x,) = inputs
    layer = node.spec.layer
    assert isinstance(layer, Conv)
    window = node.known.window
    axes = SPATIAL[len(window)]
    y = lax.conv_general_dilated(
        x,
        params["kernel"],
        window_strides=[axis.stride for axis in window],
        padding=[axis.padding for axis in window],
        rhs_dilation=[axis.dilation for axis in window],
        feature_group_count=layer.groups,
        dimension_numbers=(f"N{axes}C", f"{axes}IO", f"N{axes}C"),
    )
    return (y + params["bias"] if layer.bias else y), {}
