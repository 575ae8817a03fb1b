"""What other tools would print, held against what they did print (tests/accuracy), and how the account adds up."""

from __future__ import annotations

import json

import pytest

from netcalc.analysis.convention import Form
from netcalc.analysis.other_tools import Comparison, ToolFigures, compare_tools
from netcalc.analysis.peer_tools import CONVENTIONS
from netcalc.diagnostics import CannotRunError
from netcalc.layers.catalog import LAYERS
from tests.accuracy.cases import LAYER_CASES, NETWORKS, PEERS, netcalc_graph, predicted
from tests.configs.zoo import CONFIGS, load

MEASURED = json.loads(PEERS.read_text(encoding="utf-8"))


def figures(comparison: Comparison) -> dict[str, ToolFigures]:
    return {tool.tool: tool for tool in comparison.tools}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_of_torchvision_to_the_digit(name: str) -> None:
    found = predicted(NETWORKS[name].graph(), NETWORKS[name].written)
    assert {tool: found[tool] for tool in MEASURED[name]} == MEASURED[name]
    assert len(MEASURED[name]) == 6


@pytest.mark.parametrize("name", LAYER_CASES)
def test_a_layer_to_the_digit(name: str) -> None:
    found = predicted(LAYER_CASES[name].graph(), {})
    assert {tool: found[tool] for tool in MEASURED[name]} == MEASURED[name]
    assert len(MEASURED[name]) == 6


def test_models_of_timm() -> None:
    assert predicted(load("resnet50"), {})["timm"] == MEASURED["timm resnet50"]["timm"]
    mobilenet = load("mobilenet_v3_large")
    # The gates of squeeze-and-excitation pool by `x.mean`.
    gates: dict[str, Form] = {name: "method" for name in mobilenet.nodes if name.endswith("gate.squeeze")}
    assert predicted(mobilenet, gates)["timm"] == MEASURED["timm mobilenetv3_large_100"]["timm"]


def test_resnet50_as_published() -> None:
    found = figures(compare_tools(load("resnet50")))
    assert {tool: figure.printed for tool, figure in found.items()} == {
        "torchvision": 4_089_184_256,
        "torch.utils.flop_counter": 2 * 4_089_184_256,
        "torchinfo": 4_089_238_376,
        "fvcore": 4_111_512_576,
        "timm": 4_111_512_576,
        "thop": 4_133_742_592,
        "ptflops": 4_132_436_968,
        "ptflops (aten)": 4_089_185_256,
        "XLA (conv, dot)": 2 * 3_948_251_904,
        "Keras": None,
    }
    assert found["XLA (conv, dot)"].counted == 3_948_251_904
    assert (found["Keras"].params, found["thop"].params) == (25_557_032 + 53_120, 25_557_032)


def test_items_say_what_each_difference_is_made_of() -> None:
    found = figures(compare_tools(load("resnet50")))
    # 11,113,984 outputs of convolutions, each behind batch norm; 9,608,704 of ReLU; 7×7×2048 at the end.
    norm, relu, pooled = 11_113_984, 9_608_704, 2048 * 49
    assert {item.what: item.macs for item in found["ptflops"].items} == {
        "bias": 1000,
        "batch norm": 2 * norm,
        "activations": 2 * relu,
        "pooling": 2 * (112 * 112 * 64 + pooled),
    }
    assert {item.what: item.macs for item in found["thop"].items} == {
        "batch norm": 4 * norm,
        "adaptive pooling": pooled + 2048,
    }
    assert {ignored.kind for ignored in found["thop"].ignored} == {"relu", "max_pool", "add"}
    assert [ignored.flops for ignored in found["thop"].ignored if ignored.kind == "relu"] == [relu]


@pytest.mark.parametrize("config", CONFIGS)
def test_the_items_make_up_the_difference_of_every_network(config: str) -> None:
    comparison = compare_tools(load(config))
    conventions = {convention.tool: convention for convention in CONVENTIONS}
    for tool in comparison.tools:
        if tool.counted is not None:
            assert tool.printed == conventions[tool.tool].per_mac * tool.counted
            assert tool.counted == comparison.macs + sum(item.macs for item in tool.items)
            assert tool.counted >= 0


def test_terms_are_of_layers_that_exist() -> None:
    for convention in CONVENTIONS:
        assert convention.terms.keys() <= LAYERS.keys()
        assert convention.hooked <= LAYERS.keys()


@pytest.mark.parametrize(("form", "fvcore", "thop", "ptflops"), [
    ("module", 140, 144, 280), ("function", 140, 0, 140), ("method", 0, 0, 0),
])  # fmt: skip
def test_how_pooling_is_called_decides_who_sees_it(form: Form, fvcore: int, thop: int, ptflops: int) -> None:
    graph = netcalc_graph((5, 7, 4), [{"conv": {"filters": 4, "kernel": 1, "bias": False}}, "global_avg_pool"])
    found = figures(compare_tools(graph, {"global_avg_pool": form}))
    assert [sum(item.macs for item in found[tool].items) for tool in ("fvcore", "thop", "ptflops")] == [
        fvcore, thop, ptflops,
    ]  # fmt: skip


def test_a_node_s_own_name_goes_before_its_kind() -> None:
    graph = netcalc_graph((2, 2, 1), [{"relu": None, "name": "first"}, "relu"])
    orders: tuple[dict[str, Form], ...] = (
        {"first": "method", "relu": "function"},
        {"relu": "function", "first": "method"},
    )
    for written in orders:
        assert figures(compare_tools(graph, written))["ptflops"].counted == 4


def test_parameters_that_a_tool_has_no_hook_for_or_that_are_frozen() -> None:
    layers = [
        {"conv": {"filters": 4, "kernel": 1}, "trainable": False},
        {"group_norm": 2},
        "batch_norm",
        {"lstm": 3},
    ]
    graph = netcalc_graph((9, 4), layers)
    conv, norm, lstm, state = 20, 8, 4 * (3 * (3 + 4) + 3), 8
    found = {tool: figure.params for tool, figure in figures(compare_tools(graph)).items()}
    every = conv + 2 * norm + lstm + 4 * 3  # PyTorch's LSTM has a second bias for each gate
    assert found["torchinfo"] == found["fvcore"] == every
    assert found["thop"] == every - norm
    assert found["ptflops"] == found["ptflops (aten)"] == every - conv
    assert found["Keras"] == conv + 2 * norm + lstm + state


def test_shared_layers_are_called_twice_and_owned_once() -> None:
    conv = {"conv": {"filters": 4, "kernel": 1}}
    graph = netcalc_graph((5, 7, 4), [{**conv, "name": "own"}, {**conv, "share": "own"}])
    found = figures(compare_tools(graph))
    assert found["torchinfo"].counted == 2 * 5 * 7 * 20
    assert {figure.params for figure in found.values() if figure.params is not None} == {20}


def test_a_loop_s_body_counts_once_in_xla() -> None:
    graph = netcalc_graph((11, 5), [{"lstm": 7}])
    assert figures(compare_tools(graph))["XLA (conv, dot)"].counted == 4 * 7 * (11 * 5 + 7)


def test_auxiliary_heads_are_in_parameters_alone() -> None:
    with_heads, alone = (figures(compare_tools(load("googlenet", *set))) for set in (("params.aux=true",), ()))
    for tool, figure in with_heads.items():
        assert figure.printed == alone[tool].printed
    assert with_heads["ptflops"].params == 13_004_888
    assert with_heads["thop"].params == alone["thop"].params == 6_624_904


@pytest.mark.parametrize(
    ("written", "message", "help"),
    [
        ({"rleu": "function"}, "there is no layer `rleu` in layer", "did you mean `relu`?"),
        ({"conv": "function"}, "`conv1` has weights and can only be a module", "name layers that have no MACs"),
    ],
)
def test_mistakes_are_named(written: dict[str, Form], message: str, help: str) -> None:
    graph = netcalc_graph((5, 7, 4), [{"conv": {"filters": 4, "kernel": 1}}, "relu"])
    with pytest.raises(CannotRunError) as caught:
        compare_tools(graph, written)
    assert (str(caught.value), caught.value.help) == (message, help)
