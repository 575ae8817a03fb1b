"""Curves: what is drawn where, gaps, several runs."""

from __future__ import annotations

import math

import pytest

pytest.importorskip("matplotlib")

import numpy as np

from netcalc.plots.curves import Best, Curve, RunCurves, draw_curves
from netcalc.plots.figure import picture

NAN = math.nan


def run(name: str = "net-1", **curves: tuple[float, ...]) -> RunCurves:
    """Return a run whose curves begin at epoch 0."""
    return RunCurves(name, {metric: Curve(tuple(range(len(v))), v) for metric, v in curves.items()})


def lines(panel) -> list[list[float]]:
    """Return the values of the lines of a panel, the marks of what is not finite left out."""
    return [
        list(line.get_ydata()) for line in panel.lines if line.get_marker() == "o" and len(line.get_ydata()) > 1
    ]


def words(panel) -> list[str]:
    return [text.get_text() for text in panel.get_legend().get_texts()]


def test_each_measure_has_a_panel_and_shares_are_in_per_cent() -> None:
    figure = draw_curves([run(train_loss=(2.0, 1.0), test_loss=(2.5, 1.5), test_accuracy=(0.1, 0.5))])
    loss, accuracy = figure.axes
    assert (loss.get_title(loc="left"), accuracy.get_title(loc="left")) == ("loss", "accuracy (%)")
    assert lines(loss) == [[2.0, 1.0], [2.5, 1.5]]
    assert lines(accuracy) == [[10.0, 50.0]]
    assert words(loss) == ["train", "test"]
    assert loss.get_xlabel() == "epoch"


def test_what_is_not_finite_is_a_gap_with_a_mark() -> None:
    (panel,) = draw_curves([run(test_loss=(2.0, NAN, 1.0, 0.5))]).axes
    np.testing.assert_array_equal(lines(panel)[0], [2.0, NAN, 1.0, 0.5])
    marks = [line for line in panel.lines if line.get_marker() == "x"]
    assert [list(line.get_xdata()) for line in marks] == [[1]]
    assert words(panel) == ["test", "not finite"]


def test_a_value_between_gaps_is_a_point_in_a_long_curve() -> None:
    values = [1.0 if n % 2 else NAN for n in range(100)]
    (panel,) = draw_curves([run(test_loss=tuple(values))]).axes
    (line,) = (line for line in panel.lines if line.get_marker() == "o")
    assert line.get_markevery() == list(range(1, 100, 2))


def test_nothing_finite_is_no_crash() -> None:
    assert picture(draw_curves([run(test_loss=(NAN, NAN))]), "png")


@pytest.mark.parametrize(
    ("values", "scale"),
    [
        ((2.0, 0.001), "log"),
        ((2.0, 0.5), "linear"),
        ((2.0, 0.0), "linear"),
        ((2.0, -1e-9), "linear"),
        ((1e300, 1e-9), "log"),
    ],
)
def test_the_scale_is_logarithmic_where_values_are_far_apart(values: tuple[float, ...], scale: str) -> None:
    figure = draw_curves([run(test_loss=values)])
    assert figure.axes[0].get_yscale() == scale
    assert ("log scale" in figure.axes[0].get_title(loc="left")) == (scale == "log")
    assert b"mathdefault" not in picture(figure, "svg")


def test_the_best_value_is_marked_and_told() -> None:
    curves = {"test_accuracy": Curve((0, 1, 2), (0.1, 0.9, 0.8))}
    (panel,) = draw_curves([RunCurves("net-1", curves, Best("test_accuracy", 1, 0.9))]).axes
    assert "best 90.00 %, epoch 1" in words(panel)
    rings = [line for line in panel.lines if line.get_fillstyle() == "none"]
    assert [(list(ring.get_xdata()), list(ring.get_ydata())) for ring in rings] == [([1], [90.0])]


def test_rates_have_a_panel_of_their_own() -> None:
    found = RunCurves("net-1", {"test_loss": Curve((0, 1), (2.0, 1.0))}, rates=Curve((0, 0.5), (0.1, 0.05)))
    assert [panel.get_title(loc="left") for panel in draw_curves([found]).axes] == ["loss", "learning rate"]


def test_several_runs_have_a_colour_each_in_every_panel() -> None:
    runs = [run(f"_net-{n}", train_loss=(2.0, 1.0), test_loss=(2.5, 1.5)) for n in range(3)]
    figure = draw_curves(runs)
    colours = [line.get_color() for line in figure.axes[0].lines]
    assert len(set(colours)) == 3
    assert colours[::2] == colours[1::2]
    (legend,) = figure.legends
    assert [text.get_text().strip() for text in legend.get_texts()] == ["_net-0", "_net-1", "_net-2"]


def test_of_many_runs_the_training_curves_are_left_out() -> None:
    figure = draw_curves([run(f"net-{n}", train_loss=(2.0, 1.0), test_loss=(2.5, 1.5)) for n in range(20)])
    assert lines(figure.axes[0]) == [[2.5, 1.5]] * 20
    assert len({line.get_color() for line in figure.axes[0].lines}) == 20


@pytest.mark.parametrize("format", ["png", "svg"])
def test_the_same_curves_give_the_same_file(format: str) -> None:
    once, again = (
        picture(draw_curves([run(test_loss=(2.0, 1.0)), run("net-2", test_loss=(1.0,))]), format) for _ in range(2)
    )
    assert once == again
    assert b"dc:date" not in once


def test_names_are_drawn_as_they_are() -> None:
    for name in ("$x_1$ and $", "\x1b[31mred", "日本語", "n" * 500, "\\frac{", "%s{}"):
        for runs in ([run(name, test_loss=(2.0, 1.0))], [run(name, test_loss=(1.0,)), run("b", test_loss=(1.0,))]):
            picture(draw_curves(runs), "svg")


def test_the_first_epochs_may_leave_the_frame_but_the_best_does_not() -> None:
    values = (0.1, 0.5, *(0.9 + 0.001 * n for n in range(28)))
    (panel,) = draw_curves([run(test_accuracy=values)]).axes
    assert 89 < panel.get_ylim()[0] < 90
    assert 92.7 < panel.get_ylim()[1] < 93
    best = Best("test_accuracy", 1, 0.5)
    (panel,) = draw_curves([RunCurves("net-1", run(test_accuracy=values).curves, best)]).axes
    assert panel.get_ylim()[0] < 50
    (panel,) = draw_curves([run(test_accuracy=(0.3, 0.5, 0.9))]).axes
    assert panel.get_ylim()[0] < 30
    (panel,) = draw_curves([run(test_loss=(0.9, 0.5, 0.3, 0.05))]).axes
    assert panel.get_ylim()[0] == 0


def test_each_run_is_framed_by_its_own_length() -> None:
    long = run(test_accuracy=(0.1, *(0.9,) * 200))
    short = run("net-2", test_accuracy=(0.1, 0.5, 0.6, 0.7))
    (panel,) = draw_curves([long, short]).axes
    assert panel.get_ylim()[0] < 50
    assert panel.get_ylim()[1] > 90


@pytest.mark.parametrize("values", [(2.0,), (NAN,)])
def test_the_axis_of_a_single_epoch_counts_whole_ones(values: tuple[float, ...]) -> None:
    for runs in ([run(test_loss=values)], [run(test_loss=values), run("net-2", test_loss=values)]):
        panel = draw_curves(runs).axes[0]
        low, high = panel.get_xlim()
        assert [tick for tick in panel.get_xticks() if low <= tick <= high] == [0]
