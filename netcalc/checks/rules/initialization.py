"""Rules on how parameters start."""

from __future__ import annotations

from collections.abc import Iterator

from netcalc.checks.rules.kinds import ARRANGEMENTS, DROPOUTS, POOLS, RECTIFIERS, SATURATING
from netcalc.checks.rules.rule import Finding, Subject
from netcalc.graph import Node
from netcalc.layers.initializer import Constant, VarianceScaling

OCTAVES = 20
"""Powers of two by which E[x²] may grow or shrink; He et al. 2015 still trained 22 layers that lost as many."""

SATURATED = 3.0
"""Standard deviations of an activation's input beyond which tanh(x) is above 0.995 for a third of its units."""

_WEIGHTED = ("conv", "depthwise_conv", "conv_transpose", "dense")
_ASIDE = (*ARRANGEMENTS, *DROPOUTS, *POOLS)
"""What may stand between a layer and its activation without changing which initialisation suits."""


def unsuited_init(subject: Subject) -> Iterator[Finding]:
    """An initialisation that was derived for another activation.

    Why: ReLU sets half of its inputs to 0, and He's variance 2 / fan_in makes up for it (He et al. 2015, eq. 10);
    Glorot's 2 / (fan_in + fan_out) and Caffe's 1 / fan_in are for activations that are the identity around 0, as
    tanh is (Glorot & Bengio 2010, eq. 12). With the other's, signals halve or double in every layer. Only an
    initialisation that the spec names is looked at, and none before a normalisation, which takes the scale away.

    Example:
        input: [28, 28, 1]
        layers:
          - conv: {filters: 16, kernel: 3, init: glorot_normal}
          - relu

    Instead:
        input: [28, 28, 1]
        layers:
          - conv: {filters: 16, kernel: 3, init: he_normal}
          - relu
    """
    for node in subject.of_kind(*_WEIGHTED):
        if "init" not in node.spec.fields:
            continue
        start = node.known.params["kernel"].init.chosen
        activation = subject.behind(node, _ASIDE)
        if activation is None or not isinstance(start, VarianceScaling):
            continue
        if activation.kind in RECTIFIERS and start.scale == 1:
            better = f"use `he_{start.distribution}`"
        elif activation.kind in SATURATING and start.scale == 2:
            better = f"use `glorot_{start.distribution}`"
        else:
            continue
        message = f"the initialisation of `{node.name}` is not the one for `{activation.kind}`"
        yield Finding(message, better, node, "init")


def signal_scale(subject: Subject) -> Iterator[Finding]:
    """Signals that vanish or explode with depth before training begins.

    Why: each layer multiplies E[x²] by fan_in · Var(w), and ReLU halves it (He et al. 2015, eq. 9). Glorot's
    variance under ReLU leaves 2⁻²² after 22 layers, which trained late, and 2⁻³⁰ after 30, which did not train at
    all (section 2.2 there); weights from N(0, 1) multiply by fan_in. A normalisation brings the scale back to 1, as
    does the right initialisation. Told at the first layer that leaves the range of 2⁻²⁰ to 2²⁰.

    Example:
        input: [32, 32, 64]
        layers:
          - sequence: [{conv: {filters: 64, kernel: 3, padding: 1, init: glorot_normal}}, relu]
            repeat: 24
          - global_avg_pool
          - dense: 10

    Instead:
        input: [32, 32, 64]
        layers:
          - sequence: [{conv: {filters: 64, kernel: 3, padding: 1, init: he_normal}}, relu]
            repeat: 24
          - global_avg_pool
          - dense: 10
    """
    scales = subject.signal_scales
    for node in subject.known:
        if node.kind in _WEIGHTED and abs(scales.get(node.name, 0.0)) > OCTAVES:
            scale = scales[node.name]
            how = f"2^{scale:.0f} of" if scale < 0 else f"2^{scale:.0f} times"
            message = f"before training the mean square of what `{node.name}` gives is {how} the input's"
            yield Finding(message, "use `init: he_normal` before ReLU, or normalise between layers", node, "init")
            return


def saturated_start(subject: Subject) -> Iterator[Finding]:
    """Weights so large that saturating units start saturated.

    Why: a sigmoid or tanh far from 0 has hardly a slope. Weights from N(0, 1) or uniform on [−1, 1], the lecture's
    examples, give sums of standard deviation √(fan_in · Var(w)): 20 for 400 inputs, where tanh' is below 10⁻¹⁵ for
    most units, and nothing is learned. The variance has to shrink with fan_in (LeCun et al. 1998, "Efficient
    backprop", section 4.6). Told above a standard deviation of 3.

    Example:
        input: [400]
        layers:
          - dense: {units: 100, init: {normal: {std: 1}}}
          - tanh
          - dense: 10

    Instead:
        input: [400]
        layers:
          - dense: {units: 100, init: glorot_normal}
          - tanh
          - dense: 10
    """
    scales = subject.signal_scales
    for node in subject.of_kind(*SATURATING):
        source = subject.source(node)
        if source is None or source.kind not in _WEIGHTED or source.name not in scales:
            continue
        deviation = 2.0 ** min(scales[source.name] / 2, 500.0)
        if deviation > SATURATED:
            message = f"`{node.name}` starts saturated: its input has a standard deviation of {deviation:,.3g}"
            yield Finding(message, "use `init: glorot_normal`", source, "init")


def dead_start(subject: Subject) -> Iterator[Finding]:
    """A negative bias before a ReLU starts units that may never wake.

    Why: a unit whose sum is negative for every image has the output 0 and the gradient 0, for good. A bias below 0
    takes units there from the start. Start biases at 0, or at a small positive value such as 0.1, as the lecture
    advises, with which most units pass a gradient in the first steps.

    Example:
        input: [28, 28, 1]
        layers:
          - conv: {filters: 16, kernel: 3, bias_init: -1}
          - relu

    Instead:
        input: [28, 28, 1]
        layers:
          - conv: {filters: 16, kernel: 3, bias_init: 0.1}
          - relu
    """
    for node in subject.of_kind(*_WEIGHTED):
        start = _bias(node)
        if start is None or start >= 0:
            continue
        activation = subject.behind(node, _ASIDE)
        if activation is not None and activation.kind in RECTIFIERS:
            message = (
                f"the bias of `{node.name}` starts at {start:g}: `{activation.name}` cuts units from the start"
            )
            yield Finding(message, "start it at 0, or at a small positive value such as 0.1", node, "bias_init")


def _bias(node: Node) -> float | None:
    """Return the value that all biases of a layer start at, None where they differ or there are none."""
    bias = node.known.params.get("bias")
    if bias is None or not isinstance(bias.init.chosen, Constant):
        return None
    return bias.init.chosen.value
