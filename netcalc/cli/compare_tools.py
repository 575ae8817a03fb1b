"""`netcalc compare-tools`: what other tools would print for the network, and why."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, cast, get_args

import typer

from netcalc.cli.options import OutputOption, RootOption, SetOption, SpecArgument
from netcalc.cli.output import write_text
from netcalc.diagnostics import CannotRunError, did_you_mean

if TYPE_CHECKING:
    from netcalc.analysis.convention import Form

EXAMPLE = "netcalc compare-tools configs/resnet50.yaml"


class ComparisonFormat(StrEnum):
    """How the comparison is written."""

    table = "table"
    json = "json"
    csv = "csv"
    markdown = "markdown"


def compare_tools(
    spec: SpecArgument,
    written: Annotated[
        list[str] | None,
        typer.Option(
            "--written",
            metavar="LAYER=FORM",
            help="How PyTorch code calls a node or a kind of layer that is no module of torch.nn: function "
            "(F.relu(x), or a class of its own that calls it) or method (x.mean(...)). Repeatable.",
        ),
    ] = None,
    format: Annotated[ComparisonFormat, typer.Option("--format", "-f", help="How to write the comparison.")] = (
        ComparisonFormat.table
    ),
    output: OutputOption = None,
    set: SetOption = None,
    root: RootOption = None,
) -> None:
    """Print the parameters and MACs or FLOPs that other tools would print, and what makes them differ.

    One sample, inference. Nothing is run: each tool's convention is applied to the facts of the layers.
    """
    from netcalc.analysis.other_tools import compare_tools as compare
    from netcalc.graph import build_complete
    from netcalc.render import tools
    from netcalc.spec.load import load_spec

    forms = dict(map(_written, written or ()))
    comparison = compare(build_complete(load_spec(spec, set or (), root)), forms)
    match format:
        case ComparisonFormat.table:
            text = tools.tools_text(comparison)
        case ComparisonFormat.markdown:
            text = tools.tools_markdown(comparison)
        case ComparisonFormat.csv:
            text = tools.tools_csv(comparison)
        case ComparisonFormat.json:
            text = tools.tools_json(comparison)
    write_text(text, output)


def _written(text: str) -> tuple[str, Form]:
    from netcalc.analysis.convention import Form

    name, sign, form = text.rpartition("=")
    known = get_args(Form)
    if not sign or not name:
        raise CannotRunError(f"--written {text}: should be LAYER=FORM", "for example --written relu=function")
    if form not in known:
        raise CannotRunError(f"--written {text}: `{form}` is no form", did_you_mean(form, known))
    return name, cast("Form", form)
