"""What the tools themselves print: `pip install -e '.[dev,peers]' && pytest -m slow tests/accuracy`."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from netcalc.analysis.peer_tools import VERSIONS
from tests.accuracy.cases import LAYER_CASES, NETWORKS, PEERS

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

torch = pytest.importorskip("torch")
nn = torch.nn


def _torchvision() -> Any:
    """Return torchvision; its compiled operators may be made for another build of torch, and are not needed."""
    with contextlib.suppress(RuntimeError):
        return pytest.importorskip("torchvision")
    library = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    torch.netcalc_operators = library  # definitions last as long as their library
    return pytest.importorskip("torchvision")


torchvision = _torchvision()
for tool in VERSIONS:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip(tool)


class _First(nn.Module):
    """The sequence that a recurrent layer gives, without its states."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.module(x)[0]
        return result


_RANKED: dict[str, Callable[[int], nn.Module]] = {
    "batch_norm": lambda d: (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)[d - 1](4),
    "max_pool": lambda d: (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d)[d - 1](2),
    "avg_pool": lambda d: (nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)[d - 1](2),
    "global_avg_pool": lambda d: (nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d)[d - 1](1),
    "global_max_pool": lambda d: (nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d)[d - 1](1),
    "upsample_nearest": lambda d: nn.Upsample(scale_factor=2),
    "upsample_bilinear": lambda d: nn.Upsample(scale_factor=2, mode=("linear", "bilinear", "trilinear")[d - 1]),
}

_ON_MAPS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU, "relu6": nn.ReLU6, "leaky_relu": nn.LeakyReLU, "prelu": lambda: nn.PReLU(4), "elu": nn.ELU,
    "selu": nn.SELU, "celu": nn.CELU, "softplus": nn.Softplus, "silu": nn.SiLU, "mish": nn.Mish, "gelu": nn.GELU,
    "tanh": nn.Tanh, "sigmoid": nn.Sigmoid, "hard_sigmoid": nn.Hardsigmoid, "hard_swish": nn.Hardswish,
    "softsign": nn.Softsign, "softmax": lambda: nn.Softmax(1), "log_softmax": lambda: nn.LogSoftmax(1),
    "dropout": nn.Dropout, "pad": lambda: nn.ZeroPad2d(1),
    "batch_norm_plain": lambda: nn.BatchNorm2d(4, affine=False),
    "group_norm": lambda: nn.GroupNorm(2, 4),
    "instance_norm": lambda: nn.InstanceNorm2d(4),
    "instance_norm_affine": lambda: nn.InstanceNorm2d(4, affine=True),
    "layer_norm": lambda: nn.LayerNorm((4, 5, 7)),
    "layer_norm_plain": lambda: nn.LayerNorm((4, 5, 7), elementwise_affine=False),
    "local_response_norm": lambda: nn.LocalResponseNorm(5),
    "adaptive_avg_pool": lambda: nn.AdaptiveAvgPool2d((2, 3)),
}  # fmt: skip

_ALONE: dict[str, Callable[[], list[nn.Module]]] = {
    "conv": lambda: [nn.Conv2d(4, 4, 1)],
    "depthwise_conv": lambda: [nn.Conv2d(4, 4, 3, stride=2, padding=1, groups=4)],
    "conv_transpose": lambda: [nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1)],
    "conv_transpose_groups": lambda: [nn.ConvTranspose2d(4, 6, 3, stride=2, groups=2, bias=False)],
    "local_response_norm_1d": lambda: [nn.Conv1d(4, 4, 1), nn.LocalResponseNorm(5)],
}

_CHANNELS_LAST: dict[str, Callable[[], list[nn.Module]]] = {
    "dense_on_a_map": lambda: [nn.Linear(4, 3)],
    "dense_without_bias": lambda: [nn.Linear(4, 3, bias=False)],
    "layer_norm_of_channels": lambda: [nn.Linear(4, 3), nn.LayerNorm(3)],
    "rms_norm": lambda: [nn.Linear(4, 3), nn.RMSNorm(3)],
    "lstm": lambda: [_First(nn.LSTM(5, 7, batch_first=True))],
    "lstm_without_bias": lambda: [_First(nn.LSTM(5, 7, batch_first=True, bias=False))],
    "gru": lambda: [_First(nn.GRU(5, 7, batch_first=True))],
}


def layer_of(name: str) -> nn.Module:
    """Return the case as PyTorch writes it."""
    if name in _CHANNELS_LAST or name in _ALONE:
        return nn.Sequential(*{**_CHANNELS_LAST, **_ALONE}[name]())
    if name in _ON_MAPS:
        return nn.Sequential(nn.Conv2d(4, 4, 1), _ON_MAPS[name]())
    kind, _, rank = name.removesuffix("d").rpartition("_")
    conv = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[int(rank) - 1]
    return nn.Sequential(conv(4, 4, 1), _RANKED[kind](int(rank)))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        yield
        logging.disable(logging.NOTSET)


def measure(make: Callable[[], nn.Module], shape: tuple[int, ...]) -> dict[str, dict[str, int | None]]:
    """Return what each tool prints for a new model each, at batch 1; `shape` in PyTorch's order."""
    import ptflops
    import thop
    import torchinfo
    from fvcore.nn import ActivationCountAnalysis, FlopCountAnalysis, parameter_count
    from torch.utils.flop_counter import FlopCounterMode

    found: dict[str, dict[str, int | None]] = {}

    def note(tool: str, printed: float, params: float | None, activations: int | None = None) -> None:
        for figure in (printed, params):
            assert figure is None or int(figure) == figure
        found[tool] = {
            "printed": int(printed),
            "params": None if params is None else int(params),
            "activations": activations,
        }

    with _quiet():
        x = torch.zeros(1, *shape)
        counter = FlopCounterMode(display=False)
        with counter:
            make().eval()(x)
        note("torch.utils.flop_counter", counter.get_total_flops(), None)
        summary = torchinfo.summary(make().eval(), input_data=x, verbose=0)
        note("torchinfo", summary.total_mult_adds, summary.total_params)
        model = make().eval()
        flops = FlopCountAnalysis(model, x).unsupported_ops_warnings(False).total()
        activations = ActivationCountAnalysis(model, x).unsupported_ops_warnings(False).total()
        note("fvcore", flops, parameter_count(model)[""], int(activations))
        note("thop", *thop.profile(make().eval(), (x,), verbose=False))
        for tool, backend in (("ptflops", "pytorch"), ("ptflops (aten)", "aten")):
            macs, params = ptflops.get_model_complexity_info(
                make().eval(), shape, print_per_layer_stat=False, as_strings=False, backend=backend
            )
            note(tool, macs, params)
    return found


def _recorded(name: str, found: dict[str, dict[str, int | None]], request: pytest.FixtureRequest) -> None:
    """Compare with `peers.json`, or write there what was found."""
    recorded = json.loads(PEERS.read_text(encoding="utf-8")) if PEERS.exists() else {}
    if request.config.getoption("--overwrite"):
        lines = [f"{json.dumps(k)}: {json.dumps(v)}" for k, v in sorted({**recorded, name: found}.items())]
        PEERS.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
        return
    assert found == recorded[name]


@pytest.mark.parametrize("name", LAYER_CASES)
def test_layers(name: str, request: pytest.FixtureRequest) -> None:
    shape = LAYER_CASES[name].shape
    if name not in _CHANNELS_LAST:
        shape = (shape[-1], *shape[:-1])
    _recorded(name, measure(lambda: layer_of(name), shape), request)


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_of_torchvision(name: str, request: pytest.FixtureRequest) -> None:
    options = {"init_weights": False, "aux_logits": False} if name in ("googlenet", "inception_v3") else {}
    side = 299 if name == "inception_v3" else 224
    builder = getattr(torchvision.models, name)
    _recorded(name, measure(lambda: builder(**options), (3, side, side)), request)


@pytest.mark.parametrize("name", ["resnet50", "mobilenetv3_large_100"])
def test_timm_prints_the_figures_of_fvcore(name: str, request: pytest.FixtureRequest) -> None:
    with _quiet():
        import timm
    found = measure(lambda: timm.create_model(name, pretrained=False), (3, 224, 224))
    _recorded(f"timm {name}", {"timm": found["fvcore"]}, request)
