"""Proposed budgets: the network that they are proposed for meets them, with a tenth to spare."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from netcalc.checks.files import Request, check_file
from netcalc.checks.propose import budgets_toml, budgets_yaml, propose
from netcalc.graph import build_complete
from netcalc.spec.load import load_spec, parse_spec
from netcalc.spec.project import load_project
from tests.conftest import ROOT, Cli

SPECS = sorted((ROOT / "configs").glob("*.yaml"))
ONLY = Request(select=("NC4",))


@pytest.mark.parametrize("spec", SPECS[::5], ids=lambda path: path.stem)
def test_the_network_itself_meets_them(spec: Path, tmp_path: Path) -> None:
    text = re.sub(r"^budgets:\n(  .*\n)*", "", spec.read_text(encoding="utf-8"), flags=re.MULTILINE)
    found = budgets_yaml(propose(build_complete(load_spec(spec))))
    shutil.copytree(ROOT / "configs", tmp_path, dirs_exist_ok=True)
    path = tmp_path / spec.name
    path.write_text(f"{text}{found}")
    checked = check_file(path, ONLY)
    assert checked.diagnostics == ()
    for use in checked.budgets:
        assert use.value is not None
        if use.figure not in ("depth", "receptive_field"):
            limit = budget_of(found, use.figure)
            assert 1.1 * use.value <= limit < 1.12 * use.value + 2


def budget_of(text: str, figure: str) -> float:
    """Return a limit as it is read back."""
    spec = parse_spec(f"input: [3]\nlayers: [relu]\n{text}")
    return float(getattr(spec.budgets, figure).max)


def test_tables_for_several_specs(tmp_path: Path) -> None:
    for name, filters in (("a", 3), ("b", 4)):
        text = f"input: [8, 8, 1]\nlayers: [{{conv: {{filters: {filters}, kernel: 3}}}}]\n"
        (tmp_path / f'{name}".yaml').write_text(text)
    paths = sorted(tmp_path.glob("*.yaml"))
    tables = (budgets_toml(path.name, propose(build_complete(load_spec(path)))) for path in paths)
    (tmp_path / "netcalc.toml").write_text("\n".join(tables))
    for path in paths:
        checked = check_file(path, ONLY)
        assert checked.diagnostics == ()
        assert len(checked.budgets) == 7


@pytest.mark.parametrize("name", ["[b].yaml", "a*b?.yaml", "[!x]]", "plain.yaml", "[[]b].yaml"])
def test_a_table_is_about_its_spec_alone(tmp_path: Path, name: str) -> None:
    proposal = propose(build_complete(parse_spec("input: [8]\nlayers: [{dense: 3}]\n")))
    (tmp_path / "netcalc.toml").write_text(budgets_toml(f"nets/{name}", proposal))
    project = load_project(tmp_path / "netcalc.toml")
    assert [number for number, _ in project.tables_for(tmp_path / "nets" / name)] == [0]
    for other in ("b.yaml", "acb?.yaml", "a*bc.yaml", "y]"):
        assert project.tables_for(tmp_path / "nets" / other) == ()


def test_the_command(here: Cli, tmp_path: Path) -> None:
    done = here("check", "configs/lenet5.yaml", "--init")
    assert done.code == 0
    assert done.stdout.startswith("budgets:\n  params: {max: 67.9k}  # now 61,706\n")
    done = here("check", "configs/lecture", "--init", "-o", tmp_path / "x.toml")
    assert (done.stdout, done.code) == ("", 0)
    text = (tmp_path / "x.toml").read_text()
    assert text.count("[[tool.netcalc.budgets]]") == len(list((ROOT / "configs" / "lecture").glob("*.yaml")))


def test_a_spec_with_errors_is_reported_and_left_out(here: Cli, tmp_path: Path) -> None:
    for name, text in (("a", "[relu]"), ("b", "["), ("c", "[tanh]")):
        (tmp_path / f"{name}.yaml").write_text(f"input: [4]\nlayers: {text}\n")
    done = here("check", ".", "--init", cwd=tmp_path)
    assert done.code == 1
    assert re.findall("files = .*", done.stdout) == ['files = ["a.yaml"]', 'files = ["c.yaml"]']
    assert "b.yaml:3:1: error[NC002]" in done.stderr
    done = here("check", "a.yaml", "b.yaml", "absent.yaml", "--init", cwd=tmp_path)
    assert done.code == 2
    assert re.findall("files = .*", done.stdout) == ['files = ["a.yaml"]']
    assert "absent.yaml: no such file" in done.stderr
    done = here("check", "b.yaml", "--init", "-o", "budgets.yaml", cwd=tmp_path)
    assert (done.stdout, done.code) == ("", 1)
    assert not (tmp_path / "budgets.yaml").exists()


@pytest.mark.parametrize("words", [["--against", "HEAD"], ["--against", ""], ["--watch"]])
def test_what_does_not_go_with_it_is_a_mistake(here: Cli, words: list[str]) -> None:
    done = here("check", "configs/lenet5.yaml", "--init", *words)
    assert (done.stdout, done.code) == ("", 2)
    assert f"--init does not go with {words[0]}" in done.stderr
