"""A network small enough to train in a second, and one trained run of it for all tests of the command line."""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from netcalc.cli.app import main
from tests.conftest import ROOT, Cli, Finished, command_env

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


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    """Run `netcalc` in this process: fast, and a crash is an exception that the test does not expect."""
    for name in set(os.environ) - set(command_env()):
        monkeypatch.delenv(name)
    for name, value in command_env().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(signal, "signal", lambda *_: None)

    def run(
        *args: object, env: dict[str, str | None] | None = None, cwd: Path = ROOT, timeout: float = 60
    ) -> Finished:
        monkeypatch.chdir(cwd)
        monkeypatch.setattr(sys, "argv", ["netcalc", *map(str, args)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        seen = capsys.readouterr()
        code = ended.value.code
        return Finished(seen.out, seen.err, code if isinstance(code, int) else 0 if code is None else 1)

    return run
