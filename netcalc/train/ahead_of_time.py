"""What the compiler says a training step needs, without the device it is compiled for.

The very step that `netcalc train` runs is lowered for a described device and compiled; no array is made and no
driver is needed. Call this in a process of its own: plug-ins for GPU and TPU do not share one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Sharding, SingleDeviceSharding

from netcalc.analysis.labels import assumed_target, label_shape
from netcalc.graph import Graph
from netcalc.spec.training import UpdateSpec
from netcalc.train.factors import Pace
from netcalc.train.optimizers import make_updater
from netcalc.train.recipe import Augment, Prepare, Task, make_recipe
from netcalc.train.step import initial_train_state, make_gathering_step, make_train_step, nothing_gathered


@dataclass(frozen=True, slots=True)
class RawInput:
    """How a batch reaches the device: shape and dtype of one sample, and what prepares it there.

    `augment` prepares it in training where there is one; it is for networks of one input.
    """

    shape: tuple[int, ...]
    dtype: str
    prepare: Prepare
    augment: Augment | None = None


@dataclass(frozen=True, slots=True)
class CompiledMemory:
    """Bytes of a compiled training step, as XLA's buffer assignment has them."""

    argument_bytes: int
    output_bytes: int
    alias_bytes: int
    temp_bytes: int

    @property
    def total_bytes(self) -> int:
        """Arguments, outputs that are no donated argument, and temporaries."""
        return self.argument_bytes + self.output_bytes - self.alias_bytes + self.temp_bytes


def as_declared(graph: Graph) -> dict[str, RawInput]:
    """Return the inputs as the spec declares them, prepared by nothing."""
    return {
        item.name: RawInput(item.type.shape, item.type.dtype, lambda images: images) for item in graph.spec.inputs
    }


def compile_step(graph: Graph, spec: UpdateSpec, device: jax.Device, inputs: dict[str, RawInput]) -> Any:
    """Return the compiled training step (jax.stages.Compiled) of a graph for a device, which may be only described.

    Of an update of several batches it is the step that takes most: that of one batch.

    Raises whatever the compiler raises where the step does not fit the device.
    """
    sharding = SingleDeviceSharding(device)

    def prepare(raw: Any) -> Any:
        prepared = {name: inputs[name].prepare(raw[name]) for name in inputs}
        return prepared if len(prepared) > 1 else next(iter(prepared.values()))

    task = assumed_task(graph, spec)
    recipe = make_recipe(graph, spec, task, prepare, device.platform, _augment(inputs))
    # Which update has which rate changes nothing of its memory.
    optimizer = make_updater(spec, recipe.facts, Pace(steps_per_epoch=1, steps=1))
    state = jax.eval_shape(lambda: initial_train_state(recipe, optimizer))
    batch = {
        name: jax.ShapeDtypeStruct((spec.batch_size, *raw.shape), jnp.dtype(raw.dtype))
        for name, raw in inputs.items()
    }
    whole = task.target in ("class", "mask")
    labels = jax.ShapeDtypeStruct((spec.batch_size, *label_shape(graph, spec)), jnp.int32 if whole else jnp.float32)
    sums = jax.eval_shape(recipe.meter.zero)
    if spec.accumulates:
        gathered = jax.eval_shape(lambda params: nothing_gathered(recipe, params), state.params)
        gathered, state = gathered._replace(state=state.state), state._replace(state={})
        arguments = _placed((state, gathered, sums, batch, labels), sharding)
        return make_gathering_step(recipe).lower(*arguments).compile()  # type: ignore[attr-defined]
    arguments = _placed((state, sums, batch, labels), sharding)
    return make_train_step(recipe, optimizer).lower(*arguments).compile()  # type: ignore[attr-defined]


def _augment(inputs: dict[str, RawInput]) -> Augment | None:
    """Return what prepares a training batch by the inputs' names."""
    found = [(name, raw.augment) for name, raw in inputs.items() if raw.augment is not None]
    if not found:
        return None
    ((name, augment),) = found
    return lambda key, images, labels: augment(key, images[name], labels)


def memory_of(compiled: Any) -> CompiledMemory:
    """Return what the compiler assigned."""
    found = compiled.memory_analysis()
    return CompiledMemory(
        argument_bytes=found.argument_size_in_bytes,
        output_bytes=found.output_size_in_bytes,
        alias_bytes=found.alias_size_in_bytes,
        temp_bytes=found.temp_size_in_bytes,
    )


def assumed_task(graph: Graph, spec: UpdateSpec) -> Task:
    """Return what samples are to give, as far as it is known without any."""
    target = assumed_target(graph, spec)
    # One output may stand for two classes.
    classes = max(graph.nodes[graph.main_output].known.output.channels, 2)
    return Task(target, 0 if target == "values" else classes)


def _placed(tree: Any, sharding: Sharding) -> Any:
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding), tree)
