"""action.yml and the pre-commit hook: their form, and their scripts run as a runner runs them."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
import yaml

from tests.conftest import ROOT, command_env

ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
STEPS: list[dict[str, Any]] = ACTION["runs"]["steps"]
SCRIPTS = {step["name"]: step for step in STEPS if "run" in step}
(HOOK,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))


def strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for item in value.values() for text in strings(item)]
    if isinstance(value, list):
        return [text for item in value for text in strings(item)]
    return [value] if isinstance(value, str) else []


def test_it_is_a_composite_action_with_its_inputs() -> None:
    assert ACTION["runs"]["using"] == "composite"
    assert set(ACTION["inputs"]) == {
        "paths", "args", "python-version", "version", "strict", "against", "comment", "working-directory", "token"
    }  # fmt: skip
    assert all(isinstance(given["default"], str) and given["description"] for given in ACTION["inputs"].values())


def test_every_input_is_used_and_every_one_used_exists() -> None:
    used = {name for text in strings(ACTION["runs"]) for name in re.findall(r"inputs\.([\w-]+)", text)}
    assert used == set(ACTION["inputs"])


def test_steps_that_are_named_exist() -> None:
    named = {name for text in strings(STEPS) for name in re.findall(r"steps\.([\w-]+)", text)}
    assert named <= {step["id"] for step in STEPS if "id" in step}


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_hold_no_expressions(name: str) -> None:
    assert "${{" not in SCRIPTS[name]["run"]
    assert SCRIPTS[name]["shell"] == "bash"
    assert SCRIPTS[name]["run"].startswith("set -euo pipefail\n")


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_can_be_parsed(name: str) -> None:
    subprocess.run(["bash", "-n", "-c", SCRIPTS[name]["run"]], check=True)


@pytest.mark.parametrize("name", SCRIPTS)
def test_variables_of_scripts_are_set(name: str) -> None:
    script = SCRIPTS[name]["run"]
    shell = {"RUNNER_TEMP", "GITHUB_OUTPUT", "GITHUB_REPOSITORY", "FETCH_HEAD"}
    assert set(re.findall(r"\b[A-Z][A-Z_]+\b", " ".join(re.findall(r"\$\{?(\w+)", script)))) - shell <= set(
        SCRIPTS[name]["env"]
    )


def test_actions_are_pinned() -> None:
    used = [step["uses"] for step in STEPS if "uses" in step]
    assert used
    assert all(re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", action) for action in used)


def test_the_hook() -> None:
    assert HOOK["id"] == "netcalc-check"
    assert (HOOK["language"], HOOK["entry"], HOOK["require_serial"]) == ("python", "netcalc check", True)
    # A block that changes changes specs that did not.
    assert HOOK["pass_filenames"] is False
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
    assert HOOK["entry"].split()[0] in scripts
    for file in ("a.yaml", "nets/b.yml", "netcalc.toml", "x/pyproject.toml"):
        assert re.search(HOOK["files"], file)
    for file in ("a.py", "mynetcalc.toml", "yaml.md"):
        assert not re.search(HOOK["files"], file)


@dataclass(frozen=True)
class Ran:
    code: int
    output: str
    outputs: dict[str, str]


class Runner:
    """Runs steps of the action in a folder, with commands that only note how they were called."""

    def __init__(self, folder: Path) -> None:
        self.temp = folder / "temp"
        self.workspace = folder / "workspace"
        self.bin = folder / "bin"
        for path in (self.temp, self.workspace, self.bin):
            path.mkdir()

    def command(self, name: str, script: str) -> None:
        path = self.bin / name
        path.write_text(f"#!/usr/bin/env bash\n{script}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def noted(self, name: str, rest: str = "") -> Path:
        """Make a command that notes its words, one a line, an empty line behind each call."""
        notes = self.temp / f"{name}.calls"
        self.command(name, f"printf '%s\\n' \"$@\" '' >>'{notes}'\n{rest}")
        return notes

    def step(self, step: str, folder: str = ".", **env: str) -> Ran:
        output = self.temp / "output"
        output.write_text("")
        given = command_env() | {
            "PATH": f"{self.bin}:{os.environ['PATH']}", "RUNNER_TEMP": str(self.temp), "GITHUB_OUTPUT": str(output),
            "GITHUB_REPOSITORY": "o/r", "BIN": str(self.bin), "HOME": str(self.temp), "GIT_CONFIG_NOSYSTEM": "1",
        }  # fmt: skip
        unset = {name: "" for name in SCRIPTS[step]["env"] if name not in given}
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", SCRIPTS[step]["run"]],
            cwd=self.workspace / folder, env=given | unset | env,
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        pairs = dict(line.split("=", 1) for line in output.read_text().splitlines())
        return Ran(done.returncode, done.stdout + done.stderr, pairs)


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    return Runner(tmp_path)


CHECK = "Check"


def test_the_check_gets_paths_and_options(runner: Runner) -> None:
    calls = runner.noted("netcalc")
    ran = runner.step(
        CHECK,
        INPUT_PATHS="nets\n  with space.yaml \r\n\n'nets/**/*.yaml'\n$(touch pwned)\n-x\n",
        INPUT_ARGS="--ignore NC302\n  --set a=* ",
        STRICT="true",
        BASE="abc",
    )
    assert ran.code == 0, ran.output
    assert calls.read_text().split("\n")[:-2] == [
        "check", "--format", "github", "--strict", "--against", "abc", "--ignore", "NC302", "--set", "a=*",
        "--", "nets", "with space.yaml", "'nets/**/*.yaml'", "$(touch pwned)", "-x",
    ]  # fmt: skip
    assert not list(runner.workspace.iterdir())


def test_the_check_without_options(runner: Runner) -> None:
    calls = runner.noted("netcalc")
    assert runner.step(CHECK, INPUT_PATHS=".", STRICT="false").code == 0
    assert calls.read_text().split("\n")[:-2] == ["check", "--format", "github", "--", "."]


@pytest.mark.parametrize("code", [1, 2])
def test_the_step_fails_as_the_check_does(runner: Runner, code: int) -> None:
    runner.noted("netcalc", f"exit {code}")
    assert runner.step(CHECK, INPUT_PATHS=".").code == code


def test_the_check_annotates_and_writes_the_summary(runner: Runner) -> None:
    runner.command("netcalc", f'exec "{sys.executable}" -m netcalc "$@"')
    nets = runner.workspace / "models" / "nets"
    nets.mkdir(parents=True)
    (nets / "wide.yaml").write_text("input: [8, 8, 1]\nlayers: [flatten, {dense: 10}]\nbudgets: {params: 600}\n")
    summary = runner.temp / "summary.md"
    ran = runner.step(
        CHECK,
        INPUT_PATHS="absent.yaml\nnets",
        PYTHONPATH=str(ROOT),
        GITHUB_ACTIONS="true",
        GITHUB_WORKSPACE=str(runner.workspace),
        GITHUB_STEP_SUMMARY=str(summary),
        folder="models",
    )
    assert ran.code == 2  # one of the paths is not there
    assert "::error file=models/nets/wide.yaml,line=3," in ran.output
    assert "`params` is 650" in summary.read_text()


def test_netcalc_is_installed_apart_from_the_job(runner: Runner) -> None:
    calls = runner.temp / "pip.calls"
    python = runner.bin / "python"
    runner.command(
        "python",
        f'mkdir -p "$4/bin"\nprintf \'#!/bin/sh\\nprintf "%%s\\\\n" "$@" >>"{calls}"\\n\' >"$4/bin/python"\n'
        'chmod +x "$4/bin/python"',
    )
    for version, installed in (("", "/the/action"), ("netcalc-nn==0.1.0", "netcalc-nn==0.1.0")):
        calls.unlink(missing_ok=True)
        ran = runner.step("Install netcalc", PYTHON=str(python), ACTION="/the/action", VERSION=version)
        assert ran.code == 0, ran.output
        assert ran.outputs == {"bin": f"{runner.temp}/netcalc-venv/bin"}
        assert calls.read_text().splitlines()[-2:] == ["--", installed]


def test_installing_runs_no_code_of_the_checkout(runner: Runner) -> None:
    pwned = runner.temp / "pwned"
    for module in ("venv.py", "pip/__main__.py", "pip/__init__.py", "ensurepip.py"):
        path = runner.workspace / module
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"open({str(pwned)!r}, 'a')\n")
    wheel = runner.temp / "empty-1.0-py3-none-any.whl"
    with ZipFile(wheel, "w") as archive:
        archive.writestr("empty-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: empty\nVersion: 1.0\n")
        archive.writestr("empty-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr("empty-1.0.dist-info/RECORD", "")
    ran = runner.step("Install netcalc", PYTHON=sys.executable, VERSION=str(wheel), PIP_NO_INDEX="1")
    assert ran.code == 0, ran.output
    assert list(Path(ran.outputs["bin"]).parent.rglob("empty-1.0.dist-info"))
    assert not pwned.exists()


def git(folder: Path, *words: str) -> str:
    env = os.environ | {
        "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_AUTHOR_NAME": "a",
        "GIT_AUTHOR_EMAIL": "a@b.c", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b.c",
    }  # fmt: skip
    done = subprocess.run(["git", "-C", str(folder), *words], env=env, capture_output=True, text=True, check=True)
    return done.stdout.strip()


BASE = "Find the revision to compare with"


@pytest.fixture
def origin(runner: Runner) -> Path:
    """Return a repository of two commits, of which the workspace holds the last one."""
    folder = runner.temp / "origin"
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch", "main")
    for number in range(2):
        (folder / "a.yaml").write_text(str(number))
        git(folder, "add", ".")
        git(folder, "commit", "--quiet", "-m", str(number))
    git(folder, "config", "uploadpack.allowAnySHA1InWant", "true")
    git(runner.temp, "clone", "--quiet", "--depth=1", folder.as_uri(), str(runner.workspace))
    return folder


def test_the_base_of_a_pull_request_is_fetched(runner: Runner, origin: Path) -> None:
    first = git(origin, "rev-parse", "HEAD^")
    ran = runner.step(BASE, EVENT_BASE=first)
    assert (ran.code, ran.outputs) == (0, {"commit": first}), ran.output
    assert git(runner.workspace, "show", f"{first}:a.yaml") == "0"
    assert git(runner.workspace, "rev-parse", "--is-shallow-repository") == "true"


def test_a_branch_is_fetched_and_what_is_there_is_not(runner: Runner, origin: Path) -> None:
    git(origin, "branch", "old", "HEAD^")
    first = git(origin, "rev-parse", "old")
    assert runner.step(BASE, AGAINST="origin/old", EVENT_BASE="x").outputs == {"commit": first}
    head = git(runner.workspace, "rev-parse", "HEAD")
    shutil.rmtree(origin)
    assert runner.step(BASE, AGAINST="HEAD").outputs == {"commit": head}


def test_a_repository_that_is_committed_is_not_read(runner: Runner, origin: Path) -> None:
    first = git(origin, "rev-parse", "HEAD^")
    embedded = runner.workspace / "nets"
    git(runner.workspace, "init", "--quiet", "--bare", str(embedded))
    git(embedded, "config", "remote.origin.url", str(origin))
    git(embedded, "config", "remote.origin.uploadpack", f"touch '{runner.temp}/pwned'; git-upload-pack")
    ran = runner.step(BASE, EVENT_BASE=first, folder="nets")
    assert (ran.code, ran.outputs) == (0, {"commit": first}), ran.output
    assert not (runner.temp / "pwned").exists()


def test_a_checkout_below_the_workspace_is_the_one_that_is_read(runner: Runner, origin: Path) -> None:
    git(runner.workspace, "clone", "--quiet", origin.as_uri(), "models")
    (runner.workspace / "models" / "nets").mkdir()
    first = git(origin, "rev-parse", "HEAD^")
    assert runner.step(BASE, AGAINST="HEAD^", folder="models/nets").outputs == {"commit": first}


def test_without_a_repository_there_is_nothing_to_compare_with(runner: Runner) -> None:
    ran = runner.step(BASE, AGAINST="main")
    assert (ran.code, ran.outputs) == (2, {})
    assert "cannot be fetched" in ran.output


@pytest.mark.parametrize(("against", "base"), [("", ""), ("none", "abc")])
def test_there_may_be_nothing_to_compare_with(runner: Runner, against: str, base: str) -> None:
    ran = runner.step(BASE, AGAINST=against, EVENT_BASE=base)
    assert (ran.code, ran.outputs) == (0, {})


@pytest.mark.parametrize(
    "against", ["absent", "--upload-pack=touch pwned", "-x", "HEAD; touch pwned", "$(touch pwned)"]
)
def test_a_revision_that_is_none_is_an_error(runner: Runner, origin: Path, against: str) -> None:
    ran = runner.step(BASE, AGAINST=against)
    assert (ran.code, ran.outputs) == (2, {})
    assert "::error title=netcalc::" in ran.output
    assert "against" in ran.output
    assert not list(runner.temp.rglob("pwned")) + list(runner.workspace.rglob("pwned"))


NETCALC = """
case "$1" in
  check) printf '{"files": [{"file": "same.yaml", "unread": null}, {"file": "wide net.yaml", "unread": null},
    {"file": "absent.yaml", "unread": "no"}, {"file": "new.yaml", "unread": null}]}' ;;
  diff) case "${!#}" in
      same.yaml) exit 0 ;;
      "wide net.yaml") echo "### wide | +10"; exit 1 ;;
      new.yaml) exit 2 ;;
      *) echo "not asked for"; exit 1 ;;
    esac ;;
esac
"""

needs_jq = pytest.mark.skipif(shutil.which("jq") is None, reason="runs jq, which runners have")


@needs_jq
@pytest.mark.parametrize(("existing", "method"), [("", ["api"]), ("17", ["api", "PATCH"])])
def test_the_comment_shows_what_differs(runner: Runner, existing: str, method: list[str]) -> None:
    calls = runner.noted("netcalc", NETCALC)
    posted = runner.noted("gh", f'[[ "$*" != *--paginate* ]] || echo "{existing}"')
    ran = runner.step("Comment", INPUT_PATHS="nets\n", BASE="abc", PULL_REQUEST="7", GH_TOKEN="t")
    assert ran.code == 0, ran.output
    assert calls.read_text().startswith("check\n--format\njson\n--\nnets\n\n")
    assert calls.read_text().count("--against\nabc\n--\n") == 3
    assert (runner.temp / "netcalc-comment.md").read_text() == "<!-- netcalc diff -->\n### wide | +10\n\n"
    *_, last = posted.read_text().strip().split("\n\n")
    assert f"body=@{runner.temp}/netcalc-comment.md" in last
    assert ("PATCH" in last) == ("PATCH" in method)
    assert ("repos/o/r/issues/comments/17" if existing else "repos/o/r/issues/7/comments") in last


@needs_jq
def test_a_comment_is_never_longer_than_github_takes(runner: Runner) -> None:
    runner.noted("netcalc", NETCALC.replace('echo "### wide | +10"', "head -c 70000 /dev/zero | tr '\\0' x"))
    runner.noted("gh")
    assert runner.step("Comment", INPUT_PATHS=".", BASE="abc", PULL_REQUEST="7").code == 0
    assert (runner.temp / "netcalc-comment.md").read_text().splitlines()[1:] == [
        "1 more networks differ; they are too large for a comment."
    ]


@needs_jq
def test_a_pull_request_of_a_fork_goes_without_a_comment(runner: Runner) -> None:
    runner.noted("netcalc", "echo '{\"files\": []}'")
    runner.noted("gh", "echo 'HTTP 403' >&2; exit 1")
    ran = runner.step("Comment", INPUT_PATHS=".", BASE="abc", PULL_REQUEST="7")
    assert ran.code == 0
    assert "::notice title=netcalc::the pull request could not be commented on" in ran.output
    assert "no network differs" in (runner.temp / "netcalc-comment.md").read_text()
