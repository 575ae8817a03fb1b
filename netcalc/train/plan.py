"""What one training is: the network up to its logits, the data, the preprocessing, checked against each other."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import jax

from netcalc.analysis.data_fit import TARGETS, Misfit, misfits_of_ends, misfits_of_images, misfits_of_samples
from netcalc.compiler.network import Network
from netcalc.data.augment import augmented, mixes
from netcalc.data.catalog import KnownSamples
from netcalc.data.pipeline import normalized, prepare, prepared_labels, scaled
from netcalc.data.preprocessing import Preprocessing, fit_preprocessing, unfitted
from netcalc.data.samples import Dataset
from netcalc.data.sources import load_dataset
from netcalc.data.splits import class_counts
from netcalc.diagnostics import Diagnostic, SpecError
from netcalc.graph import Graph
from netcalc.spec.metrics import BEST, measured_metrics
from netcalc.spec.stopping import Watched
from netcalc.spec.training import EPOCHS, TrainingSpec
from netcalc.train.factors import Pace, pace_of
from netcalc.train.recipe import Augment, Recipe, Samples, Task, make_recipe


@dataclass(frozen=True)
class Plan:
    """Everything a training or evaluation needs, checked."""

    graph: Graph
    spec: TrainingSpec
    recipe: Recipe
    dataset: Dataset
    preprocessing: Preprocessing
    best: Watched

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
    def metrics(self) -> tuple[str, ...]:
        """The names of all that is measured as it trains."""
        task = self.recipe.task
        return measured_metrics(task.target, task.classes, validates=self.dataset.validation is not None)

    @property
    def pace(self) -> Pace:
        """What schedules need to know of the training's length."""
        return pace_of(self.spec, self.dataset.train.samples, self.steps)


def make_plan(graph: Graph, preprocessing: Preprocessing | None = None, samples: Dataset | None = None) -> Plan:
    """Return the plan of a graph's `train:` section; `preprocessing` is a stored one, fitted anew by default.

    `samples` are others than the section names, to evaluate on.

    Raises SpecError where the section is missing or the data do not fit the network.
    """
    spec, places = training_of(graph), graph.spec.sections
    check_ends(graph)
    ignored = spec.loss_of(graph.main_output).ignored
    dataset = samples or load_dataset(spec.data, places, ignored)
    # Before the statistics, which take a pass over the images.
    seen = preprocessing or unfitted(dataset.train.images.shape[1:], spec.data, places)
    seen = replace(seen, classes=dataset.classes, target=dataset.target)
    check_samples(graph, seen, dataset.name, dataset.train.labels.shape[1:])
    preprocessing = preprocessing or fit_preprocessing(dataset, spec.data, places)
    fill = ignored or 0
    recipe = make_recipe(
        graph,
        spec,
        _task(spec, dataset, graph.main_output),
        lambda images: prepare(images, preprocessing, dataset.max_value),
        augment=_augment(spec, preprocessing, dataset, fill),
        prepare_labels=lambda labels: prepared_labels(labels, preprocessing, dataset.target, fill),
    )
    best = spec.best or Watched(metric=BEST[dataset.target])
    plan = Plan(graph, spec, recipe, dataset, preprocessing, best)
    if samples is None:
        _check_watched(plan)
    return plan


def training_of(graph: Graph) -> TrainingSpec:
    """Return the `train:` section of a graph's spec; raises SpecError where there is none."""
    if graph.spec.train is None:
        message, help = f"{graph.spec.file} has no `train:` section", "for example `train: {data: mnist5k}`"
        raise _error(graph, "NC200", message, "train", help)
    return graph.spec.train


def check_ends(graph: Graph) -> None:
    """Raise SpecError for a network that has not one input and one output of inference."""
    _raise_first(graph, misfits_of_ends(graph))


def check_shape(graph: Graph, preprocessing: Preprocessing, source: str) -> None:
    """Raise SpecError unless the images of a source have the shape that the network reads."""
    _raise_first(graph, misfits_of_images(graph, source, preprocessing.shape))


def check_samples(
    graph: Graph, preprocessing: Preprocessing, source: str, values: tuple[int, ...] | None = None
) -> None:
    """Raise SpecError unless images and targets of a source fit the network and its losses.

    `values` is the shape of one sample's values, that of the main output where it is not known.
    """
    if values is None:
        values = graph.nodes[graph.main_output].known.output.shape
    samples = KnownSamples(preprocessing.shape, preprocessing.target, len(preprocessing.classes), values)
    _raise_first(graph, misfits_of_samples(graph, source, samples, training_of(graph)))


def _task(spec: TrainingSpec, dataset: Dataset, main: str) -> Task:
    """Return what samples are to give; classes are counted where a loss is weighted by their numbers."""
    classes = 0 if dataset.target == "values" else len(dataset.classes)
    losses = [spec.loss, *spec.losses.values()]
    if not any(loss.is_balanced for loss in losses):
        return Task(dataset.target, classes)
    ignored = spec.loss_of(main).ignored
    return Task(dataset.target, classes, class_counts(dataset.train, classes, ignored))


def _check_watched(plan: Plan) -> None:
    """Raise SpecError where a metric is watched that is not measured."""
    measured = plan.metrics
    for name, watched in (("best", plan.best), ("early_stopping", plan.spec.early_stopping)):
        if watched is None or watched.metric in measured:
            continue
        if watched.metric.startswith("validation") and plan.dataset.validation is None:
            why = f"the data `{plan.dataset.name}` have no validation samples"
            help = "set some apart with `split` under `train.data`"
        else:
            why = f"the targets of `{plan.dataset.name}` are {TARGETS[plan.dataset.target]}"
            if watched.metric.endswith("top5_accuracy"):
                why += f" of {len(plan.dataset.classes)}, and top 5 needs more than five"
            help = f"here there are {', '.join(measured)}"
        raise _error(plan.graph, "NC011", f"`{watched.metric}` is not measured: {why}", f"train.{name}", help)


def _augment(spec: TrainingSpec, preprocessing: Preprocessing, dataset: Dataset, fill: int) -> Augment | None:
    """Return what prepares training batches with the spec's random changes; None where it asks for none."""
    if not spec.augment:
        return None
    target = dataset.target

    def augment(key: jax.Array, images: jax.Array, labels: jax.Array) -> Samples:
        labels = prepared_labels(labels, preprocessing, target, fill)
        x = scaled(images, preprocessing, dataset.max_value)
        mixed = augmented(spec.augment, key, x, labels, target, fill)
        x = normalized(mixed.images, preprocessing)
        if not mixes(spec.augment, target):
            return Samples(x, mixed.labels)
        return Samples(x, mixed.labels, mixed.others, mixed.share)

    return augment


def _raise_first(graph: Graph, misfits: Iterable[Misfit]) -> None:
    for found in misfits:
        if found.node is None:
            raise _error(graph, found.code, found.message, found.section, found.help)
        spec = found.node.spec
        span = spec.fields.get(found.field, spec.span)
        raise SpecError([Diagnostic(found.code, found.message, span, found.help, node=spec.name)])


def _error(graph: Graph, code: str, message: str, section: str, help: str) -> SpecError:
    return SpecError([Diagnostic(code, message, graph.spec.place(section), help)])
