"""What all tests share: golden files and the command line in a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest

from netcalc.cli.app import main

ROOT = Path(__file__).parents[1]
GOLDEN = ROOT / "tests" / "golden"

_DECIDED_HERE = (
    "NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "LINES",
    "PYTHONIOENCODING", "PYTHONUTF8", "PYTHONUNBUFFERED", "LANG", "LC_ALL", "LC_CTYPE", "GITHUB_ACTIONS",
    "GITHUB_STEP_SUMMARY",
)  # fmt: skip


_compilation_cache: dict[str, str] = {}


@dataclass(frozen=True)
class Finished:
    """What a command left behind."""

    stdout: str
    stderr: str
    code: int

    @property
    def output(self) -> str:
        """Everything that a person would have seen."""
        return self.stdout + self.stderr


class Cli(Protocol):
    """Runs `netcalc` with arguments; `env` changes variables, None removes one."""

    def __call__(
        self, *args: object, env: dict[str, str | None] | None = None, cwd: Path = ROOT, timeout: float = 60
    ) -> Finished: ...


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--overwrite", action="store_true", help="rewrite the golden files instead of comparing")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str | Path, str], None]:
    """Compare a text with a file below tests/golden; `pytest --overwrite` writes the file instead."""

    def compare(name: str | Path, text: str) -> None:
        path = GOLDEN / name
        if request.config.getoption("--overwrite"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            return
        assert path.is_file(), f"{path} is missing: run pytest --overwrite"
        assert text == path.read_text(encoding="utf-8"), f"differs from {path.name}: see pytest --overwrite"

    return compare


def command_env(changes: dict[str, str | None] | None = None) -> dict[str, str]:
    """Return the environment of a command: this one without what would change how output looks."""
    env: dict[str, str | None] = {k: v for k, v in os.environ.items() if k not in _DECIDED_HERE}
    env |= {"COLUMNS": "200", "TERM": "xterm-256color", "LC_ALL": "C.UTF-8", "XDG_CONFIG_HOME": "/nonexistent"}
    env |= {"XDG_CACHE_HOME": "/dev/null/cache"}  # which cannot be made: tests leave the cache of a person alone
    env |= {**_compilation_cache, **(changes or {})}
    return {k: v for k, v in env.items() if v is not None}


def command(*args: object) -> list[str]:
    """Return the words of a `netcalc` command."""
    return [sys.executable, "-m", "netcalc", *map(str, args)]


@pytest.fixture(scope="session")
def compilation_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let commands of this session share what XLA has compiled; most of the time of a small training is that."""
    _compilation_cache.update(
        JAX_COMPILATION_CACHE_DIR=str(tmp_path_factory.mktemp("compiled")),
        JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS="0",
        JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES="-1",
    )
    yield
    _compilation_cache.clear()


@pytest.fixture(scope="session")
def cli(compilation_cache: None) -> Cli:
    """Run `netcalc` as people do, in the repository's root unless told otherwise."""

    def run(
        *args: object, env: dict[str, str | None] | None = None, cwd: Path = ROOT, timeout: float = 60
    ) -> Finished:
        done = subprocess.run(
            command(*args), cwd=cwd, env=command_env(env), capture_output=True, timeout=timeout, check=False
        )
        return Finished(done.stdout.decode(errors="strict"), done.stderr.decode(errors="strict"), done.returncode)

    return run


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
