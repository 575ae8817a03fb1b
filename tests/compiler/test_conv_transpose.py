"""A transposed convolution is the adjoint of the one that it undoes: ⟨conv(y), x⟩ = ⟨y, conv_transpose(x)⟩."""

import json

import jax
import numpy as np
import pytest

from netcalc.compiler.network import compile_graph
from netcalc.graph import build_complete
from netcalc.spec.load import parse_spec

CHANNELS, FILTERS = 4, 6


def compiled(kind, shape, fields):
    spec = {"input": shape, "layers": [{kind: {**fields, "bias": False}, "name": "node"}]}
    net = compile_graph(build_complete(parse_spec(json.dumps(spec))))
    return net.graph.type_of("node").shape, lambda kernel, x: net.apply({"node": {"kernel": kernel}}, {}, x)[0]


@pytest.mark.parametrize(
    ("sides", "fields"),
    [
        ((5,), {"kernel": 3}),
        ((4, 5), {"kernel": 2, "stride": 2}),
        ((4, 3), {"kernel": [3, 5], "stride": [2, 3], "padding": [[1, 0], [2, 1]]}),
        ((4, 3), {"kernel": 3, "stride": 2, "padding": 1, "output_padding": 1}),
        ((4, 3), {"kernel": 3, "stride": 2, "dilation": 2, "groups": 2}),
        ((4, 3), {"kernel": 4, "stride": 2, "padding": "same"}),
        ((4, 3), {"kernel": 2, "stride": 3, "padding": "same"}),
        ((4, 3), {"kernel": 1, "padding": "same", "groups": 2}),
        ((4, 5), {"kernel": 2, "padding": 2}),
        ((2, 3, 2), {"kernel": 2, "stride": [1, 2, 1], "padding": [0, 1, 0]}),
    ],
    ids=str,
)
def test_adjoint(sides, fields):
    random = np.random.default_rng(0)
    groups = fields.get("groups", 1)
    large, up = compiled("conv_transpose", [*sides, CHANNELS], {**fields, "filters": FILTERS})
    conv_fields = {name: value for name, value in fields.items() if name != "output_padding"}
    small, down = compiled("conv", large, {**conv_fields, "filters": CHANNELS})
    assert small == (*sides, CHANNELS)
    x, y = random.normal(size=(2, *small)), random.normal(size=(2, *large))
    size = fields["kernel"] if isinstance(fields["kernel"], list) else [fields["kernel"]] * len(sides)
    kernel = random.normal(size=(*size, CHANNELS // groups, groups, FILTERS // groups))
    # The same map, read from filters to channels: (taps, FILTERS / groups, groups · CHANNELS / groups).
    turned = np.moveaxis(kernel, (-3, -2, -1), (-1, -2, -3)).reshape(*size, FILTERS // groups, CHANNELS)
    kernel = kernel.reshape(*size, CHANNELS // groups, FILTERS)
    with jax.default_matmul_precision("highest"):
        left = np.vdot(down(turned.astype("float32"), y.astype("float32")), x)
        right = np.vdot(y, up(kernel.astype("float32"), x.astype("float32")))
    assert left == pytest.approx(right, rel=1e-4, abs=1e-3)
