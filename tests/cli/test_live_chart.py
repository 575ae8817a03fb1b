"""Curves of a training on the terminal: where there is room for them, and what they show."""

from __future__ import annotations

import io
import math

import pytest
from rich.console import Console

from netcalc.cli.live_chart import LiveChart, charts
from netcalc.train.records import EpochRecord


def record(epoch: int, loss: float, **more: float) -> EpochRecord:
    return EpochRecord(epoch, 10 * epoch, 1.0, {"test_loss": loss, **more})


RECORDS = [record(n, 2.0 / (n + 1), test_accuracy=0.1 * n, train_loss=2.0 / (n + 1)) for n in range(9)]


def terminal(width: int = 80, height: int = 24, encoding: str = "utf-8", **options: object) -> Console:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    return Console(
        file=stream, width=width, height=height, force_terminal=True, _environ={"TERM": "xterm"}, **options
    )


def shown(console: Console, records: list[EpochRecord] = RECORDS) -> str:
    chart = LiveChart(console, records)
    with console.capture() as captured:
        console.print(chart)
    return captured.get()


@pytest.mark.parametrize("width", [60, 61, 80, 100, 200])
def test_charts_fit_the_terminal(width: int) -> None:
    lines = charts(RECORDS, width).plain.splitlines()
    assert len(lines) == 7
    assert max(map(len, lines)) <= width
    assert "loss train test" in lines[0]
    assert "accuracy" in lines[0]
    assert "2.0000" in lines[1]
    assert "0.2222" in lines[6]
    assert "80.00 %" in lines[1]


@pytest.mark.parametrize(
    "console",
    [
        terminal(width=59),
        terminal(height=15),
        terminal(encoding="ascii"),
        terminal(encoding="latin-1"),
        Console(file=io.StringIO(), width=80, height=24, force_terminal=True, _environ={"TERM": "dumb"}),
    ],
    ids=["narrow", "low", "ascii", "latin-1", "dumb"],
)
def test_where_there_is_no_room_there_is_no_chart(console: Console) -> None:
    assert shown(console).strip() == ""


def test_there_is_a_chart_where_there_is_room() -> None:
    assert any("\u2801" <= character <= "\u28ff" for character in shown(terminal()))


def test_no_color_takes_colours_alone_away() -> None:
    import re

    plain, coloured = shown(terminal(no_color=True)), shown(terminal())
    assert "\x1b[36m" in coloured
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]", plain)
    without = re.compile(r"\x1b\[[0-9;]*m")
    assert without.sub("", plain) == without.sub("", coloured)


def test_one_record_is_no_curve() -> None:
    assert shown(terminal(), RECORDS[:1]).strip() == ""


def test_it_is_drawn_anew_for_a_record_or_another_width_alone() -> None:
    console = terminal()
    chart = LiveChart(console, RECORDS)
    before = chart.__rich__()
    assert chart.__rich__() is before
    chart.add(record(9, 5.0))
    after = chart.__rich__()
    assert "5.0000" in after.plain
    console.width = 100
    assert chart.__rich__() is not after


def test_nothing_finite_is_no_crash() -> None:
    lost = [record(n, math.nan, test_accuracy=math.nan) for n in range(3)]
    assert charts(lost, 80).plain.strip() == ""
    assert "loss" not in charts([record(0, math.nan, test_accuracy=0.1), *lost], 80).plain


def test_a_training_of_values_has_its_errors() -> None:
    found = [EpochRecord(n, n, 1.0, {"test_loss": 1.0, "test_mse": 2.0, "test_mae": 3.0}) for n in range(3)]
    first = charts(found, 80).plain.splitlines()[0]
    assert ("MSE" in first, "MAE" in first) == (True, False)
