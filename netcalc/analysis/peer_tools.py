"""What other tools count, as rules over a layer's facts.

Each tool starts from the multiplies of convolutions and matrix products and adds or leaves out terms of its own.
Most of them hook module classes, so terms are looked up by kind of layer; what a tool has no hook for, it counts as
nothing. The rules were read from the sources of the versions in `VERSIONS` and are compared with them by a test.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from netcalc.analysis.convention import Call, Convention, Form, Term
from netcalc.analysis.cost import forward_macs, has_kernel

VERSIONS = {
    "torch": "2.13.0",
    "torchvision": "0.29.1",
    "torchinfo": "1.8.0",
    "fvcore": "0.1.5.post20221221",
    "thop": "0.1.1.post2209072238",
    "ptflops": "0.7.5",
    "timm": "1.0.31",
}
"""The versions whose sources the rules were read from."""


def _bias(call: Call) -> int:
    """One addition for each output of a convolution or dense layer with a bias."""
    return call.output.size if call.param_size("bias") else 0


def _input(call: Call) -> int:
    return call.input.size


def _output(call: Call) -> int:
    return call.output.size


def _input_and_output(call: Call) -> int:
    return call.input.size + call.output.size


def _norm(affine: int, plain: int) -> Callable[[Call], int]:
    return lambda call: (affine if call.affine else plain) * call.input.size


def _on_axes(counts: Mapping[int, int]) -> Callable[[Call], int]:
    """So much for each output element, by the number of spatial axes."""
    return lambda call: counts.get(len(call.output.sides), 0) * call.output.size


def _all_macs(call: Call) -> int:
    return -forward_macs(call.facts)


def _on_outputs(call: Call) -> int:
    """A transposed convolution's taps at each output instead of each input position."""
    positions = call.output.size // call.output.channels
    return call.param_size("weight") * positions - forward_macs(call.facts)


def _per_step(gate_biases: int, always: int) -> Callable[[Call], int]:
    """Elementwise work of a recurrent layer: so many operations a step and unit, more where there are biases."""

    def count(call: Call) -> int:
        steps = call.input.sides[0]
        units = call.output.channels
        return steps * units * (always + (gate_biases if call.param_size("bias") else 0))

    return count


def _padding(call: Call) -> int:
    return -sum(kernel.padding_macs for kernel in call.facts.kernels)


def _later_steps(call: Call) -> int:
    """A recurrence without all steps but one: the body of a loop is compiled, and counted, once."""
    recurrent = sum(kernel.macs for kernel in call.facts.kernels if kernel.kind == "scan")
    return recurrent // call.input.sides[0] - recurrent


def _response_window(call: Call) -> int:
    """Squares, windows over padded channels, factor and offset: `F.local_response_norm` as PyTorch writes it."""
    (window, *_) = call.facts.kernels
    size = window.flops // call.input.size
    positions = call.input.size // call.input.channels
    return 3 * call.input.size + positions * (call.input.channels + size - 1)


_CONVOLUTIONS = ("conv", "depthwise_conv", "conv_transpose")
_WEIGHTED = (*_CONVOLUTIONS, "dense")
_MODULE_OR_FUNCTION: Mapping[Form, int] = {"module": 1, "function": 1}
_MODULE_AND_FUNCTION: Mapping[Form, int] = {"module": 2, "function": 1}


def _each(kinds: tuple[str, ...], *terms: Term) -> dict[str, tuple[Term, ...]]:
    return dict.fromkeys(kinds, terms)


_BIAS = Term("bias", _bias)
_UNCOUNTED = Term("recurrent layers not counted", _all_macs)

_TORCHINFO_NORM = Term(
    "parameters of norms, once", lambda call: call.param_size("scale", "bias"), _MODULE_OR_FUNCTION
)
_DENSE_ONCE = Term(
    "dense layers counted at one position", lambda call: call.param_size("weight") - forward_macs(call.facts)
)

TORCHINFO = Convention(
    "torchinfo",
    "mult-adds",
    terms={
        **_each(("conv", "depthwise_conv"), _BIAS),
        "conv_transpose": (_BIAS, Term("transposed convolutions counted on their outputs", _on_outputs)),
        "dense": (_DENSE_ONCE, Term("bias", lambda call: call.param_size("bias"))),
        **_each(("batch_norm", "layer_norm", "group_norm", "instance_norm", "rms_norm"), _TORCHINFO_NORM),
        "prelu": (Term("slopes, once", lambda call: call.param_size("slope")),),
        "lstm": (Term("bias", _per_step(8, 0)),),
        "gru": (Term("bias", _per_step(6, 0)),),
    },
    note="Elements of `weight` and `bias`, those of convolutions times the output positions; nothing without them.",
)

_FVCORE: dict[str, tuple[Term, ...]] = {
    "batch_norm": (Term("batch norm", _norm(2, 1), _MODULE_OR_FUNCTION),),
    **_each(("layer_norm", "group_norm", "instance_norm"), Term("other norms", _norm(5, 4), _MODULE_OR_FUNCTION)),
    **_each(
        ("adaptive_avg_pool", "global_avg_pool"),
        Term(
            "adaptive pooling",
            lambda call: call.input.size if len(call.input.sides) == 2 else 0,
            _MODULE_OR_FUNCTION,
        ),
    ),
    **_each(("lstm", "gru"), _UNCOUNTED),
}
_FVCORE_NOTE = (
    "Traced operators. Biases, activations, pooling and sums count as nothing, adaptive pooling in 2-D aside."
)


def _upsample(nearest: Mapping[int, int], linear: Mapping[int, int]) -> Callable[[Call], int]:
    """Upsampling by method: a layer that computes interpolates linearly, one that only moves repeats."""

    def count(call: Call) -> int:
        table = linear if has_kernel(call.facts, "elementwise") else nearest
        return _on_axes(table)(call)

    return count


_FVCORE["upsample"] = (Term("upsampling", _upsample({2: 1}, {2: 4}), _MODULE_OR_FUNCTION),)

FVCORE = Convention("fvcore", "FLOPs", terms=_FVCORE, activations=True, note=_FVCORE_NOTE)
TIMM = Convention(
    "timm",
    "MACs",
    terms=_FVCORE,
    activations=True,
    note="fvcore's figures, unrounded. Its benchmark script pools by a mean unless told otherwise: "
    "`--written global_avg_pool=method`.",
)

_THOP: dict[str, tuple[Term, ...]] = {
    **_each(("conv", "depthwise_conv", "dense")),
    "conv_transpose": (Term("transposed convolutions counted on their outputs", _on_outputs),),
    "batch_norm": (Term("batch norm", _norm(4, 2)),),
    **_each(("layer_norm", "instance_norm"), Term("other norms", _norm(4, 2))),
    "avg_pool": (Term("average pooling", _output),),
    **_each(("adaptive_avg_pool", "global_avg_pool"), Term("adaptive pooling", _input_and_output)),
    "softmax": (Term("softmax", lambda call: 3 * call.input.size - call.input.size // call.input.channels),),
    "prelu": (Term("activations", _input),),
    "upsample": (Term("upsampling", _upsample({1: 1, 2: 1, 3: 1}, {1: 5, 2: 11})),),
    "lstm": (Term("gates and bias", _per_step(8, 8)),),
    "gru": (Term("gates and bias", _per_step(6, 7)),),
}

THOP = Convention(
    "thop",
    "MACs",
    terms=_THOP,
    params="hooked",
    hooked=frozenset(_THOP),
    note="Hooks of module classes, for parameters too. Biases, ReLU, max pooling and functions count as nothing.",
)

_PTFLOPS_POOL = Term("pooling", _input, _MODULE_AND_FUNCTION)
_PTFLOPS_TWICE = Term("activations", _input, _MODULE_AND_FUNCTION)
_PTFLOPS_NORM = Term("batch norm", _norm(2, 1))

PTFLOPS = Convention(
    "ptflops",
    "MACs",
    terms={
        **_each(_WEIGHTED, _BIAS),
        "batch_norm": (_PTFLOPS_NORM,),
        **_each(("group_norm", "instance_norm"), Term("other norms", _norm(2, 1))),
        "layer_norm": (Term("other norms", _input),),
        **_each(("max_pool", "avg_pool", "adaptive_avg_pool", "global_avg_pool", "global_max_pool"), _PTFLOPS_POOL),
        **_each(("relu", "prelu", "elu", "gelu"), _PTFLOPS_TWICE),
        "leaky_relu": (Term("activations", _input),),
        "relu6": (Term("activations", _input, _MODULE_OR_FUNCTION),),
        "silu": (Term("activations", _input, _MODULE_OR_FUNCTION),),
        "softmax": (Term("softmax", _input, _MODULE_OR_FUNCTION),),
        "upsample": (Term("upsampling", _output, _MODULE_AND_FUNCTION),),
        "local_response_norm": (Term("other norms", _response_window, _MODULE_OR_FUNCTION),),
        "lstm": (Term("gates and bias", _per_step(8, 10)),),
        "gru": (Term("gates and bias", _per_step(6, 7)),),
    },
    params="trained",
    note="Hooks of module classes and of functions; a module that calls such a function, as nn.ReLU calls F.relu "
    "and pooling does, is counted twice.",
)

PTFLOPS_ATEN = Convention(
    "ptflops (aten)",
    "MACs",
    terms={
        **_each(_WEIGHTED, _BIAS),
        "lstm": (_UNCOUNTED,),
        "gru": (Term("bias", _per_step(6, 0)),),
    },
    params="trained",
    note="Operators convolution and matrix product with their biases; on a CPU an LSTM is one fused operator that "
    "it does not know.",
)

TORCHVISION = Convention("torchvision", "MACs", note="What its documentation calls GFLOPS.")

TORCH = Convention(
    "torch.utils.flop_counter",
    "FLOPs",
    per_mac=2,
    terms={"lstm": (_UNCOUNTED,)},
    params=None,
    note="2 for each MAC; on a CPU an LSTM is one fused operator that it does not know.",
)

XLA = Convention(
    "XLA (conv, dot)",
    "FLOPs",
    per_mac=2,
    terms={
        **_each(_CONVOLUTIONS, Term("taps on padding", _padding)),
        **_each(("lstm", "gru"), Term("steps of recurrences after the first", _later_steps)),
    },
    params=None,
    counts_more=True,
    note="2 for each MAC of convolutions and dots, a loop's body once; its elementwise FLOPs, which depend on what "
    "it fuses, are left out here.",
)

KERAS = Convention(
    "Keras",
    None,
    params="with_state",
    note="`summary()` prints parameters, the statistics of batch norm among them, and counts no operations.",
)

CONVENTIONS: tuple[Convention, ...] = (
    TORCHVISION,
    TORCH,
    TORCHINFO,
    FVCORE,
    TIMM,
    THOP,
    PTFLOPS,
    PTFLOPS_ATEN,
    XLA,
    KERAS,
)
"""Every tool, in the order of reports."""
