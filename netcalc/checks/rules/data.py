"""Rules on a network and the data of its `train:` section: what `netcalc train` would refuse."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from netcalc.analysis.data_fit import (
    Misfit,
    misfits_of_ends,
    misfits_of_samples,
    prepared_shape,
)
from netcalc.checks.rules.rule import Finding, Subject
from netcalc.data.catalog import known_samples


def data_shape(subject: Subject) -> Iterator[Finding]:
    """The images do not have the shape of the network's input.

    Why: a network is built for one shape, [height, width, channels]; `netcalc train` stops with this error. What
    counts is the shape after `resize` and `pad`.

    Example:
        input: [32, 32, 1]
        layers:
          - flatten
          - dense: 10
        train: {data: mnist5k}

    Instead:
        input: [32, 32, 1]
        layers:
          - flatten
          - dense: 10
        train:
          data: {source: mnist5k, pad: 2}
    """
    return _found("NC201", _misfits_of_samples(subject))


def class_count(subject: Subject) -> Iterator[Finding]:
    """The network's output does not match the targets of the data.

    Why: the loss compares one output for each class with the true class or classes, of each pixel where the targets
    are masks, or one for each value; `netcalc train` stops with this error. One output does for two classes where
    the loss is not `cross_entropy`. A map may be smaller than the masks, which are compared in their middle. What
    counts for an auxiliary head counts for it too.

    Example:
        input: [8, 8, 1]
        layers:
          - flatten
          - dense: 100
        train: {data: digits}

    Instead:
        input: [8, 8, 1]
        layers:
          - flatten
          - dense: 10
        train: {data: digits}
    """
    return _found("NC202", _misfits_of_samples(subject))


def one_input_one_output(subject: Subject) -> Iterator[Finding]:
    """Training needs one input and one output.

    Why: a sample of the data sets is one image and one target. `netcalc train` stops with this error. Auxiliary
    heads, `train_only` outputs, may stand beside the one.

    Example:
        input: [8, 8, 1]
        layers:
          - flatten
          - {dense: 10, name: a}
          - {dense: 10, name: b}
        outputs: [a, b]
        train: {data: digits}

    Instead:
        input: [8, 8, 1]
        layers:
          - flatten
          - {dense: 10, name: a}
          - {dense: 10, name: b}
        outputs: [b]
        train: {data: digits}
    """
    if subject.graph.spec.train is not None:
        yield from _found("NC203", misfits_of_ends(subject.graph))


def loss_of_target(subject: Subject) -> Iterator[Finding]:
    """The loss does not go with the targets of the data.

    Why: `cross_entropy` is of one class out of several, so that it goes with classes and masks; values are no
    probabilities, so that only `half_mse` and `huber` go with them. `ignore` is of masks, the same for all outputs,
    and there are as many `class_weights` as classes. `netcalc train` stops with this error.

    Example:
        input: [16, 16, 1]
        layers:
          - flatten
          - dense: 3
        train:
          data: {source: synthetic, shape: [16, 16, 1], target: values}

    Instead:
        input: [16, 16, 1]
        layers:
          - flatten
          - dense: 3
        train:
          data: {source: synthetic, shape: [16, 16, 1], target: values}
          loss: half_mse
    """
    return _found("NC204", _misfits_of_samples(subject))


def _misfits_of_samples(subject: Subject) -> Iterator[Misfit]:
    graph, train = subject.graph, subject.graph.spec.train
    if train is None or len(graph.inputs) != 1 or len(graph.inference_outputs) != 1:
        return
    known = known_samples(train.data)
    shape = prepared_shape(known.shape, train.data) if known is not None else None
    if known is None or shape is None:  # what is not known now is when the data are read
        return
    yield from misfits_of_samples(graph, train.data.source, replace(known, shape=shape), train)


def _found(code: str, misfits: Iterable[Misfit]) -> Iterator[Finding]:
    for misfit in misfits:
        if misfit.code == code:
            yield Finding(misfit.message, misfit.help, misfit.node, misfit.field, misfit.section)
