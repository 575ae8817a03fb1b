"""Budgets to begin with: what a network takes now, and a tenth more."""

from __future__ import annotations

import glob
import math
from collections.abc import Iterator, Mapping

from netcalc.checks.figures import FIGURES, Amount, UnknownFigureError
from netcalc.graph import Graph
from netcalc.spec.budgets import Budgets, MemoryBudget, SizeBudget
from netcalc.units import COUNT_UNITS, DECIMAL_BYTE_UNITS

ROOM = 10
"""Percent that a network may grow by."""

Proposal = Mapping[str, tuple[Mapping[str, object], str]]
"""Fields of a budget by its figure, and what the figure is now, for people."""


def propose(graph: Graph) -> Proposal:
    """Return budgets of a complete graph at what it takes now and a tenth more, three digits, rounded up.

    Memory is proposed for a spec that says how it is trained; the receptive field may not shrink.
    """
    return dict(_proposed(graph))


def budgets_yaml(proposal: Proposal) -> str:
    """Return a `budgets:` section for the spec."""
    lines = ["budgets:"]
    for figure, (fields, now) in proposal.items():
        inner = ", ".join(f"{name}: {value}" for name, value in fields.items())
        lines.append(f"  {figure}: {{{inner}}}  # now {now}")
    return "\n".join(lines) + "\n"


def budgets_toml(file: str, proposal: Proposal, prefix: str = "") -> str:
    """Return a table of the project file for a spec; `prefix` is `tool.netcalc.` in pyproject.toml."""
    lines = [f"[[{prefix}budgets]]", f"files = [{_quoted(glob.escape(file))}]"]
    for figure, (fields, now) in proposal.items():
        inner = ", ".join(
            f"{name} = {_quoted(value) if isinstance(value, str) else value}" for name, value in fields.items()
        )
        lines.append(f"{figure} = {{ {inner} }}  # now {now}")
    return "\n".join(lines) + "\n"


def _proposed(graph: Graph) -> Iterator[tuple[str, tuple[Mapping[str, object], str]]]:
    size = SizeBudget(max=0)
    for figure in ("params", "macs", "training_flops", "activation_bytes", "file_size"):
        kind = FIGURES[figure]
        amount = kind.of(graph, size)
        yield figure, ({"max": _with_room(amount.total, kind.unit)}, kind.shown(amount.total))
    depth = FIGURES["depth"].of(graph, size)
    yield "depth", ({"max": int(depth.total)}, FIGURES["depth"].shown(depth.total))
    train = graph.spec.train
    if train is not None:
        batch = train.batch_size
        amount = FIGURES["memory"].of(graph, MemoryBudget(max=0, batch=batch))
        fields = {"batch": batch, "max": _with_room(amount.total, "bytes")}
        yield "memory", (fields, FIGURES["memory"].shown(amount.total))
    if (reach := _reach(graph)) is not None:
        yield "receptive_field", ({"min": math.floor(reach.total)}, FIGURES["receptive_field"].shown(reach.total))


def _reach(graph: Graph) -> Amount | None:
    try:
        return FIGURES["receptive_field"].of(graph, Budgets())
    except UnknownFigureError:
        return None


def _with_room(value: float, unit: str) -> str | int:
    """Return a quantity as budgets write it: a tenth more, rounded up to three digits."""
    most = math.ceil(value * (100 + ROOM) / 100)
    units = DECIMAL_BYTE_UNITS if unit == "bytes" else COUNT_UNITS
    name, factor = max(((n, f) for n, f in units.items() if f <= max(most, 1)), key=lambda pair: pair[1])
    if factor == 1:
        return f"{most}B" if unit == "bytes" else most
    step = factor // 10 ** max(0, 3 - len(str(most // factor)))
    rounded = -(-most // step) * step
    whole, rest = divmod(rounded, factor)
    digits = str(rest * 1000 // factor).zfill(3).rstrip("0")
    return f"{whole}{'.' if digits else ''}{digits}{name}"


def _quoted(text: object) -> str:
    escaped = str(text).replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in escaped) + '"'
