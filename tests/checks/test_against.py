"""A change held to the budgets, settings and suppressions of a revision: nothing is lifted in silence."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.conftest import Cli

NET = """\
input: [8, 8, 1]
layers:
  - {conv: {filters: 8, kernel: 3}, name: c1}
  - batch_norm
  - {dense: 10, name: head}
"""
PARAMS = 80 + 16 + 90


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q", "-b", "main")
    return tmp_path


def git(folder: Path, *words: str) -> None:
    names = {f"GIT_{who}_{what}": "a@b" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    subprocess.run(["git", *words], cwd=folder, check=True, env={**os.environ, **names}, capture_output=True)


def commit(folder: Path, **files: str) -> None:
    write(folder, **files)
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "x", "--allow-empty")


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        path = folder / (name.replace("__", "/") + (".toml" if name == "netcalc" else ".yaml"))
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)


def against(here: Cli, folder: Path, *words: str, path: str = "net.yaml") -> list[str]:
    done = here("check", path, "--against", "HEAD", "-f", "concise", "--select", "NC301,NC4", *words, cwd=folder)
    assert done.code in (0, 1), done.output
    return done.stdout.splitlines()


def test_nothing_changed(here: Cli, repository: Path) -> None:
    commit(repository, net=NET + f"budgets: {{params: {PARAMS}}}\n")
    (bias,) = against(here, repository)
    assert "NC301" in bias


def test_a_lifted_budget_stays_in_force_and_is_told(here: Cli, repository: Path) -> None:
    commit(repository, net=NET + f"budgets: {{params: {PARAMS}}}\n")
    write(repository, net=NET.replace("dense: 10", "dense: 20") + "budgets: {params: 10k}\n")
    assert [line for line in against(here, repository) if "NC301" not in line] == [
        "net.yaml:6:19: warning[NC404]: the budget of `params` is looser; the one of HEAD stays in force (who "
        "agreed to it can merge the change; the check will hold the new budget from then on)",
        f"net.yaml:6:10: error[NC401]: `params` is {PARAMS + 90:,}, over the budget of {PARAMS:,} by 90, "
        f"{90 / PARAMS:.1%} (make the largest layers smaller, or raise the budget)",
    ]


def test_a_tighter_budget_holds_at_once(here: Cli, repository: Path) -> None:
    commit(repository, net=NET + "budgets: {params: 10k}\n")
    write(repository, net=NET + "budgets: {params: 100}\n")
    lines = [line for line in against(here, repository) if "NC301" not in line]
    assert len(lines) == 1
    assert "over the budget of 100" in lines[0]


@pytest.mark.parametrize(
    ("old", "new", "how"),
    [
        ("{params: 10k}", "{}", "is gone"), ("{params: 10k}", "{params: {max: 10k, level: warn}}", "is looser"),
        ("{params: 10k}", "{params: {max: 10k, level: off}}", "is looser"),
        ("{params: {max_increase: 2%}}", "{params: {max_increase: 3%}}", "is looser"),
        ("{params: {max_increase: 2%}}", "{params: 100M}", "is looser"),
        ("{receptive_field: 3}", "{receptive_field: 2}", "is looser"),
        ("{memory: {device: t4, max: 90%}}", "{memory: {device: t4, max: 95%}}", "is looser"),
        ("{memory: {device: t4, max: 90%}}", "{memory: {device: h100, max: 90%}}", "is looser"),
        ("{nodes: {'c*': {params: 80}}}", "{nodes: {'d*': {params: 80}}, params: 4k}", "is gone"),
    ],
)  # fmt: skip
def test_every_way_to_loosen(here: Cli, repository: Path, old: str, new: str, how: str) -> None:
    commit(repository, net=NET + f"budgets: {old}\n")
    write(repository, net=NET + f"budgets: {new}\n")
    told = [line for line in against(here, repository) if "NC404" in line]
    assert len(told) == 1
    assert how in told[0]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("{params: 10k}", "{params: 9k}"), ("{params: {max: 10k, level: warn}}", "{params: 10k}"),
        ("{params: {max: 1, level: off}}", "{}"), ("{receptive_field: 2}", "{receptive_field: 3}"),
        ("{params: 10k}", "{params: {max: 10k, max_increase: 5%}}"),
    ],
)  # fmt: skip
def test_what_is_not_looser(here: Cli, repository: Path, old: str, new: str) -> None:
    commit(repository, net=NET + f"budgets: {old}\n")
    write(repository, net=NET + f"budgets: {new}\n")
    assert not [line for line in against(here, repository) if "NC40" in line]


def test_budgets_come_with_what_the_revision_extends(here: Cli, repository: Path) -> None:
    commit(repository, base=NET + "budgets: {params: 10}\n", net="extends: base.yaml\n")
    write(repository, base=NET + "budgets: {params: 10k}\n")
    lines = [line for line in against(here, repository) if "NC301" not in line]
    assert [line.split(": ")[1] for line in lines] == ["warning[NC404]", "error[NC401]"]
    assert lines[0].startswith("base.yaml:6:19: ")


def test_budgets_and_settings_of_the_project(here: Cli, repository: Path) -> None:
    commit(repository, net=NET, netcalc="[[budgets]]\nfiles = ['*.yaml']\nparams = 10\n")
    lifted = "[check]\nignore = ['NC']\n[[budgets]]\nfiles = ['other.yaml']\nparams = 10\n"
    write(repository, netcalc=lifted)
    found = [line.split(": ")[1] for line in against(here, repository)]
    assert sorted(found) == ["error[NC401]", "warning[NC301]", "warning[NC404]"]


def test_growth(here: Cli, repository: Path) -> None:
    budgets = "budgets: {params: {max_increase: 2%}, macs: {max_increase: 100%}}\n"
    commit(repository, net=NET + budgets)
    assert not [line for line in against(here, repository) if "NC4" in line]
    write(repository, net=NET.replace("filters: 8", "filters: 9") + budgets)
    (missed,) = [line for line in against(here, repository) if "NC4" in line]
    assert f"({PARAMS:,} in HEAD + 2%)" in missed
    done = here("check", "net.yaml", "--against", "HEAD", "--select", "NC4", cwd=repository)
    assert "= c1: +10, line 3\n" in done.stdout
    assert done.stdout.index("c1: +10") < done.stdout.index("batch_norm1: +2")


def test_a_new_suppression_does_not_count_and_is_told(here: Cli, repository: Path) -> None:
    commit(repository, net=NET + "budgets: {params: 10}\n")
    text = NET.replace("name: c1}", "name: c1}  # netcalc: ignore[NC301] quiet")
    write(repository, net=text + "budgets: {params: 10}  # netcalc: ignore[NC401] quiet\n")
    found = [(line.split(":")[1], line.split(": ")[1]) for line in against(here, repository)]
    assert found == [
        ("3", "warning[NC301]"), ("6", "error[NC401]"), ("3", "warning[NC405]"), ("6", "warning[NC405]"),
    ]  # fmt: skip


def test_a_suppression_that_the_revision_has_counts_wherever_its_line_moves(here: Cli, repository: Path) -> None:
    text = NET.replace("name: c1}", "name: c1}  # netcalc: ignore[NC301] quiet")
    commit(repository, net=text)
    assert against(here, repository) == []
    write(repository, net="# a line more\n" + text)
    assert against(here, repository) == []


def test_a_spec_that_is_new_has_its_own_budgets(here: Cli, repository: Path) -> None:
    commit(repository, other=NET)
    write(repository, net=NET + "budgets: {params: 1}\n")
    assert [line.split(": ")[1] for line in against(here, repository)] == ["warning[NC301]", "error[NC401]"]


def test_a_spec_with_budgets_that_is_gone_is_told(here: Cli, repository: Path) -> None:
    commit(repository, nets__a=NET + "budgets: {params: 10}\n", nets__b=NET, nets__c=NET)
    for name in "ab":
        os.remove(repository / "nets" / f"{name}.yaml")
    (told,) = [line for line in against(here, repository, path="nets") if "NC406" in line]
    assert "`nets/a.yaml` is gone" in told


def test_a_baseline_is_the_revisions_too(here: Cli, repository: Path) -> None:
    budgets = "budgets: {baseline: base.yaml, params: {max_increase: 2%}}\n"
    commit(repository, net=NET + budgets, base=NET)
    wider = NET.replace("dense: 10", "dense: 20")
    write(repository, net=wider + budgets, base=wider)
    lines = [line for line in against(here, repository) if "NC4" in line]
    assert len(lines) == 1
    assert "error[NC401]" in lines[0]


def test_a_revision_with_errors_has_no_budgets_to_keep(here: Cli, repository: Path) -> None:
    commit(repository, net="layers: [")
    write(repository, net=NET + "budgets: {params: 10}\n")
    assert [line.split(": ")[1] for line in against(here, repository)] == ["warning[NC301]", "error[NC401]"]


def test_no_such_revision(here: Cli, repository: Path) -> None:
    commit(repository, net=NET)
    done = here("check", "net.yaml", "--against", "nowhere", cwd=repository)
    assert (done.code, done.stdout) == (2, "")
    assert "no revision `nowhere`" in done.stderr
