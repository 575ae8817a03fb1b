"""Rules on normalisation."""

from __future__ import annotations

from collections.abc import Iterator

from netcalc.checks.rules.rule import Finding, Subject


def redundant_bias(subject: Subject) -> Iterator[Finding]:
    """A bias just before batch normalisation changes nothing.

    Why: the normalisation subtracts the batch mean, and with it any constant that was added before. The bias
    still costs memory, optimizer state and a reduction in backward (Ioffe & Szegedy 2015, section 3.2).

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
        if any(other.owner == source.owner and other.name != source.name for other in subject.of_kind(source.kind)):
            continue  # its bias serves another node as well
        yield Finding(
            f"the bias of `{source.name}` is cancelled by `{node.name}`", "set `bias: false`", source, "bias"
        )
