"""Mistakes people make: a message that helps, the right exit code, and never a traceback."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.conftest import Cli, Finished

GOOD = """\
name: good
input: [8, 8, 1]
params: {width: 4}
layers:
  - {conv: {filters: $width, kernel: 3}, name: c1}
"""


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.yaml"
    path.write_text(GOOD)
    return path


def assert_said(done: Finished, code: int, *words: str) -> None:
    """The command failed with a message on stderr that holds these words."""
    assert "Traceback" not in done.output, done.output
    assert (done.stdout, done.code) == ("", code), done.output
    for word in words:
        assert word in done.stderr, done.stderr


def assert_found(done: Finished, *words: str) -> None:
    """`check` found errors and said so on stdout, in these words."""
    assert "Traceback" not in done.output, done.output
    assert (done.stderr, done.code) == ("", 1), done.output
    for word in words:
        assert word in done.stdout, done.stdout


WRONG_SPECS = {
    "empty": ("", "NC012"),
    "only a comment": ("# nothing\n", "NC012"),
    "a word": ("hello\n", "NC012"),
    "a list": ("- conv\n", "NC012"),
    "an unclosed bracket": ("input: [8, 8\n", "NC002"),
    "a tab": ("input: [8, 8, 1]\nlayers:\n\t- relu\n", "NC002"),
    "an escape sequence": ("name: x\x1b[31m\n", "NC002"),
    "a NUL": ("name: x\x00\n", "NC002"),
    "two documents": ("input: [8]\n---\ninput: [8]\n", "NC004"),
    "a tag": ("!!python/object/apply:os.system ['true']\n", "NC004"),
    "a list as key": ("? [a]\n: b\n", "NC004"),
    "a duplicate key": ("input: [8, 8, 1]\ninput: [9, 9, 1]\nlayers: [relu]\n", "NC003"),
    "nested too deep": ("[" * 100_000, "NC005"),
    "too large": ("#" * 5_000_000, "NC005"),
    "repeats without end": ("input: [8, 8, 1]\nlayers: [{relu: , repeat: 100000000}]\n", "NC011"),
    "expands without end": (
        "input: [8, 8, 1]\nlayers: [{sequence: [{relu: , repeat: 10000}], repeat: 10000}]\n", "NC005",
    ),
    "an unknown section": ("input: [8, 8, 1]\nlayer: [relu]\nlayers: [relu]\n", "NC010"),
    "no input": ("layers: [relu]\n", "NC012"),
    "no layers": ("input: [8, 8, 1]\n", "NC012"),
    "layers that are a mapping": ("input: [8, 8, 1]\nlayers: {relu: }\n", "NC011"),
    "a layer that is a list": ("input: [8, 8, 1]\nlayers: [[relu]]\n", "NC014"),
    "a layer that is null": ("input: [8, 8, 1]\nlayers: [null]\n", "NC014"),
    "an input that is a word": ("input: big\nlayers: [relu]\n", "NC011"),
    "an input of nothing": ("input: [0, 8, 1]\nlayers: [relu]\n", "NC011"),
    "an input of a fraction": ("input: [8.5, 8, 1]\nlayers: [relu]\n", "NC011"),
    "too many axes": ("input: [8, 8, 8, 8, 1]\nlayers: [relu]\n", "NC011"),
    "conv by a number": ("input: [8, 8, 1]\nlayers: [{conv: 5}]\n", "NC011"),
    "not a number": ("input: [8, 8, 1]\nlayers: [{dense: .nan}]\n", "NC011"),
    "infinitely many": ("input: [8, 8, 1]\nlayers: [{dense: .inf}]\n", "NC011"),
    "1e400 units": ("input: [8, 8, 1]\nlayers: [{dense: 1e400}]\n", "NC011"),
    "a rate above 1": ("input: [8, 8, 1]\nlayers: [{dropout: 1.5}]\n", "NC011"),
    "a kernel that is too large": ("input: [4, 4, 1]\nlayers: [{conv: {filters: 1, kernel: 5}}]\n", "NC101"),
    "division by zero": ("input: [8, 8, 1]\nlayers: [{dense: $(1 // 0)}]\n", "NC015"),
    "a huge power": ("input: [8, 8, 1]\nlayers: [{dense: $(9 ** 9 ** 9)}]\n", "NC015"),
    "code in an expression": ("input: [8, 8, 1]\nlayers: [{dense: '$(__import__(\"os\"))'}]\n", "NC015"),
    "a parameter that reads itself": ("params: {a: $a}\ninput: [8, 8, 1]\nlayers: [{dense: $a}]\n", "NC015"),
    "a loop of wires": ("input: [8, 8, 1]\nlayers: [{relu: , from: b, name: a}, {relu: , name: b}]\n", "NC020"),
    "two nodes of one name": ("input: [8, 8, 1]\nlayers: [{relu: , name: a}, {tanh: , name: a}]\n", "NC021"),
    "a merge of nothing": ("input: [8, 8, 1]\nlayers: [add]\n", "NC022"),
    "empty groups": ("input: [8, 8, 1]\nlayers: [{residual: }, {parallel: []}]\n", "NC012"),
    "a network's name with a path": ("name: ../up\ninput: [8, 8, 1]\nlayers: [relu]\n", "NC011"),
    "a negative budget": ("input: [8, 8, 1]\nlayers: [relu]\nbudgets: {params: -1}\n", "NC011"),
    "training on nothing": ("input: [8, 8, 1]\nlayers: [relu]\ntrain:\n", "NC012"),
    "an unknown data set": ("input: [8, 8, 1]\nlayers: [relu]\ntrain: {data: cifar}\n", "NC011"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "code"), WRONG_SPECS.values(), ids=WRONG_SPECS)
def test_wrong_specs(here: Cli, tmp_path: Path, text: str, code: str) -> None:
    (tmp_path / "wrong.yaml").write_text(text)
    done = here("check", "wrong.yaml", cwd=tmp_path)
    assert_found(done, f"error[{code}]", "wrong.yaml:")


def test_wrong_specs_in_a_process_of_their_own(cli: Cli, tmp_path: Path) -> None:
    # All at once: what one of them leaves behind must not hide another, and no signal ends the process.
    files = []
    for index, (text, _) in enumerate(WRONG_SPECS.values()):
        files.append(f"wrong{index}.yaml")
        (tmp_path / files[-1]).write_text(text)
    done = cli("check", *files, "-f", "json", cwd=tmp_path)
    assert (done.stderr, done.code) == ("", 1)
    found = json.loads(done.stdout)["diagnostics"]
    for file, (_, code) in zip(files, WRONG_SPECS.values(), strict=True):
        assert code in {finding["code"] for finding in found if finding["file"] == file}, file


def test_a_spec_that_makes_no_graph_leaves_stdout_empty(here: Cli, tmp_path: Path) -> None:
    (tmp_path / "wrong.yaml").write_text("input: [8, 8, 1]\nlayers: [rleu]\n")
    for format in ("table", "csv", "markdown"):
        assert_said(here("analyze", "wrong.yaml", "-f", format, cwd=tmp_path), 1, "did you mean `relu`?")
    target = tmp_path / "report.csv"
    assert_said(here("analyze", "wrong.yaml", "-f", "csv", "-o", target, cwd=tmp_path), 1, "NC013")
    assert not target.exists()


def test_bytes_that_are_no_text(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "binary.yaml").write_bytes(b"name: x\n\x89PNG\r\n\x1a\n\x00\xff\xfe")
    assert_said(cli("analyze", "binary.yaml", cwd=tmp_path), 1, "binary.yaml:2:1: error[NC002]", "UTF-8")


def test_a_missing_file_suggests_one_that_is_there(here: Cli, good: Path) -> None:
    for command in ("analyze", "check", "train"):
        done = here(command, "god.yaml", cwd=good.parent)
        assert_said(done, 2, "error: god.yaml: no such file", "did you mean `good.yaml`?")


def test_a_missing_file_among_others(cli: Cli, good: Path) -> None:
    assert_said(cli("check", "good.yaml", "zzz/none.yaml", cwd=good.parent), 2, "zzz/none.yaml: no such file")


@pytest.mark.parametrize("format", ["full", "concise", "json"])
def test_a_missing_file_does_not_hide_what_others_have(here: Cli, good: Path, format: str) -> None:
    (good.parent / "wrong.yaml").write_text("input: [8]\nlayers: [rleu]\n")
    done = here("check", "none.yaml", "wrong.yaml", "gone.yaml", "-f", format, cwd=good.parent)
    assert done.code == 2
    assert "NC013" in done.stdout
    for name in ("none.yaml", "gone.yaml"):
        assert f"error: {name}: no such file" in done.stderr


def test_a_finding_in_a_shared_file_is_shown_once(here: Cli, tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("input: [8, 8, 1]\nlayers: [{conv: {filters: 2, kernel: 3}}, batch_norm]\n")
    (tmp_path / "derived.yaml").write_text("extends: base.yaml\nname: derived\n")
    done = here("check", "base.yaml", "derived.yaml", "-f", "concise", cwd=tmp_path)
    assert (len(done.stdout.splitlines()), done.code) == (1, 0), done.output
    assert here("check", "base.yaml", "derived.yaml", cwd=tmp_path).stdout.endswith("\n1 warning\n")


@pytest.mark.parametrize("text", ["blocks: {b: {layers: [relu]}}\n", "defaults: {}\nblocks: {}\n"])
def test_a_file_of_blocks_is_checked_where_it_is_imported(here: Cli, tmp_path: Path, text: str) -> None:
    (tmp_path / "blocks.yaml").write_text(text)
    done = here("check", "blocks.yaml", cwd=tmp_path)
    assert_found(done, "error[NC012]: a file of blocks is no network", "where a spec imports and uses them")
    assert done.stdout.endswith("\n1 error\n")


def test_a_directory_in_place_of_a_file(here: Cli, good: Path) -> None:
    for command in ("analyze", "train"):
        assert_said(here(command, good.parent), 2, f"error: {good.parent}: Is a directory")
    (good.parent / "empty").mkdir()
    assert_said(here("check", good.parent / "empty"), 2, f"error: {good.parent}/empty: no spec there")


def test_links_in_a_circle(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "loop.yaml").symlink_to("loop.yaml")
    assert_said(cli("analyze", "loop.yaml", cwd=tmp_path), 2, "error: loop.yaml: ")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(cli: Cli, good: Path) -> None:
    good.chmod(0)
    assert_said(cli("analyze", good), 2, "Permission denied")


@pytest.mark.parametrize("target", ["no/such/folder/report.json", ".", "good.yaml/report.json"])
@pytest.mark.parametrize("format", ["table", "json"])
def test_output_that_cannot_be_written(here: Cli, good: Path, target: str, format: str) -> None:
    done = here("analyze", "good.yaml", "-f", format, "-o", target, cwd=good.parent)
    assert_said(done, 2, f"error: {target}: ")
    assert good.read_text() == GOOD


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["analyze", "good.yaml", "--frmat", "json"], "--format"),
        (["analyze", "good.yaml", "-f", "xml"], "xml"),
        (["analyze", "good.yaml", "--batch", "0"], "--batch"),
        (["analyze", "good.yaml", "--batch", "many"], "--batch"),
        (["analyze", "good.yaml", "--depth", "0"], "--depth"),
        (["analyze", "good.yaml", "--top", "0"], "--top"),
        (["analyze", "good.yaml", "--top", "some"], "--top"),
        (["analyze"], "SPEC"),
        (["analyze", "good.yaml", "good.yaml"], "good.yaml"),
        (["check"], "PATH"),
        (["check", "good.yaml", "-f", "table"], "table"),
        (["train", "good.yaml", "--device", "abacus"], "abacus"),
        (["evaluate"], "RUN"),
        (["predict", "run"], "PATH"),
        (["predict", "run", "x.png", "--top", "0"], "--top"),
        (["analyse", "good.yaml"], "analyse"),
        (["--quiet"], "--quiet"),
    ],
    ids=" ".join,
)
def test_wrong_usage(here: Cli, good: Path, words: list[str], said: str) -> None:
    assert_said(here(*words, cwd=good.parent), 2, said, "Usage: ")


@pytest.mark.parametrize("spec", ["good.yaml", "none.yaml"])
@pytest.mark.parametrize("option", ["--columns", "--sort"])
def test_an_unknown_column_is_said_before_anything_is_read(here: Cli, good: Path, spec: str, option: str) -> None:
    done = here("analyze", spec, option, "parms", cwd=good.parent)
    assert_said(done, 2, "error: unknown column `parms`\n", "did you mean `params`? columns: name, type, ")
    assert_said(here("analyze", spec, option, "zzz", cwd=good.parent), 2, "`zzz`\nhelp: columns: name, type, ")


@pytest.mark.parametrize(
    "column", ["", " ", ",", "name,,macs", "\x1b[31m", "[bold]", "name\nmacs", "\u202ename", "9" * 9999]
)
def test_hostile_columns(here: Cli, good: Path, column: str) -> None:
    for option in ("--columns", "--sort"):
        done = here("analyze", "good.yaml", option, column, cwd=good.parent)
        assert_said(done, 2, "error: unknown column `")
        assert not set("\x1b\u202e") & set(done.stderr)
        assert len(done.stderr) < 1000


@pytest.mark.parametrize(
    "words", [("--columns", "name"), ("--depth", 1), ("--sort", "macs"), ("--reverse",), ("--top", 1)], ids=str
)
def test_json_is_always_whole(here: Cli, good: Path, words: tuple[object, ...]) -> None:
    for spec in ("good.yaml", "none.yaml"):
        done = here("analyze", spec, "-f", "json", *words, cwd=good.parent)
        assert_said(done, 2, f"error: {words[0]} does not go with --format json\n", "help: ")


@pytest.mark.parametrize(
    ("assignment", "said"),
    [
        ("", "PATH=VALUE"),
        ("=", "PATH=VALUE"),
        ("params.width", "PATH=VALUE"),
        ("params..width=3", "PATH=VALUE"),
        ("params.widht=3", "did you mean `width`?"),
        ("parms.width=3", "did you mean `params`?"),
        ("layers.c2.filters=3", "known: `c1`"),
        ("layers.c1.fliters=3", "did you mean `filters`?"),
        ("layers.c1.filters.x=3", "layers.c1.filters.x"),
        ("input.7=3", "7"),
        ("params.width=abc", "`filters`"),
        ("params.width=0", "`filters`"),
        ("params.width=[", "NC002"),
        ("params.width=!!int 3", "NC004"),
        ("layers=3", "NC011"),
        ("layers=[]", "NC012"),
        ("name=a b", "NC011"),
        ("train.epochs=3", "`data`"),
        ("layers.c1.kernel=9", "NC101"),
        ("x\x1b[31m=1", "NC016"),
    ],
)
def test_wrong_overrides(here: Cli, good: Path, assignment: str, said: str) -> None:
    done = here("check", "good.yaml", "--set", assignment, cwd=good.parent)
    assert_found(done, "error[NC", said)
    assert "\x1b" not in done.stdout


def test_overrides_replace_values(here: Cli, good: Path) -> None:
    words = ("--set", "params.width=7", "--set", "layers.c1.kernel=1", "--set", "name=other")
    done = here("analyze", "good.yaml", "-f", "csv", *words, cwd=good.parent)
    assert (done.stderr, done.code) == ("", 0)
    assert "c1,conv,/layers/0,good.yaml,5,input,8x8x7,float32,14,0,0,448," in done.stdout


def test_exit_codes_of_check(here: Cli, tmp_path: Path) -> None:
    def code(text: str, *options: str) -> int:
        (tmp_path / "spec.yaml").write_text(text)
        return here("check", "spec.yaml", *options, cwd=tmp_path).code

    warned = "input: [8, 8, 1]\nlayers: [{conv: {filters: 4, kernel: 3}}, batch_norm]\n"
    assert code(GOOD) == 0
    assert code(GOOD, "--strict") == 0
    assert code(warned) == 0
    assert code(warned, "--strict") == 1
    assert code(GOOD + "budgets: {params: 39}\n") == 1
    assert code(GOOD + "budgets: {params: 40}\n") == 0
    assert code(GOOD, "--set", "budgets.params.max=39") == 1


def test_version(cli: Cli) -> None:
    import netcalc

    done = cli("--version")
    assert (done.stdout, done.stderr, done.code) == (f"netcalc {netcalc.__version__}\n", "", 0)


def test_a_bare_command_shows_its_help(cli: Cli) -> None:
    done = cli()
    assert "Usage: " in done.output
    assert "predict" in done.output
    assert "Traceback" not in done.output
    assert done.code == 2


def test_names_of_files_need_not_be_unicode(cli: Cli, tmp_path: Path) -> None:
    raw = os.fsencode(tmp_path) + b"/caf\xe9.yaml"
    with open(raw, "wb") as stream:
        stream.write(GOOD.encode())
    name = os.fsdecode(raw)
    for format in ("table", "json", "csv", "markdown"):
        for output in ([], ["-o", tmp_path / "report"]):
            done = cli("analyze", name, "-f", format, *output)
            assert (done.stderr, done.code) == ("", 0), format
    assert cli("check", name, "--set", "layers.c1.kernel=9").code == 1


def test_control_characters_never_reach_the_terminal(here: Cli, tmp_path: Path) -> None:
    hostile = "\x1b]0;owned\x07\x1b[31m\x9b2J\u202e\u200b"
    escaped = hostile.encode("unicode_escape").decode()
    texts = [
        f'name: "{escaped}"\ninput: [8, 8, 1]\nlayers: [relu]\n',
        f'input: [8, 8, 1]\nlayers: ["{escaped}"]\n',
        f'input: [8, 8, 1]\nlayers: [{{dense: "{escaped}"}}]\n',
        f'input: [8, 8, 1]\nlayers: [{{dense: 3, "{escaped}": 3}}]\n',
        f'input: [8, 8, 1]\nlayers: [{{relu: , from: "{escaped}"}}]\n',
        f'input: [8, 8, 1]\nlayers: [{{relu: , when: "$({escaped})"}}]\n',
        f'"{escaped}": 1\ninput: [8, 8, 1]\nlayers: [relu]\n',
        f'"{escaped}": 1\n"{escaped}": 1\n',
        f"name: {hostile}\n",
    ]
    harmful = set("\x1b\x07\x9b\u202e\u200b")
    for text in texts:
        (tmp_path / "hostile.yaml").write_text(text)
        for words in (["check", "-f", "full"], ["check", "-f", "concise"], ["analyze", "-f", "json"]):
            done = here(words[0], "hostile.yaml", *words[1:], cwd=tmp_path)
            assert done.code == 1, (text, done.output)
            assert not harmful & set(done.output), (text, done.output)


def test_control_characters_in_names_of_files_neither(here: Cli, tmp_path: Path) -> None:
    for name in ("\x1b[31mred.yaml", "a\x07b", "x\x9b2J.png"):
        for command in ("analyze", "check"):
            done = here(command, name, cwd=tmp_path)
            assert done.code == 2
            assert not set("\x1b\x07\x9b") & set(done.output), done.output


def test_markup_and_emoji_are_text(here: Cli, tmp_path: Path) -> None:
    # Names of nodes cannot hold brackets; what is echoed of a wrong one must not be read as rich's markup.
    (tmp_path / "spec.yaml").write_text(
        'input: [8, 8, 1]\nlayers:\n  - {dense: 3, "[bold]": 1, "[/]": 2, ":boom:": 3}\n  - "[link=x]conv[/link]"\n'
    )
    done = here("check", "spec.yaml", cwd=tmp_path)
    assert done.code == 1
    for word in ("`[bold]`", "`[/]`", "`:boom:`", "`[link=x]conv[/link]`", '- "[link=x]conv[/link]"'):
        assert word in done.stdout
    assert_said(here("analyze", "[red]x[/red].yaml", cwd=tmp_path), 2, "error: [red]x[/red].yaml: no such file")
    (tmp_path / "[bold].yaml").write_text("input: [8, 8, 1]\nlayers: [dense]\n")
    assert_found(here("check", "[bold].yaml", cwd=tmp_path), "[bold].yaml:2:10: error[NC012]")


def test_other_files_are_never_quoted(cli: Cli, tmp_path: Path) -> None:
    for name, text in (("secret.txt", "layers: hunter2\n"), ("passwd.yaml", "root:x:0:0:hunter2\n")):
        (tmp_path / name).write_text(text)
        done = cli("check", name, cwd=tmp_path)
        assert done.code == 1
        assert "hunter2" not in done.output
