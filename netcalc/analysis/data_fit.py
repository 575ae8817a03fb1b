"""Whether a network can be trained on a data set: one input, one output, images and classes of its size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from netcalc.graph import Graph, Node
from netcalc.spec.data import DataSpec
from netcalc.units import format_shape


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
    """Yield what keeps a network from being trained on samples of one image and one class (NC203)."""
    if len(graph.inputs) != 1:
        message = f"training needs one input, the network has {len(graph.inputs)}: {_listed(graph.inputs)}"
        yield Misfit("NC203", message, "data sets give one image a sample", "inputs")
    if len(graph.inference_outputs) != 1:
        names = graph.inference_outputs
        message = f"training needs one output, the network has {len(names)}: {_listed(names)}"
        yield Misfit("NC203", message, "name one node under `outputs:`", "outputs")
    auxiliary = [output.node for output in graph.spec.outputs if output.train_only]
    if auxiliary:
        message = f"auxiliary heads are counted but not trained yet: {_listed(auxiliary)}"
        help = "leave them out to train the network, each with `when: false`"
        if graph.spec.params.get("aux") is True:
            help += ": here `--set params.aux=false`"
        yield Misfit("NC203", message, help, "outputs")


def misfits_of_samples(graph: Graph, source: str, shape: tuple[int, ...], classes: int) -> Iterator[Misfit]:
    """Yield where images of `shape`, as they reach the network, and their classes do not fit it (NC201, NC202).

    The network must have one input and one output.
    """
    (expected,) = graph.inputs.values()
    if shape != expected.shape:
        message = (
            f"the network reads {format_shape(expected.shape)}, "
            f"the images of `{source}` are {format_shape(shape)} after `resize` and `pad`"
        )
        yield Misfit("NC201", message, "change the `input`, or `resize` and `pad` the data", "train.data")
    node = graph.nodes[graph.outputs[0]]
    if node.facts is None:
        return
    output = node.known.output
    if output.size != classes or output.channels != classes:
        message = f"the output {format_shape(output.shape)} does not match the {classes} classes of `{source}`"
        help = f"end the network in {classes} outputs, such as `dense: {classes}`"
        field = next((name for name in ("units", "filters") if name in node.spec.fields), "")
        yield Misfit("NC202", message, help, node=node, field=field)


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
