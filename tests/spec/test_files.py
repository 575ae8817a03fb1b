"""Bases and imports: what is merged, where paths begin, what may be read."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from netcalc.diagnostics import SpecError
from netcalc.spec.load import load_spec, parse_spec, quotable_lines
from tests.conftest import ROOT, command, command_env


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "netcalc.toml").touch()
    (tmp_path / "nets").mkdir()
    return tmp_path


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def errors_of(path: Path, **options: Path) -> list[str]:
    with pytest.raises(SpecError) as error:
        load_spec(path, **options)
    return [d.code for d in error.value.diagnostics]


BASE = """
name: base
input: [8, 8, 3]
params: {width: 4, depth: 2}
layers: [conv: {filters: $width, kernel: 3}, {relu: , repeat: $depth}]
train: {data: {source: digits, pad: 1}, optimizer: {adam: {learning_rate: 0.1}}}
"""


def test_mappings_merge_and_lists_are_replaced(project: Path) -> None:
    write(project / "nets/base.yaml", BASE)
    wide = load_spec(write(project / "nets/wide.yaml", "extends: base.yaml\nname: wide\nparams: {width: 9}\n"))
    assert (wide.name, wide.params) == ("wide", {"width": 9, "depth": 2})
    assert wide.nodes[0].layer.filters == 9
    short = load_spec(write(project / "nets/short.yaml", "extends: base.yaml\nlayers: [tanh]\n"))
    assert [node.name for node in short.nodes] == ["tanh1"]


def test_another_optimizer_replaces_the_first_and_other_fields_stay(project: Path) -> None:
    write(project / "nets/base.yaml", BASE)
    text = "extends: base.yaml\ntrain: {optimizer: {sgd: 0.5}, data: {pad: 2}}\n"
    train = load_spec(write(project / "nets/sgd.yaml", text)).train
    assert train.optimizer.kind == "sgd"
    assert (train.data.source, train.data.pad) == ("digits", 2)
    text = "extends: base.yaml\ntrain: {optimizer: {adam: {beta1: 0.5}}}\n"
    adam = load_spec(write(project / "nets/adam.yaml", text)).train.optimizer.chosen
    assert (adam.learning_rate, adam.beta1) == (0.1, 0.5)


def test_overrides_come_after_bases_and_before_expansion(project: Path) -> None:
    write(project / "nets/base.yaml", BASE)
    path = write(project / "nets/deep.yaml", "extends: base.yaml\nparams: {depth: 3}\n")
    spec = load_spec(path, ["params.depth=5", "params.width=7"])
    assert [node.name for node in spec.nodes][-1] == "relu1.5"
    assert spec.nodes[0].layer.filters == 7


def test_paths_begin_at_the_file_that_names_them(project: Path) -> None:
    write(project / "blocks/unit.yaml", "blocks: {unit: {layers: [relu]}}\n")
    write(project / "nets/base.yaml", "imports: [../blocks/unit.yaml]\ninput: [4]\nlayers: [unit]\n")
    spec = load_spec(write(project / "deeper/down/net.yaml", "extends: ../../nets/base.yaml\n"))
    assert [node.name for node in spec.nodes] == ["unit1.relu1"]
    assert Path(spec.nodes[0].span.file).resolve() == project / "blocks/unit.yaml"


def test_imported_blocks_keep_their_own_defaults(project: Path) -> None:
    write(
        project / "nets/blocks.yaml",
        "defaults: {dense: {bias: false}}\nblocks: {unit: {layers: [dense: 3]}}\n",
    )
    text = "imports: blocks.yaml\ninput: [4]\ndefaults: {dense: {init: zeros}}\nlayers: [unit, dense: 2]\n"
    inner, outer = (node.layer for node in load_spec(write(project / "nets/n.yaml", text)).nodes)
    assert (inner.bias, inner.init.kind) == (False, "variance_scaling")
    assert (outer.bias, outer.init.kind) == (True, "constant")


def test_imports_import(project: Path) -> None:
    write(project / "nets/a.yaml", "imports: [b.yaml]\nblocks: {a: {layers: [b, relu]}}\n")
    write(project / "nets/b.yaml", "imports: [a.yaml]\nblocks: {b: {layers: [tanh]}}\n")
    spec = load_spec(write(project / "nets/n.yaml", "imports: [a.yaml, b.yaml]\ninput: [4]\nlayers: [a, b]\n"))
    assert [node.name for node in spec.nodes] == ["a1.b1.tanh1", "a1.relu1", "b1.tanh1"]


def test_two_blocks_of_one_name_are_an_error(project: Path) -> None:
    write(project / "nets/a.yaml", "blocks: {a: {layers: [relu]}}\n")
    text = "imports: [a.yaml]\nblocks: {a: {layers: [tanh]}}\ninput: [4]\nlayers: [a]\n"
    assert errors_of(write(project / "nets/n.yaml", text)) == ["NC021"]


@pytest.mark.parametrize("key", ["extends: ", "input: [4]\nlayers: [relu]\nimports: "])
def test_nothing_outside_the_root_is_read(project: Path, key: str) -> None:
    outside = write(project.parent / f"{project.name}-outside.yaml", BASE)
    path = write(project / "nets/n.yaml", f"{key}../../{outside.name}\n")
    assert errors_of(path) == ["NC019"]
    link = project / "nets/link.yaml"
    link.symlink_to(outside)
    assert errors_of(write(project / "nets/m.yaml", f"{key}link.yaml\n")) == ["NC019"]
    assert errors_of(write(project / "nets/o.yaml", f"{key}{outside}\n")) == ["NC019"]


def test_the_root_can_be_widened(project: Path) -> None:
    write(project.parent / f"{project.name}-base.yaml", BASE)
    path = write(project / "nets/n.yaml", f"extends: ../../{project.name}-base.yaml\n")
    assert load_spec(path, root=project.parent).name == "base"


def test_without_a_project_the_root_is_the_folder_of_the_spec(tmp_path: Path) -> None:
    if any((folder / mark).exists() for folder in tmp_path.parents for mark in ("pyproject.toml", ".git")):
        pytest.skip("the temporary folder lies inside a project")
    write(tmp_path / "base.yaml", BASE)
    assert errors_of(write(tmp_path / "sub/n.yaml", "extends: ../base.yaml\n")) == ["NC019"]


def test_what_cannot_be_read_is_reported_where_it_is_named(project: Path) -> None:
    assert errors_of(write(project / "nets/n.yaml", "extends: nowhere.yaml\n")) == ["NC001"]
    write(project / "nets/notes.txt", "secret")
    assert errors_of(write(project / "nets/m.yaml", "extends: notes.txt\n")) == ["NC001"]
    assert errors_of(write(project / "nets/o.yaml", "extends: [a]\n")) == ["NC011"]
    assert errors_of(write(project / "nets/p.yaml", "input: [4]\nlayers: [relu]\nimports: [{a: b}]\n")) == ["NC011"]


def test_circles_end(project: Path) -> None:
    write(project / "nets/a.yaml", "extends: b.yaml\n")
    write(project / "nets/b.yaml", "extends: a.yaml\n")
    assert errors_of(project / "nets/a.yaml") == ["NC018"]
    for number in range(40):
        write(project / f"nets/c{number}.yaml", f"extends: c{number + 1}.yaml\n")
    assert errors_of(project / "nets/c0.yaml") == ["NC018"]


def test_an_error_in_a_base_is_reported_in_that_file(project: Path) -> None:
    write(project / "nets/base.yaml", BASE.replace("kernel: 3", "kernle: 3"))
    path = write(project / "nets/n.yaml", "extends: base.yaml\n")
    with pytest.raises(SpecError) as error:
        load_spec(path)
    assert {os.path.basename(d.span.file) for d in error.value.diagnostics if d.span} == {"base.yaml"}


def test_a_spec_that_links_out_of_its_root_is_refused_and_not_quoted(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "netcalc.toml").touch()
    secret = tmp_path / "secret.yaml"
    secret.write_text("name: secret\n")
    link = tmp_path / "in" / "link.yaml"
    link.symlink_to(secret)
    with pytest.raises(SpecError) as error:
        load_spec(link)
    assert [d.code for d in error.value.diagnostics] == ["NC019"]
    assert quotable_lines(str(link)) == []
    assert quotable_lines(str(secret)) == ["name: secret"]


@pytest.mark.parametrize("name", ['"a\\0.yaml"', "loop.yaml"])
def test_a_name_of_no_file_is_an_error_of_the_spec(tmp_path, name):
    (tmp_path / "loop.yaml").symlink_to("loop.yaml")
    (tmp_path / "a.yaml").write_text(f"extends: {name}\n")
    with pytest.raises(SpecError) as error:
        load_spec(tmp_path / "a.yaml")
    assert [d.code for d in error.value.diagnostics] == ["NC001"]


def test_a_whole_float_is_written_as_an_integer():
    with pytest.raises(SpecError, match="write 1000"):
        parse_spec("input: [4]\nlayers: [dense: 1e3]\n")
    with pytest.raises(SpecError, match="divides to whole numbers"):
        parse_spec("input: [4]\nlayers: [dense: $(8 / 2)]\n")


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(path))


@pytest.mark.parametrize(
    "make",
    [
        _pipe,
        _socket,
        lambda path: path.symlink_to("/dev/zero"),
        lambda path: (_pipe(path.parent / "pipe"), path.symlink_to("pipe")),
        lambda path: path.symlink_to("/dev/stdin"),
    ],
    ids=["pipe", "socket", "device", "link to a pipe", "link to stdin"],
)
def test_what_is_no_regular_file_is_not_waited_for(
    project: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], object]
) -> None:
    monkeypatch.chdir(project)
    path = project / "x.yaml"
    make(path)
    code = (
        "import sys\nfrom pathlib import Path\nfrom netcalc.diagnostics import CannotRunError\n"
        "from netcalc.spec.discover import find_specs\nfrom netcalc.spec.load import load_spec, quotable_lines\n"
        "for use in (lambda: load_spec('x.yaml'), lambda: find_specs([Path()]), "
        "lambda: quotable_lines('x.yaml')):\n"
        "    try: print(use())\n"
        "    except CannotRunError as error: print('error:', error)\n"
    )
    # A pipe that nobody writes to or closes is the standard input.
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    ) as process:  # fmt: skip
        try:
            process.wait(timeout=20)
            assert process.stdout is not None
            error, specs, lines = process.stdout.read().splitlines()
        finally:
            process.kill()
    assert error.startswith("error: x.yaml: ")
    assert specs.startswith("Specs(files=(PosixPath('x.yaml'),)")  # it is told, not passed over
    assert lines == "[]"


def test_a_pipe_that_is_named_is_read() -> None:
    done = subprocess.run(
        command("check", "/dev/stdin"), input="input: [4]\nlayers: [relu]\n", capture_output=True, text=True,
        env=command_env(), timeout=60, check=False, cwd=ROOT,
    )  # fmt: skip
    assert (done.stdout, done.returncode) == ("1 checked, no findings\n", 0)
