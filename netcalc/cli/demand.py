"""What a command asks a network to do: the spec's own training, changed by options."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

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
    """Return the demand, None where nothing was asked; raises CannotRunError for an unknown device."""
    if not any(asked):
        return None
    from netcalc.analysis.devices import find_device
    from netcalc.analysis.estimate import Demand
    from netcalc.cli.device_files import devices_of

    update = update_of(graph, asked)
    device = find_device(asked.device, devices_of(asked.devices)) if asked.device is not None else None
    batch = asked.batch or (update.batch_size if graph.spec.train is not None else 1)
    return Demand(update, batch, device, asked.images)


def update_of(graph: Graph, asked: Asked) -> UpdateSpec:
    """Return the update of the spec, or the default one, with what was asked for in place of its own."""
    from netcalc.spec.training import OptimizerSpec, UpdateSpec

    update = graph.spec.train or UpdateSpec()
    changes = {
        "batch_size": asked.batch,
        "optimizer": None if asked.optimizer is None else OptimizerSpec.model_validate(asked.optimizer),
        "precision": asked.precision,
        "remat": asked.remat,
    }
    return update.model_copy(update={name: value for name, value in changes.items() if value is not None})
