"""`train.on_nonfinite: skip` from the command line: what was left out is told, after a pause too."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import Cli

CPU = ("--device", "cpu")
SPEC = """\
name: net
input: [8, 8, 1]
layers: [{layer_norm: {axes: all, epsilon: 1e-60}, name: norm}, flatten, {dense: 4}]
train:
  data: {source: npz, path: noise.npz, normalize: none, test_images: others, test_labels: other_labels}
  batch_size: 16
  epochs: 2
  on_nonfinite: skip
"""


def made(folder: Path, black: int) -> None:
    """Write a spec and 96 images, of which the first are black: they have no variance, and no finite gradient."""
    chance = np.random.default_rng(1)
    images = chance.integers(0, 256, (96, 8, 8), np.uint8)
    images[:black] = 0
    others = images[:8] if black == len(images) else images[-8:]
    np.savez(
        folder / "noise.npz", images=images, labels=np.arange(96) % 4, others=others, other_labels=np.arange(8) % 4
    )
    (folder / "net.yaml").write_text(SPEC)


def left_out(run: Path) -> list[int]:
    lines = (run / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line).get("left_out_samples", 0) for line in lines]


@pytest.mark.parametrize("changes", [(), ("train.validate_every=2 steps",)])
def test_what_is_left_out_is_told(here: Cli, tmp_path: Path, changes: tuple[str, ...]) -> None:
    made(tmp_path, black=1)
    done = here("train", "net.yaml", *CPU, *(w for c in changes for w in ("--set", c)), cwd=tmp_path)
    assert done.code == 0, done.stderr
    found = left_out(tmp_path / "runs" / "net-1")
    assert found[0] == 0
    assert set(found) == {0, 16}
    ends = [line for line in done.stderr.splitlines() if line.startswith(("epoch 1/2", "epoch 2/2"))]
    assert sum("left out 16 samples" in line for line in ends) == found.count(16)
    assert "\nleft out 32 samples, as updates from them would not have been finite\n" in done.stderr
    assert "nan" not in done.stdout


def test_nothing_is_told_where_nothing_is_left_out(here: Cli, tmp_path: Path) -> None:
    made(tmp_path, black=0)
    done = here("train", "net.yaml", *CPU, cwd=tmp_path)
    assert done.code == 0, done.stderr
    assert "left out" not in done.stderr
    assert left_out(tmp_path / "runs" / "net-1") == [0, 0, 0]


def test_a_run_that_goes_on_within_an_epoch_tells_the_same(here: Cli, tmp_path: Path) -> None:
    made(tmp_path, black=1)
    every = ("--set", "train.checkpoint_every=1 steps", "--set", "train.keep_checkpoints=99")
    assert here("train", "net.yaml", *CPU, *every, cwd=tmp_path).code == 0
    run = tmp_path / "runs" / "net-1"
    whole = left_out(run)
    for step in ("step-00000003", "step-00000009"):
        done = here("train", "--resume", "runs/net-1", "--from", step, *CPU, cwd=tmp_path)
        assert done.code == 0, done.stderr
        assert "\nleft out 32 samples, " in done.stderr
        assert left_out(run) == whole == [0, 16, 16]


def test_a_training_that_never_makes_an_update_says_so(here: Cli, tmp_path: Path) -> None:
    made(tmp_path, black=96)
    done = here("train", "net.yaml", *CPU, "--set", "train.best=test_loss", cwd=tmp_path)
    assert done.code == 0, done.stderr
    assert left_out(tmp_path / "runs" / "net-1") == [0, 96, 96]
    assert "\nleft out 192 samples, " in done.stderr
    # A test loss that was never finite has no best.
    assert "best" not in done.stdout
