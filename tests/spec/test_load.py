"""Specs from files: what cannot be read, what is not text, and which lines messages may quote."""

import os

import pytest

from netcalc.diagnostics import CannotRunError, SpecError
from netcalc.spec.load import load_spec, quotable_lines, read_text

GOOD = "input: [4]\nlayers: [relu]\n"


def test_a_file_is_loaded_and_named_in_the_spec(tmp_path):
    file = tmp_path / "my-net.yaml"
    file.write_text(GOOD)
    spec = load_spec(file)
    assert (spec.name, spec.file, len(spec.nodes)) == ("my-net", str(file), 1)


@pytest.mark.parametrize("stem", ["9net", "a b", "n" * 65, "-x"])
def test_a_file_whose_name_is_no_name_gives_a_network_without_one(tmp_path, stem):
    file = tmp_path / f"{stem}.yaml"
    file.write_text(GOOD)
    assert load_spec(file).name == "network"


def test_a_missing_file_suggests_its_neighbour(tmp_path):
    (tmp_path / "lenet.yaml").write_text(GOOD)
    (tmp_path / "lenet.txt").write_text(GOOD)
    with pytest.raises(CannotRunError, match="no such file") as error:
        load_spec(tmp_path / "lenett.yaml")
    assert error.value.help == "did you mean `lenet.yaml`?"
    with pytest.raises(CannotRunError) as error:
        load_spec(tmp_path / "nowhere" / "lenet.yaml")
    assert error.value.help == ""


def test_a_folder_is_no_spec(tmp_path):
    with pytest.raises(CannotRunError):
        load_spec(tmp_path)


@pytest.mark.parametrize(
    ("data", "code", "line"),
    [
        (b"input: [4]\nname: \xff\n", "NC002", 2),
        (GOOD.encode("utf-16"), "NC002", 1),
        (b"name: \xc3", "NC002", 1),
        (b"input: [4]\n\nname: \x00\n", "NC002", 3),
        (b"#" * (4 * 2**20 + 1), "NC005", 1),
    ],
)
def test_bytes_that_are_no_spec(tmp_path, data, code, line):
    file = tmp_path / "net.yaml"
    file.write_bytes(data)
    with pytest.raises(SpecError) as error:
        load_spec(file)
    (found,) = error.value.diagnostics
    assert (found.code, found.span.line, found.span.file) == (code, line, str(file))


def test_a_byte_order_mark_and_windows_lines_are_read(tmp_path):
    file = tmp_path / "net.yaml"
    file.write_bytes(b"\xef\xbb\xbf" + b"input: [4]\r\nlayers:\r\n  - relu\r\n  - {dense: 0}\r\n")
    assert not read_text(file).startswith("\ufeff")
    with pytest.raises(SpecError) as error:
        load_spec(file)
    (found,) = error.value.diagnostics
    assert (found.span.line, found.span.column) == (4, 13)


@pytest.mark.parametrize(
    ("name", "text", "quoted"),
    [
        ("net.yaml", GOOD, True),
        ("net.yml", GOOD, True),
        ("net.txt", GOOD, False),
        ("secrets.yaml", "password: hunter2\n", False),
        ("nested.yaml", "a:\n  layers: [hunter2]\n", False),
        ("almost.yaml", "layers2: hunter2\n", False),
    ],
)
def test_only_files_that_look_like_specs_are_quoted(tmp_path, name, text, quoted):
    file = tmp_path / name
    file.write_text(text)
    assert quotable_lines(os.fspath(file)) == (text.splitlines() if quoted else [])
    assert quotable_lines(os.fspath(tmp_path / "missing.yaml")) == []
