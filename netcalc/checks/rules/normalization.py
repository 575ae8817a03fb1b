"""Rules on normalisation."""

from __future__ import annotations

from collections.abc import Iterator

from netcalc.checks.rules.kinds import ACTIVATIONS, ARRANGEMENTS, POOLS
from netcalc.checks.rules.rule import Finding, Subject
from netcalc.layers.norm import GroupNorm, InstanceNorm, LayerNorm
from netcalc.layers.regularizer import Dropout, SpatialDropout


def redundant_bias(subject: Subject) -> Iterator[Finding]:
    """A bias just before batch normalisation changes nothing.

    Why: the normalisation subtracts the batch mean, and with it any constant that was added before. The bias still
    costs memory, optimizer state and a reduction in backward (Ioffe & Szegedy 2015, section 3.2).

    Example:
        input: [32, 32, 3]
        layers:
          - conv: {filters: 64, kernel: 3}
          - batch_norm
          - relu

    Instead:
        input: [32, 32, 3]
        layers:
          - conv: {filters: 64, kernel: 3, bias: false}
          - batch_norm
          - relu
    """
    lent = {node.spec.share for node in subject.known}
    for node in subject.of_kind("batch_norm"):
        source = subject.source(node)
        if source is None or subject.only_reader(source) is not node:
            continue
        if not node.spec.trainable:  # it subtracts the stored mean, which does not follow the bias
            continue
        layer = source.spec.layer
        added = any(spec.role == "bias" and spec.axes == "o" for spec in source.known.params.values())
        if not added or "bias" not in type(layer).model_fields:
            continue
        if source.spec.share is not None or source.name in lent:
            continue  # its bias serves another node as well
        yield Finding(
            f"the bias of `{source.name}` is cancelled by `{node.name}`", "set `bias: false`", source, "bias"
        )


def dropout_before_batch_norm(subject: Subject) -> Iterator[Finding]:
    """Dropout before batch normalisation shifts the variance between training and inference.

    Why: dropout keeps the mean of its input but raises its variance by 1 / (1 − rate) in training alone. The
    running variance that batch normalisation stores is the raised one, and at inference it divides by too much (Li
    et al. 2019, "Understanding the disharmony between dropout and batch normalization by variance shift"). A
    convolution or dense layer between them does not cure it. Put dropout behind the last normalisation.

    Example:
        input: [32, 32, 3]
        layers:
          - conv: {filters: 64, kernel: 3}
          - dropout: 0.3
          - conv: {filters: 64, kernel: 3, bias: false}
          - batch_norm
          - relu

    Instead:
        input: [32, 32, 3]
        layers:
          - conv: {filters: 64, kernel: 3, bias: false}
          - batch_norm
          - relu
          - dropout: 0.3
          - conv: {filters: 64, kernel: 3}
    """
    told: set[str] = set()
    for norm in subject.of_kind("batch_norm"):
        weighted = 0
        for node in subject.before(norm, _PASSED):
            weighted += node.kind in _WEIGHTED
            if weighted > 1:
                break
            layer = node.spec.layer
            if isinstance(layer, Dropout | SpatialDropout) and layer.rate and node.name not in told:
                told.add(node.name)
                message = f"`{node.name}` raises the variance that `{norm.name}` stores, in training alone"
                yield Finding(message, "move the dropout behind the last batch normalisation", node)
                break


_WEIGHTED = ("conv", "depthwise_conv", "conv_transpose", "dense")
_PASSED = (*_WEIGHTED, *ACTIVATIONS, *ARRANGEMENTS, *POOLS, "dropout", "spatial_dropout")
"""What leaves the variance of dropout in its output; a sum with another branch is left alone."""


def norm_of_one_value(subject: Subject) -> Iterator[Finding]:
    """A normalisation over one value gives the same output whatever its input.

    Why: a value less its own mean is 0. Instance normalisation of a 1×1 map, group normalisation with one value in
    a group and layer normalisation of one channel return their shift and pass no gradient on; RMS normalisation of
    one channel returns the sign.

    Example:
        input: [16, 16, 8]
        layers:
          - {global_avg_pool: {keepdims: true}}
          - instance_norm
          - dense: 10

    Instead:
        input: [16, 16, 8]
        layers:
          - instance_norm
          - {global_avg_pool: {keepdims: true}}
          - dense: 10
    """
    for node in subject.of_kind("instance_norm", "group_norm", "layer_norm", "rms_norm"):
        x, layer = node.known.output, node.spec.layer
        match layer:
            case InstanceNorm():
                together = x.size // x.channels
            case GroupNorm(groups=groups):
                together = x.size // groups
            case LayerNorm(axes="all"):
                together = x.size
            case _:
                together = x.channels
        if together == 1:
            left = "sign" if node.kind == "rms_norm" else "shift"
            message = f"`{node.name}` normalises each value by itself: its output is the {left} alone"
            yield Finding(message, "normalise before the map shrinks to one value, or over more channels", node)
