"""A diff for people: what is folded, what is cut, and hostile values."""

from __future__ import annotations

import re

import netcalc
from netcalc.analysis.diff import Diff
from netcalc.graph import Graph, build_complete
from netcalc.render.diff import diff_markdown, diff_text
from netcalc.spec.load import parse_spec


def text(layers: str, more: str = "") -> Graph:
    return build_complete(parse_spec(f"name: net\ninput: [32, 32, 3]\nlayers:\n{layers}{more}"))


def chain(filters: int, length: int) -> str:
    conv = f"  - {{conv: {{filters: {filters}, kernel: 3, padding: same}}, name: first}}\n"
    return conv + "".join(f"  - {{relu: , name: layer_{i}}}\n" for i in range(length))


def lines(found: Diff, *, whole: bool = False) -> list[str]:
    return diff_text(found, whole=whole).partition("\nNodes\n")[2].splitlines()


def test_a_few_affected_nodes_are_named_and_many_are_counted() -> None:
    few = lines(netcalc.diff(text(chain(4, 10)), text(chain(8, 10))))
    assert sum(line.startswith("~ layer_") for line in few) == 10
    many_nodes = netcalc.diff(text(chain(4, 11)), text(chain(8, 11)))
    many = lines(many_nodes)
    assert not any(line.startswith("~ layer_") for line in many)
    assert re.fullmatch(r"~ 11 nodes +affected +0 +0", many[-1])
    assert sum(line.startswith("~ layer_") for line in lines(many_nodes, whole=True)) == 11


def test_many_renames_are_counted_with_an_example() -> None:
    found = netcalc.diff(text(chain(4, 12)), text(chain(4, 12).replace("layer_", "node_")))
    assert [line.rstrip() for line in lines(found)[1:]] == ["~ 12 nodes  renamed", "    such as layer_0 → node_0"]
    assert "~ layer_3 → node_3" in diff_text(found, whole=True)


def test_a_group_that_comes_is_one_row_with_its_sums() -> None:
    block = "  - {residual: [{conv: {filters: 3, kernel: 1}}, relu], name: block}\n"
    found = netcalc.diff(text("  - {relu: , name: a}\n"), text(f"  - {{relu: , name: a}}\n{block}"))
    # 3·3 weights and 3 biases; 32·32 positions of 9 multiplies.
    assert re.fullmatch(r"\+ block +3 nodes +\+12 +\+9,216", lines(found)[1])
    assert len(lines(found, whole=True)) == 4


def test_figures_that_a_side_does_not_have() -> None:
    # 3·10 weights and 10 biases.
    found = netcalc.diff(text("  - dense: 10\n"), text("  - {dense: 10, trainable: false}\n"))
    page = diff_text(found)
    assert re.search(r"^trainable params +40 +0 +-40 +-100\.00 %$", page, flags=re.MULTILINE)
    assert re.search(r"^frozen params +0 +40 +\+40$", page, flags=re.MULTILINE)
    assert "state" not in page
    assert "trainable: true → false" in page


def test_markdown_is_cut_to_what_a_comment_holds() -> None:
    long = "x" * 40
    names = "".join(f"  - {{relu: , name: layer_{long}_{i}x}}\n" for i in range(1_000))
    params = ", ".join(f"{long}_{i}: {i}" for i in range(1_000))
    page = diff_markdown(netcalc.diff(text("  - tanh\n"), text(names, f"params: {{{params}}}\n")))
    assert 50_000 < len(page) < 65_536
    shown = [page.count(f"\n| {start}{long}") for start in ("params.", "+ | layer\\_")]
    left_out = [
        int(number) for number in re.findall(r"(\d+) more rows; `netcalc diff --format json` has all", page)
    ]
    # One row more is the layer that was removed, the last of them.
    assert [a + b for a, b in zip(shown, left_out, strict=True)] == [1_000, 1_001]
    assert page.endswith("</details>\n")


HOSTILE = "a|b<img src=x>\\n# *x* [l](u) ~~s~~ &amp; `c` \\e[31m"


def test_values_of_a_spec_are_shown_literally() -> None:
    before, after = text("  - relu\n", 'params: {x: ""}\n'), text("  - relu\n", f'params: {{x: "{HOSTILE}"}}\n')
    found = netcalc.diff(before, after)
    for page in (diff_text(found), diff_markdown(found)):
        assert "\x1b" not in page
    (row,) = (line for line in diff_markdown(found).splitlines() if line.startswith("| params.x"))
    assert len(re.findall(r"(?<!\\)\|", row)) == 4
    assert not re.search(r"(?<!\\)[<*\[`~&#]", row)


def test_a_long_value_is_cut() -> None:
    after = text("  - relu\n", f"params: {{x: [{', '.join(['1'] * 500)}]}}\n")
    page = diff_text(netcalc.diff(text("  - relu\n"), after))
    assert max(map(len, page.splitlines())) < 100
    assert "..." in page


def test_lines_fit_the_width_where_words_allow() -> None:
    found = netcalc.diff(text(chain(4, 5)), text(chain(8, 5).replace("kernel: 3", "kernel: 3, bias: false")))
    for width in (80, 50, 45):
        assert max(map(len, diff_text(found, width).splitlines())) <= width


def test_names_that_leave_no_room_have_a_line_of_their_own() -> None:
    name = "layer_" + "x" * 40
    layers = f"  - {{conv: {{filters: %d, kernel: 3}}, name: {name}}}\n  - {{relu: , name: {name}_too}}\n"
    page = diff_text(netcalc.diff(text(layers % 4), text(layers % 8)), 60).splitlines()
    at = page.index(f"~ {name}")
    # 4·27 weights and 4 biases more, on 30·30 positions.
    assert page[at + 1] == "    conv, +112 params, +97,200 MACs"
    assert page[at + 2] == "    filters: 4 → 8; output: 30×30×4 → 30×30×8"
    assert page[at + 3 : at + 5] == [f"~ {name}_too", "    relu"]
