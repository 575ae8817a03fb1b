"""How XLA:GPU runs each kind of kernel, forward and backward: which buffers it reads, writes and keeps.

Every function records the forward operations of one kernel and returns its output with its backward pass: a
function that records those in turn and returns the gradients of the kernel's inputs.
"""

from __future__ import annotations

from netcalc.analysis.operations import Buffer
from netcalc.analysis.place import Backward, Place
from netcalc.analysis.products import convolution, matrix_product
from netcalc.analysis.tape import Roots, Tape, Value, union
from netcalc.layers.base import Kernel

SMALL_SUM = 4096
"""Terms up to which XLA sums each channel in one kernel; batch norm then stores x − mean."""


def record(tape: Tape, place: Place, inputs: list[Value], elements: int) -> tuple[Value, Backward]:
    """Record one kernel that gives so many elements."""
    kernel = place.kernel
    match kernel.kind:
        case "conv" | "scan":
            return convolution(tape, place, inputs[0], elements)
        case "gemm":
            return matrix_product(tape, place, inputs[0], elements)
        case "window" if kernel.saves == "input" and not place.node.known.window:
            return _neighbours(tape, inputs[0], elements)
        case "window":
            return _window(tape, place, inputs[0], elements)
        case "reduce" if not kernel.statistics:
            return _reduction(tape, kernel, inputs[0], elements)
        case "move":
            return Value(union(*(x.roots for x in inputs)), elements), _rearranged_back(inputs)
        case _ if tape.training and (kernel.statistics or (kernel.batch_statistics and place.node.spec.trainable)):
            return _normalisation(tape, place, inputs[0], elements)
        case _:
            return _elementwise(tape, place, inputs, elements)


def _neighbours(tape: Tape, x: Value, elements: int) -> tuple[Value, Backward]:
    """Sums over neighbouring channels: computed anew, from the stored input, by what reads them."""
    stored = tape.stored(x, "input")

    def backward(d: Value) -> list[Value | None]:
        weighted = tape.buffer("weighted", x.elements * tape.setup.compute_bytes)
        tape.run("weigh", union(d.roots, (stored,)), [weighted])
        return [Value(union((weighted,), d.roots, (stored,)), x.elements)]

    return Value((stored,), elements), backward


def _window(tape: Tape, place: Place, x: Value, elements: int) -> tuple[Value, Backward]:
    """A pool: writes its output and, where one tap wins, which."""
    kernel = place.kernel
    y = tape.written("pool", elements)
    overlapping = any(axis.size > axis.stride for axis in place.node.known.window)
    y.rereads = tape.setup.compute_bytes == 2 if overlapping else len(x.roots) > 1
    kept: Roots = ()
    if tape.training and kernel.saves == "own":
        kept = (tape.buffer("index", tape.setup.batch * kernel.saved_bytes),)
    tape.run("pool", x.roots, [*y.roots, *kept])
    forgotten = tape.forgets

    def backward(d: Value) -> list[Value | None]:
        seen = x.roots if kernel.saves == "input" else kept
        if forgotten and kept:
            seen = (tape.buffer("index", kept[0].bytes, "activation"),)
            tape.recompute(x.roots, seen[0])
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
        return [Value((*union(d.roots, roots), sums), x.elements)]

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
        tape.run("products", [dy, centred, statistics], [sums, product, other], in_place=True)
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
    if _is_done_by_convolution(tape, place, roots):
        y = Value(roots, elements, roots[0])
    else:
        y = _kept_where_needed(tape, place, Value(roots, elements))
    pooled = inputs[0] if place.keeps_output and inputs[0].buffer and inputs[0].buffer.name == "pool" else None
    sign = (tape.buffer("sign", elements),) if pooled and not tape.forgets else ()
    position, compared = tape.position, y.roots

    def backward(d: Value) -> list[Value | None]:
        if pooled and (pooled.rereads or not _is_rearranged(tape, d)):
            d = Value(union(d.roots, y.roots), d.elements)
            tape.stored(d, "dy")
            return [d]
        if sign:
            tape.run_earlier(position, sign[0].node, "compare", compared, sign)
        seen = kept or sign
        # The derivative of a ReLU follows from its input in JAX, and from its output in the lean form.
        reads_output = place.keeps_output or kernel.transcendentals
        if kernel.saves == "input" or (kernel.saves == "output" and not reads_output):
            seen = union(kept, roots)
        elif kernel.saves == "output" and not seen:
            seen = y.roots
        return [Value(union(d.roots, seen), x.elements) for x in inputs]

    return y, backward


def _is_done_by_convolution(tape: Tape, place: Place, roots: Roots) -> bool:
    """Tell whether cuDNN's convolution does it, which adds a bias and applies a ReLU that keeps its output."""
    is_bias = place.kernel is not place.node.known.kernels[0]
    is_relu = place.keeps_output and place.alone and not place.kernel.transcendentals and not tape.forgets
    return len(roots) == 1 and roots[0].name == "conv" and (is_bias or is_relu)


def _kept_where_needed(tape: Tape, place: Place, y: Value) -> Value:
    if place.shared or place.keeps_output:
        tape.stored(y, "output")
    return y


def _is_rearranged(tape: Tape, value: Value) -> bool:
    """Tell whether computing a value anew reads no more bytes than the value itself, as of a concatenation."""
    return sum(root.bytes for root in value.roots) <= 1.01 * value.elements * tape.setup.compute_bytes
