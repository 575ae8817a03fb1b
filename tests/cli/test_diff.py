"""`netcalc diff`: its forms, its exit codes, revisions of git, and what people get wrong."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import jsonschema
import pytest

from tests.cli.test_golden import DOES_NOT_FIT
from tests.cli.test_terminal import in_terminal
from tests.conftest import ROOT, Cli

RESNETS = ("configs/resnet18.yaml", "configs/resnet34.yaml")
LENET = "configs/lenet5.yaml"
SMALL = """\
name: small
input: [8, 8, 3]
layers:
  - {conv: {filters: 8, kernel: 3}, name: first}
  - relu
  - {dense: 10, name: output}
"""


def git(folder: Path, *words: str) -> None:
    who = {f"GIT_{role}_{what}": "x@y.z" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    env = {**os.environ, **who, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    subprocess.run(["git", *words], cwd=folder, env=env, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository whose first commit, `start`, has small.yaml, and a subfolder."""
    git(tmp_path, "init", "--quiet")
    (tmp_path / "nets").mkdir()
    (tmp_path / "nets" / "small.yaml").write_text(SMALL)
    git(tmp_path, "add", "--all")
    git(tmp_path, "commit", "--quiet", "--message", "start")
    git(tmp_path, "tag", "start")
    return tmp_path


FORMS = {
    "resnets.txt": (*RESNETS, "--batch", 64, "--device", "t4"),
    "resnets.md": (*RESNETS, "--batch", 64, "--device", "t4", "-f", "markdown"),
    "lenet5_filters.txt": (LENET, "--set", "layers.c1.filters=8"),
    "lenet5_filters.json": (LENET, "--set", "layers.c1.filters=8", "-f", "json"),
    "vggs.txt": ("configs/vgg11.yaml", "configs/vgg13.yaml", "--all"),
    "lenets.txt": (LENET, "configs/lenet5_original.yaml", "--device", "tpu-v4"),
    "lenets.md": (LENET, "configs/lenet5_original.yaml", "--device", "tpu-v4", "-f", "markdown"),
    "mobilenet_width.txt": ("configs/mobilenet_v2.yaml", "--set", "params.width=0.75"),
}


@pytest.mark.parametrize("name", FORMS)
def test_forms(here: Cli, golden, name: str) -> None:
    done = here("diff", *FORMS[name])
    assert (done.stderr, done.code) == ("", 0)
    golden(Path("diff") / name, done.stdout)


@pytest.mark.parametrize("columns", [80, 50])
def test_forms_on_a_terminal(golden, columns: int) -> None:
    done = in_terminal(columns, "diff", *RESNETS, env={"NO_COLOR": "1"})
    assert done.code == 0
    assert max(map(len, done.stdout.splitlines())) <= columns
    golden(Path("diff") / f"resnets_{columns}.txt", done.stdout)


def test_figures_are_whole_on_the_narrowest_terminal() -> None:
    text = in_terminal(20, "diff", *RESNETS, env={"NO_COLOR": "1"}).stdout
    for figure in ("21,797,672", "3,663,761,408", "+4,720,640 params", "+231,211,008 MACs", "conv4_x.6"):
        assert figure.replace(" ", "") in text.replace("\n", "").replace(" ", "")


@pytest.mark.parametrize(
    ("format", "said"), [("table", "lenet5: no differences\n"), ("markdown", "### lenet5: no differences\n")]
)
def test_a_spec_and_itself(here: Cli, format: str, said: str) -> None:
    done = here("diff", LENET, LENET, "--exit-code", "-f", format)
    assert (done.output, done.code) == (said, 0)


def test_a_spec_and_itself_as_json(here: Cli) -> None:
    done = here("diff", LENET, LENET, "--exit-code", "-f", "json")
    found = json.loads(done.stdout)
    assert (done.code, found["differs"], found["nodes"], found["settings"]) == (0, False, [], [])
    jsonschema.validate(found, json.loads((ROOT / "docs" / "diff.schema.json").read_text()))


def test_the_exit_code_tells_differences_only_where_asked(here: Cli) -> None:
    assert here("diff", *RESNETS).code == 0
    assert here("diff", *RESNETS, "--exit-code").code == 1


def test_the_json_has_every_node_and_goes_to_a_file(here: Cli, tmp_path: Path) -> None:
    done = here("diff", *RESNETS, "-f", "json", "-o", tmp_path / "diff.json")
    assert (done.output, done.code) == ("", 0)
    found = json.loads((tmp_path / "diff.json").read_text())
    assert (found["format"], len(found["nodes"])) == ("netcalc.diff/1", 56)
    assert found["totals"]["macs"]["delta"] == sum(node["costs"]["macs"]["delta"] for node in found["nodes"])
    assert [found[side]["source"] for side in ("before", "after")] == list(RESNETS)


def test_options_are_those_of_analyze(here: Cli) -> None:
    options = ("--batch", 16, "--optimizer", "sgd", "--precision", "mixed", "--device", "t4", "-f", "json")
    found = json.loads(here("diff", *RESNETS, *options).stdout)
    for side, spec in zip(("before", "after"), RESNETS, strict=True):
        totals = json.loads(here("analyze", spec, *options).stdout)["totals"]
        assert found["totals"]["training_bytes"][side] == totals["memory"]["training"]["total_bytes"]
        assert found["totals"]["training_seconds"][side] == totals["seconds"]["training_step"]
        assert (found[side]["batch"], found[side]["optimizer"], found[side]["device"]) == (16, "sgd", "t4")


def test_against_a_revision(here: Cli, repository: Path) -> None:
    path = repository / "nets" / "small.yaml"
    assert here("diff", path, "--against", "HEAD", "--exit-code").output == "small: no differences\n"
    path.write_text(SMALL.replace("filters: 8", "filters: 16"))
    for place, spec in ((repository, "nets/small.yaml"), (repository / "nets", "small.yaml"), (ROOT, path)):
        done = here("diff", spec, "--against", "start", "--exit-code", cwd=place)
        assert (done.stderr, done.code) == ("", 1)
        assert f"start:nets/small.yaml → {spec}\n" in done.stdout
        assert "filters: 8 → 16" in done.stdout
    git(repository, "commit", "--all", "--quiet", "--message", "wider")
    assert here("diff", path, "--against", "HEAD").output == "small: no differences\n"
    assert "filters: 8 → 16" in here("diff", path, "--against", "HEAD~1").stdout
    assert "filters: 8 → 32" in here("diff", path, "--against", "start", "--set", "layers.first.filters=32").stdout


def test_a_base_of_the_revision_is_read_in_the_revision(here: Cli, repository: Path) -> None:
    wide = repository / "wide.yaml"
    wide.write_text("extends: nets/small.yaml\n")
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--message", "wide")
    (repository / "nets" / "small.yaml").write_text(SMALL.replace("dense: 10", "dense: 12"))
    for root in ((), ("--root", repository), ("--root", repository.parent)):
        assert "units: 10 → 12" in here("diff", wide, "--against", "HEAD", *root).stdout


def test_errors_name_their_side_and_the_file_in_the_revision(here: Cli, repository: Path) -> None:
    path = repository / "nets" / "small.yaml"
    path.write_text(DOES_NOT_FIT)
    git(repository, "commit", "--all", "--quiet", "--message", "misfit")
    path.write_text(SMALL)
    for format in ("table", "json"):
        done = here("diff", path, "--against", "HEAD", "-f", format)
        assert (done.stdout, done.code) == ("", 1)
        assert done.stderr.startswith("HEAD:nets/small.yaml:5:")
        assert "5 |   - conv: {filters: 10, kernel: 3, groups: 5}\n" in done.stderr
        assert "= in the network before the change\n" in done.stderr
        assert "netcalc-" not in done.stderr
    both = here("diff", path, repository / "wrong.yaml")
    assert (both.stdout, both.code) == ("", 2)
    (repository / "wrong.yaml").write_text("input: [8, 8, 1]\nlayers: [rleu]\n")
    wrong = here("diff", path, repository / "wrong.yaml")
    assert "= in the network after the change\n" in wrong.stderr
    assert (wrong.stdout, wrong.code) == ("", 1)


def test_errors_of_both_sides_are_told(here: Cli, tmp_path: Path) -> None:
    (tmp_path / "misfit.yaml").write_text(DOES_NOT_FIT)
    done = here("diff", "misfit.yaml", "misfit.yaml", cwd=tmp_path)
    assert done.code == 1
    for side in ("before", "after"):
        assert f"in the network {side} the change" in done.stderr
    assert done.stderr.endswith("2 errors\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((LENET,), "nothing to compare"),
        ((LENET, LENET, "--against", "HEAD"), "give one of them"),
        ((LENET, LENET, "--all", "-f", "json"), "--all does not go with --format json"),
        ((LENET, "configs/lenet6.yaml"), "no such file"),
        ((LENET, LENET, "--device", "h101"), "unknown device"),
        ((LENET, LENET, "--devices", "x.yaml"), "--devices needs --device"),
    ],
    ids=str,
)
def test_what_cannot_be_compared(here: Cli, words: tuple[str, ...], said: str) -> None:
    done = here("diff", *words)
    assert (done.stdout, done.code) == ("", 2)
    assert said in done.stderr


def test_revisions_that_cannot_be_read(
    here: Cli, repository: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    new = repository / "new.yaml"
    new.write_text(SMALL)
    outside = tmp_path_factory.mktemp("plain") / "small.yaml"
    outside.write_text(SMALL)
    for spec, revision, said in (
        (new, "HEAD", f"error: HEAD has no {new}\n"),
        (new, "nowhere", "no revision `nowhere`"),
        (new, "--help-me", "`--help-me` is no revision"),
        (outside, "HEAD", "is not in a git repository"),
        (repository / "absent.yaml", "HEAD", "absent.yaml: no such file"),
    ):
        done = here("diff", spec, f"--against={revision}")
        assert (done.stdout, done.code) == ("", 2)
        assert said in done.stderr
        assert "help: " in done.stderr or "absent" in said
