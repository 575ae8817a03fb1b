"""`train --resume` after kills, signals and full disks: nothing that was saved is lost."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import ROOT, Cli, command, command_env

CPU = ("--device", "cpu")
SPEC = """\
name: net
input: [8, 8, 1]
layers: [{conv: {filters: 4, kernel: 3}}, batch_norm, relu, {dropout: 0.2}, flatten, {dense: 10}]
train: {data: digits, batch_size: 64, epochs: 40, optimizer: {adam: 1e-3}, ema: 0.9, checkpoint_every: 5 steps}
"""
"""22 updates an epoch, of few milliseconds: most of the time goes into saving."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("resume")
    (path / "net.yaml").write_text(SPEC)
    return path


@pytest.fixture(scope="module")
def whole(cli: Cli, folder: Path) -> Path:
    """A run that nothing disturbed."""
    done = cli("train", folder / "net.yaml", "--runs", folder / "whole", *CPU, timeout=240)
    assert done.code == 0, done.stderr
    return folder / "whole" / "net-1"


def start(*words: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command("train", *words, *CPU), cwd=ROOT, env=command_env(), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def left_behind(run: Path) -> tuple[object, ...]:
    """What must not depend on interruptions: the arrays of the last and the best checkpoint, and the records."""
    files = [
        (run / "checkpoints" / name / f"{kind}.safetensors").read_bytes()
        for name in ("last", "best")
        for kind in ("model", "training")
    ]
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    timings = ("seconds", "images_per_second", "waited_seconds")
    return files, [{key: value for key, value in line.items() if key not in timings} for line in lines]


def wait_until(condition: Callable[[], bool], process: subprocess.Popen[str]) -> bool:
    """Tell whether it came to that before the process ended by itself."""
    while process.poll() is None:
        if condition():
            return True
        time.sleep(0.0002)
    return False


def test_killed_at_any_moment_it_ends_as_if_it_had_not_been(cli: Cli, folder: Path, whole: Path) -> None:
    runs = folder / "killed"
    run = runs / "net-1"
    checkpoints = run / "checkpoints"
    chance = random.Random(4)
    kills = {"anywhere": 0, "in a write": 0}
    words: tuple[object, ...] = (folder / "net.yaml", "--runs", runs)
    for attempt in range(8):
        with start(*words) as process:
            if attempt % 2:
                # A save fills a folder under another name first: it is there for a few milliseconds.
                after = time.monotonic() + chance.uniform(0, 0.5)
                found = wait_until(
                    lambda after=after: (
                        time.monotonic() > after
                        and (run / "checkpoints" / "last").exists()
                        and any(checkpoints.glob(".step-*.partial"))
                    ),
                    process,
                )
                kills["in a write"] += found
            else:
                found = wait_until(lambda: (checkpoints / "last").exists(), process)
                time.sleep(chance.uniform(0, 1))
                kills["anywhere"] += found
            process.kill()
            process.communicate()
        assert (checkpoints / "last").exists()
        words = ("--resume", run)
    assert all(number >= 2 for number in kills.values()), kills
    done = cli("train", "--resume", run, *CPU, timeout=240)
    assert done.code == 0, done.stderr
    assert left_behind(run) == left_behind(whole)
    assert not list(checkpoints.glob(".*"))
    assert json.loads((run / "run.json").read_text())["state"] == "finished"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_saves_and_a_resumed_run_ends_the_same(
    cli: Cli, folder: Path, whole: Path, number: int, code: int
) -> None:
    runs = folder / f"signal{number}"
    run = runs / "net-1"
    with start(folder / "net.yaml", "--runs", runs) as process:
        assert wait_until(lambda: (run / "checkpoints" / "step-00000020").exists(), process)
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stdout) == (code, "")
    assert stderr.endswith(f"to go on: netcalc train --resume {run}\n")
    record = json.loads((run / "run.json").read_text())
    assert (record["state"], record["reason"]) == ("interrupted", signal.Signals(number).name)
    done = cli("train", "--resume", run, *CPU, timeout=240)
    assert done.code == 0, done.stderr
    assert re.search(r"^resumed after \d+ of 880 updates, step-\d{8}$", done.stderr, flags=re.MULTILINE)
    assert left_behind(run) == left_behind(whole)
    sessions = json.loads((run / "run.json").read_text())["sessions"]
    assert [session["from_step"] > 0 for session in sessions] == [False, True]


def test_a_second_signal_ends_it_at_once_and_what_was_saved_is_there(cli: Cli, folder: Path) -> None:
    runs = folder / "twice"
    run = runs / "net-1"
    with start(folder / "net.yaml", "--runs", runs) as process:
        assert wait_until(lambda: (run / "checkpoints" / "last").exists(), process)
        os.kill(process.pid, signal.SIGSTOP)
        for number in (signal.SIGINT, signal.SIGTERM):
            process.send_signal(number)
        os.kill(process.pid, signal.SIGCONT)
        _, stderr = process.communicate(timeout=60)
    assert process.returncode in (130, 143)
    assert "Traceback" not in stderr
    assert "saved in" not in stderr
    done = cli("evaluate", run, *CPU)
    assert done.code == 0, done.stderr


def test_a_run_that_is_under_way_is_not_trained_twice(cli: Cli, folder: Path) -> None:
    runs = folder / "busy"
    run = runs / "net-1"
    with start(folder / "net.yaml", "--runs", runs, "--set", "train.epochs=100000") as process:
        assert wait_until(lambda: (run / "checkpoints" / "last").exists(), process)
        done = cli("train", "--resume", run, *CPU)
        listed = cli("runs", runs, "-f", "json")
        process.kill()
        process.communicate()
    assert (done.code, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: {run}: another process is training it\n")
    assert [entry["state"] for entry in json.loads(listed.stdout)["runs"]] == ["running"]
    listed = cli("runs", runs, "-f", "json")
    assert [entry["state"] for entry in json.loads(listed.stdout)["runs"]] == ["interrupted"]


@pytest.fixture
def small_disk(tmp_path: Path):
    """A file system of 400 kB, where that may be made."""
    place = tmp_path / "small"
    place.mkdir()
    options = ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(place)]
    if sys.platform != "linux" or os.geteuid() != 0 or subprocess.run(options, check=False).returncode != 0:
        pytest.skip("no file system of a chosen size can be made here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk_is_said_and_leaves_the_last_good_checkpoint(cli: Cli, folder: Path, small_disk: Path) -> None:
    words = (folder / "net.yaml", "--runs", small_disk, "--set", "train.keep_checkpoints=100")
    done = cli("train", *words, *CPU)
    run = small_disk / "net-1"
    assert (done.code, "Traceback" in done.stderr) == (2, False), done.stderr
    assert "No space left on device" in done.stderr
    last = (run / "checkpoints" / "last").resolve().name
    assert cli("evaluate", run, *CPU).code == 0
    before = (run / "checkpoints" / "last" / "training.safetensors").read_bytes()
    again = cli("train", "--resume", run, *CPU)
    assert (again.code, "Traceback" in again.stderr) == (2, False), again.stderr
    assert (run / "checkpoints" / last / "training.safetensors").read_bytes() == before


def test_options_of_a_resumption_need_one(cli: Cli, folder: Path) -> None:
    for option, value in (("--from", "previous"), ("--schedule", "keep")):
        done = cli("train", folder / "net.yaml", option, value, *CPU)
        assert (done.code, done.stderr.splitlines()[0]) == (2, f"error: {option} needs --resume")
    done = cli("train", *CPU)
    assert (done.code, done.stderr.splitlines()[0]) == (2, "error: no spec to train by")
    done = cli("train", "--resume", folder, *CPU)
    assert (done.code, "not a run directory" in done.stderr) == (2, True)


def test_a_complete_run_prints_its_figures_again_and_stays_as_it_was(cli: Cli, whole: Path) -> None:
    before, resources = left_behind(whole), (whole / "resources.json").read_bytes()
    done = cli("train", "--resume", whole, *CPU)
    last = json.loads((whole / "metrics.jsonl").read_text().splitlines()[-1])
    assert (done.code, done.stdout.splitlines()[0]) == (0, f"test loss {last['test_loss']:.4f}")
    assert "epoch" not in done.stderr
    assert (left_behind(whole), (whole / "resources.json").read_bytes()) == (before, resources)


def test_another_environment_is_warned_of_and_recorded(cli: Cli, folder: Path, whole: Path) -> None:
    stored = json.loads((whole / "environment.json").read_text())
    (whole / "environment.json").write_text(json.dumps({**stored, "threads": 99, "xla_flags": "--xla_x"}))
    try:
        done = cli("train", "--resume", whole, *CPU)
    finally:
        (whole / "environment.json").write_text(json.dumps(stored))
    assert done.code == 0, done.stderr
    assert done.stderr.startswith(
        "warning: not as at the start of the run, so the last bits of results may differ: "
    )
    assert f"threads 99 → {stored['threads']}; xla_flags --xla_x → none" in done.stderr.splitlines()[0]
    assert len(json.loads((whole / "run.json").read_text())["sessions"][-1]["differences"]) == 2


def test_with_and_without_the_compilation_cache_results_are_equal(cli: Cli, folder: Path, tmp_path: Path) -> None:
    own: dict[str, str | None] = {
        "JAX_COMPILATION_CACHE_DIR": None,
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": None,
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": None,
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }
    words = ("train", folder / "net.yaml", "--runs", tmp_path, "--set", "train.epochs=2", *CPU)
    for index, (extra, env) in enumerate(
        [(["--no-cache"], {}), ([], {"NETCALC_NO_CACHE": "1"}), ([], {}), ([], {})]
    ):
        done = cli(*words, *extra, env={**own, **env})
        assert done.code == 0, done.stderr
        assert (tmp_path / "cache" / "netcalc" / "xla").exists() == (index >= 2)
    kept = list((tmp_path / "cache" / "netcalc" / "xla").rglob("*-cache"))
    assert kept
    first, *others = (left_behind(tmp_path / f"net-{n}") for n in (1, 2, 3, 4))
    assert all(other == first for other in others)
