"""Curves of one run, or of several to compare: each measure over epochs, and the learning rate."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

from netcalc.plots.figure import COLOURS, shortened, styled
from netcalc.spec.metrics import MEASURES, measure_of, written

SPLITS = ("train", "validation", "test")

_WIDTH, _HEIGHT = 4.6, 3.4
"""Inches of one panel."""
_LABEL_WIDTH = 3.4
"""Inches of a run's name with its best value."""
_MANY_POINTS = 40
"""From here on points are not marked."""
_LOG_RATIO = 100.0
"""Largest to smallest value from which an axis is logarithmic."""
_UNSETTLED, _FEW = 0.1, 3
"""The first share of the epochs, which may leave the frame where there are so many values after it."""
_STEPS = 10
"""Distinct rates up to which they go in steps, whose shape shows on a logarithmic axis."""
_LINES: Mapping[str, Any] = {"train": (0, (3, 1.5)), "validation": (0, (1, 1)), "test": "solid"}
_SPLIT_COLOURS = {"train": COLOURS[0], "validation": COLOURS[2], "test": COLOURS[1]}


@dataclass(frozen=True, slots=True)
class Curve:
    """Values over the epochs after which they were measured, fractions of one included; NaN where not finite."""

    epochs: tuple[float, ...]
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Best:
    """The value that chose the best checkpoint."""

    metric: str
    epoch: float
    value: float


@dataclass(frozen=True, slots=True)
class RunCurves:
    """What one run measured, by metric such as `test_loss`; the rates where they are known."""

    name: str
    curves: Mapping[str, Curve]
    best: Best | None = None
    rates: Curve | None = None


def draw_curves(runs: Sequence[RunCurves]) -> Figure:
    """Return a panel for each measure that any run has, and one for learning rates where any changes.

    One run has a colour for each split. Several have a colour each, and a dash for each split; of many only what
    was measured on held-out samples is drawn.
    """
    measured = {metric.partition("_")[2] for run in runs for metric in run.curves}
    measures = [measure for measure in MEASURES if measure in measured]
    rates = any(run.rates is not None and len(set(run.rates.values)) > 1 for run in runs)
    panels = max(len(measures) + rates, 1)
    with styled():
        columns = max(1, min(len(runs), int(_WIDTH * panels / _LABEL_WIDTH)))
        legend = -(-len(runs) // columns) * 0.17 if len(runs) > 1 else 0.25
        figure = Figure(figsize=(_WIDTH * panels, _HEIGHT + legend), layout="constrained")
        axes = list(figure.subplots(1, panels, squeeze=False)[0])
        colours = _run_colours(len(runs))
        for measure, panel in zip(measures, axes, strict=False):
            _draw_measure(panel, measure, runs, colours)
        if rates:
            _draw_rates(axes[-1], runs, colours)
        if len(runs) == 1:
            figure.suptitle(shortened(runs[0].name, 80))
        else:
            _runs_legend(figure, runs, colours, columns)
    return figure


def _draw_measure(panel: Axes, measure: str, runs: Sequence[RunCurves], colours: Sequence[str]) -> None:
    percent = 100 if MEASURES[measure].is_share else 1
    shown: dict[str, str] = {}
    not_finite = False
    finite: list[float] = []
    settled: list[float] = []
    for run, run_colour in zip(runs, colours, strict=True):
        for split in SPLITS if len(runs) <= len(COLOURS) else SPLITS[1:]:
            curve = run.curves.get(f"{split}_{measure}")
            if curve is None:
                continue
            colour = _SPLIT_COLOURS[split] if len(runs) == 1 else run_colour
            values = [value * percent for value in curve.values]
            _draw_line(panel, curve.epochs, values, colour, split, several=len(runs) > 1)
            lost = [epoch for epoch, value in zip(curve.epochs, values, strict=True) if not math.isfinite(value)]
            if lost:
                not_finite = True
                panel.plot(
                    lost, [0.02] * len(lost), "x", color=colour, markersize=5, transform=panel.get_xaxis_transform()
                )
            finite += filter(math.isfinite, values)
            settled += _settled(curve.epochs, values)
            shown[split] = colour if len(runs) == 1 else "#606060"
        if run.best is not None and run.best.metric.partition("_")[2] == measure:
            _mark_best(panel, run, percent, run_colour if len(runs) > 1 else None)
            settled.append(run.best.value * percent)
    _scale(panel, finite)
    if panel.get_yscale() == "linear":
        _frame(panel, settled)
    unit = " (%)" if percent == 100 else " (log scale)" if panel.get_yscale() == "log" else ""
    panel.set_title(MEASURES[measure].title + unit, loc="left")
    handles = [
        Line2D([], [], color=colour, linestyle=_LINES[split] if len(runs) > 1 else "solid", label=split)
        for split, colour in shown.items()
    ]
    if not_finite:
        handles.append(Line2D([], [], color="#606060", linestyle="none", marker="x", label="not finite"))
    best = runs[0].best
    if len(runs) == 1 and best is not None and best.metric.partition("_")[2] == measure:
        label = f"best {written(best.metric, best.value)}, epoch {best.epoch:g}"
        handles.append(_ring("#606060", label))
    panel.legend(handles=handles, loc="best", fontsize=8)


def _draw_line(
    panel: Axes, epochs: Sequence[float], values: Sequence[float], colour: str, split: str, *, several: bool
) -> None:
    alone = [
        number
        for number, value in enumerate(values)
        if math.isfinite(value)
        and not any(map(math.isfinite, (*values[max(number - 1, 0) : number], *values[number + 1 : number + 2])))
    ]
    many = len(values) > _MANY_POINTS
    panel.plot(
        epochs, values, color=colour, linewidth=1.2 if many else 1.5, marker="o", markersize=2.5,
        markevery=alone if many else None, linestyle=_LINES[split] if several else "solid",
        alpha=0.6 if several and split == "train" else 1.0,
    )  # fmt: skip


def _mark_best(panel: Axes, run: RunCurves, percent: int, colour: str | None) -> None:
    assert run.best is not None
    ring = _ring(colour or "#606060", "")
    ring.set_data([run.best.epoch], [run.best.value * percent])
    panel.add_line(ring)


def _ring(colour: str, label: str) -> Line2D:
    return Line2D([], [], color=colour, linestyle="none", marker="o", markersize=8, fillstyle="none", label=label)


def _draw_rates(panel: Axes, runs: Sequence[RunCurves], colours: Sequence[str]) -> None:
    values: list[float] = []
    for run, colour in zip(runs, colours, strict=True):
        if run.rates is not None:
            panel.plot(run.rates.epochs, run.rates.values, color=colour, linewidth=1.5)
            values += run.rates.values
    _scale(panel, values, may_be_log=len(set(values)) <= _STEPS)
    scale = " (log scale)" if panel.get_yscale() == "log" else ""
    panel.set_title(f"learning rate{scale}", loc="left")


def _scale(panel: Axes, values: Sequence[float], *, may_be_log: bool = True) -> None:
    """Set up the axes; logarithmic where values are far apart and none is zero."""
    if may_be_log and values and min(values) > 0 and max(values) > _LOG_RATIO * min(values):
        panel.set_yscale("log")
        panel.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        panel.yaxis.set_minor_formatter(NullFormatter())
    else:
        _frame(panel, values)
    panel.set_xlabel("epoch")
    if panel.dataLim.width == 0:  # a single epoch, about which Matplotlib would count hundredths of one
        epoch = panel.dataLim.x0
        panel.set_xlim(epoch - 0.5, epoch + 0.5)
        panel.set_xticks([epoch])
    else:
        panel.xaxis.set_major_locator(MaxNLocator(nbins="auto", integer=True))
    panel.grid(visible=True)


def _settled(epochs: Sequence[float], values: Sequence[float]) -> list[float]:
    """Return the finite values after the first tenth of the epochs, or all where those are few.

    What was measured before and right after the first updates would take most of a linear axis.
    """
    begin = max(1, _UNSETTLED * epochs[-1])
    late = [value for epoch, value in zip(epochs, values, strict=True) if epoch >= begin and math.isfinite(value)]
    return late if len(late) >= _FEW else list(filter(math.isfinite, values))


def _frame(panel: Axes, values: Sequence[float]) -> None:
    """Let a linear axis span the values, from zero where that is near."""
    if not values:
        return
    least, most = min(values), max(values)
    margin = 0.05 * (most - least) or 0.05 * abs(most) or 1
    panel.set_ylim(0 if 0 <= least < 0.2 * most else least - margin, most + margin)


def _run_colours(count: int) -> list[str]:
    """Return a colour a run; of more runs than there are distinct ones, colours in the order of the runs."""
    if count <= len(COLOURS):
        return list(COLOURS[:count])
    ramp = mpl.colormaps["viridis"]
    return [mpl.colors.to_hex(ramp(0.85 * number / (count - 1))) for number in range(count)]


def _runs_legend(figure: Figure, runs: Sequence[RunCurves], colours: Sequence[str], columns: int) -> None:
    """Name the runs with their best values above the panels."""
    handles = []
    for run, colour in zip(runs, colours, strict=True):
        label = shortened(run.name, 40)
        if run.best is not None:
            split = run.best.metric.partition("_")[0]
            what = f"{split} {measure_of(run.best.metric).title}"
            label += f"  best {what} {written(run.best.metric, run.best.value)}"
        # A label that begins with `_` would be left out.
        handles.append(Line2D([], [], color=colour, label=f" {label}" if label.startswith("_") else label))
    figure.legend(handles=handles, loc="outside upper left", ncols=columns, fontsize=8)
