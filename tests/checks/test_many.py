"""Many files: in order, by several processes once that pays, and whatever one of them does."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from netcalc.checks import many
from netcalc.checks.files import Request, check_file
from netcalc.checks.outcome import Checked, Outcome
from netcalc.diagnostics import Diagnostic

NET = "input: [8, 8, 1]\nlayers: [{conv: {filters: 3, kernel: 3}}, batch_norm]\n"


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    texts = [NET, "layers: [", NET.replace("3", "4"), "input: [8]\nlayers: [conv]\n", NET] * 2
    paths = [tmp_path / f"{i}.yaml" for i in range(len(texts))]
    for path, text in zip(paths, texts, strict=True):
        path.write_text(text)
    paths.insert(3, tmp_path / "missing.yaml")
    return paths


def slow() -> Callable[[], float]:
    seconds = count(step=100)
    return lambda: float(next(seconds))


def test_processes_find_what_one_finds(files: list[Path]) -> None:
    alone = tuple(check_file(path, Request()) for path in files)
    assert many.check_files(files, Request()) == alone
    assert many.check_files(files, Request(), processes=2, clock=slow()) == alone
    assert [bool(file.unread) for file in alone] == [path.stem == "missing" for path in files]


def test_processes_run_no_code_of_the_current_folder(files: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    folder = files[0].parent
    (folder / "multiprocessing.py").write_text("open('pwned', 'w')\n")
    monkeypatch.chdir(folder)
    monkeypatch.delenv("PYTHONSAFEPATH", raising=False)
    alone = tuple(check_file(path, Request()) for path in files)
    assert many.check_files(files, Request(), processes=2, clock=slow()) == alone
    assert not (folder / "pwned").exists()
    assert "PYTHONSAFEPATH" not in os.environ


def test_few_files_start_no_process(files: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(many, "_in_processes", None)
    assert len(many.check_files(files, Request(), processes=8)) == len(files)


def dying(path: Path, request: Request) -> Checked:
    if path.stem == "4":
        os.kill(os.getpid(), signal.SIGKILL)
    return Checked(os.fspath(path))


def test_a_process_that_dies_hides_only_its_own_file(files: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(many, "check_file", dying)
    found = tuple(many._in_processes(files, Request(), 2))
    assert [file.file for file in found] == list(map(str, files))
    assert [Path(file.file).stem for file in found if file.unread] == ["4"]


def test_a_shared_finding_is_one() -> None:
    one, two = Diagnostic("NC301", "a"), Diagnostic("NC302", "b")
    outcome = Outcome((Checked("a", diagnostics=(one, two)), Checked("b", diagnostics=(one,))))
    assert outcome.diagnostics == (one, two)
    assert outcome.fails()
    warned = Outcome((Checked("a", diagnostics=(Diagnostic("NC301", "a", severity="warning"),)),))
    assert (warned.fails(), warned.fails(strict=True)) == (False, True)
