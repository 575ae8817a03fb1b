"""Asking the compiler in a process of its own: figures against their witnesses, and everything that goes wrong."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import netcalc
from netcalc import ask_compiler
from netcalc.analysis.compile_request import (
    CannotAnswer,
    CompileRequest,
    WrongSpec,
    answer_json,
    parse_answer,
    parse_request,
    request_json,
)
from netcalc.analysis.exact import PARTS, DoesNotFit, ExactMemory, PeakBuffer
from netcalc.analysis.targets import TARGETS, find_target
from netcalc.ask_compiler import exact_memory, require_compiler
from netcalc.diagnostics import CannotRunError, Diagnostic, Span, SpecError
from netcalc.spec.training import UpdateSpec
from tests.conftest import ROOT

LENET = ROOT / "configs" / "lenet5.yaml"
CPU = find_target("cpu")
ADAM = UpdateSpec(batch_size=64)
DECLARED = """\
input: [9, 8, 3]
layers:
  - conv: {filters: 4, kernel: 3}
  - batch_norm
  - flatten
  - dense: 5
"""

needs_gpu_compiler = pytest.mark.skipif(
    find_spec("jax_plugins") is None or find_spec("jax_plugins.xla_cuda13") is None,
    reason="needs the compiler of netcalc-nn[exact-gpu]",
)


def params_of(path: Path) -> int:
    params = netcalc.analyze(path).totals.params
    assert params.trainable is not None
    return params.trainable


@pytest.fixture(scope="module")
def lenet() -> ExactMemory:
    answer = exact_memory(LENET, CPU, ADAM)
    assert isinstance(answer, ExactMemory)
    return answer


def test_parts_are_all_named_and_sum_to_the_total(lenet: ExactMemory) -> None:
    assert list(lenet.parts) == list(PARTS)
    assert sum(lenet.parts.values()) == lenet.total_bytes
    assert abs(lenet.parts["unattributed"]) < lenet.total_bytes / 10


def test_arguments_are_exact(lenet: ExactMemory) -> None:
    weights = 4 * params_of(LENET)
    assert lenet.parts["weights"] == weights
    assert lenet.parts["optimizer"] == 2 * weights + 4  # Adam counts its updates
    assert lenet.parts["batch"] == 64 * 28 * 28 + 4 * 64  # images come as bytes and are padded on the device
    assert lenet.parts["metrics"] == 3 * 4 + 4
    assert lenet.parts["state"] == 0


def test_buffers_at_the_peak_are_named_after_nodes(lenet: ExactMemory) -> None:
    nodes = netcalc.load(LENET).nodes
    assert lenet.peak_node in nodes
    sizes = [buffer.bytes for buffer in lenet.largest]
    assert sizes == sorted(sizes, reverse=True)
    conv = next(buffer for buffer in lenet.largest if buffer.part == "saved_activations")
    assert (conv.bytes, conv.node) == (4 * 64 * 28 * 28 * 6, "tanh1")


def test_without_data_the_inputs_are_as_declared(tmp_path: Path) -> None:
    path = tmp_path / "declared.yaml"
    path.write_text(DECLARED)
    answer = exact_memory(path, CPU, UpdateSpec.model_validate({"batch_size": 7, "optimizer": "sgd", "ema": 0.9}))
    assert isinstance(answer, ExactMemory)
    weights = 4 * params_of(path)
    assert (answer.parts["weights"], answer.parts["optimizer"]) == (weights, weights)
    assert answer.parts["batch"] == 4 * 7 * 9 * 8 * 3 + 4 * 7
    assert answer.parts["state"] == 4 * 2 * 4


def test_nothing_is_compiled_in_this_process() -> None:
    code = f"""
import sys
from netcalc.analysis.targets import find_target
from netcalc.ask_compiler import exact_memory
from netcalc.spec.training import UpdateSpec
answer = exact_memory({str(LENET)!r}, find_target("cpu"), UpdateSpec(batch_size=2), ["train.data=digits"])
"""
    done = subprocess.run(
        [sys.executable, "-c", code + "print(answer)"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    # The images of `digits` are 8×8, those that LeNet-5 reads 32×32: what `train` would say.
    assert "NC201" in done.stderr
    done = subprocess.run(
        [sys.executable, "-c", code.replace(', ["train.data=digits"]', "") + "print('jax' in sys.modules)"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.stdout, done.returncode) == ("False\n", 0), done.stderr


def test_a_spec_with_errors_is_told_with_its_places(tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(DECLARED.replace("kernel: 3", "kernel: 99"))
    with pytest.raises(SpecError) as raised:
        exact_memory(path, CPU, ADAM)
    (found,) = raised.value.diagnostics
    assert found.span is not None
    assert (found.code, found.span.file, found.span.line) == ("NC101", str(path), 3)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(CannotRunError, match="nowhere"):
        exact_memory(tmp_path / "nowhere.yaml", CPU, ADAM)


def test_time_runs_out() -> None:
    with pytest.raises(CannotRunError, match=r"cpu did not finish in 0.01 seconds"):
        exact_memory(LENET, CPU, ADAM, timeout_seconds=0.01)


def test_a_compiler_that_dies_is_told_with_what_it_said_last(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*_: object, **__: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess([], -6, "", "first\nF1123 check failed\n")

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(CannotRunError, match="signal 6") as raised:
        exact_memory(LENET, CPU, ADAM)
    assert raised.value.help == "F1123 check failed"


def test_a_bug_of_ours_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*_: object, **__: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess([], 1, "", "Traceback: KeyError")

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(RuntimeError, match="Traceback: KeyError"):
        exact_memory(LENET, CPU, ADAM)


@pytest.mark.parametrize(("name", "extra"), [("h100", "exact-gpu"), ("v5e", "exact-tpu")])
def test_a_missing_compiler_is_told_with_the_command(
    name: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ask_compiler, "find_spec", lambda module: None)
    with pytest.raises(CannotRunError, match="not installed") as raised:
        require_compiler(find_target(name))
    assert f"pip install 'netcalc-nn[{extra}]'" in raised.value.help


def test_targets_are_found_by_key_and_alias() -> None:
    assert find_target("H100") is find_target("h100-sxm")
    names = [name for target in TARGETS for name in (target.key, *target.aliases)]
    assert len(names) == len(set(names))
    with pytest.raises(CannotRunError, match="`h1000`") as raised:
        find_target("h1000")
    assert "h100" in raised.value.help


def test_every_gpu_is_described_with_its_memory() -> None:
    from netcalc.train.described_device import target_memory_bytes

    folder = ROOT / "netcalc" / "train" / "targets"
    files = {target.description for target in TARGETS if target.platform == "gpu"}
    assert files == {path.stem for path in folder.glob("*.txtpb")}
    for name in files:
        memory = target_memory_bytes((folder / f"{name}.txtpb").read_text())
        assert 8e9 < memory < 400e9


SPAN = Span("a.yaml", 3, 5, 3, 9)
BUFFER = PeakBuffer(128, "f32[4]", "weight_copies", None, "copy")


@pytest.mark.parametrize(
    "answer",
    [
        ExactMemory("d", "c", 5, {"weights": 5}, None, (BUFFER,), 9, 1, ("x",), 0.5),
        DoesNotFit("d", "c", None, 7, "said", 0.5),
        WrongSpec((Diagnostic("NC101", "message", SPAN, "help", node="n", context=("c",)),)),
        CannotAnswer("message", "help"),
    ],
    ids=lambda answer: answer.kind,
)
def test_answers_survive_json(answer: ExactMemory | DoesNotFit | WrongSpec | CannotAnswer) -> None:
    assert parse_answer(answer_json(answer)) == answer


@pytest.mark.parametrize(
    "update",
    [
        {},
        {"batch_size": 7, "optimizer": {"nesterov": {"momentum": 0.5}}, "clip": {"value": 2.0}, "ema": 0.9},
        {"precision": "mixed", "remat": "conv_outputs", "loss": "half_mse", "seed": 3, "clip": {"norm": 1.0}},
    ],
)
def test_requests_survive_json(update: dict[str, object]) -> None:
    request = CompileRequest(Path("a.yaml"), ("a=1",), None, UpdateSpec.model_validate(update), CPU)
    assert parse_request(request_json(request)) == request


@needs_gpu_compiler
def test_a_gpu_that_is_not_here() -> None:
    answer = exact_memory(LENET, find_target("h100"), ADAM)
    assert isinstance(answer, ExactMemory)
    assert (answer.device, answer.fits) == ("NVIDIA H100 80GB HBM3", True)
    assert sum(answer.parts.values()) == answer.total_bytes
    assert answer.parts["weights"] == 4 * params_of(LENET)
    assert abs(answer.parts["unattributed"]) < answer.total_bytes / 10
    assert any("cuDNN" in what for what in answer.excludes)


@needs_gpu_compiler
def test_a_step_that_is_larger_than_the_gpu() -> None:
    answer = exact_memory(LENET, find_target("t4"), UpdateSpec(batch_size=1_000_000))
    assert isinstance(answer, ExactMemory)
    assert answer.fits is False
    assert answer.memory_bytes == 15099 * 2**20
