"""Whether a network can be trained on a data set: one input, one output, images and targets of its size."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from netcalc.data.catalog import KnownSamples
from netcalc.graph import Graph, Node
from netcalc.layers.base import TensorType
from netcalc.spec.data import DataSpec, Target
from netcalc.spec.losses import BinaryCrossEntropy, CrossEntropy, Loss, LossSpec
from netcalc.spec.training import UpdateSpec
from netcalc.units import format_shape, plural


@dataclass(frozen=True, slots=True)
class Misfit:
    """Why a network and its data do not go together, and where: at a node, or in a section of the spec."""

    code: str
    message: str
    help: str
    section: str = ""
    node: Node | None = None
    field: str = ""


def misfits_of_ends(graph: Graph) -> Iterator[Misfit]:
    """Yield what keeps a network from being trained on samples of one image and one target (NC203)."""
    if len(graph.inputs) != 1:
        message = f"training needs one input, the network has {len(graph.inputs)}: {_listed(graph.inputs)}"
        yield Misfit("NC203", message, "data sets give one image a sample", "inputs")
    if len(graph.inference_outputs) != 1:
        names = graph.inference_outputs
        message = f"training needs one output, the network has {len(names)}: {_listed(names)}"
        yield Misfit("NC203", message, "name one node under `outputs:`", "outputs")


TARGETS: Mapping[Target, str] = MappingProxyType(
    {
        "class": "one class a sample",
        "mask": "a class for each pixel",
        "multi_label": "several classes a sample",
        "values": "values",
    }
)
"""What a sample of each target gives, in words."""

_LOSSES: Mapping[Target, tuple[str, ...]] = MappingProxyType(
    {
        "class": ("cross_entropy", "binary_cross_entropy", "half_mse", "huber"),
        "mask": ("cross_entropy", "binary_cross_entropy", "half_mse", "huber"),
        "multi_label": ("binary_cross_entropy", "half_mse", "huber"),
        "values": ("half_mse", "huber"),
    }
)
"""The losses that go with a target."""


def misfits_of_samples(graph: Graph, source: str, samples: KnownSamples, update: UpdateSpec) -> Iterator[Misfit]:
    """Yield where images, as they reach the network, and their targets do not fit input, outputs and losses.

    `samples.shape` is what is left of an image after `resize` and `pad`. The network must have one input and one
    output of inference. Codes are NC201 for the images, NC202 for an output, NC204 for a loss.
    """
    yield from misfits_of_images(graph, source, samples.shape)
    for name in graph.outputs:
        found = tuple(_misfits_of_loss(graph, name, source, samples, update))
        yield from found or _misfits_of_output(graph, name, source, samples, update.loss_of(name).kind)


def misfits_of_images(graph: Graph, source: str, shape: tuple[int, ...]) -> Iterator[Misfit]:
    """Yield where images of `shape`, as they reach the network, do not fit its one input (NC201)."""
    (expected,) = graph.inputs.values()
    if shape != expected.shape:
        message = (
            f"the network reads {format_shape(expected.shape)}, "
            f"the images of `{source}` are {format_shape(shape)} after `resize` and `pad`"
        )
        yield Misfit("NC201", message, "change the `input`, or `resize` and `pad` the data", "train.data")


def _misfits_of_loss(
    graph: Graph, name: str, source: str, samples: KnownSamples, update: UpdateSpec
) -> Iterator[Misfit]:
    """Yield where the loss of an output does not go with the targets (NC204)."""
    loss = update.loss_of(name)
    section = f"train.losses.{name}" if name in update.losses else "train.loss"
    if loss.kind not in _LOSSES[samples.target]:
        what = f"the targets of `{source}` are {TARGETS[samples.target]}"
        message = f"{what}, which `{loss.kind}` does not compare with an output"
        help = f"use {' or '.join(f'`{kind}`' for kind in _LOSSES[samples.target])}"
        yield Misfit("NC204", message, help, section)
        return
    section += f".{loss.kind}"
    if loss.ignored is not None and samples.target != "mask":
        message = f"`ignore` is of masks, the targets of `{source}` are {TARGETS[samples.target]}"
        yield Misfit("NC204", message, "leave it out", f"{section}.ignore")
    main = update.loss_of(graph.main_output)
    if samples.target == "mask" and loss.ignored != main.ignored:
        message = f"the loss of `{name}` ignores {_ignored(loss)}, that of `{graph.main_output}` {_ignored(main)}"
        yield Misfit("NC204", message, "give both the same `ignore`: they read the same masks", section)
    yield from _misfits_of_weights(graph, name, samples.classes, loss.chosen, section)


def _misfits_of_weights(graph: Graph, name: str, classes: int, loss: Loss, section: str) -> Iterator[Misfit]:
    facts = graph.nodes[name].facts
    match loss:
        case CrossEntropy(class_weights=tuple(weights)) if len(weights) != classes:
            message = f"`class_weights` has {len(weights)} numbers, the data have {classes} classes"
            yield Misfit("NC204", message, "give one for each class", f"{section}.class_weights")
        case BinaryCrossEntropy(positive_weight=tuple(weights)) if facts and len(weights) != facts.output.channels:
            has = f"`positive_weight` has {plural(len(weights), 'number')}"
            message = f"{has}, the output {plural(facts.output.channels, 'value')}"
            yield Misfit("NC204", message, "give one for each value", f"{section}.positive_weight")


def _ignored(loss: LossSpec) -> str:
    return "no label" if loss.ignored is None else str(loss.ignored)


def _misfits_of_output(graph: Graph, name: str, source: str, samples: KnownSamples, loss: str) -> Iterator[Misfit]:
    """Yield where targets do not fit an output (NC202)."""
    node = graph.nodes[name]
    if node.facts is None:
        return
    output, target, classes = node.known.output, samples.target, samples.classes
    one_of_two = classes == 2 and loss != "cross_entropy"
    if target == "values":
        wrong = _misfit_of_values(output, source, samples.values)
    elif target == "mask":
        wrong = _misfit_of_masks(output, source, samples.shape, classes, one_of_two)
    else:
        wrong = _misfit_of_classes(output, source, classes, one_of_two and target == "class")
    if wrong is not None:
        field = next((name for name in ("units", "filters") if name in node.spec.fields), "")
        yield Misfit("NC202", *wrong, node=node, field=field)


def _misfit_of_classes(output: TensorType, source: str, classes: int, one_of_two: bool) -> tuple[str, str] | None:
    if output.size == output.channels == classes or (one_of_two and output.size == 1):
        return None
    message = f"the output {format_shape(output.shape)} does not match the {classes} classes of `{source}`"
    return message, f"end the network in {classes} outputs, such as `dense: {classes}`"


def _misfit_of_values(output: TensorType, source: str, values: tuple[int, ...]) -> tuple[str, str] | None:
    count = math.prod(values)
    if output.size == count:
        return None
    message = f"the output {format_shape(output.shape)} does not match the {plural(count, 'value')} of `{source}`"
    return message, f"end the network in {plural(count, 'output')}, such as `dense: {count}`"


def _misfit_of_masks(
    output: TensorType, source: str, shape: tuple[int, ...], classes: int, one_of_two: bool
) -> tuple[str, str] | None:
    """An output smaller than the mask, as unpadded convolutions give, is compared with the middle of the mask."""
    height, width = shape[:2]
    what = f"the output {format_shape(output.shape)} does not match the masks of `{source}`"
    if len(output.shape) != 3:
        return f"{what}, which have a class for each pixel", "end the network in a map, not in `flatten` or `dense`"
    if output.channels != classes and not (one_of_two and output.channels == 1):
        return (
            f"{what}, which have {classes} classes",
            f"end the network in `conv: {{filters: {classes}, kernel: 1}}`",
        )
    if output.shape[0] > height or output.shape[1] > width:
        return f"{what}, which are {height}×{width}", "end the network in a map that is no larger than the image"
    return None


def prepared_shape(shape: tuple[int, int, int], data: DataSpec) -> tuple[int, int, int] | None:
    """Return the shape of images after `resize` and `pad`; None where `pad` is not for height and width."""
    height, width = data.resize or shape[:2]
    pad = data.pad
    if isinstance(pad, int):
        pad = ((pad, pad), (pad, pad))
    if not isinstance(pad, tuple) or len(pad) != 2:
        return None
    (top, bottom), (left, right) = pad
    return height + top + bottom, width + left + right, shape[2]


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
