"""What runs measured, as curves: from their records and run.json alone, so of runs that are under way too."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import reduce
from itertools import groupby
from pathlib import Path

import numpy as np

from netcalc.plots.curves import Best, Curve, RunCurves
from netcalc.spec.load import load_spec
from netcalc.spec.metrics import METRICS, title_of
from netcalc.spec.schedules import Plateau, ScheduleSpec
from netcalc.spec.stopping import Watched
from netcalc.train.factors import factor_of, pace_of
from netcalc.train.records import EpochRecord, read_records
from netcalc.train.run import SPEC, require_run
from netcalc.train.run_record import RunRecord, read_run_record
from netcalc.train.watch import Watch, value_of
from netcalc.units import plural

_RATES = 400
"""Updates whose rates are computed, at most."""


def runs_curves(runs: Sequence[Path]) -> list[RunCurves]:
    """Return the curves of runs, named by their folders, or by their paths where folders are called the same.

    Raises CannotRunError for what is no run, or a damaged one.
    """
    names = [run.resolve().name for run in runs]
    if len(set(names)) < len(names):
        names = [str(run) for run in runs]
    return [_run_curves(run, name) for run, name in zip(runs, names, strict=True)]


def not_finite(run: RunCurves) -> Iterator[str]:
    """Yield a line for each metric that is not finite in some record: gaps of its curve."""
    for metric, curve in run.curves.items():
        points = zip(curve.epochs, curve.values, strict=True)
        lost = [epoch for epoch, value in points if not math.isfinite(value)]
        if lost:
            which = f"{plural(len(lost), 'record')}, from epoch {lost[0]:g}"
            yield f"{run.name}: {title_of(metric)} is not finite in {which}"


def _run_curves(run: Path, name: str) -> RunCurves:
    require_run(run)
    record, records = read_run_record(run), read_records(run)
    places = epochs_of(records, record)
    curves: dict[str, Curve] = {}
    for metric in METRICS:
        known = [
            (at, found.metrics[metric])
            for at, found in zip(places, records, strict=True)
            if metric in found.metrics
        ]
        if known:
            curves[metric] = Curve(tuple(at for at, _ in known), tuple(value for _, value in known))
    watched = Watched(metric=record.best[0], mode=record.best[1])
    best = reduce(Watch.seen, records, Watch(watched)).best
    value = None if best is None else value_of(best, watched)
    chosen = None
    if best is not None and value is not None and math.isfinite(value):
        chosen = Best(watched.metric, places[records.index(best)], value)
    return RunCurves(name, curves, chosen, _rates(run, record, records))


def _rates(run: Path, record: RunRecord, records: Sequence[EpochRecord]) -> Curve | None:
    """Return the learning rate of the updates so far by the spec as it is now; None where it follows the loss."""
    spec = load_spec(run / SPEC).train
    samples = record.data.get("train_samples")
    if spec is None or not isinstance(samples, int) or not records or records[-1].step < 1:
        return None
    schedule = spec.schedule or ScheduleSpec.model_validate("constant")
    if isinstance(schedule.chosen, Plateau):
        return None
    pace, last = pace_of(spec, samples, record.steps), records[-1].step
    factor = factor_of(np, schedule, pace)
    steps = sorted({last * n // _RATES for n in range(_RATES)})
    with np.errstate(over="ignore"):  # in exponentials, whose inverse is then zero
        rates = tuple(spec.optimizer.chosen.learning_rate * float(factor(step)) for step in steps)
    return Curve(tuple(step / pace.steps_per_epoch for step in steps), rates)


def epochs_of(records: Sequence[EpochRecord], run: RunRecord) -> list[float]:
    """Return the epochs that were over at each record: 2.5 in the middle of the third.

    An epoch has as many updates as its last record counts, and one under way as many as the one before it, or as
    the plan says.
    """
    places: list[float] = []
    begun = 0
    length = run.steps / max(run.epochs, 1)
    last_epoch = records[-1].epoch if records else 0
    for epoch, group in groupby(records, key=lambda record: record.epoch):
        of_it = list(group)
        made = of_it[-1].step - begun
        if 0 < epoch < last_epoch or made > length:
            length = made
        places += [max(epoch - 1, 0) + min((found.step - begun) / max(length, 1), 1) for found in of_it]
        begun = of_it[-1].step
    return places
