"""Options that several commands share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

SpecArgument = Annotated[Path, typer.Argument(metavar="SPEC", help="YAML file that describes the network.")]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="Replace a value of the spec, such as train.epochs=3. Repeatable."
    ),
]
RootOption = Annotated[
    Path | None,
    typer.Option(
        "--root",
        metavar="DIR",
        help="Folder that the spec's bases and imports may come from; by default the project around it.",
    ),
]
OutputOption = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write to a file instead of stdout.")
]
DevicesOption = Annotated[
    Path | None,
    typer.Option("--devices", metavar="FILE", help="YAML file with devices of your own, and prices."),
]


class Device(StrEnum):
    """Where to compute."""

    auto = "auto"
    cpu = "cpu"
    gpu = "gpu"
    tpu = "tpu"


DeviceOption = Annotated[
    Device, typer.Option(help="Where to compute; auto takes an accelerator if JAX sees one and says so.")
]
