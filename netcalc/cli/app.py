"""The `netcalc` command: its subcommands, and how its errors reach people."""

from __future__ import annotations

import io
import os
import signal
import sys
from types import FrameType
from typing import Annotated

import typer

from netcalc import __version__
from netcalc.cli import (
    analyze,
    check,
    compare_tools,
    data,
    devices,
    diff,
    evaluate,
    fit,
    plot,
    predict,
    resolve,
    rule,
    rules,
    runs,
    schema,
    train,
)
from netcalc.cli.output import print_cannot_run, print_diagnostics
from netcalc.diagnostics import CannotRunError, SpecError

app = typer.Typer(
    name="netcalc",
    help="Design convolutional networks in YAML: exact sizes, parameters and FLOPs, then training with JAX.",
    epilog="Example: netcalc analyze configs/lenet5.yaml",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

for command in (
    analyze,
    check,
    rule,
    rules,
    compare_tools,
    diff,
    fit,
    devices,
    train,
    evaluate,
    predict,
    plot,
    runs,
    resolve,
    schema,
):
    app.command(epilog=f"Example: {command.EXAMPLE}")(getattr(command, command.__name__.rpartition(".")[2]))


app.add_typer(data.app, name="data", epilog=f"Example: {data.EXAMPLE}")


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"netcalc {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Design convolutional networks in YAML: exact sizes, parameters and FLOPs, then training with JAX."""


def main() -> None:
    """Run the command line.

    Exit codes: 0 done; 1 the spec has errors, misses a budget or does not fit the device; 2 netcalc could not
    run; 130 and 143 interrupted by SIGINT and SIGTERM.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupted)
    # A stream that the caller closed is None; what goes there is lost.
    sys.stdout = sys.stdout or io.StringIO()
    sys.stderr = sys.stderr or io.StringIO()
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")
    try:
        app()
    except SpecError as error:
        print_diagnostics(error.diagnostics)
        sys.exit(1)
    except CannotRunError as error:
        print_cannot_run(error)
        sys.exit(2)


def _interrupted(signum: int, frame: FrameType | None) -> None:
    # Nothing is lost at this point. An exception would be swallowed or disguised by code that catches all of them,
    # such as the import of a C extension, and the command would go on.
    os._exit(128 + signum)
