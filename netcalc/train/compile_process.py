"""`python -m netcalc.train.compile_process`: compile a training step in a process of its own.

A JSON request comes on stdin, a JSON answer goes to stdout. The plug-ins for GPU and TPU do not share a process,
and what a compiler logs or how it dies stays away from who asks. `netcalc.ask_compiler` is the other side.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Mapping

import jax
from jax.errors import JaxRuntimeError

from netcalc.analysis.compile_request import (
    CannotAnswer,
    CompileAnswer,
    CompileRequest,
    WrongSpec,
    answer_json,
    parse_request,
)
from netcalc.analysis.exact import EXCLUDES, DoesNotFit, ExactMemory
from netcalc.analysis.targets import INSTALL
from netcalc.data.catalog import BUILT_INS, sample_shape
from netcalc.data.images import MAX_VALUE
from netcalc.data.pipeline import prepare
from netcalc.data.preprocessing import unfitted
from netcalc.diagnostics import CannotRunError, SpecError
from netcalc.graph import Graph, build_complete
from netcalc.spec.load import load_spec
from netcalc.spec.training import UpdateSpec
from netcalc.train.ahead_of_time import RawInput, as_declared, compile_step, memory_of
from netcalc.train.described_device import DescribedDevice, describe_device
from netcalc.train.plan import check_ends, check_shape, make_plan
from netcalc.train.refusal import refused_sizes
from netcalc.train.scheduled_hlo import parse_hlo
from netcalc.train.step_memory import step_memory


def main() -> None:
    """Answer one request."""
    _end_with(os.getppid())
    # What is stored for a described device cannot be told from what is stored for a real one.
    jax.config.update("jax_enable_compilation_cache", False)
    request = parse_request(sys.stdin.read())
    sys.stdout.write(answer_json(answered(request)))


def answered(request: CompileRequest) -> CompileAnswer:
    """Return what the compiler says of a request; only a bug raises."""
    started = time.perf_counter()
    try:
        graph = build_complete(load_spec(request.spec, request.overrides, request.root))
        inputs = raw_inputs(graph)
    except SpecError as error:
        return WrongSpec(error.diagnostics)
    except CannotRunError as error:
        return CannotAnswer(str(error), error.help)
    try:
        described = describe_device(request.target)
    except RuntimeError as error:
        help = f"{INSTALL[request.target.platform]} gets the compiler that this version of JAX needs"
        return CannotAnswer(f"the compiler for {request.target.key} does not start: {_first_line(error)}", help)
    try:
        compiled = compile_step(graph, request.update, described.device, inputs)
    except JaxRuntimeError as error:
        return refused(str(error), described, time.perf_counter() - started)
    assigned = memory_of(compiled)
    module = parse_hlo(compiled.as_text())
    found = step_memory(module, assigned, graph.nodes.keys(), in_place=request.target.platform != "gpu")
    snapshot = _snapshot_bytes(request.update, found.parts)
    return ExactMemory(
        device=described.name,
        compiler=described.compiler,
        total_bytes=assigned.total_bytes + snapshot,
        parts={**found.parts, "snapshot": snapshot},
        peak_node=found.peak_node,
        largest=found.largest,
        memory_bytes=described.memory_bytes,
        rematerialized=found.rematerialized,
        excludes=EXCLUDES[request.target.platform],
        seconds=time.perf_counter() - started,
    )


def _snapshot_bytes(update: UpdateSpec, parts: Mapping[str, int]) -> int:
    """Return what a training keeps to return to: no part of the step, and as large as what the step changes."""
    keeps_copy = update.on_nonfinite.kind == "rollback"
    return sum(parts[part] for part in ("weights", "optimizer", "state")) if keeps_copy else 0


def raw_inputs(graph: Graph) -> dict[str, RawInput]:
    """Return how batches reach the device: as the spec's data set has them, or as the inputs are declared.

    Data that do not ship with netcalc are not read. Raises SpecError where a training would, for data that do not
    fit the network, as far as is known without them.
    """
    train = graph.spec.train
    if train is None:
        return as_declared(graph)
    if train.data.source not in BUILT_INS:
        check_ends(graph)
        ((name, read),) = graph.inputs.items()
        preprocessing = unfitted(sample_shape(train.data, read.shape), train.data, graph.spec.sections)
        check_shape(graph, preprocessing, train.data.source)
        return {name: RawInput(preprocessing.source, "uint8", lambda x: prepare(x, preprocessing, MAX_VALUE))}
    plan = make_plan(graph)
    (name,) = graph.inputs
    images = plan.dataset.train.images
    return {name: RawInput(images.shape[1:], "uint8", plan.recipe.prepare, plan.recipe.augment)}


def refused(said: str, described: DescribedDevice, seconds: float) -> CompileAnswer:
    """Return what a compiler's error means: too large a step, a part that is not installed, or something else."""
    first = said.strip().splitlines()[0][:300]
    if "RESOURCE_EXHAUSTED" in said:
        sizes = refused_sizes(said)
        return DoesNotFit(
            described.name, described.compiler, sizes.needed_bytes, sizes.memory_bytes, first, seconds
        )
    help = f"{INSTALL['gpu']} gets what is missing" if any(word in said for word in _MISSING) else ""
    return CannotAnswer(f"XLA cannot compile the step for {described.name}: {first}", help)


_MISSING = ("No PTX compilation provider", "libdevice not found")
"""What XLA says where it finds no assembler, or no library of functions, for NVIDIA's GPUs."""


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:300]


def _end_with(parent: int) -> None:
    """End this process when its parent is gone: a compilation that nobody waits for may take minutes."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    main()
