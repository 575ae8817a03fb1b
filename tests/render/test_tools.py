"""The comparison as text and Markdown: no name is read as markup."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

from netcalc.analysis.other_tools import compare_tools
from netcalc.render.tools import tools_csv, tools_markdown, tools_text
from tests.configs.zoo import load

HOSTILE = "[red]*|`x<b>"


def test_names_are_never_read_as_markup() -> None:
    comparison = replace(compare_tools(load("lenet5")), name=HOSTILE)
    assert tools_text(comparison).startswith(f"{HOSTILE}: ")
    assert tools_markdown(comparison).startswith("### \\[red\\]\\*\\|\\`x\\<b\\>: ")


def test_rows_of_the_markdown_table_have_its_columns() -> None:
    table = [line for line in tools_markdown(compare_tools(load("resnet18"))).splitlines() if line.startswith("|")]
    assert {line.count("|") for line in table} == {6}
    assert len(table) == 2 + 10


def test_a_figure_that_a_tool_does_not_print_is_empty_in_csv_and_a_dash_in_text() -> None:
    comparison = compare_tools(load("lenet5"))
    (keras,) = [row for row in csv.DictReader(io.StringIO(tools_csv(comparison))) if row["tool"] == "Keras"]
    assert (keras["printed"], keras["counted"], keras["params"]) == ("", "", "61706")
    (line,) = [line for line in tools_text(comparison).splitlines() if line.startswith(" Keras ")]
    assert line.split() == ["Keras", "–", "61,706", "–"]
