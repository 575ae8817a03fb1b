"""Defaults of an imported file: for its own blocks, and without parameters."""

import pytest

from netcalc.diagnostics import SpecError
from netcalc.spec.load import load_spec

USER = """
imports: [blocks.yaml]
input: [8, 8, 3]
params: {width: 5}
layers: [block, {conv: {filters: 2, kernel: 1}}]
"""
BLOCKS = """
defaults: {conv: {bias: %s, kernel: 1}}
blocks: {block: {layers: [{conv: {filters: 4}}]}}
"""


def test_defaults_of_an_imported_file_hold_in_its_blocks_alone(tmp_path):
    (tmp_path / "blocks.yaml").write_text(BLOCKS % "$(1 > 2)")
    (tmp_path / "user.yaml").write_text(USER)
    spec = load_spec(tmp_path / "user.yaml")
    assert [(node.name, node.layer.bias) for node in spec.nodes] == [("block1.conv1", False), ("conv1", True)]


def test_defaults_of_an_imported_file_know_no_parameters(tmp_path):
    (tmp_path / "blocks.yaml").write_text(BLOCKS % "$(width > 2)")
    (tmp_path / "user.yaml").write_text(USER)
    with pytest.raises(SpecError) as caught:
        load_spec(tmp_path / "user.yaml")
    (error,) = caught.value.diagnostics
    assert error.code == "NC015"
    assert error.span.file.endswith("blocks.yaml")
