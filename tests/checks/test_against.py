"""A change held to the budgets, settings and suppressions of a revision: nothing is lifted in silence."""

from __future__ import annotations

import os
import shutil
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
        "agreed to it can merge the change; the check will hold the new one from then on)",
        f"net.yaml:6:19: error[NC401]: `params` of net.yaml is {PARAMS + 90:,}, over the budget of {PARAMS:,} "
        f"by 90, {90 / PARAMS:.1%} (make the largest layers smaller, or raise the budget)",
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


def test_who_grew_is_told_of_every_budget_that_a_change_misses(here: Cli, repository: Path) -> None:
    commit(repository, net=NET + "budgets: {params: 190}\n")
    write(repository, net=NET.replace("dense: 10", "dense: 11") + "budgets: {params: 190}\n")
    done = here("check", "net.yaml", "--against", "HEAD", "--select", "NC4", cwd=repository)
    assert "  = head: +9, line 5\n" in done.stdout
    assert "c1:" not in done.stdout


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


@pytest.mark.parametrize("broken", ["layers: [", "extends: missing.yaml\n", NET.replace("[8, 8, 1]", "[8, 8]")])
def test_what_the_revision_holds_and_cannot_be_read_is_an_error(here: Cli, repository: Path, broken: str) -> None:
    commit(repository, net=broken)
    write(repository, net=NET)
    found = [line.split(": ")[1] for line in against(here, repository)]
    if "[8, 8]" in broken:  # its shapes do not fit, its budgets can be read
        assert found == ["warning[NC301]"]
    else:
        assert found == ["error[NC408]", "warning[NC301]"]


def test_a_project_file_of_the_revision_that_cannot_be_read_is_an_error(here: Cli, repository: Path) -> None:
    commit(repository, net=NET, netcalc="[[budgets]\n")
    write(repository, netcalc="")
    assert "error[NC408]" in against(here, repository)[0]


def test_a_project_file_that_is_a_link_to_nowhere_is_an_error(here: Cli, repository: Path) -> None:
    (repository / "netcalc.toml").symlink_to("limits.toml")
    (repository / "limits.toml").write_text("[[budgets]]\nfiles = ['*']\nparams = 1\n")
    commit(repository, net=NET)
    (repository / "limits.toml").write_text("")
    assert any("error[NC408]" in line for line in against(here, repository))


def test_files_that_look_like_a_repository_do_not_judge(here: Cli, repository: Path) -> None:
    """A bare repository among the committed files, with the objects of the one around it."""
    commit(repository, nets__net=NET + "budgets: {params: 10}\n")
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=repository, capture_output=True, text=True, check=True
    ).stdout.strip()
    for name, text in (
        ("HEAD", "ref: refs/heads/main\n"), ("refs/heads/.keep", ""),
        ("config", "[core]\nbare = false\nworktree = .\n"),
        ("objects/info/alternates", f"{repository}/.git/objects\n"),
    ):  # fmt: skip
        (repository / "nets" / name).parent.mkdir(parents=True, exist_ok=True)
        (repository / "nets" / name).write_text(text)
    write(repository, nets__net=NET)
    done = here("check", "nets/net.yaml", "--against", head, "-f", "concise", cwd=repository)
    assert done.code == 1
    assert "NC404" in done.stdout
    assert "NC401" in done.stdout


def test_a_spec_of_a_repository_inside_is_not_judged_by_the_one_around_it(here: Cli, repository: Path) -> None:
    commit(repository, net=NET)
    inner = repository / "aaa"
    inner.mkdir()
    git(inner, "init", "-q")
    (inner / "net.yaml").write_text(NET)
    done = here("check", ".", "--against", "HEAD", "-f", "concise", cwd=repository)
    assert done.code == 1
    assert "aaa/net.yaml:1:1: error[NC407]" in done.stdout


@pytest.mark.parametrize("path", ["nets/a*.yaml", "nets", "nets/**/*.yaml", "nets/b.yaml"])
def test_a_rename_under_a_glob_is_told(here: Cli, repository: Path, path: str) -> None:
    commit(repository, nets__a=NET + "budgets: {params: 10}\n", nets__ab=NET)
    (repository / "nets" / "a.yaml").rename(repository / "nets" / "b.yaml")
    write(repository, nets__b=NET)
    (told,) = [line for line in against(here, repository, path=path) if "NC406" in line]
    assert "`nets/a.yaml` is gone, and with it a budget" in told


def test_a_folder_in_place_of_a_spec_is_told(here: Cli, repository: Path) -> None:
    commit(repository, net=NET + "budgets: {params: 10}\n")
    (repository / "net.yaml").unlink()
    (repository / "net.yaml").mkdir()
    (repository / "net.yaml" / "s.yaml").write_text(NET)
    assert any("NC406" in line for line in against(here, repository))


def test_a_folder_that_became_a_link_keeps_its_budgets(here: Cli, repository: Path) -> None:
    commit(repository, mobile__net=NET + "budgets: {params: 10}\n", server__net=NET)
    shutil.rmtree(repository / "mobile")
    (repository / "mobile").symlink_to("server")
    lines = against(here, repository, path="mobile/net.yaml")
    assert any("NC401" in line for line in lines)


def test_a_link_to_a_spec_that_was_there_is_not_gone(here: Cli, repository: Path) -> None:
    (repository / "tiny.yaml").symlink_to("net.yaml")
    commit(repository, net=NET + "budgets: {params: 10k}\n")
    assert not [line for line in against(here, repository, path=".") if "NC4" in line]


def test_a_wider_root_is_the_revisions_too(here: Cli, repository: Path) -> None:
    base = NET + "budgets: {params: 10}\n"
    commit(repository, base=base, nets__net="extends: ../base.yaml\n", nets__netcalc="")
    (repository / "nets" / "netcalc.toml").write_text("")
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", "x")
    write(repository, base=NET)
    lines = against(here, repository, "--root", ".", path="nets/net.yaml")
    assert any("NC401" in line for line in lines)


def test_a_glob_that_holds_fewer_nodes_is_told(here: Cli, repository: Path) -> None:
    budgets = "budgets: {nodes: {'c*': {params: 10k}}}\n"
    commit(repository, net=NET.replace("name: head", "name: c2") + budgets)
    write(repository, net=NET.replace("name: head", "name: trunk").replace("dense: 10", "dense: 99") + budgets)
    (told,) = [line for line in against(here, repository) if "NC4" in line]
    assert "`c*` names 1 nodes, 2 in HEAD" in told


def test_memory_is_of_the_revisions_training(here: Cli, repository: Path) -> None:
    net = "input: [8, 8, 1]\nlayers: [flatten, {dense: 10}]\ntrain: {data: digits, batch_size: %d}\n"
    commit(repository, net=net % 4096 + "budgets: {memory: 500kB}\n")
    write(repository, net=net % 1 + "budgets: {memory: 500kB}\n")
    (missed,) = [line for line in against(here, repository) if "NC4" in line]
    assert "NC401" in missed


def test_strict_is_the_revisions(here: Cli, repository: Path) -> None:
    commit(repository, net=NET, netcalc="[check]\nstrict = true\nselect = ['NC4']\n")
    write(repository, aaa=NET, net="# x\n" + NET + "# netcalc: ignore[NC301] new\n", netcalc="")
    done = here("check", "aaa.yaml", "net.yaml", "--against", "HEAD", "-f", "concise", cwd=repository)
    assert ("NC405" in done.stdout, done.code) == (True, 1)


def test_a_suppression_of_one_budget_keeps_no_lifted_one_quiet(here: Cli, repository: Path) -> None:
    budgets = "budgets:\n  params: 10  # netcalc: ignore[NC401] agreed\n"
    commit(repository, net=NET + budgets + "  macs: 10\n")
    assert [line.split("`")[1] for line in against(here, repository) if "NC401" in line] == ["macs"]
    write(repository, net=NET + budgets)
    assert [line.split("`")[1] for line in against(here, repository) if "NC401" in line] == ["macs"]


def test_outside_of_the_repository(here: Cli, repository: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    commit(repository, net=NET)
    other = tmp_path_factory.mktemp("other") / "net.yaml"
    other.write_text(NET)
    lines = against(here, repository, path=str(other))
    assert "error[NC407]" in lines[0]


def test_no_such_revision(here: Cli, repository: Path) -> None:
    commit(repository, net=NET)
    done = here("check", "net.yaml", "--against", "nowhere", cwd=repository)
    assert (done.code, done.stdout) == (2, "")
    assert "no revision `nowhere`" in done.stderr
