"""Transposed and depthwise convolution: sizes against the convolution they undo, and counts of the literature."""

import json

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from netcalc.analysis.cost import forward_macs
from netcalc.graph import build_complete
from netcalc.layers.base import ShapeError, TensorType
from netcalc.layers.conv import Conv, ConvTranspose, DepthwiseConv
from netcalc.spec.load import parse_spec


def unet():
    """Return the network of Ronneberger et al. 2015, fig. 1: 3×3 convolutions in pairs, 2×2 up-convolutions."""

    def pair(width):
        return [{"conv": {"filters": width, "kernel": 3}}, "relu"] * 2

    layers = []
    for level, width in enumerate((64, 128, 256, 512)):
        layers += [{"sequence": pair(width), "name": f"down{level}"}, {"max_pool": 2}]
    layers += pair(1024)
    for level, width, cut in ((3, 512, 4), (2, 256, 16), (1, 128, 40), (0, 64, 88)):
        layers += [
            {"conv_transpose": {"filters": width, "kernel": 2, "stride": 2}, "name": f"up{width}"},
            {"crop": cut, "from": f"down{level}", "name": f"crop{width}"},
            {"concat": None, "from": [f"crop{width}", f"up{width}"]},
            *pair(width),
        ]
    layers.append({"conv": {"filters": 2, "kernel": 1}})
    return parse_spec(json.dumps({"input": [572, 572, 1], "layers": layers}))


@given(
    side=st.integers(1, 9),
    kernel=st.integers(1, 5),
    stride=st.integers(1, 4),
    dilation=st.integers(1, 3),
    low=st.integers(0, 4),
    high=st.integers(0, 4),
    extra=st.integers(0, 3),
)
def test_a_convolution_of_the_same_fields_takes_the_output_back(side, kernel, stride, dilation, low, high, extra):
    assume(extra < stride)
    side_up = (side - 1) * stride - low - high + (kernel - 1) * dilation + 1 + extra
    fields = {"filters": 1, "kernel": kernel, "stride": stride, "dilation": dilation, "padding": ((low, high),)}
    layer = ConvTranspose(**fields, output_padding=extra)
    if side_up < 1:
        with pytest.raises(ShapeError, match=r"`padding` \(\d+ and \d+\) leaves nothing"):
            layer.infer(TensorType((side, 1)))
        return
    up = layer.infer(TensorType((side, 1))).output
    assert up.shape == (side_up, 1)
    assert Conv(**fields).infer(up).output.shape == (side, 1)


@given(side=st.integers(1, 9), kernel=st.integers(1, 5), stride=st.integers(1, 4), dilation=st.integers(1, 3))
def test_same_multiplies_the_side_by_the_stride(side, kernel, stride, dilation):
    fields = {"filters": 1, "kernel": kernel, "stride": stride, "dilation": dilation, "padding": "same"}
    up = ConvTranspose(**fields).infer(TensorType((side, 1))).output
    assert up.shape == (side * stride, 1)
    assert Conv(**fields).infer(up).output.shape == (side, 1)


def test_u_net_has_the_sizes_of_its_figure():
    graph = build_complete(unet())
    facts = {name: node.known for name, node in graph.nodes.items()}
    assert [facts[f"up{width}"].output.shape for width in (512, 256, 128, 64)] == [
        (56, 56, 512),
        (104, 104, 256),
        (200, 200, 128),
        (392, 392, 64),
    ]
    assert graph.type_of(graph.outputs[0]).shape == (388, 388, 2)
    assert sum(map(forward_macs, facts.values())) == 150_428_424_448
    # The four up-convolutions by hand: input positions · 4 taps · channels · filters.
    ups = [28**2 * 4 * 1024 * 512, 52**2 * 4 * 512 * 256, 100**2 * 4 * 256 * 128, 196**2 * 4 * 128 * 64]
    assert [forward_macs(facts[f"up{width}"]) for width in (512, 256, 128, 64)] == ups


def test_the_kernel_is_stored_as_the_forward_map():
    facts = ConvTranspose(filters=8, kernel=(2, 3), groups=2).infer(TensorType((4, 5, 6)))
    assert facts.params["kernel"].shape == (2, 3, 3, 8)
    assert facts.params["kernel"].axes == "hwio"
    assert (facts.params["kernel"].fan_in, facts.params["kernel"].fan_out) == (2 * 3 * 3, 2 * 3 * 4)


def test_output_padding_names_the_limit():
    with pytest.raises(ShapeError, match=r"`output_padding` \(3\) should be below the stride \(2\)") as error:
        ConvTranspose(filters=1, kernel=3, stride=2, output_padding=3).infer(TensorType((4, 1)))
    assert (error.value.code, error.value.field, error.value.help) == ("NC011", "output_padding", "use at most 1")


@given(
    channels=st.integers(1, 6),
    multiplier=st.integers(1, 3),
    kernel=st.integers(1, 3),
    stride=st.integers(1, 3),
    padding=st.sampled_from(["valid", "same", 1]),
    bias=st.booleans(),
)
def test_depthwise_is_a_convolution_with_a_group_for_each_channel(
    channels, multiplier, kernel, stride, padding, bias
):
    x = TensorType((5, 6, channels))
    fields = {"kernel": kernel, "stride": stride, "padding": padding, "bias": bias}
    grouped = Conv(filters=channels * multiplier, groups=channels, **fields).infer(x)
    assert DepthwiseConv(multiplier=multiplier, **fields).infer(x) == grouped
