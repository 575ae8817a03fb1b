"""The page on CI: its set-ups can be read, and name only options, inputs and hooks that there are."""

from __future__ import annotations

import os
import re
import runpy
import shutil
import subprocess
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT, Cli

PAGE = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
SETUPS = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.DOTALL)]
COMMANDS = sorted(
    (name, words)
    for text in (PAGE, *(step.get("run", "") for step in ACTION["runs"]["steps"]))
    for name, words in re.findall(r"(?<!<!-- )\bnetcalc\"? (check|diff) ([^`\n]*)", text)
)


def steps(setup: dict[str, Any]) -> list[dict[str, Any]]:
    return [step for job in setup.get("jobs", {}).values() for step in job["steps"]]


@pytest.mark.parametrize(("name", "words"), COMMANDS)
def test_commands_have_the_options_that_are_named(here: Cli, name: str, words: str) -> None:
    offered = here(name, "--help").stdout
    for option, value in re.findall(r"(--\w[\w-]*)(?: (\w+))?", words):
        (line,) = re.findall(rf"^[^\w-]*{option}\b(?!-).*$", offered, flags=re.MULTILINE)
        assert option != "--format" or re.search(rf"[<\[|]{value}[>\]|]", line)


def test_the_page_names_commands() -> None:
    assert len(COMMANDS) >= 8


def test_the_action_is_used_with_inputs_that_it_has() -> None:
    (used,) = [
        step for setup in SETUPS for step in steps(setup) if step.get("uses", "").startswith("OWNER/netcalc@")
    ]
    assert set(used["with"]) <= set(ACTION["inputs"])
    # YAML's true would reach the action as a word all the same, but says less.
    assert all(isinstance(value, str) for value in used["with"].values())


def test_the_table_has_every_input_with_its_default() -> None:
    rows = dict(re.findall(r"^\| `([\w-]+)` \|\s*([^|]*?)\s*\|", PAGE, flags=re.MULTILINE))
    assert set(rows) == set(ACTION["inputs"])
    for name, given in ACTION["inputs"].items():
        if given["default"] and "$" not in given["default"]:
            assert rows[name] == f"`{given['default']}`"


def test_the_hook_is_one_that_there_is() -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    named = [given for setup in SETUPS for repo in setup.get("repos", ()) for given in repo["hooks"]]
    assert [given["id"] for given in named] == [hook["id"]]


def test_what_a_job_writes_is_what_it_hands_on() -> None:
    (job,) = [setup["netcalc"] for setup in SETUPS if "netcalc" in setup]
    assert f"--output {job['artifacts']['reports']['junit']}" in job["script"][-1]
    (scan,) = [setup for setup in SETUPS if "code scanning" in setup.get("name", "")]
    *_, check, upload = steps(scan)
    assert f"--output {upload['with']['sarif_file']}" in check["run"]


def test_gitlab_holds_to_the_target_branch_as_it_is_now(tmp_path: Path) -> None:
    """The base of the merge request is where its branch began, which its author chooses."""
    (job,) = [setup["netcalc"] for setup in SETUPS if "netcalc" in setup]
    *_, fetch, check = job["script"]
    assert "DIFF_BASE" not in fetch + check
    run = partial(subprocess.run, shell=True, check=True, capture_output=True, text=True)
    identity = "-c user.name=a -c user.email=a@b.c"
    made = "git init -q -b main origin && cd origin"
    run(f"{made} && for i in 1 2 3; do git {identity} commit -q --allow-empty -m $i; done", cwd=tmp_path)
    run("git clone -q origin clone", cwd=tmp_path)
    run(
        "git -C clone checkout -q -b mine HEAD~2 && git -C clone update-ref refs/remotes/origin/main HEAD",
        cwd=tmp_path,
    )
    env = os.environ | {"CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main"}
    run(fetch, cwd=tmp_path / "clone", env=env)
    revision = check.rpartition("--against ")[2]
    tips = [
        run(f"git rev-parse {r}", cwd=tmp_path / f).stdout for r, f in ((revision, "clone"), ("main", "origin"))
    ]
    assert tips[0] == tips[1]


def test_the_tests_for_pytest_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    (tmp_path / "nets").mkdir()
    shutil.copy(ROOT / "configs" / "lenet5.yaml", tmp_path / "nets" / "small.yaml")
    (tmp_path / "page.py").write_text(code)
    monkeypatch.chdir(tmp_path)
    found = runpy.run_path("page.py")
    found["test_the_design_is_clean"](Path("nets/small.yaml"))
    found["test_the_network_fits_the_device"]()
    (tmp_path / "nets" / "bad.yaml").write_text(
        "input: [8, 8, 1]\nlayers: [flatten, {dense: 10}]\nbudgets: {params: 600}\n"
    )
    with pytest.raises(AssertionError, match=r"nets/bad.yaml:3:\d+: NC401: `params` is 650"):
        found["test_the_design_is_clean"](Path("nets/bad.yaml"))
