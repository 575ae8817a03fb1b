"""`netcalc predict`: the classes of image files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from netcalc.cli.evaluate import CheckpointOption, MetricsFormat, RunArgument
from netcalc.cli.options import CacheOption, Device, DeviceOption
from netcalc.cli.output import write_text
from netcalc.units import finite

EXAMPLE = "netcalc predict runs/lenet5-1 three.png seven.png"


def predict(
    run: RunArgument,
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Image files.")],
    checkpoint: CheckpointOption = "last",
    top: Annotated[int, typer.Option(min=1, help="How many classes to show for each file.")] = 3,
    format: Annotated[MetricsFormat, typer.Option("--format", "-f", help="How to write the predictions.")] = (
        MetricsFormat.text
    ),
    device: DeviceOption = Device.auto,
    cache: CacheOption = True,
) -> None:
    """Classify image files with a trained network.

    Images are scaled to the size of the run's data, then preprocessed as in training. The mnist5k and digits
    networks expect light strokes on black; transparency counts as black.
    """
    from netcalc.train.compilation_cache import use_compilation_cache
    from netcalc.train.device import computing_on
    from netcalc.train.evaluate import predict_files

    use_compilation_cache(cache)
    with computing_on(device.value):
        predictions = predict_files(run, checkpoint, files)
    if format is MetricsFormat.json:
        records = [
            {
                "file": p.file,
                "classes": [
                    {"class": name, "score": finite(score)}
                    for name, score in zip(p.classes[:top], p.scores[:top], strict=True)
                ],
            }
            for p in predictions
        ]
        write_text(json.dumps({"format": "netcalc.prediction/1", "predictions": records}, indent=2) + "\n", None)
        return
    for p in predictions:
        shown = zip(p.classes[:top], p.scores[:top], strict=True)
        write_text(f"{p.file}: " + ", ".join(f"{name} {score:.4f}" for name, score in shown) + "\n", None)
