"""Rules on a network and the data of its `train:` section: what `netcalc train` would refuse."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from netcalc.analysis.data_fit import Misfit, misfits_of_ends, misfits_of_samples, prepared_shape
from netcalc.checks.rules.rule import Finding, Subject
from netcalc.data.catalog import KNOWN


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
    """The network's output does not match the classes of the data.

    Why: the loss compares one value for each class with the true class; `netcalc train` stops with this error.

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

    Why: a sample of the data sets is one image and one class. `netcalc train` stops with this error; auxiliary
    heads are counted by `netcalc analyze` but not trained yet.

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


def _misfits_of_samples(subject: Subject) -> Iterator[Misfit]:
    graph, train = subject.graph, subject.graph.spec.train
    if train is None or len(graph.inputs) != 1 or len(graph.outputs) != 1:
        return
    known = KNOWN.get(train.data.source)
    if known is None:  # its sizes are known once the data are read
        return
    shape = prepared_shape(known.shape, train.data)
    if shape is not None:
        yield from misfits_of_samples(graph, train.data.source, shape, len(known.classes))


def _found(code: str, misfits: Iterable[Misfit]) -> Iterator[Finding]:
    for misfit in misfits:
        if misfit.code == code:
            yield Finding(misfit.message, misfit.help, misfit.node, misfit.field, misfit.section)
