"""Options that several commands share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from netcalc.analysis.optimizers import OPTIMIZERS

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


class OptimizerName(StrEnum):
    """An optimizer, with its fields at their defaults."""

    vars().update({name: name for name in OPTIMIZERS})


class Precision(StrEnum):
    """What layers compute in, and what parameters are kept in."""

    float32 = "float32"
    bfloat16 = "bfloat16"
    mixed = "mixed"


class Remat(StrEnum):
    """What the backward pass computes anew."""

    none = "none"
    conv_outputs = "conv_outputs"


OptimizerOption = Annotated[
    OptimizerName | None,
    typer.Option(help="Optimizer to train with; by default the spec's, or adam.", show_default=False),
]
PrecisionOption = Annotated[
    Precision | None,
    typer.Option(help="Precision to train in; by default the spec's, or float32.", show_default=False),
]
RematOption = Annotated[
    Remat | None,
    typer.Option(help="What backward computes anew; by default the spec's, or none.", show_default=False),
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

CacheOption = Annotated[
    bool,
    typer.Option(
        "--cache/--no-cache",
        help="Keep what XLA compiles for the next start, in $XDG_CACHE_HOME/netcalc/xla; "
        "NETCALC_NO_CACHE=1 turns that off too.",
    ),
]
