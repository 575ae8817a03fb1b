"""`netcalc predict`: what a trained network says of image files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from netcalc.cli.evaluate import CheckpointOption, MetricsFormat, RunArgument
from netcalc.cli.options import CacheOption, Device, DeviceOption, OutputOption
from netcalc.cli.output import console, write_text
from netcalc.diagnostics import CannotRunError
from netcalc.render.printable import printable
from netcalc.units import finite, plural

if TYPE_CHECKING:
    from netcalc.data.preprocessing import Preprocessing
    from netcalc.spec.data import Target
    from netcalc.train.predict import Prediction

EXAMPLE = "netcalc predict runs/lenet5-1 three.png scans/ --format csv"


class OnCorrupt(StrEnum):
    """What becomes of files that cannot be decoded."""

    error = "error"
    skip = "skip"


def predict(
    run: RunArgument,
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH...", help="Image files, and folders of them with all below.")
    ],
    checkpoint: CheckpointOption = "last",
    top: Annotated[int, typer.Option(min=1, help="How many classes to show for each file.")] = 3,
    format: Annotated[MetricsFormat, typer.Option("--format", "-f", help="How to write the predictions.")] = (
        MetricsFormat.text
    ),
    output: OutputOption = None,
    masks: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Folder for a PNG of each file's mask, of its size, a class index a pixel."
        ),
    ] = None,
    on_corrupt: Annotated[
        OnCorrupt, typer.Option(help="Stop at a file that cannot be decoded, or leave it out and go on.")
    ] = OnCorrupt.error,
    device: DeviceOption = Device.auto,
    cache: CacheOption = True,
) -> None:
    """Classify image files with a trained network, or find its masks, labels or values.

    Images are scaled to the size of the run's data, then preprocessed as in training. The mnist5k and digits
    networks expect light strokes on black; transparency counts as black.
    """
    from netcalc.data.image_folder import image_files
    from netcalc.train.compilation_cache import use_compilation_cache
    from netcalc.train.device import computing_on
    from netcalc.train.predict import open_predictor

    use_compilation_cache(cache)
    files = image_files(paths)
    skipped: list[str] = []
    with computing_on(device.value):
        predictor = open_predictor(run, checkpoint)
        if masks is not None and predictor.target != "mask":
            raise CannotRunError(f"--masks: {run} was not trained on masks", help="leave it out")
        found = predictor.files(files, skipped if on_corrupt is OnCorrupt.skip else None)
        text = _written(_saved(found, masks, files, predictor.preprocessing), predictor.target, top, format)
    write_text(text, output)
    if skipped:
        what = plural(len(skipped), "file")
        first = printable(skipped[0])
        console(stderr=True).print(f"skipped {what} that cannot be decoded, the first {first}", soft_wrap=True)


def _saved(
    found: Iterator[Prediction], masks: Path | None, files: list[str], preprocessing: Preprocessing
) -> Iterator[Prediction]:
    """Pass predictions on, each mask written into the folder under its file's own name, without suffix."""
    if masks is None:
        yield from found
        return
    from netcalc.cli.mask_files import mask_names, over_file, write_mask
    from netcalc.data.images import image_size
    from netcalc.data.limited import shown

    names = mask_names(files)
    for prediction in found:
        assert prediction.mask is not None
        size = image_size(prediction.file, shown(prediction.file))
        write_mask(over_file(prediction.mask, preprocessing, size), masks / names[prediction.file])
        yield prediction


def _written(found: Iterator[Prediction], target: Target, top: int, format: MetricsFormat) -> str:
    from netcalc.cli.evaluation_rows import csv_text

    match format:
        case MetricsFormat.json:
            document = {
                "format": "netcalc.prediction/1",
                "predictions": [_record(one, target, top) for one in found],
            }
            return json.dumps(document, indent=2, allow_nan=False) + "\n"
        case MetricsFormat.csv:
            rows = [(one.file, *_cells(one, target, top)) for one in found]
            widest = max(map(len, rows), default=1) - 1
            names = [f"value_{n + 1}" for n in range(widest)]
            if target != "values":
                names = [f"{what}_{n + 1}" for n in range(widest // 2) for what in ("class", "score")]
            return csv_text([("file", *names), *rows])
        case MetricsFormat.text:
            return "".join(f"{printable(f'{one.file}: {_words(one, target, top)}')}\n" for one in found)


def _record(one: Prediction, target: Target, top: int) -> dict[str, Any]:
    record: dict[str, Any] = {"file": one.file}
    if target == "values":
        return {**record, "values": [finite(value) for value in one.values]}
    if target == "multi_label":
        record["present"] = one.present
    ranked = zip(one.classes[:top], one.scores[:top], strict=True)
    return {**record, "classes": [{"class": name, "score": finite(score)} for name, score in ranked]}


def _cells(one: Prediction, target: Target, top: int) -> list[object]:
    if target == "values":
        return list(one.values)
    return [cell for pair in zip(one.classes[:top], one.scores[:top], strict=True) for cell in pair]


def _words(one: Prediction, target: Target, top: int) -> str:
    if target == "values":
        return " ".join(f"{value:.6g}" for value in one.values)
    if target == "mask":
        pixels = zip(one.classes[:top], one.scores[:top], strict=True)
        return ", ".join(f"{name} {share:.1%}" for name, share in pixels)
    ranked = ", ".join(f"{n} {score:.4f}" for n, score in zip(one.classes[:top], one.scores[:top], strict=True))
    if target == "multi_label":
        return f"{' '.join(one.present) or 'no label'}  ({ranked})"
    return ranked
