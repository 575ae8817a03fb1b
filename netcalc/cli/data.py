"""`netcalc data`: a look at the data of a spec."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from netcalc.cli.options import RootOption, SetOption, SpecArgument
from netcalc.cli.output import write_text
from netcalc.diagnostics import CannotRunError

EXAMPLE = "netcalc data preview configs/lenet5.yaml -o digits.png"

app = typer.Typer(help="Look at the data of a spec.", no_args_is_help=True)


@app.command(epilog=f"Example: {EXAMPLE}")
def preview(
    spec: SpecArgument,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Where to write the PNG.")],
    count: Annotated[int, typer.Option(min=1, max=400, help="How many images.")] = 64,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Seed of order and changes; by default the spec's.")
    ] = None,
    set: SetOption = None,
    root: RootOption = None,
) -> None:
    """Write a sheet of training images with their targets, changed as `train.augment` says."""
    from netcalc.diagnostics import Diagnostic, SpecError
    from netcalc.spec.load import load_spec

    found = load_spec(spec, set or (), root)
    if found.train is None:
        message, help = f"{spec} has no `train:` section", "for example `train: {data: mnist5k}`"
        raise SpecError([Diagnostic("NC200", message, None, help)])
    if output.suffix.lower() != ".png":
        raise CannotRunError(f"{output}: the sheet is a PNG", "name it FILE.png")

    from netcalc.data.preview import preview as make_sheet
    from netcalc.train.device import computing_on

    chosen = found.train.seed if seed is None else seed
    main = next(output.node for output in found.outputs if not output.train_only)
    ignore = found.train.loss_of(main).ignored
    with computing_on("cpu"):
        sheet = make_sheet(found.train, found.sections, count, chosen, ignore)
    try:
        sheet.save(output, "PNG")
    except OSError as error:
        raise CannotRunError(f"{output}: {error.strerror or error}") from None
    write_text(f"{output}: {sheet.width}×{sheet.height} pixels\n", None)
