"""A kernel in its network, and what recording it gives beside its output."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from netcalc.analysis.tape import Value
from netcalc.graph import Node
from netcalc.layers.base import Kernel

Backward = Callable[[Value], "list[Value | None]"]
"""The gradients of a kernel's inputs, from that of its output; None where none is taken."""


@dataclass(frozen=True, slots=True)
class Place:
    """A kernel in its network.

    `trained` and `below` tell whether its parameters are trained, and whether anything before it is; `shared`
    whether several nodes read the output, `alone` whether no other reads its inputs; `keeps_output` whether the
    lean form lets it keep its output.
    """

    node: Node
    kernel: Kernel
    trained: bool
    below: bool
    shared: bool
    alone: bool
    keeps_output: bool
