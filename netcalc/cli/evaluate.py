"""`netcalc evaluate`: the held-out metrics of a run."""

from __future__ import annotations

import json
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from netcalc.cli.options import CacheOption, Device, DeviceOption, OutputOption
from netcalc.cli.output import console, write_text
from netcalc.diagnostics import CannotRunError
from netcalc.units import finite

if TYPE_CHECKING:
    from netcalc.train.evaluate import Evaluation
    from netcalc.train.metrics import ClassFigures

EXAMPLE = "netcalc evaluate runs/lenet5-1 --per-class --confusion"

RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="A run directory, as `netcalc train` makes it.")]
CheckpointOption = Annotated[str, typer.Option(help="Which checkpoint: last, best, or a step directory's name.")]


class DataSplit(StrEnum):
    """Which samples are evaluated on."""

    train = "train"
    validation = "validation"
    test = "test"


class MetricsFormat(StrEnum):
    """How figures are written."""

    text = "text"
    json = "json"
    csv = "csv"


def evaluate(
    run: RunArgument,
    folder: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FOLDER]", help="Images in a folder a class to evaluate on, instead of the run's own data."
        ),
    ] = None,
    checkpoint: CheckpointOption = "last",
    split: Annotated[
        DataSplit | None,
        typer.Option(help="Which samples of the run's data to evaluate on: test by default.", show_default=False),
    ] = None,
    per_class: Annotated[
        bool, typer.Option("--per-class", help="Add samples, precision, recall and F1 of each class.")
    ] = False,
    confusion: Annotated[
        bool, typer.Option("--confusion", help="Add the confusion matrix: true classes down, answers across.")
    ] = False,
    format: Annotated[MetricsFormat, typer.Option("--format", "-f", help="How to write the metrics.")] = (
        MetricsFormat.text
    ),
    output: OutputOption = None,
    device: DeviceOption = Device.auto,
    cache: CacheOption = True,
) -> None:
    """Evaluate a trained network, on its held-out data by default.

    Uses the preprocessing stored with the run and repeats the figures that training printed.
    """
    if folder is not None and split is not None:
        raise CannotRunError("--split is of the run's own data", help="leave it out to evaluate on a folder")
    if format is MetricsFormat.csv and per_class and confusion:
        raise CannotRunError("CSV holds one table", help="give --per-class or --confusion, or write both as JSON")

    from netcalc.train.compilation_cache import use_compilation_cache
    from netcalc.train.device import computing_on
    from netcalc.train.evaluate import evaluate_run
    from netcalc.train.metrics import class_figures

    use_compilation_cache(cache)
    with computing_on(device.value):
        found = evaluate_run(run, checkpoint, (split or DataSplit.test).value, folder)
    _check_asked(found, per_class=per_class, confusion=confusion)
    classes: tuple[ClassFigures, ...] = ()
    if per_class and found.counts is not None:
        classes = class_figures(found.counts, found.target, found.classes)
    match format:
        case MetricsFormat.json:
            document = _document(found, run, checkpoint, classes, confusion=confusion)
            text = json.dumps(document, indent=2, allow_nan=False) + "\n"
        case MetricsFormat.csv:
            text = _csv(found, classes, confusion=confusion)
        case MetricsFormat.text:
            out = console()
            width = out.width if output is None and out.is_terminal else None
            text = _text(found, classes, width, confusion=confusion)
    write_text(text, output)


def _check_asked(found: Evaluation, *, per_class: bool, confusion: bool) -> None:
    """Raise CannotRunError for a table that there is none of."""
    if per_class and found.counts is None:
        raise CannotRunError("--per-class: the run is not of classes", help="its metrics are errors of values")
    if confusion and (found.counts is None or found.target == "multi_label"):
        what = "values" if found.counts is None else "several labels a sample, which exclude each other in nothing"
        help = "" if found.counts is None else "--per-class tells precision and recall of each"
        raise CannotRunError(f"--confusion: the run is of {what}", help)


def _text(found: Evaluation, classes: tuple[ClassFigures, ...], width: int | None, *, confusion: bool) -> str:
    from netcalc.cli.evaluation_rows import class_text, confusion_text, metric_lines

    parts = [metric_lines(found)]
    if classes:
        parts.append(class_text(classes, of_masks=found.target == "mask"))
    if confusion:
        parts.append(confusion_text(found, width))
    return "\n".join(parts)


def _csv(found: Evaluation, classes: tuple[ClassFigures, ...], *, confusion: bool) -> str:
    from netcalc.cli.evaluation_rows import class_rows, confusion_rows, csv_text, metric_rows

    if classes:
        return csv_text(class_rows(classes, of_masks=found.target == "mask"))
    return csv_text(confusion_rows(found) if confusion else metric_rows(found))


def _document(
    found: Evaluation, run: Path, checkpoint: str, classes: tuple[ClassFigures, ...], *, confusion: bool
) -> dict[str, Any]:
    document: dict[str, Any] = {
        "format": "netcalc.evaluation/1",
        "metrics": {name: finite(value) for name, value in found.metrics.items()},
        "run": str(run),
        "checkpoint": {"name": checkpoint, "step": found.checkpoint.step, "epoch": found.checkpoint.epoch},
        "data": {"source": found.source, "split": found.split, "samples": found.samples},
    }
    if classes:
        left_out = () if found.target == "mask" else ("iou",)
        document["classes"] = [
            {name: value for name, value in asdict(one).items() if name not in left_out} for one in classes
        ]
    if confusion and found.counts is not None:
        document["confusion_matrix"] = {"classes": found.classes, "counts": found.counts.tolist()}
    return document
