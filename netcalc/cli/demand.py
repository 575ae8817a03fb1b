"""What a command asks a network to do: the spec's own training, changed by options."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from netcalc.diagnostics import CannotRunError

if TYPE_CHECKING:
    from netcalc.analysis.estimate import Demand
    from netcalc.graph import Graph
    from netcalc.spec.training import UpdateSpec


class Asked(NamedTuple):
    """The options of a command that concern memory and time; None where one was not given."""

    batch: int | None = None
    optimizer: str | None = None
    precision: str | None = None
    remat: str | None = None
    device: str | None = None
    devices: Path | None = None
    images: int | None = None


def demand_of(graph: Graph, asked: Asked) -> Demand | None:
    """Return the demand, None where nothing was asked.

    Raises CannotRunError for an unknown device, and for an option that says something of a device without one.
    """
    if not any(asked):
        return None
    from netcalc.analysis.demand import make_demand
    from netcalc.analysis.devices import find_device
    from netcalc.cli.device_files import devices_of

    if asked.device is None:
        for option, value in (("--images", asked.images), ("--devices", asked.devices)):
            if value is not None:
                raise CannotRunError(f"{option} needs --device", "for example --device h100")
    return make_demand(
        graph,
        batch=asked.batch,
        optimizer=asked.optimizer,
        precision=asked.precision,
        remat=asked.remat,
        device=None if asked.device is None else find_device(asked.device, devices_of(asked.devices)),
        images=asked.images,
    )


def update_of(graph: Graph, asked: Asked) -> UpdateSpec:
    """Return the update of the spec, or the default one, with what was asked for in place of its own."""
    from netcalc.analysis.demand import changed_update

    return changed_update(
        graph, batch=asked.batch, optimizer=asked.optimizer, precision=asked.precision, remat=asked.remat
    )
