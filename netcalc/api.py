"""The library's functions: load, analyze, check, compile."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from netcalc.analysis.report import Report, analyze_graph
from netcalc.checks.engine import check_graph
from netcalc.diagnostics import Diagnostic
from netcalc.graph import Graph, build, build_complete
from netcalc.spec.load import load_spec

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


def analyze(source: Source, *, batch: int = 1) -> Report:
    """Return shapes, parameters, MACs and FLOPs of a network; figures are for one sample.

    `batch` is the samples in a batch, for its totals: at least 1, else ValueError. Raises SpecError and
    CannotRunError as `load` does.
    """
    if batch < 1:
        raise ValueError(f"`batch` should be at least 1, not {batch}")
    return analyze_graph(_graph(source), batch)


def check(source: Source) -> tuple[Diagnostic, ...]:
    """Return what rules and budgets find in a network; an empty tuple means clean.

    Layers that do not fit are among the findings; a spec that makes no graph raises SpecError.
    """
    return check_graph(source if isinstance(source, Graph) else build(load_spec(source)))


def compile(graph: Graph) -> Network:
    """Return the network as JAX functions `init(key)` and `apply(params, state, x)`. Imports JAX."""
    from netcalc.compiler.network import compile_graph

    return compile_graph(graph)


def _graph(source: Source) -> Graph:
    return source if isinstance(source, Graph) else load(source)
