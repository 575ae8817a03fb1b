"""`netcalc fit`: the largest batch that a device trains, and what makes room for more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from netcalc.cli.analyze import ReportFormat
from netcalc.cli.options import (
    DevicesOption,
    OptimizerOption,
    OutputOption,
    PrecisionOption,
    RematOption,
    RootOption,
    SetOption,
    SpecArgument,
)
from netcalc.cli.output import console, write_table, write_text
from netcalc.diagnostics import CannotRunError

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import RenderableType

    from netcalc.analysis.devices import Device
    from netcalc.analysis.fit import Fit

EXAMPLE = "netcalc fit configs/resnet50.yaml --device rtx4090"
EVERY = "all"


def fit(
    spec: SpecArgument,
    device: Annotated[
        str, typer.Option(metavar="NAME", help="Device such as rtx4090 (see `netcalc devices`), or all.")
    ] = EVERY,
    batch: Annotated[
        int | None, typer.Option(min=1, help="Ask whether this batch fits, not only for the largest.")
    ] = None,
    optimizer: OptimizerOption = None,
    precision: PrecisionOption = None,
    remat: RematOption = None,
    devices: DevicesOption = None,
    format: Annotated[ReportFormat, typer.Option("--format", "-f", help="How to write the answer.")] = (
        ReportFormat.table
    ),
    output: OutputOption = None,
    set: SetOption = None,
    root: RootOption = None,
) -> None:
    """Tell the largest batch that trains on a device, what limits it, and which changes make room for more.

    Nothing is run: memory is estimated, as `netcalc analyze` does, for the `train:` section of the spec with what
    the options change. Exits with 1 if the spec has errors or if no device asked about has room: for the batch, or
    without one for a single sample.
    """
    from netcalc.analysis.fit import fit_devices
    from netcalc.cli.demand import Asked, update_of
    from netcalc.graph import build_complete
    from netcalc.spec.load import load_spec

    asked = _devices(device, devices)
    graph = build_complete(load_spec(spec, set or (), root))
    update = update_of(graph, Asked(optimizer=optimizer, precision=precision, remat=remat))
    answer = fit_devices(graph, update, asked, batch)
    _write(answer, format, output)
    if not answer.fits:
        raise typer.Exit(1)


def _devices(name: str, file: Path | None) -> tuple[Device, ...]:
    """Return the devices that are asked about; raises CannotRunError for one that cannot be answered for."""
    from netcalc.analysis.devices import find_device
    from netcalc.analysis.fit import has_rule
    from netcalc.cli.device_files import devices_of

    known = devices_of(file)
    if name == EVERY:
        return tuple(known.values())
    found = find_device(name, known)
    if not has_rule(found):
        raise CannotRunError(
            f"there is no rule for the memory of a {found.kind.upper()} such as `{found.key}`",
            f"`netcalc analyze SPEC --device {found.key} --exact` asks the compiler",
        )
    return (found,)


def _write(answer: Fit, format: ReportFormat, output: Path | None) -> None:
    from netcalc.render.fit import fit_csv, fit_json, fit_markdown, fit_text

    match format:
        case ReportFormat.table:
            write_table(fit_text(answer), lambda: _fitted(answer), output)
        case ReportFormat.markdown:
            write_text(fit_markdown(answer), output)
        case ReportFormat.csv:
            write_text(fit_csv(answer), output)
        case ReportFormat.json:
            write_text(fit_json(answer), output)


def _fitted(answer: Fit) -> RenderableType:
    from rich.text import Text

    from netcalc.render.fit import fit_text

    return Text(fit_text(answer, console().width), end="")
