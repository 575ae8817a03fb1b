"""What papers state of their networks beside totals: sizes of maps, connections, rates."""

from __future__ import annotations

import pytest

from tests.configs.zoo import load, totals


def sides(config: str, *kinds: str) -> list[int]:
    """Return the last side of every output of nodes of these kinds, in order and without repetition."""
    nodes = [node for node in load(config).nodes.values() if node.kind in kinds]
    return list(dict.fromkeys(node.known.output.sides[-1] for node in nodes))


def part(config: str, name: str) -> list:
    """Return the nodes of that name and of the group of that name."""
    return [node for node in load(config).nodes.values() if node.name.partition(".")[0] == name]


def test_maps_have_the_sides_that_papers_state() -> None:
    assert sides("alexnet_2012", "conv", "max_pool") == [55, 27, 13, 6]
    assert sides("zfnet", "conv", "max_pool") == [110, 55, 26, 13, 6]
    assert sides("m5", "conv", "max_pool") == [8000, 2000, 500, 125, 32]
    assert sides("mobilenet_v1", "conv") == [112, 56, 28, 14, 7]
    assert sides("xception", "conv", "max_pool") == [149, 147, 74, 37, 19, 10]
    assert load("c3d").nodes["pool5"].known.output.shape == (1, 4, 4, 512)


def test_the_valid_unet_crops_to_the_maps_of_the_expansive_path() -> None:
    crops = [node.known.output.shape for node in load("unet_valid").nodes.values() if node.kind == "crop"]
    assert crops == [(56, 56, 512), (104, 104, 256), (200, 200, 128), (392, 392, 64)]
    same = [node.spec.layer.crop for node in load("unet_same").nodes.values() if node.kind == "crop"]
    assert same == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("name", "params", "connections"),
    [
        ("c1", 156, 122_304),
        ("s2", 12, 5_880),
        ("c3", 1_516, 151_600),
        ("s4", 32, 2_000),
        ("c5", 48_120, 48_120),
        ("f6", 10_164, 10_164),
    ],
)
def test_the_original_lenet5_has_the_papers_parameters_and_connections(
    name: str, params: int, connections: int
) -> None:
    """The paper counts a connection for every input and every bias of a unit."""
    nodes = part("lenet5_original", name)
    assert sum(spec.size for node in nodes for spec in node.known.params.values()) == params
    per_output = {"conv": params, "dense": params}
    found = 0
    for node in nodes:
        facts = node.known
        if node.kind == "depthwise_conv":
            found += facts.output.size * (2 * 2 + 1)
        elif node.kind in per_output:
            found += sum(kernel.macs for kernel in facts.kernels) + facts.output.size
    assert found == connections


def test_maps_of_c3_read_the_maps_of_s2_in_table_1() -> None:
    table = """
        X . . . X X X . . X X X X . X X
        X X . . . X X X . . X X X X . X
        X X X . . . X X X . . X . X X X
        . X X X . . X X X X . . X . X X
        . . X X X . . X X X X . X X . X
        . . . X X X . . X X X X . X X X
    """
    rows = [line.split() for line in table.strip().splitlines()]
    graph = load("lenet5_original")
    assert graph.type_of("s2_twice.concat").channels == 2 * 6
    for column in range(16):
        reads = [
            channel % 6
            for node in part("lenet5_original", "c3")
            if node.kind == "slice" and node.name.startswith(f"c3.branch{column + 1}.")
            for channel in range(node.spec.layer.start, node.spec.layer.stop)
        ]
        assert sorted(reads) == [row for row in range(6) if rows[row][column] == "X"], column


def test_deepconvlstm_has_the_parameters_of_its_closed_form() -> None:
    convs = (5 + 1) * 64 + 3 * (5 * 64 + 1) * 64
    lstms = 4 * 128 * (113 * 64 + 128 + 1) + 4 * 128 * (128 + 128 + 1)
    assert totals("deepconvlstm").params.trainable == convs + lstms + (128 + 1) * 18
    per_step = 4 * 128 * (113 * 64 + 128) + 4 * 128 * (128 + 128)
    positions = [(20, 5), (16, 5 * 64), (12, 5 * 64), (8, 5 * 64)]
    macs = sum(length * 113 * reads * 64 for length, reads in positions)
    assert totals("deepconvlstm").macs.forward == macs + 8 * per_step + 128 * 18


@pytest.mark.parametrize(("config", "millions"), [("m11", 1.8), ("m18", 3.7)])
def test_networks_for_sound_have_the_papers_parameters(config: str, millions: float) -> None:
    assert round(totals(config).params.trainable / 1e6, 1) == millions


def rates(config: str) -> list[float]:
    return [node.spec.layer.rate for node in load(config).nodes.values() if node.kind == "drop_path"]


def test_the_probability_to_drop_a_block_grows_linearly() -> None:
    with_shortcut = [2, 4, 6, 7, 9, 10, 12, 13, 14]
    assert rates("efficientnet_b0") == pytest.approx([0.2 * block / 16 for block in with_shortcut])
    assert rates("convnext_tiny") == pytest.approx([0.1 * block / 17 for block in range(18)])


def test_the_form_of_padding_changes_no_count_of_mobilenet() -> None:
    assert totals("mobilenet_v1", "params.padding=same") == totals("mobilenet_v1")


def test_shufflenet_works_on_one_half_of_the_channels() -> None:
    nodes = load("shufflenet_v2_x1_0").nodes
    unit = [node for name, node in nodes.items() if name.startswith("stage2.unit.1.")]
    assert [node.known.output.channels for node in unit if node.kind == "slice"] == [58, 58]
    assert [node.spec.layer.start for node in unit if node.kind == "slice"] == [0, 58]
    assert unit[-1].kind == "channel_shuffle"


def test_a_squeeze_excite_gate_weighs_every_channel() -> None:
    gate = [node for node in part("mobilenet_v3_large", "bneck4") if ".squeeze_excite1." in node.name]
    assert [node.kind for node in gate] == ["global_avg_pool", "conv", "relu", "conv", "hard_sigmoid", "multiply"]
    shapes = [node.known.output.shape for node in gate]
    assert shapes == [(1, 1, 72), (1, 1, 24), (1, 1, 24), (1, 1, 72), (1, 1, 72), (28, 28, 72)]
