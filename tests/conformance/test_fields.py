"""Every field of every layer changes something: one that nothing reads fails here, as does one without a row."""

from dataclasses import replace

import jax
import numpy as np
import pytest

from netcalc.compiler.network import compile_graph
from netcalc.layers.catalog import LAYERS
from netcalc.layers.initializer import initializer
from tests.conformance.rows import Row

CONV = {"filters": 4, "kernel": 3}

UP = {"filters": 4, "kernel": 3, "stride": 2}
SEQUENCE = (4, 2)

CHANGES = {
    ("conv", "filters"): (CONV, 2, (7, 6, 2)),
    ("conv", "kernel"): (CONV, 2, (7, 6, 2)),
    ("conv", "stride"): (CONV, 2, (7, 6, 2)),
    ("conv", "dilation"): ({**CONV, "padding": "same"}, 2, (7, 6, 2)),
    ("conv", "groups"): (CONV, 2, (7, 6, 2)),
    ("conv", "padding"): ({**CONV, "padding": [[0, 1], [1, 0]]}, [[1, 0], [0, 1]], (7, 6, 2)),
    ("conv", "bias"): (CONV, False, (7, 6, 2)),
    ("conv", "init"): (CONV, "glorot_uniform", (7, 6, 2)),
    ("conv", "bias_init"): (CONV, 0.5, (7, 6, 2)),
    ("depthwise_conv", "kernel"): ({"kernel": 3}, 2, (7, 6, 2)),
    ("depthwise_conv", "stride"): ({"kernel": 3}, 2, (7, 6, 2)),
    ("depthwise_conv", "dilation"): ({"kernel": 3, "padding": "same"}, 2, (7, 6, 2)),
    ("depthwise_conv", "padding"): ({"kernel": 3, "padding": [[0, 1], [1, 0]]}, [[1, 0], [0, 1]], (7, 6, 2)),
    ("depthwise_conv", "multiplier"): ({"kernel": 3}, 2, (7, 6, 2)),
    ("depthwise_conv", "bias"): ({"kernel": 3}, False, (7, 6, 2)),
    ("depthwise_conv", "init"): ({"kernel": 3}, "glorot_uniform", (7, 6, 2)),
    ("depthwise_conv", "bias_init"): ({"kernel": 3}, 0.5, (7, 6, 2)),
    ("conv_transpose", "filters"): (UP, 2, (5, 6, 2)),
    ("conv_transpose", "kernel"): ({**UP, "padding": "same"}, 4, (5, 6, 2)),
    ("conv_transpose", "stride"): (UP, 3, (5, 6, 2)),
    ("conv_transpose", "dilation"): ({**UP, "padding": "same"}, 2, (5, 6, 2)),
    ("conv_transpose", "groups"): (UP, 2, (5, 6, 2)),
    ("conv_transpose", "padding"): ({**UP, "padding": [[0, 1], [1, 0]]}, [[1, 0], [0, 1]], (5, 6, 2)),
    ("conv_transpose", "output_padding"): (UP, 1, (5, 6, 2)),
    ("conv_transpose", "bias"): (UP, False, (5, 6, 2)),
    ("conv_transpose", "init"): (UP, "glorot_uniform", (5, 6, 2)),
    ("conv_transpose", "bias_init"): (UP, 0.5, (5, 6, 2)),
    ("dense", "units"): ({"units": 3}, 4, (5,)),
    ("dense", "bias"): ({"units": 3}, False, (5,)),
    ("dense", "init"): ({"units": 3}, "he_normal", (5,)),
    ("dense", "bias_init"): ({"units": 3}, {"uniform": [0, 1]}, (5,)),
    ("max_pool", "kernel"): ({"kernel": 2, "stride": 3}, 3, (6, 6, 2)),
    ("max_pool", "stride"): ({"kernel": 2}, 1, (6, 6, 2)),
    ("max_pool", "padding"): ({"kernel": 2, "padding": [[1, 0], [0, 1]]}, [[0, 1], [1, 0]], (5, 5, 2)),
    ("max_pool", "rounding"): ({"kernel": 2}, "ceil", (5, 5, 2)),
    ("avg_pool", "kernel"): ({"kernel": 2, "stride": 3}, 3, (6, 6, 2)),
    ("avg_pool", "stride"): ({"kernel": 2}, 1, (6, 6, 2)),
    ("avg_pool", "padding"): ({"kernel": 2, "padding": [[1, 0], [0, 1]]}, [[0, 1], [1, 0]], (5, 5, 2)),
    ("avg_pool", "rounding"): ({"kernel": 2}, "ceil", (5, 5, 2)),
    ("avg_pool", "count_include_pad"): ({"kernel": 2, "padding": 1}, False, (4, 4, 2)),
    ("stochastic_pool", "kernel"): ({"kernel": 2, "stride": 3}, 3, (6, 6, 2)),
    ("stochastic_pool", "stride"): ({"kernel": 2}, 1, (6, 6, 2)),
    ("stochastic_pool", "padding"): ({"kernel": 2, "padding": [[1, 0], [0, 1]]}, [[0, 1], [1, 0]], (5, 5, 2)),
    ("stochastic_pool", "rounding"): ({"kernel": 2}, "ceil", (5, 5, 2)),
    ("stochastic_pool", "alpha"): ({"kernel": 2}, 0.9, (4, 4, 2)),
    ("adaptive_avg_pool", "size"): ({"size": 2}, 3, (6, 6, 2)),
    ("global_avg_pool", "keepdims"): ({}, True, (3, 4, 2)),
    ("global_max_pool", "keepdims"): ({}, True, (3, 4, 2)),
    ("batch_norm", "momentum"): ({}, 0.5, (3, 4, 2)),
    ("batch_norm", "epsilon"): ({}, 1e-2, (3, 4, 2)),
    ("batch_norm", "scale"): ({}, False, (3, 4, 2)),
    ("batch_norm", "shift"): ({}, False, (3, 4, 2)),
    ("layer_norm", "axes"): ({}, "all", (3, 4, 2)),
    ("layer_norm", "epsilon"): ({}, 1e-2, (3, 4, 2)),
    ("layer_norm", "scale"): ({}, False, (3, 4, 2)),
    ("layer_norm", "shift"): ({}, False, (3, 4, 2)),
    ("group_norm", "groups"): ({"groups": 2}, 4, (3, 4, 4)),
    ("group_norm", "epsilon"): ({"groups": 2}, 1e-2, (3, 4, 4)),
    ("group_norm", "scale"): ({"groups": 2}, False, (3, 4, 4)),
    ("group_norm", "shift"): ({"groups": 2}, False, (3, 4, 4)),
    ("instance_norm", "epsilon"): ({}, 1e-2, (3, 4, 2)),
    ("instance_norm", "scale"): ({}, True, (3, 4, 2)),
    ("instance_norm", "shift"): ({}, True, (3, 4, 2)),
    ("rms_norm", "epsilon"): ({}, 1e-2, (3, 4, 2)),
    ("rms_norm", "scale"): ({}, False, (3, 4, 2)),
    ("local_response_norm", "size"): ({}, 3, (3, 4, 6)),
    ("local_response_norm", "alpha"): ({}, 1e-2, (3, 4, 6)),
    ("local_response_norm", "beta"): ({}, 0.5, (3, 4, 6)),
    ("local_response_norm", "k"): ({}, 1.0, (3, 4, 6)),
    ("layer_scale", "init"): ({}, 0.1, (3, 4, 2)),
    ("dropout", "rate"): ({}, 0.25, (30,)),
    ("spatial_dropout", "rate"): ({}, 0.25, (2, 30)),
    ("drop_path", "rate"): ({"rate": 0.5}, 0.25, (30,)),
    ("leaky_relu", "slope"): ({}, 0.2, (9,)),
    ("prelu", "shared"): ({}, True, (3, 4, 2)),
    ("prelu", "init"): ({}, 0.1, (3, 4, 2)),
    ("maxout", "pieces"): ({"pieces": 2}, 3, (3, 4, 6)),
    ("elu", "alpha"): ({}, 0.5, (9,)),
    ("celu", "alpha"): ({}, 0.5, (9,)),
    ("gelu", "approximate"): ({}, "tanh", (9,)),
    **{
        (kind, field): ({"units": 3}, value, SEQUENCE)
        for kind in ("lstm", "gru")
        for field, value in {
            "units": 4,
            "output": "last",
            "bias": False,
            "init": "glorot_uniform",
            "recurrent_init": "glorot_uniform",
            "bias_init": 0.5,
        }.items()
    },
    ("lstm", "forget_bias"): ({"units": 3}, 0, SEQUENCE),
    ("reshape", "shape"): ({"shape": [6]}, [2, 3], (6,)),
    ("pad", "padding"): ({"padding": [[1, 0], [0, 1]]}, [[0, 1], [1, 0]], (3, 3, 2)),
    ("pad", "mode"): ({"padding": 1}, "edge", (3, 3, 2)),
    ("pad", "value"): ({"padding": 1}, 2.0, (3, 3, 2)),
    ("crop", "crop"): ({"crop": [[1, 0], [0, 1]]}, [[0, 1], [1, 0]], (3, 3, 2)),
    ("slice", "start"): ({"start": 1, "stop": 3, "step": 2}, 0, (3, 3, 4)),
    ("slice", "stop"): ({}, 3, (3, 3, 4)),
    ("slice", "step"): ({}, 2, (3, 3, 4)),
    ("slice", "axis"): ({"start": 1}, "width", (4, 4, 4)),
    ("channel_shuffle", "groups"): ({"groups": 2}, 3, (6,)),
    ("upsample", "scale"): ({"scale": [2, 3]}, [3, 2], (3, 3, 2)),
    ("upsample", "method"): ({"scale": 2}, "bilinear", (3, 3, 2)),
}
"""For each field: fields of a layer, another value of that one field, and input shapes."""


def facts(row):
    """Return the inferred facts, without those that only repeat a field: the window and the initialiser's name."""
    known = row.node.known
    params = {name: replace(spec, init=initializer("zeros"), gate_inits=()) for name, spec in known.params.items()}
    return known.output, params, dict(known.state), known.kernels


def results(row):
    """Return initial values, outputs and state in inference and in training, as shapes and bytes."""
    network = compile_graph(row.graph)
    random = np.random.default_rng(0)
    inputs = {name: random.normal(1, 2, (2, *x.shape)).astype("float32") for name, x in row.graph.inputs.items()}
    params, state = network.init(jax.random.key(0))
    key = jax.random.key(1)
    applied = [network.apply(params, state, inputs, train=train, key=key) for train in (False, True)]
    return jax.tree.map(lambda array: (array.shape, np.asarray(array).tobytes()), (params, state, applied))


def test_every_field_has_a_change():
    fields = {(kind, name) for kind, layer in LAYERS.items() for name in layer.model_fields}
    assert set(CHANGES) == fields


@pytest.mark.parametrize(("kind", "field"), CHANGES, ids=map(".".join, CHANGES))
def test_field_changes_something(kind, field):
    base, value, *shapes = CHANGES[kind, field]
    before, after = Row(kind, base, tuple(shapes)), Row(kind, {**base, field: value}, tuple(shapes))
    assert before.node.spec.layer != after.node.spec.layer
    assert facts(before) != facts(after) or results(before) != results(after)
