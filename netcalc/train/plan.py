"""What one training is: the network up to its logits, the data, the preprocessing, checked against each other."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from netcalc.analysis.data_fit import Misfit, misfits_of_ends, misfits_of_samples
from netcalc.compiler.network import Network
from netcalc.data.pipeline import prepare
from netcalc.data.preprocessing import Preprocessing, fit_preprocessing
from netcalc.data.sources import Dataset, load_dataset
from netcalc.diagnostics import Diagnostic, SpecError
from netcalc.graph import Graph
from netcalc.spec.training import EPOCHS, TrainingSpec
from netcalc.train.recipe import Recipe, make_recipe


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
    def steps_per_epoch(self) -> int:
        """Updates in one pass over the training set."""
        return -(-len(self.dataset.train.labels) // self.spec.batch_size)

    @property
    def steps(self) -> int:
        """Updates in the whole training."""
        return self.spec.steps or (self.spec.epochs or EPOCHS) * self.steps_per_epoch


def make_plan(graph: Graph, preprocessing: Preprocessing | None = None) -> Plan:
    """Return the plan of a graph's `train:` section; `preprocessing` is a stored one, fitted anew by default.

    Raises SpecError where the section is missing or the data do not fit the network.
    """
    spec = graph.spec.train
    if spec is None:
        raise _error(
            graph,
            "NC200",
            f"{graph.spec.file} has no `train:` section",
            "train",
            "for example `train: {data: mnist5k}`",
        )
    _raise_first(graph, misfits_of_ends(graph))
    dataset = load_dataset(spec.data)
    if preprocessing is None:
        preprocessing = fit_preprocessing(dataset, spec.data, graph.spec.sections)
    _raise_first(graph, misfits_of_samples(graph, dataset.name, preprocessing.shape, len(dataset.classes)))
    recipe = make_recipe(graph, spec, lambda images: prepare(images, preprocessing, dataset.max_value))
    return Plan(graph, spec, recipe, dataset, preprocessing)


def _raise_first(graph: Graph, misfits: Iterable[Misfit]) -> None:
    for found in misfits:
        if found.node is None:
            raise _error(graph, found.code, found.message, found.section, found.help)
        spec = found.node.spec
        span = spec.fields.get(found.field, spec.span)
        raise SpecError([Diagnostic(found.code, found.message, span, found.help, node=spec.name)])


def _error(graph: Graph, code: str, message: str, section: str, help: str) -> SpecError:
    return SpecError([Diagnostic(code, message, graph.spec.sections.get(section), help)])
