"""How XLA:GPU runs convolutions, matrix products and recurrences, forward and backward.

Each reads its input from memory, and keeps it for the gradient of its weights.
"""

from __future__ import annotations

import math

from netcalc.analysis.operations import Buffer, Role
from netcalc.analysis.place import Backward, Place
from netcalc.analysis.split_product import SUM_BYTES, ProductShape, padded_terms, parts_of
from netcalc.analysis.tape import Tape, Value


def convolution(tape: Tape, place: Place, x: Value, elements: int) -> tuple[Value, Backward]:
    """Record a convolution or a recurrence."""
    setup, kernel = tape.setup, place.kernel
    macs, weights = setup.batch * kernel.macs, _weights(place)
    is_convolution = kernel.kind == "conv"
    is_transposed = is_convolution and not place.node.known.window
    source = _read(tape, place, x)
    if is_transposed and tape.training and place.trained:
        source = _exchanged(tape, source)
    held, back = _convolution_weights(tape, place, weights)
    z = tape.written(kernel.kind, elements)
    own = [tape.buffer("kept", setup.batch * kernel.saved_bytes)] if kernel.saved_bytes and tape.training else []
    tape.run(kernel.kind, [source, held], [*z.roots, *own], macs=macs, is_irreplaceable=is_convolution)

    def backward(d: Value) -> list[Value | None]:
        if not (place.trained or place.below):
            return [None]
        dz, turned = tape.stored(d, "dz"), back
        if place.trained:
            _bias_gradient(tape, place, dz)
            again = source
            if setup.remat != "none":
                again = _read(tape, place, x, recalled=True)
                again = _exchanged(tape, again) if is_transposed else again
            dw = tape.buffer("dw", weights * setup.compute_bytes, "weight_gradient")
            tape.run("weight gradient", [again, dz, *own], [dw], macs=macs, is_irreplaceable=is_convolution)
            if turned is None:
                turned = tape.turning_update(dw, weights)
            else:
                tape.update(dw, weights, held)
        if not place.below:
            return [None]
        assert turned is not None
        dx = tape.written("dx", x.elements)
        reads = [_spread(tape, place, dz), turned, *own]
        tape.run("input gradient", reads, dx.roots, macs=macs, is_irreplaceable=is_convolution)
        return [dx]

    return z, backward


def matrix_product(tape: Tape, place: Place, x: Value, elements: int) -> tuple[Value, Backward]:
    """Record the product of an input, positions × channels, and a matrix of weights."""
    setup = tape.setup
    weights = _weights(place)
    terms = setup.batch * place.kernel.macs // elements
    columns = weights // terms
    rows = elements // columns
    values, parameters = setup.compute_bytes, setup.params_bytes
    source = tape.stored(x, "input")
    held = _held(tape, place, weights)
    forward = ProductShape(rows, columns, terms, values, parameters, values)
    z = _multiplied(tape, "gemm", forward, source, held)

    def backward(d: Value) -> list[Value | None]:
        if not (place.trained or place.below):
            return [None]
        dz = tape.stored(d, "dz")
        if place.trained:
            _bias_gradient(tape, place, dz)
            again = source if setup.remat == "none" else tape.recalled(x)
            of_weights = ProductShape(terms, columns, rows, values, values, values)
            dw = _multiplied(tape, "weight gradient", of_weights, again, dz)
            tape.update(dw.roots[0], weights, held)
        if not place.below:
            return [None]
        of_input = ProductShape(rows, terms, columns, values, parameters, values)
        return [_multiplied(tape, "input gradient", of_input, dz, held)]

    return z, backward


def _multiplied(tape: Tape, name: str, shape: ProductShape, left: Buffer, right: Buffer) -> Value:
    """Return a product of two buffers: a buffer, or what its partial sums add up to."""
    parts = parts_of(shape)
    terms = padded_terms(shape, parts)
    if terms != shape.terms:
        left, right = _lengthened(tape, left, shape.rows * terms), _lengthened(tape, right, shape.columns * terms)
    outputs = shape.rows * shape.columns
    role: Role | None = "weight_gradient" if name == "weight gradient" else None
    size_bytes = outputs * (shape.result_bytes if parts == 1 else parts * SUM_BYTES)
    product = tape.buffer(name if parts == 1 else "partial sums", size_bytes, role)
    tape.run(name, [left, right], [product], macs=outputs * shape.terms)
    return Value((product,), outputs, product if parts == 1 else None)


def _lengthened(tape: Tape, operand: Buffer, elements: int) -> Buffer:
    """Return a copy of an operand with zeros at the end of the axis that is summed over."""
    is_weights = operand.role == "copy" or operand.name == "weights"
    role: Role = "copy" if is_weights else "activation" if operand.role == "argument" else operand.role
    longer = tape.buffer("padded", elements * tape.setup.compute_bytes, role)
    run = tape.run_first if is_weights else tape.run
    run("pad", [operand], [longer])
    return longer


def _weights(place: Place) -> int:
    """Return the number of weights that a kernel multiplies by."""
    if place.kernel.weights is not None:
        return place.kernel.weights
    return sum(spec.size for spec in place.node.known.params.values() if spec.role == "weight")


def _held(tape: Tape, place: Place, weights: int) -> Buffer:
    """Return the weights as a product reads them: a copy where they are converted or could be overwritten."""
    if _is_converted(tape):
        return tape.copied_weights(weights)
    if tape.training and place.trained and place.below:
        return tape.kept_weights(weights)
    return tape.weights(weights)


def _convolution_weights(tape: Tape, place: Place, weights: int) -> tuple[Buffer, Buffer | None]:
    """Return the weights as a convolution reads them, and as its input gradient does.

    cuDNN wants those of a transposed convolution, and of one over three axes, in another layout. The input gradient
    of a grouped convolution, and of one with a single tap, is a convolution itself, whose kernel has its axes
    reversed or exchanged. Exchanging them is part of the update, where that need not wait: then the second is None.
    """
    kernel, window = place.kernel, place.node.known.window
    is_pointwise = all(axis.size == axis.stride == 1 for axis in window)
    if kernel.kind == "conv" and len(window) in (0, 3):
        held = tape.copied_weights(weights)
    elif kernel.kind == "conv" and tape.training and place.below and (kernel.groups > 1 or is_pointwise):
        held = tape.copied_weights(weights) if _is_converted(tape) else tape.weights(weights)
        waits = _is_converted(tape) or tape.setup.gradients_wait or kernel.groups > 1
        return held, tape.copied_weights(weights) if waits or not place.trained else None
    else:
        held = _held(tape, place, weights)
    return held, held


def _is_converted(tape: Tape) -> bool:
    return tape.setup.compute_bytes != tape.setup.params_bytes


def _bias_gradient(tape: Tape, place: Place, dz: Buffer) -> None:
    if any(spec.role == "bias" for spec in place.node.known.params.values()):
        tape.run("bias gradient", [dz], [])


def _spread(tape: Tape, place: Place, dz: Buffer) -> Buffer:
    """Return the gradient as the input gradient of a grouped convolution reads it: zeros between and around."""
    window = place.node.known.window
    if place.kernel.groups == 1 or all(axis.stride == 1 and axis.padding[0] == axis.padding[1] for axis in window):
        return dz
    sides = math.prod(axis.input + axis.extent - 1 for axis in window)
    elements = tape.setup.batch * sides * place.node.known.output.channels
    spread = tape.buffer("spread", elements * tape.setup.compute_bytes)
    tape.run("spread", [dz], [spread])
    return spread


def _exchanged(tape: Tape, source: Buffer) -> Buffer:
    """Return the input of a transposed convolution with batch and channels exchanged.

    Its weight gradient is a convolution over the batch, which reads it so.
    """
    exchanged = tape.buffer("exchanged", source.bytes, "activation")
    tape.run("exchange", [source], [exchanged])
    return exchanged


def _read(tape: Tape, place: Place, x: Value, *, recalled: bool = False) -> Buffer:
    """Return the input as a convolution reads it: as it is, or padded where its two margins differ.

    What pads computes the input where that is in no buffer yet. Over three axes cuDNN wants the channels first, as
    everything between such convolutions has them, but not what is handed to the step.
    """
    window = place.node.known.window
    if len(window) == 3 and x.buffer is not None and x.buffer.role == "argument":
        x.buffer = None
        tape.stored(x, "channels first")
    if place.kernel.kind != "conv" or all(axis.padding[0] == axis.padding[1] for axis in window):
        return tape.recalled(x) if recalled else tape.stored(x, "input")
    sides = math.prod(axis.input for axis in window)
    padded = math.prod(axis.input + sum(axis.padding) for axis in window)
    copy = tape.buffer("padded", x.elements // sides * padded * tape.setup.compute_bytes, "activation")
    tape.run("pad", x.roots, [copy])
    return copy
