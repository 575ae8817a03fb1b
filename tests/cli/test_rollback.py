"""`train.on_nonfinite: rollback` on the command line: what is said, what is left, and the way on from its limit."""

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
  on_nonfinite: rollback
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A spec, and 96 images of which one is black: it has no variance, so that its update is not finite."""
    chance = np.random.default_rng(1)
    images = chance.integers(0, 256, (96, 8, 8), np.uint8)
    images[3] = 0
    np.savez(
        tmp_path / "noise.npz", images=images, labels=np.arange(96) % 4,
        others=images[8:16], other_labels=np.arange(8) % 4,
    )  # fmt: skip
    (tmp_path / "net.yaml").write_text(SPEC)
    return tmp_path


def test_a_bad_image_costs_one_update_an_epoch(here: Cli, folder: Path) -> None:
    done = here("train", "net.yaml", *CPU, cwd=folder)
    assert done.code == 0, done.stderr
    run = folder / "runs" / "net-1"
    first, second = json.loads((run / "checkpoints" / "last" / "checkpoint.json").read_text())["progress"][
        "left_out"
    ]
    assert 1 <= first <= 6 < second <= 12
    assert f"update {first} of epoch 1 is the first that is not finite: in its forward, at `norm`" in done.stderr
    assert f"= left out, 1 so far; written with its batch to nonfinite-{first:08d}.json" in done.stderr
    assert f"left out 2 updates: {first}, {second}, as their losses or parameters were not finite" in done.stderr
    assert "nan" not in done.stdout
    assert {path.name for path in run.glob("nonfinite*")} == {
        f"nonfinite-{number:08d}.{kind}" for number in (first, second) for kind in ("json", "npz")
    }


def test_from_its_limit_a_run_goes_on_with_a_larger_one(here: Cli, folder: Path) -> None:
    limit = "train.on_nonfinite.rollback.limit"
    done = here("train", "net.yaml", *CPU, "--set", f"{limit}=1", cwd=folder)
    assert done.code == 1
    assert "error: the loss is not a finite number any more\n" in done.stderr
    assert "left out 1 update: " in done.stderr
    assert f"before; `{limit}` allows no more\n" in done.stderr
    assert "Traceback" not in done.stderr
    done = here("train", "--resume", "runs/net-1", *CPU, "--set", f"{limit}=2", cwd=folder)
    assert done.code == 0, done.stderr
    assert f"changed {limit}: 1 → 2\n" in done.stderr


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("{rollback: {limit: 0}}", "limit"),
        ("{rollback: {evry: 3}}", "every"),
        ("rolback", "rollback"),
        ("{abort: {}, skip: {}}", "abort, skip, rollback"),
    ],
)
def test_what_is_no_policy_is_refused_with_its_place(here: Cli, folder: Path, written: str, said: str) -> None:
    spec = folder / "net.yaml"
    spec.write_text(SPEC.replace("on_nonfinite: rollback", f"on_nonfinite: {written}"))
    done = here("check", "net.yaml", cwd=folder)
    assert done.code == 1
    assert "net.yaml:8:" in done.output
    assert said in done.output
