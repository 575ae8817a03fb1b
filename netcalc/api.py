"""The library's functions: load, analyze, check, diff, compile."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from netcalc.analysis.demand import make_demand
from netcalc.analysis.device_files import known_devices
from netcalc.analysis.devices import Device, find_device
from netcalc.analysis.diff import Diff
from netcalc.analysis.diff_graphs import diff_graphs
from netcalc.analysis.report import Report, analyze_graph
from netcalc.checks.engine import check_graph
from netcalc.checks.files import Request, check_file
from netcalc.checks.selection import Selection, known_codes
from netcalc.diagnostics import CannotRunError, Diagnostic
from netcalc.graph import Graph, build_complete
from netcalc.spec.load import load_spec
from netcalc.spec.training import Precision, Remat

if TYPE_CHECKING:
    from netcalc.compiler.network import Network

Source = Graph | str | os.PathLike[str]
"""A graph, or the path of a spec."""


def load(path: str | os.PathLike[str], overrides: Sequence[str] = (), root: Path | None = None) -> Graph:
    """Return the network that a YAML file describes, every node with its facts.

    `overrides` are assignments such as `params.classes=20`, as `--set` takes them. Files that the spec extends or
    imports must lie below `root`, by default the nearest folder above it with netcalc.toml, pyproject.toml or .git,
    else its own folder. Raises SpecError, which carries every diagnostic, for a spec with errors, and
    CannotRunError for a file that cannot be read.
    """
    return build_complete(load_spec(path, overrides, root))


def analyze(
    source: Source,
    *,
    batch: int | None = None,
    optimizer: str | None = None,
    precision: Precision | None = None,
    remat: Remat | None = None,
    device: str | Device | None = None,
    images: int | None = None,
) -> Report:
    """Return shapes, parameters, MACs and FLOPs of a network; figures are for one sample.

    With any of the other arguments also memory, and with a device the least time. They mean what the options of
    `netcalc analyze` do, and what is None is the spec's own: the samples in a batch (else 1), the optimizer's name,
    the precision, what backward computes anew; the device to fit and time; the samples of an epoch on it. A device
    is a name among netcalc's own, so that the result depends on nothing but the arguments, or a Device.

    Raises SpecError and CannotRunError as `load` does, CannotRunError for an unknown device, and ValueError for
    another argument that is wrong.
    """
    graph = _graph(source)
    asked = (batch, optimizer, precision, remat, device, images)
    if all(value is None for value in asked):
        return analyze_graph(graph)
    demand = make_demand(
        graph,
        batch=batch,
        optimizer=optimizer,
        precision=precision,
        remat=remat,
        device=find_device(device, known_devices()) if isinstance(device, str) else device,
        images=images,
    )
    return analyze_graph(graph, demand=demand)


def check(source: Source, *, select: Sequence[str] = (), ignore: Sequence[str] = ()) -> tuple[Diagnostic, ...]:
    """Return what `netcalc check` finds in a network; an empty tuple means clean.

    Of a path that is everything that the command tells: errors of the spec, layers that do not fit, rules, budgets
    of the spec and of the project file around it, less what comments suppress. A graph stands for itself: its rules
    and its own budgets. `select` and `ignore` are codes, their beginnings, or names of rules, as the options take
    them.

    Raises CannotRunError for a file that cannot be read, and for a word that is no code.
    """
    chosen, ignored = known_codes(select), known_codes(ignore)
    if isinstance(source, Graph):
        return Selection(chosen, ignored).applied(check_graph(source))
    checked = check_file(Path(source), Request(select=chosen, ignore=ignored))
    if checked.unread:
        raise CannotRunError(checked.unread, checked.help)
    return checked.diagnostics


def diff(
    before: Source,
    after: Source,
    *,
    batch: int | None = None,
    optimizer: str | None = None,
    precision: Precision | None = None,
    remat: Remat | None = None,
    device: str | Device | None = None,
) -> Diff:
    """Return what differs between two networks: nodes, settings and totals, memory and time among them.

    The other arguments mean what they do in `analyze`; what is None is each spec's own. Raises as `analyze` does.
    """
    named = find_device(device, known_devices()) if isinstance(device, str) else device
    graphs = _graph(before), _graph(after)
    old, new = (
        make_demand(graph, batch=batch, optimizer=optimizer, precision=precision, remat=remat, device=named)
        for graph in graphs
    )
    return diff_graphs(*graphs, (old, new))


def compile(graph: Graph) -> Network:
    """Return the network as JAX functions `init(key)` and `apply(params, state, x)`. Imports JAX."""
    from netcalc.compiler.network import compile_graph

    return compile_graph(graph)


def _graph(source: Source) -> Graph:
    return source if isinstance(source, Graph) else load(source)
