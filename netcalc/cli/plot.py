"""`netcalc plot`: pictures of runs."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from netcalc.cli.evaluate import CheckpointOption, DataSplit
from netcalc.cli.options import CacheOption, Device, DeviceOption
from netcalc.cli.output import console, write_bytes, write_text
from netcalc.diagnostics import CannotRunError, did_you_mean

if TYPE_CHECKING:
    from netcalc.plots.figure import Figure

EXAMPLE = "netcalc plot runs/lenet5-1"

PICTURES = ("curves", "filters", "confusion", "mistakes")
"""All that can be drawn: first what needs the fewest files of a run."""


class PictureFormat(StrEnum):
    """How pictures are written."""

    png = "png"
    svg = "svg"


def plot(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN...", help="Run directories; of several the curves, in one picture.")
    ],
    only: Annotated[
        str | None,
        typer.Option("--only", metavar="NAME,...", help=f"Which pictures: {', '.join(PICTURES)}; all by default."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="DIR", help="Folder for pictures; plots in the run, or here for several."
        ),
    ] = None,
    format: Annotated[PictureFormat, typer.Option("--format", "-f", help="How to write pictures.")] = (
        PictureFormat.png
    ),
    checkpoint: CheckpointOption = "last",
    split: Annotated[
        DataSplit, typer.Option(help="Samples of the confusion matrix and the mistakes.")
    ] = DataSplit.test,
    count: Annotated[int, typer.Option(min=1, max=400, help="How many mistakes to show, at most.")] = 24,
    device: DeviceOption = Device.auto,
    cache: CacheOption = True,
) -> None:
    """Draw pictures of runs, as PNG or SVG.

    curves: each measure over the epochs, and the learning rate. filters: the first layer's weights as images.
    confusion: which classes were answered for samples of each class. mistakes: the samples whose wrong answers
    have the largest scores.

    Curves need neither data nor JAX; a run may be under way. A picture that makes no sense of a run is left out,
    and it is told why; a run that is named twice is drawn once. Matplotlib comes with the extra `plots` of the
    package.
    """
    runs = list({os.path.realpath(run): run for run in reversed(runs)}.values())[::-1]
    chosen = _chosen(only, len(runs))
    _require_matplotlib()
    folder = output or (runs[0] / "plots" if len(runs) == 1 else Path("plots"))
    written = 0
    for name, figure in _drawn(chosen, runs, checkpoint, split.value, count, device, cache):
        if isinstance(figure, str):
            console(stderr=True).print(f"no picture of {name}: {figure}", soft_wrap=True)
            continue
        from netcalc.plots.figure import picture

        path = folder / f"{name}.{format.value}"
        write_bytes(picture(figure, format.value), path)
        write_text(f"{path}\n", None)
        written += 1
    if not written:
        raise CannotRunError("nothing to draw")


def _chosen(only: str | None, runs: int) -> tuple[str, ...]:
    """Return which pictures to draw; raises CannotRunError for an unknown one, and for one that is of one run."""
    if only is None:
        return PICTURES if runs == 1 else PICTURES[:1]
    names = [name.strip() for name in only.split(",")]
    for name in names:
        if name not in PICTURES:
            raise CannotRunError(f"--only: no picture `{name}`", did_you_mean(name, PICTURES))
        if runs > 1 and name != "curves":
            raise CannotRunError(f"--only {name} is of one run", "several runs are compared by their curves")
    return tuple(name for name in PICTURES if name in names)


def _require_matplotlib() -> None:
    if find_spec("matplotlib") is None:
        raise CannotRunError("pictures need Matplotlib", help="pip install 'netcalc-nn[plots]'")


def _drawn(
    names: Sequence[str],
    runs: Sequence[Path],
    checkpoint: str,
    split: Literal["train", "validation", "test"],
    count: int,
    device: Device,
    cache: bool,
) -> Iterator[tuple[str, Figure | str]]:
    """Yield each picture with its name, or why it makes no sense."""
    if "curves" in names:
        yield "curves", _curves(runs)
    rest = [name for name in names if name != "curves"]
    if not rest:
        return
    from netcalc.cli.run_pictures import confusion_picture, filters_picture, mistakes_picture, open_answered
    from netcalc.train.compilation_cache import use_compilation_cache
    from netcalc.train.device import computing_on

    (run,) = runs
    use_compilation_cache(cache)
    with computing_on(device.value):
        if "filters" in rest:
            yield "filters", filters_picture(run, checkpoint)
        if "confusion" not in rest and "mistakes" not in rest:
            return
        answered = open_answered(run, checkpoint, split)
        if "confusion" in rest:
            yield "confusion", confusion_picture(answered)
        if "mistakes" in rest:
            yield "mistakes", mistakes_picture(answered, count)


def _curves(runs: Sequence[Path]) -> Figure | str:
    from netcalc.cli.run_curves import not_finite, runs_curves
    from netcalc.plots.curves import draw_curves

    found = runs_curves(runs)
    log = console(stderr=True)
    for run in found:
        for line in not_finite(run):
            log.print(line, soft_wrap=True)
    if not any(run.curves for run in found):
        return "nothing is measured yet"
    return draw_curves(found)
