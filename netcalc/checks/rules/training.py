"""Rules on the `train:` section: rates, batches, averages."""

from __future__ import annotations

from collections.abc import Iterator

from netcalc.checks.rules.rule import Finding, Subject
from netcalc.data.catalog import KNOWN
from netcalc.spec.training import EPOCHS, TrainingSpec

USUAL_RATES = {"sgd": (1e-5, 1.0), "momentum": (1e-5, 1.0), "nesterov": (1e-5, 1.0), "adam": (1e-6, 1e-2)}
"""Least and most of the rates that image networks are trained with, by optimizer; one not listed is not judged."""

RATE_PER_SAMPLE = 0.25
"""α / (1 − γ) for each sample of a batch: 64 times that of Goyal et al. 2017, 0.1 / (1 − 0.9) / 256."""

LEAST_BATCH = 8
"""Wu & He 2018, table 2: ResNet-50 loses 1.2 % of accuracy with 8 images for a mean, 3.7 % with 4, 11 % with 2."""

MOST_OF_THE_START = 0.1
"""Share of the initial parameters in the moving average that is evaluated at the end."""


def learning_rate_range(subject: Subject) -> Iterator[Finding]:
    """A learning rate far from what its optimizer is used with.

    Why: a step of Adam is about as long as its rate whatever the gradient, so that 0.1 throws every weight far away
    at once, while gradient descent divides by the flatness of the loss and takes rates to 1. Too small a rate does
    nothing in the epochs there are. Usual are 10⁻⁵ to 1 for SGD, momentum and Nesterov, 10⁻⁶ to 10⁻² for Adam.

    Example:
        input: [8, 8, 1]
        layers:
          - flatten
          - dense: 10
        train:
          data: digits
          optimizer: {adam: {learning_rate: 0.1}}

    Instead:
        input: [8, 8, 1]
        layers:
          - flatten
          - dense: 10
        train:
          data: digits
          optimizer: {adam: {learning_rate: 0.001}}
    """
    train = subject.graph.spec.train
    if train is None or (usual := USUAL_RATES.get(train.optimizer.kind)) is None:
        return
    kind, rate = train.optimizer.kind, train.optimizer.chosen.learning_rate
    least, most = usual
    if not least <= rate <= most:
        message = f"a rate of {rate:g} is {'above' if rate > most else 'below'} what `{kind}` is used with"
        section = f"train.optimizer.{kind}.learning_rate"
        yield Finding(message, f"usual are {least:g} to {most:g}", section=section)


def rate_for_batch(subject: Subject) -> Iterator[Finding]:
    """A learning rate too large for so small a batch.

    Why: the noise of gradient descent grows with α / (1 − γ) / B, the rate for each sample of the batch; trainings
    that scale the rate with the batch keep it (Goyal et al. 2017, "Accurate, large minibatch SGD": 0.1 with
    momentum 0.9 for 256 images). Told at 64 times their value. Adam's steps do not scale so, and are left alone.

    Example:
        input: [8, 8, 1]
        layers:
          - flatten
          - dense: 10
        train:
          data: digits
          batch_size: 2
          optimizer: {momentum: {learning_rate: 0.1, momentum: 0.9}}

    Instead:
        input: [8, 8, 1]
        layers:
          - flatten
          - dense: 10
        train:
          data: digits
          batch_size: 32
          optimizer: {momentum: {learning_rate: 0.1, momentum: 0.9}}
    """
    train = subject.graph.spec.train
    if train is None or train.optimizer.kind not in ("sgd", "momentum", "nesterov"):
        return
    kind, chosen = train.optimizer.kind, train.optimizer.chosen
    momentum = 0.0 if kind == "sgd" else chosen.momentum
    rate = chosen.learning_rate / (1 - momentum)
    if rate / train.batch_size > RATE_PER_SAMPLE:
        with_momentum = f" with momentum {momentum:g}" if momentum else ""
        message = (
            f"a rate of {chosen.learning_rate:g}{with_momentum} is too large for a batch of {train.batch_size}"
        )
        largest = RATE_PER_SAMPLE * train.batch_size * (1 - momentum)
        section = f"train.optimizer.{kind}.learning_rate"
        yield Finding(message, f"use a rate below {largest:.2g}, or a larger batch", section=section)


def batch_beyond_data(subject: Subject) -> Iterator[Finding]:
    """A batch larger than the training set.

    Why: no batch is ever full, an epoch is one update, and the gradient is that of the whole set: batch gradient
    descent, with few updates and none of the noise that helps to generalise.

    Example:
        input: [8, 8, 1]
        layers:
          - flatten
          - dense: 10
        train: {data: digits, batch_size: 2048}

    Instead:
        input: [8, 8, 1]
        layers:
          - flatten
          - dense: 10
        train: {data: digits, batch_size: 64}
    """
    train = subject.graph.spec.train
    known = KNOWN.get(train.data.source) if train is not None else None
    if train is not None and known is not None and train.batch_size > known.train_images:
        message = f"a batch of {train.batch_size:,} is more than the {known.train_images:,} training images"
        yield Finding(message, "32 to 256 are usual", section="train.batch_size")


def small_batch_norm(subject: Subject) -> Iterator[Finding]:
    """Batch normalisation with few images in a batch.

    Why: mean and variance of a handful of images are poor guesses of those of the data set, which the network is
    evaluated with. ResNet-50 on ImageNet loses 1.2 % of accuracy with 8 images for a mean instead of 32, 3.7 % with
    4 and 11 % with 2, group normalisation nothing (Wu & He 2018, table 2). Told below 8.

    Example:
        input: [8, 8, 1]
        layers:
          - conv: {filters: 16, kernel: 3, bias: false}
          - batch_norm
          - relu
          - flatten
          - dense: 10
        train:
          data: digits
          batch_size: 4

    Instead:
        input: [8, 8, 1]
        layers:
          - conv: {filters: 16, kernel: 3, bias: false}
          - group_norm: 4
          - relu
          - flatten
          - dense: 10
        train:
          data: digits
          batch_size: 4
    """
    train = subject.graph.spec.train
    if train is None or train.batch_size >= LEAST_BATCH:
        return
    norms = [node for node in subject.of_kind("batch_norm") if node.spec.trainable]
    if norms:
        message = f"`{norms[0].name}` takes its statistics of a batch of {train.batch_size}"
        yield Finding(
            message, f"use a batch of at least {LEAST_BATCH}, or `group_norm`", section="train.batch_size"
        )


def average_beyond_run(subject: Subject) -> Iterator[Finding]:
    """A moving average that still holds much of the initial parameters when training ends.

    Why: after n updates the average a ← d·a + (1 − d)·θ holds dⁿ of where it started, random weights. An average of
    0.9999 has a memory of 10,000 updates; a shorter run evaluates a mixture with noise. Told where more than a
    tenth is left.

    Example:
        input: [8, 8, 1]
        layers:
          - flatten
          - dense: 10
        train: {data: digits, batch_size: 32, epochs: 10, ema: 0.9999}

    Instead:
        input: [8, 8, 1]
        layers:
          - flatten
          - dense: 10
        train: {data: digits, batch_size: 32, epochs: 10, ema: 0.99}
    """
    train = subject.graph.spec.train
    if train is None or train.ema is None or (steps := _steps(train)) is None:
        return
    left = train.ema**steps
    if left > MOST_OF_THE_START:
        message = f"after {steps:,} updates the average still holds {left:.0%} of the initial parameters"
        shorter = 0.01 ** (1 / steps)
        yield Finding(message, f"use at most {shorter:.3g}, or train longer", section="train.ema")


def _steps(train: TrainingSpec) -> int | None:
    """Return the updates of a training, None where the size of its data set is not known."""
    if train.steps is not None:
        return train.steps
    known = KNOWN.get(train.data.source)
    return None if known is None else (train.epochs or EPOCHS) * -(-known.train_images // train.batch_size)


def nothing_trained(subject: Subject) -> Iterator[Finding]:
    """A training that changes no parameter.

    Why: every layer with parameters is frozen by `trainable: false`, or there is none; the loss is the same after
    every epoch.

    Example:
        input: [8, 8, 1]
        layers:
          - flatten
          - {dense: 10, trainable: false}
        train: {data: digits}

    Instead:
        input: [8, 8, 1]
        layers:
          - flatten
          - {dense: 64, trainable: false}
          - relu
          - dense: 10
        train: {data: digits}
    """
    graph = subject.graph
    if graph.spec.train is not None and graph.complete and not any(map(graph.is_trained, graph.nodes.values())):
        yield Finding("no parameter is trained", "leave out `trainable: false`, or `train`", section="train")
