"""A network small enough to train in a second, and one trained run of it for all tests of the command line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import Cli, Finished

TINY = """\
name: tiny
input: [8, 8, 1]
layers:
  - conv: {filters: 8, kernel: 3}
  - batch_norm
  - relu
  - max_pool: 2
  - flatten
  - dense: 10
train:
  data: digits
  batch_size: 32
  epochs: 3
  optimizer: {adam: {learning_rate: 1e-2}}
"""


@dataclass(frozen=True)
class Trained:
    """A run directory and what the training that made it printed."""

    run: Path
    printed: Finished


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    """A spec file that can be trained."""
    path = tmp_path / "tiny.yaml"
    path.write_text(TINY)
    return path


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, cli: Cli) -> Trained:
    """One finished training; tests that damage it work on a copy."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "tiny.yaml").write_text(TINY)
    printed = cli("train", folder / "tiny.yaml", "--runs", folder / "runs", "--device", "cpu")
    assert printed.code == 0, printed.stderr
    return Trained(folder / "runs" / "tiny-1", printed)
