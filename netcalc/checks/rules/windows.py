"""Rules on sliding windows: kernels, strides and padding."""

from __future__ import annotations

from collections.abc import Iterator

from netcalc.checks.rules.rule import Finding, Subject
from netcalc.units import format_shape


def dropped_pixels(subject: Subject) -> Iterator[Finding]:
    """A stride that does not divide leaves the last pixels of the input unread.

    Why: the side of the output, (N + 2P − F)/S + 1, is then not an integer. It is rounded down, and the pixels
    of the remainder reach no output and no gradient. A stride beyond the kernel, as in the 1×1 projections of
    ResNet, passes over pixels everywhere and is meant.

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
