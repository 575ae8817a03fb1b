"""Rules on parameters: where they sit, and how many there are for the data."""

from __future__ import annotations

from collections.abc import Iterator

from netcalc.analysis.cost import count_params
from netcalc.checks.rules.kinds import ACTIVATIONS
from netcalc.checks.rules.rule import Finding, Subject
from netcalc.data.catalog import KNOWN
from netcalc.graph import Node
from netcalc.layers.dense import Dense

DOMINANT_SHARE = 0.5
"""One layer with more than all others together decides the size of the network."""
LEAST_DOMINANT = 1_000_000
"""Parameters (4 MB) below which a layer's share is no concern."""

MOST_PER_IMAGE = 1000
"""Wide ResNet 28-10 has 730 for each image of CIFAR-10, ResNet-50 20 for each of ImageNet."""
LEAST_PER_IMAGE = 0.01
"""LeNet-1 has 0.04 for each image of MNIST."""


def dominant_dense(subject: Subject) -> Iterator[Finding]:
    """One dense layer behind a flattened map holds most of the network's parameters.

    Why: units · (N²·C + 1) parameters grow with the area of the map; the layer also ties the network to one size of
    image. Averaging the map before it, as GoogLeNet and ResNet do, leaves units · (C + 1) and costs little accuracy
    (Lin et al. 2014, "Network in network", section 3.2). Told where a layer has more than half of all parameters
    and more than a million.

    Example:
        input: [64, 64, 3]
        layers:
          - conv: {filters: 32, kernel: 3}
          - relu
          - max_pool: 2
          - flatten
          - dense: 256
          - relu
          - dense: 10

    Instead:
        input: [64, 64, 3]
        layers:
          - conv: {filters: 32, kernel: 3}
          - relu
          - max_pool: 2
          - global_avg_pool
          - dense: 256
          - relu
          - dense: 10
    """
    large = [node for node in subject.of_kind("dense") if _owned(node) >= LEAST_DOMINANT]
    total = sum(map(_owned, subject.known)) if large else 0
    for node in large:
        layer, params = node.spec.layer, _owned(node)
        if params <= DOMINANT_SHARE * total or not isinstance(layer, Dense):
            continue
        path = tuple(subject.before(node, ("dropout", *ACTIVATIONS)))
        if not path or path[-1].kind != "flatten":
            continue
        flat = path[-1]
        read = subject.graph.type_of(flat.inputs[0])
        if read.size == read.channels:
            continue
        message = f"`{node.name}` has {params:,} of the {total:,} parameters ({params / total:.0%})"
        left = layer.units * (read.channels + layer.bias)
        yield Finding(message, f"`global_avg_pool` instead of `{flat.name}` would leave {left:,} of them", node)


def _owned(node: Node) -> int:
    """Return the parameters of a node, none where they are another's."""
    return count_params(node, node.known).total


def params_per_image(subject: Subject) -> Iterator[Finding]:
    """A network far too large, or far too small, for the images it is trained on.

    Why: parameters that no image constrains learn the images by heart, and a network with a hundredth of a
    parameter for each image can hardly tell them apart. Regularisation and augmentation move the limits, and
    published networks lie between 0.04 (LeNet-1 on MNIST) and 730 (Wide ResNet 28-10 on CIFAR-10) trained
    parameters for an image: told above 1,000 and below 0.01.

    Example:
        input: [28, 28, 1]
        layers:
          - flatten
          - dense: 4096
          - relu
          - dense: 1024
          - relu
          - dense: 10
        train: {data: mnist5k}

    Instead:
        input: [28, 28, 1]
        layers:
          - flatten
          - dense: 128
          - relu
          - dense: 10
        train: {data: mnist5k}
    """
    train = subject.graph.spec.train
    known = KNOWN.get(train.data.source) if train is not None else None
    if train is None or known is None or not subject.graph.complete:
        return
    params = sum(count_params(node, node.known).trainable for node in subject.known)
    ratio = params / known.train_images
    message = f"{params:,} trained parameters for {known.train_images:,} images of `{train.data.source}`: "
    if ratio > MOST_PER_IMAGE:
        yield Finding(f"{message}{ratio:,.0f} each", "a smaller network, or more images", section="train.data")
    elif 0 < ratio < LEAST_PER_IMAGE:
        yield Finding(f"{message}{ratio:.2g} each", "a larger network", section="train.data")
