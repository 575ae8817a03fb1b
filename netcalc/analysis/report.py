"""The report: everything that is known of a network, as plain frozen data whose JSON is a stable contract.

Shapes are without batch, channels last; figures are for one sample. A figure that is not known is None, and a
diagnostic says why.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from netcalc.analysis.cost import (
    ParamCount,
    at_inference,
    count_params,
    forward_flops,
    forward_macs,
    has_kernel,
    padding_exact_macs,
)
from netcalc.analysis.estimate import (
    Cost,
    Demand,
    Estimate,
    MemoryReport,
    NodeSeconds,
    Seconds,
    estimate,
)
from netcalc.analysis.exact import DoesNotFit, ExactMemory
from netcalc.analysis.memory import NodeMemory
from netcalc.analysis.optimizers import kept_elements, trained_params, update_flops
from netcalc.analysis.receptive_field import ReceptiveField, receptive_fields
from netcalc.analysis.textbook import TextbookMemory, textbook_memory
from netcalc.analysis.training import TrainingCost, training_costs
from netcalc.diagnostics import Diagnostic, Related, Severity
from netcalc.graph import Graph, Node
from netcalc.layers.base import Inferred, TensorType
from netcalc.spec.training import UpdateSpec

FORMAT: Literal["netcalc.report/1"] = "netcalc.report/1"

Unknown = Annotated[int | None, Field(description="null where it is not known")]


@dataclass(frozen=True, slots=True)
class Tensor:
    """Shape of one sample, channels last and without batch, and its dtype."""

    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True, slots=True)
class NamedTensor:
    """An input or output of the network."""

    name: str
    shape: tuple[int, ...] | None
    dtype: str | None


@dataclass(frozen=True, slots=True)
class Params:
    """Numbers of elements: trained parameters, frozen parameters, and state such as batch-norm statistics."""

    trainable: Unknown
    frozen: Unknown
    state: Unknown


@dataclass(frozen=True, slots=True)
class Flops:
    """Floating-point operations for one sample: 2·MACs + elementwise work."""

    forward: Annotated[int | None, Field(description="the forward pass at inference")]
    training: Annotated[
        int | None, Field(description="forward as in training, and backward; no optimizer's update")
    ]


@dataclass(frozen=True, slots=True)
class Macs:
    """Multiplies for one sample."""

    forward: Unknown
    padding_exact: Annotated[int | None, Field(description="forward, without taps that fall on padding")]
    training: Annotated[int | None, Field(description="forward, weight gradients and input gradients")]


@dataclass(frozen=True, slots=True)
class AxisReach:
    """The receptive field along one spatial axis, in positions of the network's input."""

    size: float
    stride: float
    padding: Annotated[tuple[float, float], Field(description="how far it reaches before and behind the input")]
    centre: Annotated[float, Field(description="middle of what output 0 sees")]


@dataclass(frozen=True, slots=True)
class Reach:
    """What part of the input an output position sees, over all paths; `aligned` if they agree."""

    axes: tuple[AxisReach, ...]
    aligned: bool


@dataclass(frozen=True, slots=True)
class Activations:
    """The three counts that tools call activations, in elements of one sample."""

    conv_output_elements: Annotated[int | None, Field(description="outputs of convolutions")]
    weighted_output_elements: Annotated[
        int | None, Field(description="outputs of layers with weights: convolutions, dense, recurrent")
    ]
    node_output_elements: Annotated[int | None, Field(description="outputs of all nodes")]


@dataclass(frozen=True, slots=True)
class Update:
    """The optimizer's update of all trained parameters, once a step whatever the batch."""

    optimizer: Annotated[str, Field(description="as the spec's `train:` section names it")]
    flops: Annotated[int | None, Field(description="of the update rule, gradients not included")]
    slot_elements: Annotated[int | None, Field(description="values that the optimizer keeps from step to step")]


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over the network."""

    params: Params
    macs: Macs
    flops: Flops
    activations: Activations
    textbook: Annotated[
        TextbookMemory | None, Field(description="memory by the lecture's rule; null unless asked for")
    ]
    update: Annotated[
        Update | None,
        Field(description="of the optimizer asked about, else the spec's; null where there is neither"),
    ]
    memory: Annotated[MemoryReport | None, Field(description="null unless asked for")]
    seconds: Annotated[Seconds | None, Field(description="null where no device was named")]
    cost: Annotated[Cost | None, Field(description="null without a price and a number of images")]


@dataclass(frozen=True, slots=True)
class Source:
    """Where a node stands in the spec."""

    file: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class LayerReport:
    """One node: what it is, where it stands, what it reads, makes and costs."""

    name: Annotated[str, Field(description="unique; tells the groups around the node")]
    type: str
    path: Annotated[str, Field(description="JSON pointer of the node in its file")]
    source: Source
    inputs: Annotated[tuple[str, ...], Field(description="names of the nodes or network inputs it reads")]
    output: Tensor | None
    params: Params
    macs: Macs
    flops: Flops
    memory: Annotated[NodeMemory | None, Field(description="null unless asked for")]
    seconds: Annotated[NodeSeconds | None, Field(description="null where no device was named")]
    receptive_field: Annotated[
        Reach | None,
        Field(description="null for several inputs, for none with positions, and where positions are rearranged"),
    ]
    shares: Annotated[str | None, Field(description="the node whose parameters it uses, counted there")]
    train_only: Annotated[bool, Field(description="part of an auxiliary head: not in forward totals")]


@dataclass(frozen=True, slots=True)
class Place:
    """Another place that a finding has to do with, and what is to be said of it."""

    file: str
    line: int | None
    column: int | None
    message: str


@dataclass(frozen=True, slots=True)
class DiagnosticReport:
    """A finding with its place; lines and columns count from 1, ends are exclusive."""

    code: str
    severity: Severity
    message: str
    help: str
    file: str | None
    line: int | None
    column: int | None
    end_line: int | None
    end_column: int | None
    node: str | None
    context: Annotated[tuple[str, ...], Field(description="facts for people")]
    related: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """What `netcalc analyze` knows of a network."""

    format: Literal["netcalc.report/1"]
    name: str | None
    inputs: tuple[NamedTensor, ...]
    outputs: tuple[NamedTensor, ...]
    batch: Annotated[int, Field(description="samples in a batch; figures are for one sample all the same")]
    totals: Totals
    layers: tuple[LayerReport, ...]
    diagnostics: tuple[DiagnosticReport, ...]
    complete: Annotated[bool, Field(description="whether shapes, parameters and costs of all nodes are known")]

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain data, ready for JSON."""
        found: dict[str, Any] = plain(self)
        return found


def analyze_graph(
    graph: Graph,
    batch: int = 1,
    *,
    textbook: bool = False,
    demand: Demand | None = None,
    compiled: ExactMemory | DoesNotFit | None = None,
) -> Report:
    """Return the report of a graph; what follows a node that does not fit is reported as unknown.

    `textbook` asks for the memory by the lecture's rule as well, `demand`, whose batch then counts, for memory and,
    with a device, time; `compiled` is what the compiler said of it.
    """
    nodes = tuple(graph.nodes.values())
    known = [(node, node.facts) for node in nodes if node.facts is not None]
    complete = len(known) == len(nodes)
    training = training_costs(graph)
    found = estimate(graph, demand, compiled) if demand is not None and complete else None
    reaches = receptive_fields(graph)

    def total(figure: Callable[[Node, Inferred], int]) -> int | None:
        return sum(figure(node, facts) for node, facts in known) if complete else None

    def inference(figure: Callable[[Inferred], int]) -> int | None:
        return sum(figure(node.known) for node in at_inference(graph)) if complete else None

    def outputs_of(*kinds: str) -> int | None:
        return inference(lambda facts: facts.output.size if has_kernel(facts, *kinds) else 0)

    activations = Activations(
        outputs_of("conv"),
        outputs_of("conv", "gemm", "scan"),
        inference(lambda facts: facts.output.size),
    )
    held = total(lambda node, facts: count_params(node, facts).total)
    trained = total(lambda node, facts: count_params(node, facts).trainable)
    totals = Totals(
        params=Params(
            trained,
            total(lambda node, facts: count_params(node, facts).frozen),
            total(lambda node, facts: count_params(node, facts).state),
        ),
        macs=Macs(
            inference(forward_macs),
            inference(padding_exact_macs),
            total(lambda node, _: training[node.name].macs),
        ),
        flops=Flops(inference(forward_flops), total(lambda node, _: training[node.name].flops)),
        activations=activations,
        textbook=textbook_memory(held, activations.weighted_output_elements) if textbook else None,
        update=_update(graph.spec.train if demand is None else demand.update, graph, trained),
        memory=found.memory if found else None,
        seconds=found.seconds if found else None,
        cost=found.cost if found else None,
    )
    return Report(
        format=FORMAT,
        name=graph.name,
        inputs=tuple(NamedTensor(name, t.shape, t.dtype) for name, t in graph.inputs.items()),
        outputs=tuple(_output(graph.nodes[name]) for name in graph.inference_outputs),
        batch=batch if demand is None else demand.batch,
        totals=totals,
        layers=tuple(
            _layer(
                node,
                training.get(node.name),
                _reach(reaches.get(node.name)),
                node.name in graph.train_only,
                found,
            )
            for node in nodes
        ),
        diagnostics=_diagnostics(graph.diagnostics),
        complete=complete,
    )


def failed_report(diagnostics: Iterable[Diagnostic], batch: int = 1) -> Report:
    """Return the report of a spec that makes no graph: every figure unknown, the diagnostics say why."""
    macs, flops, activations = Macs(None, None, None), Flops(None, None), Activations(None, None, None)
    params = Params(None, None, None)
    totals = Totals(
        params, macs, flops, activations, textbook=None, update=None, memory=None, seconds=None, cost=None
    )
    return Report(FORMAT, None, (), (), batch, totals, (), _diagnostics(diagnostics), complete=False)


def report_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of `Report.to_dict`; new keys may be added, none are taken away."""
    schema = TypeAdapter(Report).json_schema(mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def plain(value: Any) -> Any:
    """Return records as plain data; `dataclasses.asdict` copies every leaf, most of the time of a large report."""
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    names = _field_names(value.__class__)
    return {name: plain(getattr(value, name)) for name in names} if names else value


@cache
def _field_names(kind: type) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind)) if is_dataclass(kind) else ()


def _output(node: Node) -> NamedTensor:
    if node.facts is None:
        return NamedTensor(node.name, None, None)
    return NamedTensor(node.name, node.facts.output.shape, node.facts.output.dtype)


def _update(update: UpdateSpec | None, graph: Graph, trained: int | None) -> Update | None:
    if update is None:
        return None
    if trained is None:
        return Update(update.optimizer.kind, None, None)
    params = tuple(trained_params(graph))
    return Update(update.optimizer.kind, update_flops(update, params), kept_elements(update, params))


def _layer(
    node: Node, training: TrainingCost | None, reach: Reach | None, train_only: bool, found: Estimate | None
) -> LayerReport:
    facts = node.facts
    span = node.spec.span
    count = None if facts is None else count_params(node, facts)
    return LayerReport(
        name=node.name,
        type=node.kind,
        path=node.spec.path,
        source=Source(span.file, span.line, span.column),
        inputs=node.inputs,
        output=None if facts is None else _tensor(facts.output),
        params=_params(count),
        macs=Macs(None, None, None)
        if facts is None
        else Macs(forward_macs(facts), padding_exact_macs(facts), None if training is None else training.macs),
        flops=Flops(None if facts is None else forward_flops(facts), None if training is None else training.flops),
        memory=found.node_memory.get(node.name) if found else None,
        seconds=found.node_seconds.get(node.name) if found else None,
        receptive_field=reach,
        shares=node.spec.share,
        train_only=train_only,
    )


def _reach(field: ReceptiveField | None) -> Reach | None:
    if field is None:
        return None
    axes = [
        AxisReach(
            float(axis.size),
            float(axis.stride),
            (float(axis.padding[0]), float(axis.padding[1])),
            float(axis.centre),
        )
        for axis in field.axes
    ]
    return Reach(tuple(axes), field.aligned)


def _tensor(type: TensorType) -> Tensor:
    return Tensor(type.shape, type.dtype)


def _params(count: ParamCount | None) -> Params:
    if count is None:
        return Params(None, None, None)
    return Params(count.trainable, count.frozen, count.state)


def _diagnostics(diagnostics: Iterable[Diagnostic]) -> tuple[DiagnosticReport, ...]:
    return tuple(map(diagnostic_report, diagnostics))


def diagnostic_report(d: Diagnostic) -> DiagnosticReport:
    """Return a diagnostic as the report's flat record."""
    s = d.span
    numbers: tuple[int | None, int | None, int | None, int | None] = (None, None, None, None)
    if s is not None and not s.virtual:
        numbers = s.line, s.column, s.end_line, s.end_column
    related = tuple(_place(place) for place in d.related)
    file = None if s is None else s.file
    return DiagnosticReport(
        d.code, d.severity, d.message, d.help, file, *numbers, d.node or None, d.context, related
    )


def _place(place: Related) -> Place:
    s = place.span
    return Place(s.file, None if s.virtual else s.line, None if s.virtual else s.column, place.message)
