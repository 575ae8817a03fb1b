"""Why a training went non-finite: its last checkpoint replayed update by update, then the bad one node by node.

The updates are those that were made before, bit by bit, as each is a function of the state, the step and the batch.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax.errors import JaxRuntimeError
from numpy.typing import NDArray

from netcalc.compiler.initialize import Params, State
from netcalc.data.pipeline import training_batches
from netcalc.train.checkpoint import Progress, load_training
from netcalc.train.durable import replace_file, told
from netcalc.train.optimizers import Optimizer
from netcalc.train.plan import Plan
from netcalc.train.recipe import Samples
from netcalc.train.restore import restored
from netcalc.train.step import TrainState, TrainStep, heads_of, seen_batches, total_losses

REPORT, BATCH = "nonfinite.json", "nonfinite-batch.npz"

Where = Literal["batch", "parameters", "forward", "loss", "backward", "update", "unknown"]

_HUGE = 1e15
"""Values of which the squares are near the largest float32, 3.4e38."""
_LOSSES = 8
"""Losses before the bad update that are told."""


@dataclass(frozen=True, slots=True)
class Range:
    """The smallest and the largest finite value of an array, and how many of its values are not finite."""

    name: str
    smallest: float | None
    largest: float | None
    nonfinite: int
    size: int

    @property
    def extent(self) -> float:
        """The largest finite size of a value."""
        return max(abs(self.smallest or 0.0), abs(self.largest or 0.0))

    def __str__(self) -> str:
        """Return `input: -1.2 to 3.4e+20, 7 of 512 not finite`."""
        span = "nothing finite" if self.smallest is None else f"{self.smallest:.3g} to {self.largest:.3g}"
        return f"{self.name}: {span}" + (
            f", {self.nonfinite:,} of {self.size:,} not finite" if self.nonfinite else ""
        )


@dataclass(frozen=True, slots=True)
class PostMortem:
    """The first update that is not finite, where in it, and what is likely to have led there.

    `step` counts updates from 1; `node` is the first node with a value that is not finite, empty where it has none.
    """

    step: int
    epoch: int
    where: Where
    node: str
    kind: str
    place: str
    ranges: tuple[Range, ...]
    losses: tuple[float, ...]
    cause: str
    help: str

    def lines(self) -> Iterator[str]:
        """Yield the findings as they are printed."""
        node = f", at `{self.node}` ({self.kind})" if self.node else ""
        yield f"update {self.step} of epoch {self.epoch} is the first that is not finite: in its {self.where}{node}"
        if self.place:
            yield f"  = {self.place}"
        yield from (f"  = {one}" for one in self.ranges)
        if self.losses:
            yield f"  = losses before: {', '.join(f'{loss:.4g}' for loss in self.losses)}"
        yield f"  = likely: {self.cause}"
        yield f"  = help: {self.help}"


def explain(plan: Plan, optimizer: Optimizer, update: TrainStep, checkpoint: Path, run: Path) -> PostMortem | None:
    """Replay from a checkpoint to the first update that is not finite, say why, and leave both in the run.

    nonfinite.json holds the findings, nonfinite-batch.npz the batch. Returns None where no update of the rest of
    the training is: then the machine computed otherwise than before.
    """
    saved = load_training(checkpoint)
    current, _ = restored(saved, plan.recipe, optimizer, checkpoint)
    losses: list[float] = []
    progress = saved.progress
    for step, (epoch, images, labels) in enumerate(_batches(plan, progress, saved.step), saved.step + 1):
        before = jax.tree.map(jnp.copy, current)
        current, sums = update(current, plan.recipe.meter.zero(), images, labels)
        loss = sums.means()["loss"]
        if np.isfinite(loss) and _is_finite(current.params):
            losses.append(loss)
            continue
        found = examined(plan, before, current, images, labels)
        found = replace(found, step=step, epoch=epoch, losses=tuple(losses[-_LOSSES:]))
        write_post_mortem(run, found, images, labels)
        return found
    return None


def _batches(plan: Plan, progress: Progress, step: int) -> Iterator[tuple[int, NDArray[Any], NDArray[Any]]]:
    """Yield the epoch and the batch of every update from where a checkpoint stands."""
    epoch, done = progress.epoch, progress.epoch_updates
    if done == 0:
        epoch += 1
    left = plan.steps - step
    while left > 0:
        for images, labels in training_batches(
            plan.dataset.train, plan.samples_per_update, plan.spec.seed, epoch, done
        ):
            if left == 0:
                return
            yield epoch, images, labels
            left -= 1
        epoch, done = epoch + 1, 0


def examined(plan: Plan, before: TrainState, after: TrainState, images: Any, labels: Any) -> PostMortem:
    """Return where in one update the first value that is not finite arises; step, epoch and losses are left open.

    Layer by layer the network takes more memory than the compiled step does; where that is not there, it is said.
    """
    try:
        return _taken_apart(plan, before, after, images, labels)
    except JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        return _found("unknown", (), _NO_MEMORY)


def _taken_apart(plan: Plan, before: TrainState, after: TrainState, images: Any, labels: Any) -> PostMortem:
    logical = plan.recipe.layout.logical(before.params)
    for owner, group in logical.items():
        ranges = _ranges("", group)
        if any(one.nonfinite for one in ranges):
            return _at(plan, owner, "parameters", ranges, _GROWN)
    for key, samples in seen_batches(plan.recipe, before, images, labels):
        found = _in_batch(plan, before, logical, key, samples)
        if found is not None:
            return found
    for owner, group in plan.recipe.layout.logical(after.params).items():
        ranges = _ranges(" after the update", group)
        if any(one.nonfinite for one in ranges):
            return _at(plan, owner, "update", (*_ranges(" before", logical[owner]), *ranges), _GROWN)
    cause = "the compiled step alone, which computes in another order than this examination"
    return _found("update", (), _Cause(cause, _LOWER))


def _in_batch(
    plan: Plan, before: TrainState, params: Params, key: jax.Array, samples: Samples
) -> PostMortem | None:
    """Return what is not finite of a batch: its samples, a node's output, the loss, or a node's gradient."""
    batch = _range("batch", samples.x)
    if batch.nonfinite:
        return _found("batch", (batch,), _Cause("the samples themselves", "look at the data, and at `normalize`"))
    network = replace(plan.recipe.network, lean=False)
    seen: dict[str, jax.Array] = {}
    network.apply(params, before.state, samples.x, train=True, key=key, seen=seen)
    for node in network.nodes:
        output = _range("output", seen[node.name])
        if output.nonfinite:
            inputs = tuple(_range("input", seen.get(name, samples.x)) for name in node.inputs)
            read = (*inputs, *_ranges("", params.get(node.owner, {})))
            has_grown = any(one.extent > _HUGE for one in read)
            return _at(plan, node.name, "forward", (*read, output), _GROWN if has_grown else _OF_NODE)
    outputs = tuple(_range(f"output `{name}`", seen[name]) for name in network.outputs)
    value, gradients = jax.value_and_grad(_loss, argnums=1)(plan, params, before.state, samples, key)
    labels = _range("labels", samples.labels)
    if not np.isfinite(value):
        is_of_labels = labels.nonfinite or labels.extent > _HUGE
        return _found("loss", (*outputs, labels), _OF_LABELS if is_of_labels else _APART)
    has_grown = any(one.extent > _HUGE for one in (*outputs, *(_range("", value) for value in seen.values())))
    for node in reversed(network.nodes):  # the backward pass comes from the end
        ranges = _ranges(" of the gradient", gradients.get(node.name, {}))
        if any(one.nonfinite for one in ranges):
            return _at(plan, node.name, "backward", (*outputs, *ranges), _GROWN if has_grown else _SLOPE)
    return None


def _loss(plan: Plan, params: Params, state: State, samples: Samples, key: jax.Array) -> jax.Array:
    network = replace(plan.recipe.network, lean=False)
    outputs, _ = network.apply(params, state, samples.x, train=True, key=key)
    return jnp.mean(total_losses(plan.recipe, heads_of(plan.recipe, outputs), samples))


@dataclass(frozen=True, slots=True)
class _Cause:
    """What is likely to have led to a value that is not finite, and what to try."""

    text: str
    help: str


_LOWER = "lower the learning rate, warm it up, or clip gradients (`train.clip: {norm: 1}`)"
_GROWN = _Cause("values that grew until they overflowed: updates too large", _LOWER)
_OF_NODE = _Cause(
    "the layer's own arithmetic: a division, a root, a logarithm or an exponential out of its range",
    "look at its inputs' range; raise its `epsilon`, or normalise before it",
)
_APART = _Cause("outputs so far apart that their loss is not a number", _LOWER)
_NO_MEMORY = _Cause(
    "not known: the device has no memory to examine the layers one by one",
    "the batch is saved: examine it with a smaller `batch_size`, or on a CPU",
)
_OF_LABELS = _Cause("labels so large that their losses overflow", "look at the data; scale values to the size of 1")
_SLOPE = _Cause(
    "a slope that is infinite or not a number, as of a root or a logarithm at 0",
    "raise the layer's `epsilon`, or clip gradients (`train.clip: {norm: 1}`)",
)


def _found(where: Where, ranges: tuple[Range, ...], cause: _Cause) -> PostMortem:
    return PostMortem(0, 0, where, "", "", "", ranges, (), cause.text, cause.help)


def _at(plan: Plan, name: str, where: Where, ranges: tuple[Range, ...], cause: _Cause) -> PostMortem:
    node = plan.graph.nodes[name]
    place = str(node.spec.span)
    return PostMortem(0, 0, where, name, node.kind, place, ranges, (), cause.text, cause.help)


def _ranges(what: str, group: Mapping[str, Any]) -> tuple[Range, ...]:
    return tuple(_range(f"`{name}`{what}", array) for name, array in group.items())


def _range(name: str, array: Any) -> Range:
    values = np.asarray(array, np.float64)
    finite = values[np.isfinite(values)]
    smallest, largest = (float(finite.min()), float(finite.max())) if finite.size else (None, None)
    return Range(name, smallest, largest, values.size - finite.size, values.size)


def _is_finite(tree: Any) -> bool:
    return all(bool(jnp.isfinite(leaf).all()) for leaf in jax.tree.leaves(tree))


def files_of(step: int) -> tuple[str, str]:
    """Return the names of report and batch of an update that was left out while the training went on."""
    return f"nonfinite-{step:08d}.json", f"nonfinite-{step:08d}.npz"


def write_post_mortem(
    run: Path, found: PostMortem, images: Any, labels: Any, names: tuple[str, str] = (REPORT, BATCH)
) -> None:
    """Leave findings and batch in the run; raises CannotRunError where the disk does not take them."""
    stream = io.BytesIO()
    np.savez_compressed(stream, images=images, labels=labels)
    report = json.dumps({"format": "netcalc.nonfinite/1", **asdict(found)}, indent=2, allow_nan=False)
    with told(run, "the post-mortem cannot be written"):
        replace_file(run / names[0], report + "\n")
        (run / names[1]).write_bytes(stream.getvalue())
