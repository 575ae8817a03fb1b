"""What one training is: the network up to its logits, the data, the preprocessing, checked against each other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from netcalc.compiler.network import Network
from netcalc.data.pipeline import prepare
from netcalc.data.preprocessing import Preprocessing, fit_preprocessing, unfitted
from netcalc.data.samples import Dataset
from netcalc.data.sources import load_dataset
from netcalc.diagnostics import Diagnostic, SpecError
from netcalc.graph import Graph
from netcalc.spec.training import TrainingSpec
from netcalc.train.recipe import Recipe, make_recipe
from netcalc.train.schedules import Pace
from netcalc.units import format_shape

EPOCHS = 10
"""Epochs where a spec says neither `epochs` nor `steps`."""


@dataclass(frozen=True)
class Plan:
    """Everything a training or evaluation needs, checked."""

    graph: Graph
    spec: TrainingSpec
    recipe: Recipe
    dataset: Dataset
    preprocessing: Preprocessing

    @property
    def network(self) -> Network:
        """The network up to what the loss reads."""
        return self.recipe.network

    @property
    def samples_per_update(self) -> int:
        """Samples in one update, at most: those of all its batches; for `gd` the training set's."""
        if self.spec.optimizer.kind == "gd":
            return len(self.dataset.train.labels)
        return self.spec.batch_size * self.spec.accumulate

    @property
    def steps_per_epoch(self) -> int:
        """Updates in one pass over the training set."""
        return -(-len(self.dataset.train.labels) // self.samples_per_update)

    @property
    def steps(self) -> int:
        """Updates in the whole training."""
        return self.spec.steps or (self.spec.epochs or EPOCHS) * self.steps_per_epoch

    @property
    def pace(self) -> Pace:
        """What schedules need to know of the training's length."""
        return Pace(self.steps_per_epoch, self.steps)


def make_plan(graph: Graph, preprocessing: Preprocessing | None = None) -> Plan:
    """Return the plan of a graph's `train:` section; `preprocessing` is a stored one, fitted anew by default.

    Raises SpecError where the section is missing or the data do not fit the network.
    """
    spec, places = training_of(graph), graph.spec.sections
    check_ends(graph)
    dataset = load_dataset(spec.data, places)
    # Before the statistics, which take a pass over the images.
    seen = preprocessing or unfitted(dataset.train.images.shape[1:], spec.data, places)
    check_shape(graph, seen, dataset.name)
    check_classes(graph, dataset.classes, dataset.name)
    preprocessing = preprocessing or fit_preprocessing(dataset, spec.data, places)
    recipe = make_recipe(graph, spec, lambda images: prepare(images, preprocessing, dataset.max_value))
    return Plan(graph, spec, recipe, dataset, preprocessing)


def training_of(graph: Graph) -> TrainingSpec:
    """Return the `train:` section of a graph's spec; raises SpecError where there is none."""
    if graph.spec.train is None:
        message, help = f"{graph.spec.file} has no `train:` section", "for example `train: {data: mnist5k}`"
        raise _error(graph, "NC200", message, "train", help)
    return graph.spec.train


def check_shape(graph: Graph, preprocessing: Preprocessing, source: str) -> None:
    """Raise SpecError unless the images of a source have the shape that the network reads."""
    (expected,) = graph.inputs.values()
    if preprocessing.shape != expected.shape:
        message = (
            f"the network reads {format_shape(expected.shape)}, "
            f"the images of `{source}` are {format_shape(preprocessing.shape)} after `resize` and `pad`"
        )
        raise _error(graph, "NC201", message, "train.data", "change the `input`, or `resize` and `pad` the data")


def check_ends(graph: Graph) -> None:
    """Raise SpecError for a network that has not one input and one output, or has auxiliary heads."""
    auxiliary = [output.node for output in graph.spec.outputs if output.train_only]
    if len(graph.inputs) != 1:
        message = f"training needs one input, the network has {len(graph.inputs)}: {_listed(graph.inputs)}"
        raise _error(graph, "NC203", message, "inputs", "data sets give one image a sample")
    if len(graph.inference_outputs) != 1:
        names = graph.inference_outputs
        message = f"training needs one output, the network has {len(names)}: {_listed(names)}"
        raise _error(graph, "NC203", message, "outputs", "name one node under `outputs:`")
    if auxiliary:
        message = f"auxiliary heads are counted but not trained yet: {_listed(auxiliary)}"
        help = "leave them out to train the network, each with `when: false`"
        if graph.spec.params.get("aux") is True:
            help += ": here `--set params.aux=false`"
        raise _error(graph, "NC203", message, "outputs", help)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def check_classes(graph: Graph, names: Sequence[str], source: str) -> None:
    """Raise SpecError unless the network ends in as many outputs as a source has classes."""
    (output,) = graph.outputs
    node = graph.nodes[output]
    shape, classes = node.known.output.shape, len(names)
    if node.known.output.size == classes and shape[-1] == classes:
        return
    message = f"the output {format_shape(shape)} does not match the {classes} classes of `{source}`"
    help = f"end the network in {classes} outputs, such as `dense: {classes}`"
    span = node.spec.fields.get("units") or node.spec.fields.get("filters") or node.spec.span
    raise SpecError([Diagnostic("NC202", message, span, help, node=output)])


def _error(graph: Graph, code: str, message: str, section: str, help: str) -> SpecError:
    return SpecError([Diagnostic(code, message, graph.spec.sections.get(section), help)])
