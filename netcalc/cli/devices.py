"""`netcalc devices`: the devices that netcalc knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from netcalc.cli.analyze import ReportFormat
from netcalc.cli.device_files import devices_of
from netcalc.cli.options import DevicesOption, OutputOption
from netcalc.cli.output import console, write_table, write_text

if TYPE_CHECKING:
    from rich.console import RenderableType

    from netcalc.analysis.devices import Device

EXAMPLE = "netcalc devices h100"


def devices(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="A device to show in full, or a part of names.")
    ] = None,
    format: Annotated[ReportFormat, typer.Option("--format", "-f", help="How to write the devices.")] = (
        ReportFormat.table
    ),
    output: OutputOption = None,
    devices: DevicesOption = None,
) -> None:
    """List devices: memory, bandwidth and dense peak rates, each from the vendor's publication.

    Devices of your own and prices come from $XDG_CONFIG_HOME/netcalc/devices.yaml and from --devices.
    """
    from netcalc.analysis.devices import matching_devices

    known = devices_of(devices)
    shown = tuple(known.values()) if name is None else matching_devices(name, known)
    match format:
        case ReportFormat.table:
            from netcalc.render.devices import device_text, devices_text

            if len(shown) == 1:
                write_text(device_text(shown[0]), output)
            else:
                write_table(devices_text(shown), lambda: _fitted(shown), output)
        case ReportFormat.markdown:
            from netcalc.render.devices import devices_markdown

            write_text(devices_markdown(shown), output)
        case ReportFormat.csv:
            from netcalc.render.device_data import devices_csv

            write_text(devices_csv(shown), output)
        case ReportFormat.json:
            from netcalc.render.device_data import devices_json

            write_text(devices_json(shown), output)


def _fitted(shown: tuple[Device, ...]) -> RenderableType:
    from rich.text import Text

    from netcalc.render.devices import devices_text

    return Text(devices_text(shown, console().width), end="")
