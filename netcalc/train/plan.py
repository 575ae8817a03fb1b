"""What one training is: the network up to its logits, the data, the preprocessing, checked against each other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import jax

from netcalc.analysis.data_fit import Misfit, misfits_of_ends, misfits_of_samples
from netcalc.compiler.network import Network
from netcalc.data.augment import augmented, mixes
from netcalc.data.pipeline import normalized, prepare, scaled
from netcalc.data.preprocessing import Preprocessing, fit_preprocessing, unfitted
from netcalc.data.samples import Dataset
from netcalc.data.sources import load_dataset
from netcalc.diagnostics import Diagnostic, SpecError
from netcalc.graph import Graph
from netcalc.spec.training import EPOCHS, TrainingSpec
from netcalc.train.factors import Pace, pace_of
from netcalc.train.recipe import Augment, Recipe, Samples, make_recipe


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
        return self.spec.samples_per_update(self.dataset.train.samples)

    @property
    def steps_per_epoch(self) -> int:
        """Updates in one pass over the training set."""
        return self.spec.steps_per_epoch(self.dataset.train.samples)

    @property
    def steps(self) -> int:
        """Updates in the whole training."""
        return self.spec.steps or (self.spec.epochs or EPOCHS) * self.steps_per_epoch

    @property
    def pace(self) -> Pace:
        """What schedules need to know of the training's length."""
        return pace_of(self.spec, self.dataset.train.samples, self.steps)


def make_plan(graph: Graph, preprocessing: Preprocessing | None = None) -> Plan:
    """Return the plan of a graph's `train:` section; `preprocessing` is a stored one, fitted anew by default.

    Raises SpecError where the section is missing or the data do not fit the network.
    """
    spec, places = training_of(graph), graph.spec.sections
    check_ends(graph)
    dataset = load_dataset(spec.data, places)
    # Before the statistics, which take a pass over the images.
    seen = preprocessing or unfitted(dataset.train.images.shape[1:], spec.data, places)
    check_samples(graph, seen, dataset.classes, dataset.name)
    _check_watched(graph, spec, dataset)
    preprocessing = preprocessing or fit_preprocessing(dataset, spec.data, places)
    recipe = make_recipe(
        graph,
        spec,
        lambda images: prepare(images, preprocessing, dataset.max_value),
        augment=_augment(spec, preprocessing, dataset.max_value),
    )
    return Plan(graph, spec, recipe, dataset, preprocessing)


def training_of(graph: Graph) -> TrainingSpec:
    """Return the `train:` section of a graph's spec; raises SpecError where there is none."""
    if graph.spec.train is None:
        message, help = f"{graph.spec.file} has no `train:` section", "for example `train: {data: mnist5k}`"
        raise _error(graph, "NC200", message, "train", help)
    return graph.spec.train


def check_ends(graph: Graph) -> None:
    """Raise SpecError for a network that has not one input and one output, or has auxiliary heads."""
    _raise_first(graph, misfits_of_ends(graph))


def check_shape(graph: Graph, preprocessing: Preprocessing, source: str) -> None:
    """Raise SpecError unless the images of a source have the shape that the network reads."""
    found = misfits_of_samples(graph, source, preprocessing.shape, 0)
    _raise_first(graph, (misfit for misfit in found if misfit.code == "NC201"))


def check_samples(graph: Graph, preprocessing: Preprocessing, classes: Sequence[str], source: str) -> None:
    """Raise SpecError unless images and classes of a source fit the network."""
    _raise_first(graph, misfits_of_samples(graph, source, preprocessing.shape, len(classes)))


def _check_watched(graph: Graph, spec: TrainingSpec, dataset: Dataset) -> None:
    """Raise SpecError where a metric of validation samples is watched and there are none."""
    for name, watched in (("best", spec.best), ("early_stopping", spec.early_stopping)):
        if watched is not None and watched.metric.startswith("validation") and dataset.validation is None:
            message = f"`{watched.metric}` is not measured: the data `{dataset.name}` have no validation samples"
            help = "set some apart with `split` under `train.data`"
            raise _error(graph, "NC011", message, f"train.{name}", help)


def _augment(spec: TrainingSpec, preprocessing: Preprocessing, max_value: int) -> Augment | None:
    """Return what prepares training batches with the spec's random changes; None where it asks for none."""
    if not spec.augment:
        return None

    def augment(key: jax.Array, images: jax.Array, labels: jax.Array) -> Samples:
        mixed = augmented(spec.augment, key, scaled(images, preprocessing, max_value), labels)
        x = normalized(mixed.images, preprocessing)
        if not mixes(spec.augment):
            return Samples(x, labels)
        return Samples(x, labels, mixed.others, mixed.share)

    return augment


def _raise_first(graph: Graph, misfits: Iterable[Misfit]) -> None:
    for found in misfits:
        if found.node is None:
            raise _error(graph, found.code, found.message, found.section, found.help)
        spec = found.node.spec
        span = spec.fields.get(found.field, spec.span)
        raise SpecError([Diagnostic(found.code, found.message, span, found.help, node=spec.name)])


def _error(graph: Graph, code: str, message: str, section: str, help: str) -> SpecError:
    return SpecError([Diagnostic(code, message, graph.spec.sections.get(section), help)])
