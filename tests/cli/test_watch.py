"""Watching files: what starts another run, and what does not end the watch."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from netcalc.cli import check
from netcalc.cli.watch import POLL_SECONDS, watch
from netcalc.diagnostics import CannotRunError, Diagnostic, SpecError
from tests.conftest import ROOT, command, command_env

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


class Watched:
    """A `netcalc check --watch` whose output can be waited for."""

    def __init__(self, *words: object) -> None:
        self.process = subprocess.Popen(
            command("check", *words, "--watch", "--format", "concise"),
            cwd=ROOT, env=command_env(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        # What is waited for may never be printed.
        self.limit = threading.Timer(60, self.process.kill)
        self.limit.start()

    def until(self, told: str) -> list[str]:
        """Return the lines up to one that begins so."""
        assert self.process.stdout is not None
        lines = []
        for line in self.process.stdout:
            lines.append(line.rstrip())
            if line.startswith(told):
                return lines
        raise AssertionError(f"ended without {told!r}: {lines}")

    def end(self) -> None:
        self.limit.cancel()
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    (tmp_path / "netcalc.toml").touch()
    (tmp_path / "blocks.yaml").write_text("blocks:\n  head: {layers: [flatten, {dense: 10}]}\n")
    (tmp_path / "net.yaml").write_text("imports: [blocks.yaml]\ninput: [8, 8, 1]\nlayers: [head]\n")
    process = Watched(tmp_path / "net.yaml")
    yield process
    process.end()


def test_the_command_sees_changes_of_a_spec_its_imports_and_its_project(watched: Watched, tmp_path: Path) -> None:
    assert len(watched.until("watching ")) == 1
    spec = tmp_path / "net.yaml"
    spec.write_text(spec.read_text() + "budgets: {params: 600}\n")
    assert "NC401" in watched.until("watching ")[1]
    (tmp_path / "blocks.yaml").write_text("blocks:\n  head: {layers: [flatten, {dense: 9}]}\n")
    assert len(watched.until("watching ")) == 2  # what changed, and that it is watched
    (tmp_path / "netcalc.toml").write_text("[[budgets]]\nfiles = ['*']\nmacs = 10\n")
    assert "net.yaml is 576, over the budget of 10" in watched.until("watching ")[1]
    spec.write_text("input: [")
    assert "NC002" in watched.until("watching ")[1]
    spec.unlink()
    assert "no such file" in watched.until("watching ")[1]


def test_a_spec_that_appears_in_a_folder_below_is_seen(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "net.yaml").write_text("input: [4]\nlayers: [relu]\n")
    process = Watched(tmp_path)
    try:
        process.until("watching ")
        (tmp_path / "a" / "b" / "new.yaml").write_text("input: [4]\nlayers: [rleu]\n")
        assert any("NC013" in line for line in process.until("watching "))
    finally:
        process.end()


@pytest.mark.parametrize("words", [["net.yaml"], ["."], ["*.yaml"], [".", "net.yaml", "../nets/net.yaml"]])
def test_every_file_is_watched_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]) -> None:
    (tmp_path / "nets").mkdir()
    (tmp_path / "nets" / "netcalc.toml").touch()
    monkeypatch.chdir(tmp_path / "nets")
    for name in ("net.yaml", "blocks.yaml"):
        Path(name).write_text("input: [4]\nlayers: [relu]\n")
    found = [os.path.abspath(path) for path in check._watched(list(map(Path, words)))]
    assert len(found) == len(set(found))
    names = {"net.yaml", "blocks.yaml", "netcalc.toml", "pyproject.toml"}
    assert {os.path.relpath(path) for path in found} == names | ({"."} if words != ["net.yaml"] else set())


def test_an_empty_folder_is_watched(tmp_path: Path) -> None:
    assert list(check._watched([tmp_path])) == [tmp_path]


def test_an_interrupt_ends_it_with_130(watched: Watched) -> None:
    watched.until("watching ")
    watched.process.send_signal(signal.SIGINT)
    assert watched.process.wait(timeout=10) == 130
