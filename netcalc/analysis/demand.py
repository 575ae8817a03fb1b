"""A demand from its parts: the spec's own training, with what was asked for in place of its own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import get_args

from netcalc.analysis.devices import Device
from netcalc.analysis.estimate import Demand
from netcalc.diagnostics import did_you_mean
from netcalc.graph import Graph
from netcalc.spec.optimizers import OptimizerSpec
from netcalc.spec.training import Precision, Remat, UpdateSpec


def make_demand(
    graph: Graph,
    *,
    batch: int | None = None,
    optimizer: str | None = None,
    precision: str | None = None,
    remat: str | None = None,
    device: Device | None = None,
    images: int | None = None,
) -> Demand:
    """Return the demand on a graph; None leaves what the spec says, and one sample where it says nothing of that.

    Raises ValueError as `changed_update` does, for less than one image, and for images without a device.
    """
    if images is not None and images < 1:
        raise ValueError(f"`images` should be at least 1, not {images}")
    if images is not None and device is None:
        raise ValueError("`images` needs a `device`, whose time they take")
    update = changed_update(graph, batch=batch, optimizer=optimizer, precision=precision, remat=remat)
    is_own = batch is not None or graph.spec.train is not None
    return Demand(update, update.batch_size if is_own else 1, device, images)


def changed_update(
    graph: Graph,
    *,
    batch: int | None = None,
    optimizer: str | None = None,
    precision: str | None = None,
    remat: str | None = None,
) -> UpdateSpec:
    """Return the update of the spec, or the default one, with these in place of its own where they are given.

    An optimizer has its fields at their defaults. Raises ValueError for a name that is none, with those that are,
    and for less than one sample.
    """
    if batch is not None and batch < 1:
        raise ValueError(f"`batch` should be at least 1, not {batch}")
    _require_known("optimizer", optimizer, OptimizerSpec.model_fields)
    _require_known("precision", precision, get_args(Precision))
    _require_known("remat", remat, get_args(Remat))
    changes = {
        "batch_size": batch,
        "optimizer": None if optimizer is None else OptimizerSpec.model_validate(str(optimizer)),
        "precision": None if precision is None else str(precision),
        "remat": None if remat is None else str(remat),
    }
    update = graph.spec.train or UpdateSpec()
    return update.model_copy(update={name: value for name, value in changes.items() if value is not None})


def _require_known(what: str, name: str | None, known: Iterable[str]) -> None:
    names = list(known)
    if name is not None and name not in names:
        raise ValueError(f"unknown {what} `{name}`; {did_you_mean(name, names)}")
