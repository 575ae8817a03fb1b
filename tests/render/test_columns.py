"""The columns of a report: each can be written for any network, sorted by, and says no more than is known."""

from __future__ import annotations

import csv
import dataclasses
import io
import re
from fractions import Fraction
from functools import cache

import pytest

import netcalc
from netcalc.analysis.report import AxisReach, Reach, Report
from netcalc.diagnostics import CannotRunError
from netcalc.render.columns import COLUMNS, Column, column_named, columns_named
from netcalc.render.data import report_csv
from netcalc.render.markdown import report_markdown
from netcalc.render.rows import Row
from netcalc.render.text import report_text
from netcalc.render.view import View, grid, shown_rows
from tests.analysis.networks import MISFIT, NESTED, TWO_INPUTS, report_of
from tests.configs.zoo import CONFIGS, load

EACH = pytest.mark.parametrize("column", COLUMNS, ids=lambda column: column.name)


@cache
def zoo_report(config: str) -> Report:
    """A report with every figure: of a batch on a device, too."""
    return netcalc.analyze(load(config), batch=2, device="h100")


ASKED_FOR = {"weights_bytes", "alive_bytes", "training_seconds", "inference_seconds", "binds", "intensity"}
"""Columns of figures that are there only where a batch or a device was named."""


def cell(name: str, row: Row, report: Report) -> str:
    (text,) = column_named(name).cells([row], report)
    return text


def field(name: str, row: Row, report: Report) -> object:
    (value,) = column_named(name).fields([row], report)
    return value


def node(report: Report, name: str) -> Row:
    (layer,) = (layer for layer in report.layers if layer.name == name)
    return Row(layer.name, layer.type, (layer,))


def with_reach(report: Report, *axes: AxisReach) -> Report:
    first, *others = report.layers
    first = dataclasses.replace(first, receptive_field=Reach(axes, True))
    return dataclasses.replace(report, layers=(first, *others))


def test_names_and_headings_tell_columns_apart() -> None:
    names = [{column.name, column.header} for column in COLUMNS]
    assert len(set().union(*names)) == sum(map(len, names))
    assert len({column.heading for column in COLUMNS}) == len(COLUMNS)
    for column in COLUMNS:
        assert re.fullmatch("[a-z_]+", column.name)
        assert re.fullmatch("[a-z_]+", column.header)
        assert column.meaning
        assert column.name != "all"


@pytest.mark.parametrize("config", CONFIGS)
def test_every_column_can_be_written_for_the_zoo(config: str) -> None:
    report = zoo_report(config)
    for depth in (None, 1, 2):
        view = View(COLUMNS, depth)
        rows, left_out = shown_rows(report, view)
        cells = grid(report, view)
        assert not left_out
        assert len(cells.body) == len(rows)
        assert all(len(line) == len(COLUMNS) for line in (*cells.body, cells.head, cells.total))
        table = list(csv.DictReader(io.StringIO(report_csv(report, view))))
        assert len(table) == len(rows)
        # The whole network is known, so an unknown figure is a receptive field behind rearranged positions, or the
        # intensity of what moves nothing.
        reaches = {name for name in cells.head if name.startswith("RF")}
        for line in cells.body:
            unknown = {name for name, text in zip(cells.head, line, strict=True) if text == "?"}
            assert unknown - {"FLOP/B"} in (set(), reaches), line
        assert "?" not in cells.total


@EACH
@pytest.mark.parametrize("text", [MISFIT, NESTED, TWO_INPUTS], ids=["misfit", "nested", "two_inputs"])
def test_every_column_can_be_written_sorted_and_picked(column: Column, text: str) -> None:
    report = report_of(text)
    for depth in (None, 1):
        for reverse in (False, True):
            view = View((column,), depth, sort=column, reverse=reverse, top=2)
            rows, left_out = shown_rows(report, View(depth=depth))
            assert report_text(report, view)
            assert report_markdown(report, view)
            assert len(report_csv(report, view).splitlines()) == 1 + min(2, len(rows))
            assert len(left_out) == 0


@EACH
def test_what_is_unknown_is_a_question_mark_or_an_empty_field(column: Column) -> None:
    report = report_of(MISFIT)
    known, wrong, after = (Row(layer.name, layer.type, (layer,)) for layer in report.layers)
    block = Row("all", "block", report.layers)
    of_the_spec = {"name", "type", "path", "file", "line", "inputs", "layers", "shares", "train_only"}
    if column.name in of_the_spec:
        assert "?" not in column.cells([known, wrong, after], report)
        return
    assert column.cells([wrong, after, block], report) == ["?", "?", "?"]
    assert column.fields([wrong, after, block], report) == ["", "", ""]
    of_known = column.cells([known], report)
    # A share of what is not known is not known, nor what nobody asked for.
    assert (of_known == ["?"]) == (column.name.endswith("_percent") or column.name in ASKED_FOR)
    if column.total is not None:
        assert column.total_cell(report) == "?"


def test_figures_are_those_of_the_report() -> None:
    report = report_of(NESTED)
    for layer in report.layers:
        row = Row(layer.name, layer.type, (layer,))
        params, macs = layer.params, layer.macs
        assert None not in (params.trainable, params.frozen)
        expected = {
            "trainable": params.trainable, "frozen": params.frozen, "state": params.state,
            "params": (params.trainable or 0) + (params.frozen or 0),
            "macs": macs.forward, "padding_exact_macs": macs.padding_exact, "training_macs": macs.training,
            "flops": layer.flops.forward, "layers": 1,
        }  # fmt: skip
        assert {name: field(name, row, report) for name in expected} == expected
        assert {name: cell(name, row, report) for name in expected} == {k: f"{v:,}" for k, v in expected.items()}


@EACH
@pytest.mark.parametrize("config", ["googlenet", "resnet18", "lenet5", "mobilenet_v3_small"])
def test_rows_add_up_to_the_total(column: Column, config: str) -> None:
    if column.total is None:
        return
    report = zoo_report(config)
    for depth in (None, 1, 2, 3):
        rows, _ = shown_rows(report, View(depth=depth))
        added = sum(column.fields(rows, report))
        if column.name.endswith("_percent"):
            assert added == pytest.approx(100, rel=1e-12)
            assert column.total_cell(report) == "100.00"
        elif column.name.endswith("_seconds"):
            assert column.total is not None
            assert added == pytest.approx(column.total(report), rel=1e-12)
        else:
            assert column.total_cell(report) == f"{added:,}"


def test_auxiliary_heads_have_macs_and_no_share_of_the_forward_total() -> None:
    report = netcalc.analyze(load("googlenet", "params.aux=true"))
    heads = [layer for layer in report.layers if layer.train_only]
    assert heads
    block = Row("heads", "block", tuple(heads))
    assert cell("macs", block, report) == f"{sum(layer.macs.forward or 0 for layer in heads):,}" != "0"
    assert (cell("macs_percent", block, report), cell("train_only", block, report)) == ("0.00", "yes")
    assert field("params_percent", block, report) == pytest.approx(
        100 * sum(layer.params.trainable or 0 for layer in heads) / (report.totals.params.trainable or 0)
    )
    everything = Row("all", "block", report.layers)
    assert cell("macs_percent", everything, report) == "100.00"
    assert (cell("train_only", everything, report), field("train_only", everything, report)) == ("", "false")


def test_shares_of_nothing_are_unknown_and_not_zero() -> None:
    report = report_of("input: [8, 8, 1]\nlayers: [relu, max_pool: 2]\n")
    for name in ("params_percent", "macs_percent"):
        assert cell(name, node(report, "relu1"), report) == "?"
        assert column_named(name).total_cell(report) == "?"


def test_a_share_is_the_part_of_the_total() -> None:
    report = zoo_report("lenet5")
    f5 = node(report, "f5")
    assert cell("params_percent", f5, report) == "77.98"  # 48,120 of 61,706
    assert field("params_percent", f5, report) == float(Fraction(100 * 48_120, 61_706))


def test_receptive_fields_are_one_number_where_the_axes_agree() -> None:
    report = zoo_report("lenet5")
    row = node(report, "s4")  # 5x5, 2x2 by 2, 5x5, 2x2 by 2: 5 + 1 + 4·2 + 1·2 = 16, every 4 pixels
    assert [cell(name, row, report) for name in ("receptive_field", "stride", "padding", "centre")] == [
        "16", "4", "0", "7.5",
    ]  # fmt: skip


def test_receptive_fields_of_axes_that_differ_are_written_per_axis() -> None:
    tall, wide = AxisReach(1234, 2, (3, 2), 0.5), AxisReach(3, 1.5, (0, -1), 1)
    report = with_reach(report_of(NESTED), tall, wide)
    row = Row("first", "conv", report.layers[:1])
    names = ("receptive_field", "stride", "padding", "centre")
    assert [cell(name, row, report) for name in names] == ["1,234×3", "2×1.5", "3/2×0/-1", "0.5×1"]
    assert [field(name, row, report) for name in names] == ["1234x3", "2x1.5", "3/2x0/-1", "0.5x1"]
    even = with_reach(report, dataclasses.replace(tall, padding=(3, 3)), dataclasses.replace(tall, padding=(3, 3)))
    assert cell("padding", Row("first", "conv", even.layers[:1]), even) == "3"


def test_inputs_and_owners_of_a_block_are_those_outside_it() -> None:
    report = report_of(TWO_INPUTS)
    a, b, add = report.layers
    assert cell("inputs", Row("x", "block", (a, b, add)), report) == "left right"
    assert cell("inputs", Row("x", "block", (b, add)), report) == "right a"
    twice = report_of("input: [4, 4, 1]\nlayers: [{relu: , name: a}, {add: , from: [a, a]}]\n")
    assert cell("inputs", node(twice, "add1"), twice) == "a a"
    shared = report_of(
        "input: [4, 4, 2]\nlayers:\n  - {conv: {filters: 2, kernel: 1}, name: a}\n"
        "  - {conv: {filters: 2, kernel: 1}, name: b, share: a}\n"
    )
    first, second = shared.layers
    assert [cell("shares", Row("x", "conv", layers), shared) for layers in ((first,), (second,))] == ["", "a"]
    assert cell("shares", Row("x", "block", (first, second)), shared) == ""


def test_control_characters_do_not_reach_people() -> None:
    report = report_of(NESTED)
    layer = dataclasses.replace(report.layers[0], name="a\x1b[31m\nb")
    row = Row(layer.name, layer.type, (layer,))
    assert cell("name", row, report) == "a\N{REPLACEMENT CHARACTER}[31m\N{REPLACEMENT CHARACTER}b"
    assert field("name", row, report) == "a\x1b[31m\nb"


def test_columns_are_found_by_name_and_by_their_heading_in_csv() -> None:
    assert [column.name for column in columns_named(" MACs, name,params_trainable")] == [
        "macs",
        "name",
        "trainable",
    ]
    assert columns_named("all") == columns_named(" ALL ") == COLUMNS
    for column in COLUMNS:
        assert column_named(column.name) is column_named(column.header) is column


@pytest.mark.parametrize(
    ("names", "said", "help"),
    [
        ("name,mac", "unknown column `mac`", "did you mean `macs`? columns: name, type, "),
        ("", "unknown column ``", "columns: name, type, "),
        ("name,", "unknown column ``", "columns: "),
        ("name,type,name", "column `name` is named twice", "once"),
        ("macs,macs_forward", "column `macs` is named twice", "once"),
        ("name,all", "`all` stands for every column", "alone"),
        ("x" * 100_000, f"unknown column `{'x' * 57}...`", "columns: "),
        ("name;type", "unknown column `name;type`", "columns: "),
    ],
    ids=lambda text: text[:20],
)
def test_wrong_columns_are_said(names: str, said: str, help: str) -> None:
    with pytest.raises(CannotRunError) as caught:
        columns_named(names)
    assert str(caught.value) == said
    assert help in caught.value.help
