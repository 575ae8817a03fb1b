"""How XLA:GPU runs each kind of kernel, forward and backward: which buffers it reads, writes and keeps.

Every function records the forward operations of one kernel and returns its output with its backward pass: a
function that records those in turn and returns the gradients of the kernel's inputs.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from netcalc.analysis.operations import Buffer
from netcalc.analysis.tape import Roots, Tape, Value, union
from netcalc.graph import Node
from netcalc.layers.base import Kernel

SMALL_SUM = 4096
"""Terms up to which XLA sums each channel in one kernel; batch norm then stores x − mean."""

Backward = Callable[[Value], "list[Value | None]"]
"""The gradients of a kernel's inputs, from that of its output; None where none is taken."""


@dataclass(frozen=True, slots=True)
class Place:
    """A kernel in its network.

    `trained` and `below` tell whether its parameters are trained, and whether anything before it is; `shared`
    whether several nodes read the output; `keeps_output` whether the lean form lets it keep its output.
    """

    node: Node
    kernel: Kernel
    trained: bool
    below: bool
    shared: bool
    keeps_output: bool


def record(tape: Tape, place: Place, inputs: list[Value], elements: int) -> tuple[Value, Backward]:
    """Record one kernel that gives so many elements."""
    kernel = place.kernel
    match kernel.kind:
        case "conv" | "gemm" | "scan":
            return _product(tape, place, inputs[0], elements)
        case "window":
            return _window(tape, kernel, inputs[0], elements)
        case "reduce" if not kernel.statistics:
            return _reduction(tape, kernel, inputs[0], elements)
        case "move":
            return Value(union(*(x.roots for x in inputs)), elements), _rearranged_back(inputs)
        case _ if tape.training and (kernel.statistics or (kernel.batch_statistics and place.node.spec.trainable)):
            return _normalisation(tape, place, inputs[0], elements)
        case _:
            return _elementwise(tape, place, inputs, elements)


def _product(tape: Tape, place: Place, x: Value, elements: int) -> tuple[Value, Backward]:
    """A convolution, matrix product or recurrence: reads its input from memory, and keeps it for its weights."""
    setup, kernel, facts = tape.setup, place.kernel, place.node.known
    macs = setup.batch * kernel.macs
    weights = kernel.weights
    if weights is None:
        weights = sum(spec.size for spec in facts.params.values() if spec.role == "weight")
    has_bias = any(spec.role == "bias" for spec in facts.params.values())
    is_transposed = kernel.kind == "conv" and not facts.window
    source = _padded(tape, place, tape.stored(x, "input"), x)
    if is_transposed and tape.training and place.trained:
        source = _turned(tape, source)
    is_copied = is_transposed or setup.compute_bytes != setup.params_bytes
    held = tape.copied_weights(weights) if is_copied else tape.weights(weights)
    z = tape.written(kernel.kind, elements)
    own = [tape.buffer("kept", setup.batch * kernel.saved_bytes)] if kernel.saved_bytes and tape.training else []
    tape.run(kernel.kind, [source, held], [*z.roots, *own], macs=macs)

    def backward(d: Value) -> list[Value | None]:
        if not (place.trained or place.below):
            return [None]
        dz = tape.stored(d, "dz", in_place=d.replaces and not has_bias)
        if place.trained:
            if has_bias:
                tape.run("bias gradient", [dz], [])
            again = source
            if setup.remat != "none":
                again = _padded(tape, place, tape.recalled(x), x)
                again = _turned(tape, again) if is_transposed else again
            dw = tape.buffer("dw", weights * setup.compute_bytes, "weight_gradient")
            tape.run("weight gradient", [again, dz, *own], [dw], macs=macs)
            tape.update(dw, weights)
        if not place.below:
            return [None]
        dx = tape.written("dx", x.elements)
        tape.run("input gradient", [dz, held, *own], dx.roots, macs=macs)
        return [dx]

    return z, backward


def _turned(tape: Tape, source: Buffer) -> Buffer:
    """Return the input of a transposed convolution with batch and channels exchanged.

    Its weight gradient is a convolution over the batch, which reads it so.
    """
    turned = tape.buffer("turned", source.bytes, "activation")
    tape.run("turn", [source], [turned])
    return turned


def _padded(tape: Tape, place: Place, stored: Buffer, x: Value) -> Buffer:
    """Return the input that a convolution reads: a padded copy where its two margins differ."""
    window = place.node.known.window
    if place.kernel.kind != "conv" or all(axis.padding[0] == axis.padding[1] for axis in window):
        return stored
    sides = math.prod(axis.input for axis in window)
    padded = math.prod(axis.input + sum(axis.padding) for axis in window)
    copy = tape.buffer("padded", x.elements // sides * padded * tape.setup.compute_bytes, "activation")
    tape.run("pad", [stored], [copy])
    return copy


def _window(tape: Tape, kernel: Kernel, x: Value, elements: int) -> tuple[Value, Backward]:
    """A pool: writes its output and, where one tap wins, which."""
    y = tape.written("pool", elements)
    kept: Roots = ()
    if tape.training and kernel.saves == "own":
        kept = (tape.buffer("index", tape.setup.batch * kernel.saved_bytes),)
    tape.run("pool", x.roots, [*y.roots, *kept])
    forgotten = tape.forgets

    def backward(d: Value) -> list[Value | None]:
        seen = x.roots if kernel.saves == "input" else kept
        if forgotten and kept:
            seen = (tape.buffer("index", kept[0].bytes, "activation"),)
            tape.run("recompute", x.roots, seen)
        return [Value(union(d.roots, seen), x.elements)]

    return y, backward


def _reduction(tape: Tape, kernel: Kernel, x: Value, elements: int) -> tuple[Value, Backward]:
    """A sum, maximum or softmax over some axes."""
    y = tape.written("reduce", elements)
    tape.run("reduce", x.roots, y.roots)
    seen = {"input": x.roots, "output": y.roots}.get(kernel.saves, ())

    def backward(d: Value) -> list[Value | None]:
        return [Value(union((tape.stored(d, "dz"),), seen), x.elements)]

    return y, backward


def _rearranged_back(inputs: list[Value]) -> Backward:
    """Return the backward pass of what only moves elements: each gradient is a part of the output's."""

    def backward(d: Value) -> list[Value | None]:
        return [Value(d.roots, x.elements) for x in inputs]

    return backward


def _normalisation(tape: Tape, place: Place, x: Value, elements: int) -> tuple[Value, Backward]:
    """A norm in training: sums over its input, then each element; the same again backward."""
    kernel = place.kernel
    # A concatenation can be read piece by piece; anything else is stored, as two kernels read it.
    if x.buffer is None and not _is_rearranged(tape, x):
        tape.stored(x, "norm input")
    taken = tape.setup.batch * kernel.statistics + kernel.batch_statistics
    statistics = tape.buffer("statistics", 4 * taken)
    tape.run("statistics", x.roots, [statistics])
    terms = elements // place.node.known.output.channels
    if kernel.batch_statistics and terms <= SMALL_SUM and not tape.forgets:
        return _centred_normalisation(tape, place, x, statistics)
    roots = (*x.roots, statistics)
    y = _kept_where_needed(tape, place, Value(roots, elements))

    def backward(d: Value) -> list[Value | None]:
        sums = tape.buffer("sums", statistics.bytes)
        tape.run("sums", union(d.roots, roots), [sums])
        return [Value((*union(d.roots, roots), sums), x.elements, replaces=d.buffer is not None)]

    return y, backward


def _centred_normalisation(tape: Tape, place: Place, x: Value, statistics: Buffer) -> tuple[Value, Backward]:
    """Batch norm over few positions: x − mean is stored, and backward the products whose sums are taken."""
    centred = tape.buffer("centred", 4 * x.elements)
    tape.run("centre", [*x.roots, statistics], [centred], in_place=True)
    y = _kept_where_needed(tape, place, Value((centred, statistics), x.elements))

    def backward(d: Value) -> list[Value | None]:
        dy = tape.stored(d, "dy")
        sums = tape.buffer("sums", statistics.bytes)
        product, other = (tape.buffer("product", 4 * x.elements) for _ in range(2))
        tape.run("products", [dy, centred, statistics], [sums, product, other])
        tape.run("sums", [other], [])
        return [Value((product, centred, sums), x.elements)]

    return y, backward


def _elementwise(tape: Tape, place: Place, inputs: list[Value], elements: int) -> tuple[Value, Backward]:
    """A function of each element: fused into its reader, unless it is kept or several read it."""
    kernel = place.kernel
    roots = union(*(x.roots for x in inputs))
    kept: Roots = ()
    if tape.training and kernel.saves == "own":
        kept = (tape.buffer("mask", tape.setup.batch * kernel.saved_bytes),)
        tape.run("mask", [], kept)
        roots = union(roots, kept)
    y = _kept_where_needed(tape, place, Value(roots, elements))
    pooled = inputs[0].buffer
    if place.keeps_output and pooled is not None and pooled.name == "pool" and not tape.forgets:
        kept = (tape.buffer("sign", elements),)
        tape.run("compare", y.roots, kept)

    def backward(d: Value) -> list[Value | None]:
        seen = kept
        if kernel.saves == "input":
            seen = union(kept, roots)
        elif kernel.saves == "output" and not kept:
            seen = y.roots
        return [Value(union(d.roots, seen), x.elements) for x in inputs]

    return y, backward


def _kept_where_needed(tape: Tape, place: Place, y: Value) -> Value:
    if place.shared or place.keeps_output:
        tape.stored(y, "output")
    return y


def _is_rearranged(tape: Tape, value: Value) -> bool:
    """Tell whether computing a value anew reads no more bytes than the value itself, as of a concatenation."""
    return sum(root.bytes for root in value.roots) <= 1.01 * value.elements * tape.setup.compute_bytes
