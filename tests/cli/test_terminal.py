"""Colours, narrow terminals and narrow encodings."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
from pathlib import Path

import pytest

from tests.conftest import ROOT, Cli, Finished, command, command_env

STRIDE2 = "configs/lecture/stride2.yaml"
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
FIGURES = ["1,111,190,816", "66,970,728", "516,710,400", "39,325,696", "2,223,693,032", "656,200", "1,321,000"]

WRONG = "input: [8, 8, 1]\nlayers: [rleu]\n"


def in_terminal(columns: int, *words: object, env: dict[str, str | None] | None = None) -> Finished:
    """Run a command whose output goes to a terminal of so many columns."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with subprocess.Popen(
        command(*words), cwd=ROOT, env=command_env({"COLUMNS": None, **(env or {})}),
        stdin=theirs, stdout=theirs, stderr=theirs,
    ) as process:  # fmt: skip
        os.close(theirs)
        seen = b""
        try:
            while data := os.read(ours, 65536):
                seen += data
        except OSError:  # the last process has closed its side
            pass
        os.close(ours)
        code = process.wait(timeout=60)
    return Finished(seen.decode().replace("\r\n", "\n"), "", code)


@pytest.mark.parametrize("columns", [1, 10, 20, 40, 60, 80, 200])
def test_figures_are_whole_on_any_terminal(columns: int) -> None:
    done = in_terminal(columns, "analyze", STRIDE2, env={"NO_COLOR": "1"})
    text = COLOUR.sub("", done.stdout)
    assert done.code == 0
    for figure in FIGURES:
        assert figure in text, figure
    # Long names fold, their letters are all there; sizes and short names are whole.
    for word in ("conv1", "output", "61×61×96", "29×29×256"):
        assert word in text


def test_lines_fit_where_they_can() -> None:
    for columns, words in ((60, ()), (80, ()), (120, ()), (80, ("--columns", "all"))):
        text = COLOUR.sub("", in_terminal(columns, "analyze", STRIDE2, *words).stdout)
        assert max(map(len, text.splitlines())) <= columns


def test_columns_is_honoured_on_a_terminal() -> None:
    narrow = in_terminal(200, "analyze", STRIDE2, env={"COLUMNS": "60"})
    assert max(len(COLOUR.sub("", line)) for line in narrow.stdout.splitlines()) <= 60


def test_diagnostics_on_a_narrow_terminal(tmp_path: Path) -> None:
    (tmp_path / "wrong.yaml").write_text(WRONG)
    done = in_terminal(40, "check", tmp_path / "wrong.yaml", env={"NO_COLOR": "1"})
    assert done.code == 1
    assert "error[NC013]: unknown layer or block `rleu`" in COLOUR.sub("", done.stdout)


def test_help_on_a_narrow_terminal() -> None:
    for columns in (20, 40):
        done = in_terminal(columns, "--help")
        assert done.code == 0
        assert "Traceback" not in done.stdout


def test_pipes_get_no_colour(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "wrong.yaml").write_text(WRONG)
    for words in (("analyze", STRIDE2), ("check", tmp_path / "wrong.yaml"), ("analyze", "none.yaml"), ("--help",)):
        assert "\x1b" not in cli(*words).output, words


def test_terminals_get_colour_unless_no_color(tmp_path: Path) -> None:
    (tmp_path / "wrong.yaml").write_text(WRONG)
    words = ("check", tmp_path / "wrong.yaml")
    coloured = re.compile(r"\x1b\[([0-9]+;)*3[0-7]")
    assert coloured.search(in_terminal(80, *words).stdout)
    assert not coloured.search(in_terminal(80, *words, env={"NO_COLOR": "1"}).stdout)
    assert "\x1b" not in in_terminal(80, *words, env={"TERM": "dumb"}).stdout


def test_force_color_colours_pipes(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "wrong.yaml").write_text(WRONG)
    done = cli("check", tmp_path / "wrong.yaml", env={"FORCE_COLOR": "1"})
    assert "\x1b[1;31merror[NC013]" in done.stdout
    assert COLOUR.sub("", done.stdout) == cli("check", tmp_path / "wrong.yaml").stdout


def test_data_formats_are_never_coloured(cli: Cli) -> None:
    for format in ("json", "csv", "markdown"):
        words = ("analyze", STRIDE2, "-f", format)
        plain = cli(*words).stdout
        assert cli(*words, env={"FORCE_COLOR": "1"}).stdout == plain
        assert in_terminal(30, *words).stdout == plain


def test_forced_colour_changes_nothing_but_colour(cli: Cli) -> None:
    forced = cli("analyze", STRIDE2, env={"FORCE_COLOR": "1", "COLUMNS": "40"}).stdout
    plain = cli("analyze", STRIDE2).stdout
    assert "\x1b[1m" in forced
    assert [line.rstrip() for line in COLOUR.sub("", forced).splitlines()] == plain.splitlines()


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_narrow_encodings_are_no_crash(cli: Cli, tmp_path: Path, encoding: str) -> None:
    (tmp_path / "wrong.yaml").write_text("input: [8, 8, 1]\nlayers: [{conv: {filters: 4, kernel: 9}}]  # 9×9 → 0\n")
    env: dict[str, str | None] = {"PYTHONIOENCODING": encoding, "LC_ALL": "C"}
    for format, figure in (("table", b"66,970,728"), ("csv", b",39325696,"), ("markdown", b"66,970,728")):
        done = subprocess.run(
            command("analyze", STRIDE2, "-f", format),
            cwd=ROOT,
            env=command_env(env),
            capture_output=True,
            check=False,
        )
        assert (done.stderr, done.returncode) == (b"", 0)
        assert figure in done.stdout
        done.stdout.decode(encoding)
    wrong = subprocess.run(
        command("analyze", tmp_path / "wrong.yaml"), env=command_env(env), capture_output=True, check=False
    )
    assert wrong.returncode == 1
    assert b"error[NC101]" in wrong.stderr
    assert b"Traceback" not in wrong.stderr
    assert cli("--help", env=env).code == 0
