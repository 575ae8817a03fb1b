"""`netcalc runs`: the runs of a folder, side by side."""

from __future__ import annotations

import json
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from netcalc.cli.options import OutputOption
from netcalc.cli.output import console, write_table, write_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from netcalc.train.run_list import RunSummary

EXAMPLE = "netcalc runs runs --sort best"


class RunsFormat(StrEnum):
    """How runs are written."""

    table = "table"
    json = "json"


class Sorting(StrEnum):
    """What comes first."""

    started = "started"
    best = "best"


def runs(
    folder: Annotated[Path, typer.Argument(metavar="[FOLDER]", help="A folder of runs, or one run.")] = Path(
        "runs"
    ),
    sort: Annotated[
        Sorting, typer.Option(help="Oldest first, or best first within each metric.")
    ] = Sorting.started,
    format: Annotated[RunsFormat, typer.Option("--format", "-f", help="How to write the runs.")] = RunsFormat.table,
    output: OutputOption = None,
) -> None:
    """List runs: network, epochs, the best value of the metric that chose the best checkpoint, size, time, state.

    A run whose process was killed is interrupted; `netcalc train --resume` goes on with it.
    """
    from netcalc.train.run_list import list_runs

    found = list_runs(folder)
    if sort is Sorting.best:
        found = tuple(sorted(found, key=_rank))
    if format is RunsFormat.json:
        document = {"format": "netcalc.runs/1", "runs": [asdict(run) for run in found]}
        write_text(json.dumps(document, indent=2, allow_nan=False) + "\n", output)
        return
    from netcalc.cli.run_rows import runs_text

    write_table(runs_text(found), lambda: _fitted(found), output)


def _rank(run: RunSummary) -> tuple[str, bool, float]:
    value = run.best or 0.0
    return run.metric or "~", run.best is None, value if run.smaller_is_better else -value


def _fitted(found: Sequence[RunSummary]) -> RenderableType:
    from rich.text import Text

    from netcalc.cli.run_rows import runs_text

    return Text(runs_text(found, console().width), end="")
