"""Watching files: what starts another run, and what does not end the watch."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from netcalc.cli.watch import POLL_SECONDS, watch
from netcalc.diagnostics import CannotRunError, Diagnostic, SpecError
from tests.conftest import ROOT, command_env

Event = Callable[[], object]


class OverError(Exception):
    """Ends a watch, as an interrupt does."""


def runs(files_of: Callable[[], Iterable[Path]], events: list[Event], run: Event = lambda: None) -> int:
    """Return how often a watch ran while something happened at each poll, and nothing at the last two."""
    left = [*events, lambda: None, lambda: None]
    count = 0

    def pause(seconds: float) -> None:
        assert seconds == POLL_SECONDS
        if not left:
            raise OverError
        left.pop(0)()

    def counted() -> None:
        nonlocal count
        count += 1
        run()

    with pytest.raises(OverError):
        watch(files_of, counted, pause=pause)
    return count


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a.yaml"
    path.write_text("a")
    return path


def replaced(file: Path) -> None:
    """Save as many editors do: write another file, then rename it."""
    other = file.with_suffix(".tmp")
    other.write_text(file.read_text())
    os.utime(other, ns=(file.stat().st_atime_ns, file.stat().st_mtime_ns))
    other.rename(file)


def test_it_runs_at_once_and_then_only_after_changes(file: Path) -> None:
    nothing: Event = lambda: None  # noqa: E731
    assert runs(lambda: [file], []) == 1
    assert runs(lambda: [file], [nothing] * 20) == 1
    assert runs(lambda: [file], [lambda: file.write_text("ab"), nothing, lambda: file.write_text("abc")]) == 3


@pytest.mark.parametrize(
    "change",
    [
        lambda file: file.write_text("longer"),
        lambda file: os.utime(file, ns=(1, 1)),
        replaced,
        lambda file: file.unlink(),
        lambda file: (file.parent / "new.yaml").touch(),
    ],
    ids=["size", "time", "rename", "vanish", "appear"],
)
def test_every_kind_of_change_is_seen(file: Path, change: Callable[[Path], object]) -> None:
    files = [file, file.parent / "new.yaml"]
    assert runs(lambda: files, [lambda: change(file)]) == 2


def test_a_folder_stands_for_the_names_in_it(tmp_path: Path) -> None:
    os.utime(tmp_path, ns=(1, 1))
    assert runs(lambda: [tmp_path], [lambda: (tmp_path / "new.yaml").touch()]) == 2


def test_it_waits_until_a_file_is_written(file: Path) -> None:
    seen = []
    growing: list[Event] = [lambda n=n: file.write_text("x" * n) for n in range(2, 7)]  # type: ignore[misc]
    assert runs(lambda: [file], growing, lambda: seen.append(file.read_text())) == 2
    assert seen == ["a", "x" * 6]


def test_a_file_that_never_rests_is_not_waited_for_for_ever(file: Path) -> None:
    growing: list[Event] = [lambda n=n: file.write_text("x" * n) for n in range(2, 40)]  # type: ignore[misc]
    assert runs(lambda: [file], growing) == 5


def test_a_file_that_vanishes_for_a_moment_is_one_change(file: Path) -> None:
    assert runs(lambda: [file], [file.unlink, lambda: file.write_text("b")]) == 2


def test_a_change_during_a_run_is_not_lost(file: Path) -> None:
    texts = iter(("changed while it ran",))
    assert runs(lambda: [file], [], lambda: [file.write_text(text) for text in texts]) == 2


def test_files_that_a_change_brings_are_watched(file: Path) -> None:
    other = file.parent / "b.yaml"
    other.touch()
    files = [file]

    def brought() -> None:
        file.write_text("imports b")
        files.append(other)

    nothing: Event = lambda: None  # noqa: E731
    assert runs(lambda: list(files), [brought, nothing, lambda: other.write_text("b")]) == 3


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (CannotRunError("a.yaml: no such file", "did you mean `b.yaml`?"), "error: a.yaml: no such file"),
        (SpecError([Diagnostic("NC002", "not valid YAML")]), "error[NC002]: not valid YAML"),
    ],
)
def test_what_is_wrong_is_told_and_the_watch_goes_on(
    file: Path, capsys: pytest.CaptureFixture[str], error: Exception, told: str
) -> None:
    def run() -> None:
        raise error

    assert runs(lambda: [file], [lambda: file.write_text("ab")], run) == 2
    assert capsys.readouterr().err.count(told) == 2


def test_a_bug_ends_the_watch(file: Path) -> None:
    def run() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        watch(lambda: [file], run)


def test_files_that_cannot_be_told_are_those_of_before(file: Path) -> None:
    answers = iter([[file]])

    def files_of() -> list[Path]:
        try:
            return next(answers)
        except StopIteration:
            raise CannotRunError("no specs") from None

    nothing: Event = lambda: None  # noqa: E731
    assert runs(files_of, [lambda: file.write_text("ab"), nothing, lambda: file.write_text("abc")]) == 3


def test_what_it_says_goes_to_stderr(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs(lambda: [file], [lambda: file.write_text("ab")], lambda: print("found", flush=True))  # noqa: T201
    seen = capsys.readouterr()
    assert seen.out == "found\nfound\n"  # no terminal: nothing clears it
    assert seen.err == f"watching 1 file, Ctrl-C ends\nchanged: {file}\nwatching 1 file, Ctrl-C ends\n"


def test_a_terminal_is_cleared(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    runs(lambda: [file], [lambda: file.write_text("ab")])
    assert capsys.readouterr().out == "\x1b[2J\x1b[3J\x1b[H" * 2
    monkeypatch.setenv("TERM", "dumb")
    runs(lambda: [file], [lambda: file.write_text("abc")])
    assert capsys.readouterr().out == ""


SCRIPT = """
import signal, sys
from pathlib import Path
from netcalc.cli.app import _interrupted
from netcalc.cli.watch import watch
signal.signal(signal.SIGINT, _interrupted)
file = Path(sys.argv[1])
watch(lambda: [file], lambda: print(file.read_text(), flush=True))
"""


def test_a_process_sees_a_change_and_ends_with_130(file: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(file)], cwd=ROOT, env=command_env(), stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "a\n"
        file.write_text("changed")
        assert process.stdout.readline() == "changed\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=10) == 130
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
