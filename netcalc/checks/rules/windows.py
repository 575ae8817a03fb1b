"""Rules on sliding windows: kernels, strides and padding."""

from __future__ import annotations

import math
from collections.abc import Iterator

from netcalc.checks.rules.rule import Finding, Subject
from netcalc.layers.conv import Conv, DepthwiseConv
from netcalc.layers.pool import AvgPool, MaxPool, StochasticPool
from netcalc.layers.window import taps_on_input
from netcalc.units import format_shape

MOST_TAPS = 0.5
"""Share of taps on padding from which more of a kernel is wasted than used."""


def dropped_pixels(subject: Subject) -> Iterator[Finding]:
    """A stride that does not divide leaves the last pixels of the input unread.

    Why: the side of the output, (N + 2P − F)/S + 1, is then not an integer. It is rounded down, and the pixels of
    the remainder reach no output and no gradient. A stride beyond the kernel, as in the 1×1 projections of ResNet,
    passes over pixels everywhere and is meant.

    Example:
        input: [32, 32, 3]
        layers:
          - conv: {filters: 64, kernel: 5, stride: 2}      # (32 − 5)/2 + 1 = 14.5

    Instead:
        input: [33, 33, 3]
        layers:
          - conv: {filters: 64, kernel: 5, stride: 2}      # (33 − 5)/2 + 1 = 15
    """
    for node in subject.windowed:
        window = node.known.window
        lost = [
            max(0, axis.unused - max(0, axis.padding[1])) if axis.stride <= axis.extent else 0 for axis in window
        ]
        if any(lost):
            sides = format_shape(tuple(axis.input for axis in window))
            message = f"the stride of `{node.name}` drops {max(lost)} of the last pixels of its {sides} input"
            sizes = [f"{axis.input - axis.unused} or {axis.input - axis.unused + axis.stride}" for axis in window]
            help = f"sides that fit: {', '.join(dict.fromkeys(sizes))}"
            yield Finding(message, help, node, "stride")


def even_kernel(subject: Subject) -> Iterator[Finding]:
    """A convolution of stride 1 whose kernel has an even side has no centre pixel.

    Why: its outputs lie between the pixels of its input, so that maps cannot keep their size with the same padding
    on both ends, and every such layer moves what it sees by half a pixel. An odd side has a centre. Where the
    kernel strides, as in a layer that cuts an image into patches, or covers the whole map, it is left alone.

    Example:
        input: [32, 32, 3]
        layers:
          - conv: {filters: 16, kernel: 4, padding: same}

    Instead:
        input: [32, 32, 3]
        layers:
          - conv: {filters: 16, kernel: 5, padding: same}
    """
    for node in subject.of_kind("conv", "depthwise_conv"):
        for axis in node.known.window:
            if axis.size % 2 == 0 and axis.stride == 1 and axis.output > 1:
                message = f"the kernel of `{node.name}` has an even side ({axis.size}) and no centre pixel"
                yield Finding(message, f"use {axis.size - 1} or {axis.size + 1}", node, "kernel")
                break


def kernel_beyond_map(subject: Subject) -> Iterator[Finding]:
    """A kernel that is larger than its input multiplies padding.

    Why: where the kernel spans more than the unpadded map, no window lies on the map alone. Its outermost weights
    see zeros in most or all positions: they are parameters and multiplies that do little, and what they learn
    belongs to one size of image.

    Example:
        input: [3, 3, 64]
        layers:
          - conv: {filters: 64, kernel: 5, padding: 2}

    Instead:
        input: [3, 3, 64]
        layers:
          - conv: {filters: 64, kernel: 3, padding: 1}
    """
    for node in subject.windowed:
        window = node.known.window
        if all(axis.extent <= axis.input for axis in window):
            continue
        axis = max(window, key=lambda axis: axis.extent - axis.input)
        share = 1 - math.prod(taps_on_input(axis) / (axis.output * axis.size) for axis in window)
        if share < MOST_TAPS:
            continue
        message = (
            f"the kernel of `{node.name}` spans {axis.extent} pixels of a map of {axis.input}: "
            f"{share:.0%} of its taps fall on padding"
        )
        largest = (axis.input - 1) // axis.dilation + 1
        yield Finding(
            message, f"use a kernel of at most {largest}, or shrink the map less before it", node, "kernel"
        )


def asymmetric_same(subject: Subject) -> Iterator[Finding]:
    """`same` padding under a stride can pad one end more than the other.

    Why: `same` gives ceil(N / S) windows and puts the odd pixel of padding last, as XLA and TensorFlow do. The
    window then sits half a pixel from where symmetric padding, PyTorch's, puts it, and where depends on whether the
    side of the image is even. Weights trained in one form lose accuracy in the other.

    Example:
        input: [32, 32, 3]
        layers:
          - conv: {filters: 16, kernel: 3, stride: 2, padding: same}     # pads 0 before and 1 behind

    Instead:
        input: [32, 32, 3]
        layers:
          - conv: {filters: 16, kernel: 3, stride: 2, padding: 1}
    """
    for node in subject.windowed:
        layer = node.spec.layer
        if not isinstance(layer, Conv | DepthwiseConv | MaxPool | AvgPool | StochasticPool):
            continue
        if layer.padding != "same":
            continue
        for axis in node.known.window:
            low, high = axis.padding
            if axis.stride > 1 and low != high:
                message = f"`same` pads the input of `{node.name}` by {low} before and {high} behind"
                yield Finding(message, f"`padding: {axis.extent // 2}` pads both ends alike", node, "padding")
                break


def skipped_pixels(subject: Subject) -> Iterator[Finding]:
    """A stride beyond the kernel passes over pixels between its windows.

    Why: where the stride is larger than the span of the kernel, the pixels between two windows reach no output. A
    kernel of one pixel with a stride is the projection of a ResNet, known to lose three quarters of its input and
    meant (He et al. 2019, "Bag of tricks", section 4.2, average first); with a larger kernel it is rarely meant.

    Example:
        input: [32, 32, 3]
        layers:
          - conv: {filters: 16, kernel: 2, stride: 3, padding: 1}

    Instead:
        input: [32, 32, 3]
        layers:
          - conv: {filters: 16, kernel: 3, stride: 3, padding: 1}
    """
    for node in subject.windowed:
        for axis in node.known.window:
            if axis.size > 1 and axis.stride > axis.extent and axis.output > 1:
                gap = axis.stride - axis.extent
                message = f"the stride of `{node.name}` passes over {gap} of every {axis.stride} pixels"
                help = f"use a stride of at most {axis.extent}, or a kernel of {axis.stride}"
                yield Finding(message, help, node, "stride")
                break


def window_on_padding(subject: Subject) -> Iterator[Finding]:
    """A convolution padded by its whole kernel has windows that see padding alone.

    Why: the outputs of such windows are the bias and nothing else: a constant border that costs multiplies and
    memory, and that every layer behind it takes for part of the image. A 1×1 kernel needs no padding at all.

    Example:
        input: [32, 32, 3]
        layers:
          - conv: {filters: 16, kernel: 1, padding: 1}

    Instead:
        input: [32, 32, 3]
        layers:
          - conv: {filters: 16, kernel: 1}
    """
    for node in subject.of_kind("conv", "depthwise_conv"):
        for axis in node.known.window:
            low = axis.padding[0]
            if low >= axis.extent or (axis.output - 1) * axis.stride - low >= axis.input:
                message = f"windows of `{node.name}` at the border see padding alone"
                help = f"pad by at most {axis.extent - 1}" if axis.extent > 1 else "leave the padding out"
                yield Finding(message, help, node, "padding")
                break
