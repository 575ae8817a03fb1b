"""Which files paths, folders and globs stand for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from netcalc.diagnostics import CannotRunError
from netcalc.spec.discover import find_specs, searched_folders

SPEC = "input: [3]\nlayers: [relu]\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    files = {
        "b.yaml": SPEC, "a.yml": SPEC, "sub/c.yaml": "extends: ../b.yaml\n", "sub/blocks.yaml": "blocks: {}\n",
        "workflow.yaml": "on: push\njobs:\n  layers: no\n", ".hidden/d.yaml": SPEC, ".e.yaml": SPEC,
        "text.txt": SPEC, "flow.yaml": '{"input": [3], "layers": ["relu"]}\n', "quoted.yaml": '"layers": [relu]\n',
    }  # fmt: skip
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(*paths: str) -> list[str]:
    return [path.as_posix() for path in find_specs(map(Path, paths)).files]


def test_a_folder(folder: Path) -> None:
    assert names(".") == ["a.yml", "b.yaml", "flow.yaml", "quoted.yaml", "sub/c.yaml"]
    skipped = {path.as_posix() for path in find_specs([Path()]).skipped}
    assert skipped == {"workflow.yaml", "sub/blocks.yaml"}


def test_a_file_stands_for_itself_whatever_it_holds(folder: Path) -> None:
    assert names("sub/blocks.yaml", "text.txt", "missing.yaml") == ["sub/blocks.yaml", "text.txt", "missing.yaml"]


def test_each_once_in_the_order_of_arguments(folder: Path) -> None:
    assert names("sub", "b.yaml", "b.yaml", "sub/c.yaml") == ["sub/c.yaml", "b.yaml"]


def test_globs(folder: Path) -> None:
    assert names("*.yaml") == ["b.yaml", "flow.yaml", "quoted.yaml"]
    assert names("**/*.y*ml") == ["a.yml", "b.yaml", "flow.yaml", "quoted.yaml", "sub/c.yaml"]
    (folder / "odd[1].yaml").write_text(SPEC)
    assert names("odd[1].yaml") == ["odd[1].yaml"]


@pytest.mark.parametrize("path", ["none/*.yaml", ".hidden/none", "sub/bl*.yaml"])
def test_no_spec_there(folder: Path, path: str) -> None:
    (folder / ".hidden" / "none").mkdir()
    with pytest.raises(CannotRunError, match="no spec there"):
        names(path)


def test_links_to_folders_are_not_followed(folder: Path) -> None:
    os.symlink(folder, folder / "sub" / "loop")
    assert len(names(".")) == 5


@pytest.mark.parametrize(
    "text",
    [
        "--- {input: [3], layers: [relu]}\n",
        "---\n{input: [3], layers: [relu]}\n",
        " input: [3]\n layers: [relu]\n",
        "\ufefflayers: [relu]\ninput: [3]\n",
        "? layers\n: [relu]\n? input\n: [3]\n",
        "input: [3]\rlayers: [relu]\r",
        '"l\\x61yers": [relu]\ninput: [3]\n',
        '? "lay\\\n  ers"\n: [relu]\n? input\n: [3]\n',
        "'layers' : [relu]\ninput: [3]\n",
        "&a layers: [relu]\ninput: [3]\n",
        "input: [3]\nlayers:",
        '{"extends": "b.yaml"}\n',
    ],
)
def test_every_way_to_write_a_spec_is_one(folder: Path, text: str) -> None:
    (folder / "way.yaml").write_bytes(text.encode())
    assert "way.yaml" in names(".")


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        (" input: [3]\n layers: [relu\n", True),
        ("--- !!map {layers: [relu]}\n", True),
        ("{input: [3], extends: [\n", True),
        ("%YAML 1.2\n---\n layers: [relu]\n", True),
        ("a: " + "[" * 1000 + " layers\n", True),
        ("a: !Ref b\n", False),
        ("a: [\n", False),
    ],
)
def test_a_spec_with_errors_is_not_passed_over(folder: Path, text: str, is_one: bool) -> None:
    (folder / "wrong.yaml").write_text(text)
    assert ("wrong.yaml" in names(".")) is is_one


@pytest.mark.parametrize(
    "text",
    [
        "blocks:\n  unit:\n    layers: [relu]\n",
        "blocks: {unit: {layers: [relu]}}\n",
        '{"a": 1}\n',
        "# layers: many\non: push\n",
        "- layers: [relu]\n",
        "job: {extends: .other}\n",
        "layers\n",
        "a: 'b\\c'\n",
        "",
    ],
)
def test_what_has_no_layers_at_top_level_is_no_spec(folder: Path, text: str) -> None:
    (folder / "other.yaml").write_text(text)
    assert "other.yaml" not in names(".")


@pytest.mark.parametrize(
    ("path", "folders"),
    [
        (".", {".", "sub", "sub/empty"}),
        ("sub", {"sub", "sub/empty"}),
        ("sub/*.yaml", {"sub", "sub/empty"}),
        ("s*/*.yaml", {".", "sub", "sub/empty"}),
        ("**/*.yaml", {".", "sub", "sub/empty"}),
        ("b.yaml", set()),
        ("missing", set()),
        ("missing/*.yaml", set()),
    ],
)
def test_folders_in_which_specs_may_appear(folder: Path, path: str, folders: set[str]) -> None:
    (folder / "sub" / "empty").mkdir()
    assert {found.as_posix() for found in searched_folders([Path(path)])} == folders
