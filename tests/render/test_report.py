"""The report as table, Markdown and CSV: every figure of every node, nothing read as markup."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import re

import pytest
from rich.console import Console

from netcalc.analysis.report import Report, failed_report
from netcalc.diagnostics import Diagnostic
from netcalc.render.columns import COLUMNS, columns_named
from netcalc.render.data import report_csv, report_json
from netcalc.render.markdown import report_markdown
from netcalc.render.table import report_table
from netcalc.render.text import report_text
from netcalc.render.view import WHOLE, View, grid
from tests.analysis.networks import MISFIT, NESTED, TWO_INPUTS, report_of

HOSTILE = "[bold]a|b*c_d`e<f>#:smile:[/]"


def table(report: Report, width: int = 10_000, view: View = WHOLE) -> str:
    """Return the table as a terminal of this width gets it."""
    text = io.StringIO()
    Console(file=text, width=width, color_system=None, highlight=False).print(
        report_table(report, view), crop=False
    )
    return text.getvalue()


def renamed(report: Report, name: str) -> Report:
    first, *others = report.layers
    return dataclasses.replace(report, layers=(dataclasses.replace(first, name=name), *others))


@pytest.mark.parametrize("text", [NESTED, TWO_INPUTS, MISFIT], ids=["nested", "two_inputs", "misfit"])
def test_table_and_markdown_show_the_same_rows(text: str) -> None:
    report = report_of(text)
    rows = [re.split(r" {2,}", line.strip()) for line in table(report).splitlines()]
    cells = [
        [re.sub(r"\\(.)", r"\1", cell.strip()) for cell in line.strip("|\n").split("|")]
        for line in report_markdown(report).splitlines()
        if line.startswith("| ")
    ]
    head, *body, total = cells
    assert head == ["name", "type", "output", "params", "MACs"]
    assert len(body) == len(report.layers)
    for row, layer in zip(body, report.layers, strict=True):
        assert row in rows
        assert row[:2] == [layer.name, layer.type]
        if layer.output is None:
            assert row[2:] == ["?", "?", "?"]
        else:
            held = (layer.params.trainable or 0) + (layer.params.frozen or 0)
            assert row[2] == "×".join(map(str, layer.output.shape))
            assert row[3:] == [f"{held:,}", f"{layer.macs.forward:,}"]
    assert [cell.strip("*") for cell in total if cell] in rows


def test_totals_are_worded_with_units() -> None:
    for text in (table(report_of(NESTED, 16)), report_markdown(report_of(NESTED, 16))):
        report = report_of(NESTED)
        macs, params = report.totals.macs.forward, report.totals.params
        assert macs is not None
        assert f"{macs:,} a sample, {16 * macs:,} a batch of 16" in text
        assert "(1 MAC = 2 FLOPs, + elementwise)" in text
        assert f"{params.trainable:,} trainable, {params.frozen:,} frozen, " in text
        size = 4 * ((params.trainable or 0) + (params.frozen or 0)) / 1e6
        assert f"{size:.3f} MB in float32" in text
        assert re.search(rf"{params.state} \(batch-norm statistics\)", text)
    assert "batch-norm" not in table(report_of(TWO_INPUTS))


def test_inputs_and_outputs_head_the_report() -> None:
    assert table(report_of(TWO_INPUTS)).startswith(
        "siamese: left 8×8×1 float32, right 8×8×1 uint8 → add1 6×6×4 float32\n"
    )
    assert table(report_of(MISFIT)).startswith("misfit: input 8×8×3 float32 → conv1 6×6×8 float32, relu1 ?\n")


def test_what_is_unknown_is_never_shown_as_zero() -> None:
    for text in (table(report_of(MISFIT)), report_markdown(report_of(MISFIT))):
        assert not re.search(r"\b0\b", text)
        assert "figures marked ? are unknown; the errors say why" in text
    rows = list(csv.DictReader(io.StringIO(report_csv(report_of(MISFIT)))))
    unknown = {key: value for key, value in rows[1].items() if key not in ("name", "type", "path", "file", "line")}
    assert [unknown.pop(key) for key in ("inputs", "layers", "train_only")] == ["conv1", "1", "false"]
    assert set(unknown.values()) == {""}


def test_a_report_without_a_graph_can_be_rendered() -> None:
    report = failed_report([Diagnostic("NC012", "the spec needs `layers`")])
    for text in (table(report), report_markdown(report)):
        assert "no network" in text
        assert "unknown" in text
    assert report_csv(report).count("\n") == 1
    assert json.loads(report_json(report))["diagnostics"][0]["line"] is None


@pytest.mark.parametrize("width", [1, 8, 25, 40, 57, 80, 10_000])
def test_tables_of_any_width_hold_every_figure(width: int) -> None:
    report = report_of(NESTED)
    text = table(report, width)
    for layer in report.layers:
        assert layer.output is not None
        for figure in ("×".join(map(str, layer.output.shape)), f"{layer.macs.forward:,}"):
            assert re.search(rf"(?<!\S){figure}(?!\S)", text), figure
    letters = re.sub(r"\s", "", text)
    for word in ("parameters", "forwardMACs", "1MAC=2FLOPs"):
        assert word in letters


def test_folded_names_lose_no_letter() -> None:
    layer = report_of(NESTED).layers[-7]
    lines = table(report_of(NESTED), 60).splitlines()
    folded = "".join(re.sub(r"^ (\S*).*", r"\1", line) for line in lines if line.startswith(" "))
    assert layer.name in folded


def test_names_are_never_read_as_markup() -> None:
    report = renamed(report_of(TWO_INPUTS), HOSTILE)
    assert HOSTILE in table(report)
    markdown = report_markdown(report)
    (line,) = [line for line in markdown.splitlines() if "smile" in line]
    assert re.sub(r"\\(.)", r"\1", line).startswith(f"| {HOSTILE} | conv |")
    assert not re.search(r"(?<!\\)[*_`<>\[\]#]", line)
    assert len(re.findall(r"(?<!\\)\|", line)) == 6


def test_csv_holds_plain_numbers_and_survives_any_name() -> None:
    report = renamed(report_of(NESTED), 'a,"b"')
    rows = list(csv.DictReader(io.StringIO(report_csv(report))))
    assert rows[0]["name"] == 'a,"b"'
    for row, layer in zip(rows, report.layers, strict=True):
        assert layer.output is not None
        assert row["output"] == "x".join(map(str, layer.output.shape))
        assert row["inputs"].split(" ") == list(layer.inputs)
        assert [row[f"params_{kind}"] for kind in ("trainable", "frozen", "state")] == [
            str(getattr(layer.params, kind)) for kind in ("trainable", "frozen", "state")
        ]
        assert (row["macs_forward"], row["flops_forward"]) == (str(layer.macs.forward), str(layer.flops.forward))
        assert (row["path"], row["file"], row["line"]) == (layer.path, "spec.yaml", str(layer.source.line))


def test_json_is_ascii_and_reads_back() -> None:
    report = renamed(report_of(NESTED), "Größe \x9b ×")
    text = report_json(report)
    assert text.isascii()
    assert json.loads(text)["layers"][0]["name"] == "Größe \x9b ×"
    assert json.loads(text) == json.loads(json.dumps(report.to_dict()))


@pytest.mark.parametrize("width", [1, 30, 60, 80, 120, 200, 1000])
def test_tables_of_all_columns_hold_every_figure_at_any_width(width: int) -> None:
    report = report_of(NESTED)
    view = View(COLUMNS)
    cells = grid(report, view)
    text = table(report, width, view)
    lines = text.splitlines()
    figures = [index for index, column in enumerate(COLUMNS) if not column.kind.is_word]
    letters = re.sub(r"\s", "", text)
    for row in (*cells.body, cells.total):
        for index in figures:
            assert any(re.search(rf"(?<!\S){re.escape(row[index])}(?!\S)", line) for line in lines), row[index]
    for word in " ".join(cells.head).split():
        assert word in letters
    if width >= 60:
        assert max(map(len, lines)) <= width


def test_a_table_that_does_not_fit_is_set_in_parts_with_the_names_of_rows() -> None:
    report = report_of(TWO_INPUTS)
    view = View(columns_named("name,output,params,macs,flops,training_macs"))
    wide = [line.rstrip() for line in table(report, 80, view).splitlines()]
    heads = [line.split() for line in wide if line.startswith(" name")]
    assert heads == [["name", "output", "params", "MACs", "FLOPs", "training", "MACs"]]
    narrow = table(report, 40, view).splitlines()
    heads = [line.split() for line in narrow if line.startswith(" name")]
    assert heads == [["name", "output", "params", "MACs"], ["name", "FLOPs", "training", "MACs"]]
    for name in ("a", "b", "add1", "total"):
        assert sum(line.startswith(f" {name} ") for line in narrow) == len(heads), name


def test_parts_without_a_total_have_no_row_of_totals() -> None:
    text = table(report_of(TWO_INPUTS), 30, View(columns_named("name,output,dtype,receptive_field,macs")))
    assert len([line for line in text.splitlines() if line.startswith(" name")]) == 2
    assert len([line for line in text.splitlines() if line.startswith(" total")]) == 1


def test_a_terminal_with_room_shows_what_a_pipe_gets() -> None:
    report = report_of(NESTED)
    for view in (View(), View(depth=1), View(COLUMNS), View(top=3), View(columns_named("name,type"))):
        words = [line.split() for line in table(report, 10_000, view).splitlines()]
        piped = [line.split() for line in report_text(report, view).splitlines()]
        assert [line for line in words if line] == [line for line in piped if line]


def test_csv_keeps_the_order_of_its_columns() -> None:
    # Readers may count columns; new ones come behind.
    head = report_csv(report_of(TWO_INPUTS)).splitlines()[0]
    assert head.startswith(
        "name,type,path,file,line,inputs,output,dtype,params_trainable,params_frozen,params_state,macs_forward,"
        "flops_forward,macs_padding_exact,macs_training,"
    )
    picked = report_csv(report_of(TWO_INPUTS), View(columns_named("macs,name"), depth=1))
    assert picked.splitlines()[:2] == ["macs_forward,name", "1296,a"]
