"""What other tools would print for the same network, and what makes their figures differ from netcalc's MACs.

Every figure follows from the layers' facts and a tool's convention (`peer_tools`). One sample, inference.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from netcalc.analysis.convention import Call, Convention, Form
from netcalc.analysis.cost import at_inference, count_params, forward_macs, has_kernel
from netcalc.analysis.peer_tools import CONVENTIONS
from netcalc.diagnostics import CannotRunError, did_you_mean
from netcalc.graph import Graph, Node

FORMAT: Literal["netcalc.tools/1"] = "netcalc.tools/1"


@dataclass(frozen=True, slots=True)
class Item:
    """One reason why a tool's count differs from the MACs, and by how much."""

    what: str
    macs: int


@dataclass(frozen=True, slots=True)
class Ignored:
    """A kind of layer that a tool counts as nothing, with the FLOPs that netcalc counts for it."""

    kind: str
    flops: int


@dataclass(frozen=True, slots=True)
class ToolFigures:
    """What a tool prints: `printed` in its own unit, `counted` with one for each MAC; None where it prints none.

    `counted` is the network's MACs and the items' together.
    """

    tool: str
    unit: str | None
    printed: int | None
    counted: int | None
    params: int | None
    activations: int | None
    items: tuple[Item, ...]
    ignored: tuple[Ignored, ...]
    note: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """netcalc's headline figures, and those of each tool."""

    format: Literal["netcalc.tools/1"]
    name: str
    macs: int
    params: int
    tools: tuple[ToolFigures, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the comparison as plain data, ready for JSON."""
        return asdict(self)


def compare_tools(graph: Graph, written: Mapping[str, Form] | None = None) -> Comparison:
    """Return what each tool would print for a complete graph.

    `written` tells by node or kind of layer how PyTorch code calls it where that is not a module of torch.nn; a
    node's own name goes before its kind. Raises CannotRunError where there is no such layer, or where it has MACs.
    """
    forms = _forms(graph, written or {})
    calls = {
        node.name: Call(node.known, graph.type_of(node.inputs[0]), forms.get(node.name, "module"))
        for node in graph.nodes.values()
    }
    return Comparison(
        FORMAT,
        graph.name,
        sum(forward_macs(node.known) for node in at_inference(graph)),
        sum(count_params(node, node.known).total for node in graph.nodes.values()),
        tuple(_figures(graph, calls, convention) for convention in CONVENTIONS),
    )


def _forms(graph: Graph, written: Mapping[str, Form]) -> dict[str, Form]:
    """Return how each node is called that is not called as a module."""
    kinds = {node.kind for node in graph.nodes.values()}
    found: dict[str, Form] = {}
    for name, form in sorted(written.items(), key=lambda item: item[0] in graph.nodes):
        nodes = [node for node in graph.nodes.values() if name in (node.name, node.kind)]
        if name in graph.nodes:
            nodes = [graph.nodes[name]]
        if not nodes:
            raise CannotRunError(
                f"there is no layer `{name}` in {graph.name}", did_you_mean(name, [*kinds, *graph.nodes])
            )
        for node in nodes:
            if forward_macs(node.known):
                raise CannotRunError(
                    f"`{node.name}` has weights and can only be a module", "name layers that have no MACs"
                )
            found[node.name] = form
    return found


def _figures(graph: Graph, calls: Mapping[str, Call], convention: Convention) -> ToolFigures:
    macs = activations = 0
    items: dict[str, int] = {}
    ignored: dict[str, int] = {}
    for node in at_inference(graph):
        call, own = calls[node.name], forward_macs(node.known)
        macs += own
        found = False
        for term in convention.terms.get(node.kind, ()):
            amount = term.of(call)
            items[term.what] = items.get(term.what, 0) + amount
            found = found or amount != 0
        flops = sum(kernel.flops for kernel in node.known.kernels)
        if flops and not own and not found and not convention.counts_more:
            ignored[node.kind] = ignored.get(node.kind, 0) + flops
        if has_kernel(node.known, "conv", "gemm") and not has_kernel(node.known, "scan"):
            activations += call.output.size
    counted = None if convention.unit is None else macs + sum(items.values())
    return ToolFigures(
        tool=convention.tool,
        unit=convention.unit,
        printed=None if counted is None else convention.per_mac * counted,
        counted=counted,
        params=_params(graph, calls, convention),
        activations=activations if convention.activations else None,
        items=tuple(Item(what, amount) for what, amount in items.items() if amount),
        ignored=() if counted is None else tuple(Ignored(kind, flops) for kind, flops in ignored.items()),
        note=convention.note,
    )


def _params(graph: Graph, calls: Mapping[str, Call], convention: Convention) -> int | None:
    """Return the parameters that a tool prints, None if it prints none."""
    nodes = tuple(graph.nodes.values())
    match convention.params:
        case None:
            return None
        case "with_state":
            counts = [count_params(node, node.known) for node in nodes]
            return sum(count.total + count.state for count in counts)
        case "trained":
            nodes = tuple(node for node in nodes if node.spec.trainable)
        case "hooked":
            nodes = tuple(
                node
                for node in at_inference(graph)
                if node.kind in convention.hooked and calls[node.name].form == "module"
            )
        case "all":
            pass
    return sum(count_params(node, node.known).total + _second_biases(node) for node in nodes)


def _second_biases(node: Node) -> int:
    """PyTorch's LSTM adds a bias to each of its two products, where netcalc and Keras have one."""
    params = node.known.params
    if node.owner != node.name or "recurrent_kernel" not in params or "recurrent_bias" in params:
        return 0
    return params["bias"].size if "bias" in params else 0
