"""The operations of a training step as XLA runs them on a GPU, with the buffers they read and write.

Convolutions, matrix products, pools and reductions are operations; elementwise work is fused into what reads it.
So an elementwise value is no buffer but a set of buffers that it can be computed from, its roots, until a
convolution or a product needs it in memory. The schedule is built from the layers' facts: forward in the graph's
order, backward in the reverse of it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from netcalc.analysis.setup import Setup
from netcalc.graph import Graph, Node
from netcalc.layers.base import Kernel
from netcalc.lean import lean_form

Role = Literal["argument", "activation", "gradient", "weight_gradient", "copy"]
Phase = Literal["forward", "backward", "update"]

ALIGNMENT = 128
"""Bytes that XLA rounds the size of a buffer up to."""


SMALL_SUM = 4096
"""Terms up to which XLA sums each channel in one kernel; batch norm then stores x − mean."""


@dataclass(frozen=True, eq=False, slots=True)
class Buffer:
    """A piece of memory that one operation writes; buffers are told apart by identity.

    Roles: an argument of the step, which is not allocated by it; an activation; the gradient of one; that of a
    parameter; a copy of an argument in another layout or precision.
    """

    name: str
    node: str
    bytes: int
    role: Role


@dataclass(frozen=True, slots=True)
class Operation:
    """One kernel launch. `in_place` tells whether its output may replace an input that nobody reads again."""

    name: str
    node: str
    phase: Phase
    reads: tuple[Buffer, ...]
    writes: tuple[Buffer, ...]
    in_place: bool = False
    macs: int = 0
    flops: int = 0


_Roots = tuple[Buffer, ...]
"""Buffers that a value can be computed from, each once."""


@dataclass(eq=False, slots=True)
class _Value:
    """A tensor: what it can be computed from, and the buffer that holds it, where one does."""

    roots: _Roots
    elements: int
    buffer: Buffer | None = None
    replaces: bool = True
    """Whether the operation that stores it may take the place of a root: not if it takes sums beside."""


_Backward = Callable[[_Value], "list[_Value | None]"]
"""The gradients of a kernel's inputs, from that of its output."""


def training_schedule(graph: Graph, setup: Setup) -> tuple[Operation, ...]:
    """Return the operations of one training step of a complete graph, in order."""
    return _Builder(graph, setup, training=True).build()


def inference_schedule(graph: Graph, setup: Setup) -> tuple[Operation, ...]:
    """Return the operations of one forward pass at inference."""
    return _Builder(graph, setup, training=False).build()


@dataclass
class _Builder:
    graph: Graph
    setup: Setup
    training: bool
    operations: list[Operation] = field(default_factory=list)
    values: dict[str, _Value] = field(default_factory=dict)
    trained_below: dict[str, bool] = field(default_factory=dict)
    deferred: list[Callable[[], None]] = field(default_factory=list)
    updates: list[tuple[Buffer, int]] = field(default_factory=list)
    copies: list[Buffer] = field(default_factory=list)
    recomputed: dict[_Value, Buffer] = field(default_factory=dict)
    keep_output: frozenset[str] = frozenset()
    node: str = ""
    phase: Phase = "forward"

    def build(self) -> tuple[Operation, ...]:
        graph, setup = self.graph, self.setup
        outputs = setup.outputs if self.training else graph.inference_outputs
        needed = graph.needed_for(outputs)
        nodes: Mapping[str, Node] = graph.nodes
        if self.training and setup.lean:
            form = lean_form(graph, outputs)
            nodes, self.keep_output = form.graph.nodes, form.keep_output
        order = [nodes[name] for name in nodes if name in needed]
        for name, type in graph.inputs.items():
            self.values[name] = self._input(name, type.size)
            self.trained_below[name] = False
        backward = {node.name: self._forward(node) for node in order}
        if not self.training:
            for name in outputs:
                self.node = name
                self._stored(self.values[name])
            return self._finished()
        gradients = self._loss(outputs)
        self.phase = "backward"
        for node in reversed(order):
            self._backward(node, backward[node.name], gradients)
        for weight_gradient in self.deferred:
            weight_gradient()
        self.phase = "update"
        if setup.gradients_wait:
            self._run("norm", [gradient for gradient, _ in self.updates], [])
            for gradient, weights in self.updates:
                self.node = gradient.node
                self._run_update(gradient, weights)
        return self._finished()

    def _finished(self) -> tuple[Operation, ...]:
        """Return the operations after those that copy weights, which depend on nothing and come first."""
        copies = (
            Operation(
                "copy", copy.node, "forward", (Buffer("weights", copy.node, 2 * copy.bytes, "argument"),), (copy,)
            )
            for copy in self.copies
        )
        return (*copies, *self.operations)

    # Values and buffers

    def _buffer(self, name: str, bytes: int, role: Role) -> Buffer:
        return Buffer(name, self.node, -(-bytes // ALIGNMENT) * ALIGNMENT, role)

    def _run(
        self,
        name: str,
        reads: Iterable[Buffer],
        writes: Iterable[Buffer],
        *,
        in_place: bool = False,
        macs: int = 0,
        flops: int = 0,
    ) -> None:
        self.operations.append(
            Operation(name, self.node, self.phase, tuple(reads), tuple(writes), in_place, macs, flops)
        )

    @property
    def _role(self) -> Role:
        return "activation" if self.phase == "forward" else "gradient"

    def _stored(self, value: _Value, name: str = "elementwise", *, in_place: bool = True) -> Buffer:
        """Return the buffer that holds a value, computing it where there is none yet."""
        if value.buffer is None:
            value.buffer = self._buffer(name, value.elements * self.setup.compute_bytes, self._role)
            self._run(name, value.roots, [value.buffer], in_place=in_place)
            if not self._forgets:
                value.roots = (value.buffer,)
        return value.buffer

    @property
    def _forgets(self) -> bool:
        """Tell whether what is computed now is computed anew in the backward pass."""
        return self.setup.remat != "none" and self.phase == "forward"

    def _recalled(self, value: _Value) -> Buffer:
        """Return the buffer that holds a value of the forward pass in the backward pass."""
        if value.buffer is not None and value.buffer in value.roots:
            return value.buffer
        if value not in self.recomputed:
            again = self._written("recomputed", value.elements).roots
            self._run("recompute", value.roots, again)
            (self.recomputed[value],) = again
        return self.recomputed[value]

    def _written(self, name: str, elements: int) -> _Value:
        buffer = self._buffer(name, elements * self.setup.compute_bytes, self._role)
        return _Value((buffer,), elements, buffer)

    def _input(self, name: str, elements: int) -> _Value:
        self.node = name
        raw, batch = self.setup.inputs[name], self.setup.batch
        argument = Buffer("batch", name, batch * raw.bytes, "argument")
        return _Value((argument,), batch * elements, None if raw.is_prepared else argument)

    def _is_rearranged(self, value: _Value) -> bool:
        """Tell whether computing a value anew reads no more bytes than the value itself, as of a concatenation."""
        return sum(root.bytes for root in value.roots) <= 1.01 * value.elements * self.setup.compute_bytes

    # Forward

    def _forward(self, node: Node) -> list[tuple[Kernel, _Backward]]:
        self.node = node.name
        facts = node.known
        inputs = [self.values[name] for name in node.inputs]
        backward: list[tuple[Kernel, _Backward]] = []
        output = self.setup.batch * facts.output.size
        if not facts.kernels:
            (x,) = inputs
            self.values[node.name] = x
        current = inputs
        below = any(self.trained_below[name] for name in node.inputs)
        trained = self.graph.is_trained(self.graph.nodes[node.name])
        self.trained_below[node.name] = below or trained
        for kernel in facts.kernels:
            elements = output if kernel.writes is None else self.setup.batch * kernel.writes
            match kernel.kind:
                case "conv" | "gemm" | "scan":
                    y, back = self._contraction(node, kernel, current, elements, trained, below)
                case "window":
                    y, back = self._window(kernel, current, elements)
                case "reduce" if not kernel.statistics:
                    y, back = self._reduction(kernel, current, elements)
                case "move":
                    y, back = self._move(current, elements)
                case _:
                    y, back = self._elementwise(node, kernel, current, elements, trained)
            backward.append((kernel, back))
            current = [y]
            below = below or trained
        self.values[node.name] = current[0]
        return backward

    def _contraction(
        self, node: Node, kernel: Kernel, inputs: list[_Value], elements: int, trained: bool, below: bool
    ) -> tuple[_Value, _Backward]:
        (x,) = inputs
        setup, facts = self.setup, node.known
        stored = self._stored(x, "input")
        source = self._padded(node, kernel, stored, x)
        weights = sum(spec.size for spec in facts.params.values() if spec.role == "weight")
        is_transposed = kernel.kind == "conv" and not facts.window
        if is_transposed and self.training and trained:
            # Its weight gradient convolves over the batch: the input is read with batch and channels exchanged.
            turned = self._buffer("turned", stored.bytes, "activation")
            self._run("turn", [stored], [turned])
            source = turned
        copied = is_transposed or setup.compute_bytes != setup.params_bytes
        copies = [self._buffer("kernel", weights * setup.compute_bytes, "copy")] if copied else []
        self.copies.extend(copies)
        z = self._written(kernel.kind, elements)
        own = [self._buffer("kept", setup.batch * kernel.saved_bytes, "activation")] if kernel.saved_bytes else []
        kernels = copies or [Buffer("weights", node.name, weights * setup.params_bytes, "argument")]
        self._run(kernel.kind, [source, *kernels], [*z.roots, *own], macs=setup.batch * kernel.macs)
        biased = any(spec.role == "bias" for spec in facts.params.values())

        def backward(d: _Value) -> list[_Value | None]:
            if not (trained or below):
                return [None]
            dz = self._stored(d, "dz", in_place=d.replaces and not biased)

            def weight_gradient() -> None:
                self.node = node.name
                recalled = source
                if setup.remat != "none":
                    recalled = self._padded(node, kernel, self._recalled(x), x)
                dw = self._buffer("dw", weights * setup.compute_bytes, "weight_gradient")
                self._run("weight gradient", [recalled, dz, *own], [dw], macs=setup.batch * kernel.macs)
                self._update(dw, weights)

            if trained:
                if biased:
                    self._run("bias gradient", [dz], [])
                if weights > x.elements + elements:
                    self.deferred.insert(0, weight_gradient)
                else:
                    weight_gradient()
            if not below:
                return [None]
            dx = self._written("dx", x.elements)
            self._run("input gradient", [dz, *kernels, *own], dx.roots, macs=setup.batch * kernel.macs)
            return [dx]

        return z, backward

    def _padded(self, node: Node, kernel: Kernel, stored: Buffer, x: _Value) -> Buffer:
        """Return the input that a convolution reads: a padded copy where its two margins differ."""
        window = node.known.window
        if kernel.kind != "conv" or all(axis.padding[0] == axis.padding[1] for axis in window):
            return stored
        sides = math.prod(axis.input for axis in window)
        padded = math.prod(axis.input + sum(axis.padding) for axis in window)
        copy = self._buffer("padded", x.elements // sides * padded * self.setup.compute_bytes, "activation")
        self._run("pad", [stored], [copy])
        return copy

    def _update(self, gradient: Buffer, weights: int) -> None:
        if self.setup.gradients_wait:
            self.updates.append((gradient, weights))
        else:
            self._run_update(gradient, weights)

    def _run_update(self, gradient: Buffer, weights: int) -> None:
        """Change parameters and the optimizer's values where they are."""
        held = Buffer(
            "parameters", gradient.node, weights * self.setup.params_bytes * (1 + self.setup.slots), "argument"
        )
        self._run("update", [gradient, held], [held])

    def _window(self, kernel: Kernel, inputs: list[_Value], elements: int) -> tuple[_Value, _Backward]:
        (x,) = inputs
        y = self._written("pool", elements)
        kept: list[Buffer] = []
        if self.training and kernel.saves == "own":
            kept = [self._buffer("index", self.setup.batch * kernel.saved_bytes, "activation")]
        self._run("pool", x.roots, [*y.roots, *kept])
        seen = x.roots if kernel.saves == "input" else tuple(kept)
        forgotten = self._forgets

        def backward(d: _Value) -> list[_Value | None]:
            recalled = seen
            if forgotten and kept:
                index = self._buffer("index", kept[0].bytes, "activation")
                self._run("recompute", x.roots, [index])
                recalled = (index,)
            return [_Value(_union(d.roots, recalled), x.elements)]

        return y, backward

    def _reduction(self, kernel: Kernel, inputs: list[_Value], elements: int) -> tuple[_Value, _Backward]:
        (x,) = inputs
        y = self._written("reduce", elements)
        self._run("reduce", x.roots, y.roots)
        seen = x.roots if kernel.saves == "input" else y.roots if kernel.saves == "output" else ()

        def backward(d: _Value) -> list[_Value | None]:
            dy = self._stored(d, "dz")
            return [_Value(_union((dy,), seen), x.elements)]

        return y, backward

    def _move(self, inputs: list[_Value], elements: int) -> tuple[_Value, _Backward]:
        y = _Value(_union(*(x.roots for x in inputs)), elements)

        def backward(d: _Value) -> list[_Value | None]:
            return [_Value(d.roots, x.elements) for x in inputs]

        return y, backward

    def _elementwise(
        self, node: Node, kernel: Kernel, inputs: list[_Value], elements: int, trained: bool
    ) -> tuple[_Value, _Backward]:
        roots = _union(*(x.roots for x in inputs))
        first = inputs[0]
        normalises = self.training and (kernel.statistics or (kernel.batch_statistics and node.spec.trainable))
        kept: list[Buffer] = []
        centred: Buffer | None = None
        if normalises:
            if first.buffer is None and not self._is_rearranged(first):
                self._stored(first, "norm input")
            sums = 4 * (self.setup.batch * kernel.statistics + kernel.batch_statistics)
            kept = [self._buffer("statistics", sums, "activation")]
            self._run("statistics", first.roots, kept)
            if (
                kernel.batch_statistics
                and not self._forgets
                and elements // node.known.output.channels <= SMALL_SUM
            ):
                centred = self._buffer("centred", 4 * elements, "activation")
                self._run("centre", [*first.roots, *kept], [centred], in_place=True)
                roots = (centred, *kept)
            else:
                roots = _union(first.roots, kept)
        elif self.training and kernel.saves == "own":
            kept = [self._buffer("mask", self.setup.batch * kernel.saved_bytes, "activation")]
            self._run("mask", [], kept)
            roots = _union(roots, kept)
        y = _Value(roots, elements)
        if len(self.graph.consumers[node.name]) > 1:
            self._stored(y, "shared")  # too expensive to compute in each reader
        if node.name in self.keep_output:
            self._stored(y, "kept output")
            if first.buffer is not None and first.buffer.name == "pool" and not self._forgets:
                kept = [self._buffer("sign", elements, "activation")]
                self._run("compare", y.roots, kept)

        def backward(d: _Value) -> list[_Value | None]:
            seen: _Roots = tuple(kept)
            if kernel.saves == "input":
                seen = _union(seen, roots)
            elif kernel.saves == "output" and not kept:
                seen = _union(seen, y.roots)
            if centred is not None:
                return [self._centred_gradient(d, centred, kept[0], x.elements) for x in inputs]
            if normalises:
                sums = self._buffer("sums", kept[0].bytes, "gradient")
                self._run("sums", _union(d.roots, seen), [sums])
                seen = (*seen, sums)
                return [_Value(_union(d.roots, seen), x.elements, replaces=d.buffer is not None) for x in inputs]
            return [_Value(_union(d.roots, seen), x.elements) for x in inputs]

        return y, backward

    def _centred_gradient(self, d: _Value, centred: Buffer, statistics: Buffer, elements: int) -> _Value:
        """Return the input gradient of a batch norm that kept x − mean: its sums are taken of stored products."""
        dy = self._stored(d, "dy")
        sums = self._buffer("sums", statistics.bytes, "gradient")
        product, other = (self._buffer("product", 4 * elements, "gradient") for _ in range(2))
        self._run("products", [dy, centred, statistics], [sums, product, other])
        self._run("sums", [other], [])
        return _Value((product, centred, sums), elements)

    # Backward

    def _loss(self, outputs: Iterable[str]) -> dict[str, list[_Value]]:
        gradients: dict[str, list[_Value]] = {}
        for name in outputs:
            self.node = name
            y = self.values[name]
            gradients[name] = [_Value((self._stored(y, "outputs"),), y.elements)]
        return gradients

    def _backward(
        self, node: Node, kernels: list[tuple[Kernel, _Backward]], gradients: dict[str, list[_Value]]
    ) -> None:
        self.node = node.name
        found = gradients.pop(node.name, [])
        if not found or not self.trained_below[node.name]:
            return
        d = found[0] if len(found) == 1 else _Value(_union(*(g.roots for g in found)), found[0].elements)
        readers = sum(self.trained_below[name] for name in node.inputs)
        if readers > 1 and len(d.roots) > 2:
            self._stored(d, "gradient sum")
        if not kernels:
            results: list[_Value | None] = [d]
        for _, back in reversed(kernels):
            results = back(d)
            if results[0] is not None:
                d = results[0]
        for name, result in zip(node.inputs, results, strict=True):
            if result is not None and self.trained_below[name]:
                gradients.setdefault(name, []).append(result)


def _union(*roots: Iterable[Buffer]) -> _Roots:
    return tuple(dict.fromkeys(itertools.chain(*roots)))
