"""Which rows of a report are shown: folded into blocks, in order, the first of them."""

from __future__ import annotations

import csv
import dataclasses
import io
import itertools
import re

import pytest

import netcalc
from netcalc.analysis.report import LayerReport, Report
from netcalc.render.columns import COLUMNS, column_named, columns_named
from netcalc.render.data import report_csv
from netcalc.render.markdown import report_markdown
from netcalc.render.rows import rows_of
from netcalc.render.text import report_text
from netcalc.render.view import View, grid, shown_rows
from tests.analysis.networks import MISFIT, NESTED, report_of
from tests.configs.zoo import CONFIGS, load


def named(*names: str) -> tuple[LayerReport, ...]:
    """Return layers of these names."""
    layer = report_of(NESTED).layers[0]
    return tuple(dataclasses.replace(layer, name=name) for name in names)


def folded(names: list[str], depth: int) -> list[tuple[str, str, list[str]]]:
    rows = rows_of(named(*names), depth)
    return [(row.name, row.type, [layer.name for layer in row.layers]) for row in rows]


def shown(report: Report, view: View) -> list[str]:
    return [row.name for row in shown_rows(report, view)[0]]


def totals(text: str) -> list[str]:
    """Return everything from the row of totals on."""
    return re.sub(" +", " ", text[text.index("\n total ") :]).splitlines()


def test_nodes_fold_into_the_groups_of_a_depth() -> None:
    names = ["stem", "s3.b1.conv", "s3.b1.relu", "s3.b2.conv", "s3.relu", "s30.conv", "head.conv"]
    assert folded(names, 1) == [
        ("stem", "conv", ["stem"]),
        ("s3", "block", ["s3.b1.conv", "s3.b1.relu", "s3.b2.conv", "s3.relu"]),
        ("s30", "block", ["s30.conv"]),
        ("head", "block", ["head.conv"]),
    ]
    assert folded(names, 2) == [
        ("stem", "conv", ["stem"]),
        ("s3.b1", "block", ["s3.b1.conv", "s3.b1.relu"]),
        ("s3.b2", "block", ["s3.b2.conv"]),
        ("s3.relu", "conv", ["s3.relu"]),
        ("s30.conv", "conv", ["s30.conv"]),
        ("head.conv", "conv", ["head.conv"]),
    ]
    for depth in (3, 100, 2**70):
        assert folded(names, depth) == [(name, "conv", [name]) for name in names]


def test_groups_that_alternate_are_one_row_each() -> None:
    names = ["a.1.x", "b.1.x", "a.1.y", "c", "b.1.y", "a.2.x"]
    assert folded(names, 1) == [
        ("a", "block", ["a.1.x", "a.1.y", "a.2.x"]),
        ("b", "block", ["b.1.x", "b.1.y"]),
        ("c", "conv", ["c"]),
    ]
    assert [name for name, *_ in folded(names, 2)] == ["a.1", "b.1", "c", "a.2"]


def test_a_node_is_never_part_of_a_block_of_its_own_name() -> None:
    assert folded(["a", "a.x", "a.y"], 1) == [("a", "conv", ["a"]), ("a", "block", ["a.x", "a.y"])]


@pytest.mark.parametrize("config", CONFIGS)
def test_folding_keeps_every_node_and_all_totals(config: str) -> None:
    report = netcalc.analyze(load(config))
    deepest = max(layer.name.count(".") for layer in report.layers) + 1
    whole = totals(report_text(report, View(COLUMNS)))
    counts = []
    for depth in range(1, deepest + 1):
        rows = rows_of(report.layers, depth)
        counts.append(len(rows))
        assert sorted(layer.name for row in rows for layer in row.layers) == sorted(n.name for n in report.layers)
        assert len({row.name for row in rows}) == len(rows)
        for row in rows:
            assert all(layer.name == row.name or layer.name.startswith(f"{row.name}.") for layer in row.layers)
            assert row.name.count(".") < depth
            assert (row.type == "block") == (row.layers[0].name != row.name)
        assert totals(report_text(report, View(COLUMNS, depth))) == whole
    assert counts == sorted(counts)
    assert shown(report, View(depth=deepest)) == [layer.name for layer in report.layers]


def test_a_block_has_the_output_and_the_reach_of_its_last_node() -> None:
    report = netcalc.analyze(load("resnet18"))
    (line,) = csv.DictReader(io.StringIO(report_csv(report, View(depth=1, sort=column_named("params"), top=1))))
    last = [layer for layer in report.layers if layer.name.startswith("conv5_x.")][-1]
    assert (line["name"], line["type"], line["output"], line["layers"]) == ("conv5_x", "block", "7x7x512", "16")
    assert last.receptive_field is not None
    assert line["receptive_field_size"] == str(int(last.receptive_field.axes[0].size)) == "435"
    assert line["inputs"] == "conv4_x.2.relu1"
    # Two basic blocks of 512 channels: 3x3 convolutions, one 1x1 projection, and a scale and shift a convolution.
    assert int(line["params"]) == 9 * 512 * (256 + 3 * 512) + 256 * 512 + 5 * 2 * 512


def test_default_columns_of_blocks_tell_how_many_nodes_they_are() -> None:
    report = report_of(NESTED)
    assert grid(report).head == ("name", "type", "output", "params", "MACs")
    assert grid(report, View(depth=1)).head == ("name", "type", "layers", "output", "params", "MACs")


def test_figures_are_sorted_from_large_to_small_and_stay_in_order_if_equal() -> None:
    report = netcalc.analyze(load("lenet5"))
    assert shown(report, View(sort=column_named("params")))[:6] == ["f5", "f6", "c3", "output", "c1", "tanh1"]
    assert shown(report, View(sort=column_named("params"), reverse=True))[:2] == ["tanh1", "s2"]
    assert shown(report, View(sort=column_named("params"), reverse=True))[-1] == "f5"
    assert shown(report, View(reverse=True)) == [layer.name for layer in reversed(report.layers)]
    # By the number of elements: 28·28·6 twice, then 10·10·16 twice.
    assert shown(report, View(sort=column_named("output")))[:4] == ["c1", "tanh1", "c3", "tanh2"]


def test_words_are_sorted_as_people_count() -> None:
    names = ["conv10", "conv2", "a", "conv", "conv2.b", "1", "conv" + "9" * 5000, "conv²"]
    report = dataclasses.replace(report_of(NESTED), layers=named(*names))
    ordered = shown(report, View(sort=column_named("name")))
    assert ordered[:6] == ["1", "a", "conv", "conv2", "conv2.b", "conv10"]
    assert set(ordered[6:]) == {"conv" + "9" * 5000, "conv²"}
    assert shown(report, View(sort=column_named("name"), reverse=True)) == ordered[::-1]


def test_what_is_unknown_comes_last_in_any_order() -> None:
    report = report_of(MISFIT)
    for column, reverse in itertools.product(("macs", "output", "receptive_field", "dtype"), (False, True)):
        assert shown(report, View(sort=column_named(column), reverse=reverse)) == ["conv1", "wrong", "relu1"]


def test_sorting_goes_by_columns_that_are_not_shown() -> None:
    report = netcalc.analyze(load("lenet5"))
    cells = grid(report, View(columns_named("type,name"), sort=column_named("macs"), top=2))
    assert cells.body[:2] == [("conv", "c3"), ("conv", "c1")]


def test_a_last_row_tells_what_is_left_out() -> None:
    report = netcalc.analyze(load("lenet5"))
    view = View(columns_named("name,output,params,macs,macs_percent,layers"), sort=column_named("macs"), top=2)
    *_, rest = grid(report, view).body
    # f5 has 48,000 MACs, f6 10,080 and the output 840: 58,920 of 416,520.
    assert rest == ("10 more rows, 14.15 % of MACs", "", "59,134", "58,920", "14.15", "10")
    assert report_text(report, view).count("more rows") == report_markdown(report, view).count("more rows") == 1
    assert len(report_csv(report, view).splitlines()) == 3


@pytest.mark.parametrize(("top", "label"), [(11, "1 more row"), (12, None), (13, None), (10**30, None)])
def test_nothing_is_said_where_nothing_is_left_out(top: int, label: str | None) -> None:
    report = netcalc.analyze(load("lenet5"))
    body = grid(report, View(top=top)).body
    assert len(body) == 12
    assert (body[-1][0] == label) is (label is not None)


def test_no_share_is_told_of_what_does_not_add_up_or_is_unknown() -> None:
    report = netcalc.analyze(load("lenet5"))
    for column in ("name", "receptive_field", "output", "frozen"):
        assert grid(report, View(sort=column_named(column), top=1)).body[-1][0] == "11 more rows"
    misfit = grid(report_of(MISFIT), View(sort=column_named("macs"), top=1)).body[-1]
    assert misfit == ("2 more rows", "", "", "?", "?")


def test_sums_are_labelled_under_the_first_words() -> None:
    report = netcalc.analyze(load("lenet5"))
    cells = grid(report, View(columns_named("macs,type,name"), top=1))
    assert cells.body[-1][1:] == ("11 more rows", "")
    assert cells.total == ("416,520", "total", "")
    figures = grid(report, View(columns_named("macs,params"), top=11))
    assert figures.total == ("416,520", "61,706")
    assert figures.body[-1] == ("1 more row", "850")


def test_without_a_column_that_adds_up_there_is_no_row_of_totals() -> None:
    report = netcalc.analyze(load("lenet5"))
    view = View(columns_named("name,type"))
    assert grid(report, view).total == ("", "")
    assert "total" not in report_text(report, view)
    assert "**total**" not in report_markdown(report, view)
    assert "\n\nparameters " in report_text(report, view)
