"""`netcalc evaluate`: the held-out metrics of a run."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from netcalc.cli.options import CacheOption, Device, DeviceOption
from netcalc.cli.output import write_text
from netcalc.units import finite

EXAMPLE = "netcalc evaluate runs/lenet5-1 --format json"

RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="A run directory, as `netcalc train` makes it.")]
CheckpointOption = Annotated[str, typer.Option(help="Which checkpoint: last, best, or a step directory's name.")]


class DataSplit(StrEnum):
    """Which samples are evaluated on."""

    train = "train"
    validation = "validation"
    test = "test"


class MetricsFormat(StrEnum):
    """How metrics are written."""

    text = "text"
    json = "json"


def evaluate(
    run: RunArgument,
    checkpoint: CheckpointOption = "last",
    split: Annotated[DataSplit, typer.Option(help="Which samples to evaluate on.")] = DataSplit.test,
    format: Annotated[MetricsFormat, typer.Option("--format", "-f", help="How to write the metrics.")] = (
        MetricsFormat.text
    ),
    device: DeviceOption = Device.auto,
    cache: CacheOption = True,
) -> None:
    """Evaluate a trained network, on its held-out data by default.

    Uses the preprocessing stored with the run and repeats the figures that training printed.
    """
    from netcalc.train.compilation_cache import use_compilation_cache
    from netcalc.train.device import computing_on
    from netcalc.train.evaluate import evaluate_run

    use_compilation_cache(cache)
    with computing_on(device.value):
        evaluation = evaluate_run(run, checkpoint, split.value)
    metrics = evaluation.metrics
    if format is MetricsFormat.json:
        record = {
            "format": "netcalc.evaluation/1",
            "metrics": {"loss": finite(metrics.loss), "accuracy": finite(metrics.accuracy)},
            "run": str(run),
            "checkpoint": {
                "name": checkpoint,
                "step": evaluation.checkpoint.step,
                "epoch": evaluation.checkpoint.epoch,
            },
            "data": {"source": evaluation.source, "split": evaluation.split, "samples": evaluation.samples},
        }
        write_text(json.dumps(record, indent=2) + "\n", None)
    else:
        write_text(f"loss {metrics.loss:.4f}\naccuracy {100 * metrics.accuracy:.2f} %\n", None)
