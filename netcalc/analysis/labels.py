"""What the labels of a batch are, as far as network, loss and data tell without a sample."""

from __future__ import annotations

from netcalc.data.catalog import known_samples, sample_shape
from netcalc.graph import Graph
from netcalc.spec.data import Target
from netcalc.spec.training import TrainingSpec, UpdateSpec


def assumed_target(graph: Graph, update: UpdateSpec) -> Target:
    """Return what samples are to give.

    Where the data do not tell: a class for each position of the main output, or several labels for a binary loss of
    several outputs. What it is changes little of a step's memory.
    """
    known = known_samples(update.data) if isinstance(update, TrainingSpec) else None
    if known is not None:
        return known.target
    output = graph.nodes[graph.main_output].known.output
    if output.size > output.channels:
        return "mask"
    binary = update.loss_of(graph.main_output).kind == "binary_cross_entropy"
    return "multi_label" if binary and output.channels > 2 else "class"


def label_shape(graph: Graph, update: UpdateSpec) -> tuple[int, ...]:
    """Return the shape of one sample's labels, 32 bits a value, as they reach the device.

    A mask is as large as the image, of which a network without padding gives the middle alone.
    """
    output = graph.nodes[graph.main_output].known.output
    match assumed_target(graph, update):
        case "class":
            return ()
        case "multi_label" | "values":
            return (output.size,)
    if len(graph.inputs) != 1:
        return output.sides
    (read,) = graph.inputs.values()
    shape = sample_shape(update.data, read.shape) if isinstance(update, TrainingSpec) else read.shape
    if len(shape) != len(output.shape):
        return output.sides
    return tuple(map(max, shape[:-1], output.sides))
