"""netcalc: convolutional networks in YAML, counted exactly and trained with JAX.

    import netcalc
    graph = netcalc.load("configs/lenet5.yaml")
    report = netcalc.analyze(graph)
    network = netcalc.compile(graph)

Names are imported when first used, so `import netcalc` is cheap and only `compile` needs JAX.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from netcalc.analysis.diff import Diff
    from netcalc.analysis.report import Report
    from netcalc.api import analyze, check, compile, diff, load
    from netcalc.compiler.network import Network
    from netcalc.diagnostics import CannotRunError, Diagnostic, SpecError
    from netcalc.graph import Graph

__version__ = "0.1.0"

__all__ = [
    "CannotRunError",
    "Diagnostic",
    "Diff",
    "Graph",
    "Network",
    "Report",
    "SpecError",
    "__version__",
    "analyze",
    "check",
    "compile",
    "diff",
    "load",
]

_HOMES = {
    "analyze": "netcalc.api",
    "check": "netcalc.api",
    "compile": "netcalc.api",
    "diff": "netcalc.api",
    "load": "netcalc.api",
    "Diff": "netcalc.analysis.diff",
    "Report": "netcalc.analysis.report",
    "Network": "netcalc.compiler.network",
    "CannotRunError": "netcalc.diagnostics",
    "Diagnostic": "netcalc.diagnostics",
    "SpecError": "netcalc.diagnostics",
    "Graph": "netcalc.graph",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
