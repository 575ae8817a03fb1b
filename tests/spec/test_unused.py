"""Blocks and parameters that nothing reads: what counts as a use."""

from __future__ import annotations

from pathlib import Path

import pytest

from netcalc.spec.load import load_spec, parse_spec

HEAD = "input: [8, 8, 3]\n"
BLOCK = "{layers: [relu]}"


def found(text: str) -> set[tuple[str, str, str]]:
    return {(item.what, item.block, item.name) for item in parse_spec(HEAD + text, "spec.yaml").unused}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("layers: [relu]", set()),
        ("params: {a: 1, b: 2}\nlayers: [{dense: $a}]", {("parameter", "", "b")}),
        # A longer name that begins alike is another name.
        ("params: {a: 1, ab: 2}\nlayers: [{dense: $(ab + 1)}]", {("parameter", "", "a")}),
        # A parameter may serve another one, a condition, an output or training.
        ("params: {a: 1, b: $(a + 1)}\nlayers: [{dense: $b}]", set()),
        ("params: {a: true}\nlayers: [relu, {tanh: , when: $a}]", set()),
        ("params: {a: true}\nlayers: [{relu: , name: r}, {tanh: , name: t}]\n"
         "outputs: [t, {name: r, when: $a}]", set()),
        ("params: {a: 3}\nlayers: [relu]\ntrain: {data: digits, epochs: $a}", set()),
        ("params: {a: 3}\nlayers: [{dense: 2}]\ndefaults: {dense: {bias_init: $a}}", set()),
        # A word that is no expression is not a use.
        ("params: {relu: 3}\nlayers: [relu]", {("parameter", "", "relu")}),
        (f"blocks: {{a: {BLOCK}, b: {BLOCK}}}\nlayers: [a, {{b: , when: false}}]", set()),
        (f"blocks: {{a: {BLOCK}, b: {BLOCK}}}\nlayers: [a]", {("block", "", "b")}),
        # What only an unused block uses is unused as well.
        (f"blocks: {{a: {BLOCK}, b: {{layers: [a]}}}}\nlayers: [relu]", {("block", "", "a"), ("block", "", "b")}),
        (f"blocks: {{a: {BLOCK}, b: {{layers: [{{residual: [a]}}]}}}}\nlayers: [b]", set()),
        # A block sees its own parameters alone.
        ("params: {n: 1}\nblocks: {a: {params: {n: 2, m: 3}, layers: [{dense: $n}]}}\nlayers: [a]",
         {("parameter", "", "n"), ("parameter", "a", "m")}),
    ],
)  # fmt: skip
def test_what_nothing_reads_is_found(text: str, expected: set[tuple[str, str, str]]) -> None:
    assert found(text) == expected


def test_the_place_is_that_of_the_name() -> None:
    text = f"{HEAD}params:\n  used: 1\n  not_used: 2\nlayers: [{{dense: $used}}]\n"
    (item,) = parse_spec(text, "spec.yaml").unused
    assert (item.span.line, item.span.column) == (4, 3)


def test_other_files_are_not_looked_at(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(f"{HEAD}params: {{a: 1}}\nblocks: {{b: {BLOCK}}}\nlayers: [relu]\n")
    (tmp_path / "library.yaml").write_text(f"blocks: {{c: {BLOCK}}}\n")
    (tmp_path / "spec.yaml").write_text("extends: base.yaml\nimports: [library.yaml]\nlayers: [tanh]\n")
    assert load_spec(tmp_path / "spec.yaml").unused == ()
    assert {item.name for item in load_spec(tmp_path / "base.yaml").unused} == {"a", "b"}
