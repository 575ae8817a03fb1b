"""`netcalc diff`: what differs between two networks, or between a network and its git revision."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from netcalc.cli.options import (
    DevicesOption,
    OptimizerOption,
    OutputOption,
    PrecisionOption,
    RematOption,
    RootOption,
)
from netcalc.cli.output import console, print_diagnostics, write_table, write_text
from netcalc.diagnostics import CannotRunError, Diagnostic, SpecError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from netcalc.analysis.diff import Diff
    from netcalc.graph import Graph
    from netcalc.spec.revision import Revision

EXAMPLE = "netcalc diff configs/resnet18.yaml configs/resnet34.yaml"


class DiffFormat(StrEnum):
    """How the diff is written."""

    table = "table"
    json = "json"
    markdown = "markdown"


def diff(
    spec: Annotated[Path, typer.Argument(metavar="SPEC", help="YAML file that describes a network.")],
    other: Annotated[Path | None, typer.Argument(metavar="OTHER", help="The network to go to from there.")] = None,
    against: Annotated[
        str | None,
        typer.Option(metavar="REVISION", help="Compare SPEC with what it is in a git revision, such as main."),
    ] = None,
    set: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Replace a value of the network after the change. Repeatable."
        ),
    ] = None,
    batch: Annotated[
        int | None,
        typer.Option(min=1, help="Samples in a batch; by default each spec's, or 1.", show_default=False),
    ] = None,
    optimizer: OptimizerOption = None,
    precision: PrecisionOption = None,
    remat: RematOption = None,
    device: Annotated[
        str | None, typer.Option(metavar="NAME", help="Device to time, such as h100 (see `netcalc devices`).")
    ] = None,
    devices: DevicesOption = None,
    format: Annotated[DiffFormat, typer.Option("--format", "-f", help="How to write the diff.")] = DiffFormat.table,
    output: OutputOption = None,
    all: Annotated[bool, typer.Option("--all", help="Show every node in the table, none folded.")] = False,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="Exit with 1 where the networks differ.")] = False,
    root: RootOption = None,
) -> None:
    """Print what differs between two networks: layers, settings, parameters, MACs, memory and, with a device, time.

    From SPEC to OTHER; with --against from a git revision of SPEC to the file as it is; with --set alone from SPEC
    to what the values make of it. Nodes are recognised by what they are as well as by their names, so that one
    layer more is one difference. Exits with 0 whether or not there are differences, unless --exit-code is given,
    and with 1 if a spec has errors.
    """
    if all and format is not DiffFormat.table:
        raise CannotRunError(f"--all does not go with --format {format}", "the JSON always has every node")
    if other is not None and against is not None:
        raise CannotRunError("OTHER and --against are two networks to compare with", "give one of them")
    if other is None and against is None and not set:
        help = "name another spec, --against a git revision, or --set KEY=VALUE to try a change"
        raise CannotRunError("there is nothing to compare the network with", help)
    from netcalc.analysis.demand import make_demand
    from netcalc.analysis.diff_graphs import diff_graphs
    from netcalc.cli.demand import Asked, demand_of

    asked = Asked(batch, optimizer, precision, remat, device, devices)
    with _sides(spec, other, against, set or (), root) as sides:
        graphs = _loaded(sides)
        demands = tuple(demand_of(graph, asked) or make_demand(graph) for graph in graphs)
        before, after = (side.displayed(str(side.path)) for side in sides)
        found = diff_graphs(graphs[0], graphs[1], (demands[0], demands[1]), (before, after))
    _write(found, format, output, whole=all)
    if exit_code and found.differs:
        raise typer.Exit(1)


class _Side(NamedTuple):
    """One of the two specs: where it is read, and in which revision it stands."""

    word: str
    path: Path
    overrides: Sequence[str]
    root: Path | None
    revision: Revision | None = None

    def displayed(self, text: str) -> str:
        """Return a text with the places of a revision's files as git names them."""
        return text if self.revision is None else self.revision.displayed(text)


@contextmanager
def _sides(
    spec: Path, other: Path | None, against: str | None, overrides: Sequence[str], root: Path | None
) -> Iterator[tuple[_Side, _Side]]:
    """Yield the specs before and after the change."""
    if against is None:
        yield _Side("before", spec, (), root), _Side("after", other or spec, overrides, root)
        return
    from netcalc.spec.files import read_text
    from netcalc.spec.revision import at_revision

    with at_revision(against, spec) as revision:
        mirrored = revision.path_of(spec)
        if mirrored is None:
            read_text(spec)  # says what is wrong with a file that is not there either
            help = "it is new since, or had another name then, which is not followed"
            raise CannotRunError(f"{against} has no {spec}", help)
        before = _Side("before", mirrored, (), _mirrored_root(root, revision), revision)
        yield before, _Side("after", spec, overrides, root)


def _mirrored_root(root: Path | None, revision: Revision) -> Path | None:
    """Return the root in the mirror; one beyond the repository is its top folder, since there is no more of it."""
    if root is None:
        return None
    resolved = root.resolve()
    is_inside = resolved.is_relative_to(revision.top)
    return revision.folder / resolved.relative_to(revision.top) if is_inside else revision.folder


def _loaded(sides: tuple[_Side, _Side]) -> tuple[Graph, Graph]:
    """Return both graphs; where a spec has errors, print those of both, each with its side, and exit."""
    from netcalc.graph import build_complete
    from netcalc.spec.load import load_spec, quotable_lines

    graphs: list[Graph] = []
    findings: list[Diagnostic] = []
    paths: dict[str, str] = {}
    for side in sides:
        try:
            graphs.append(build_complete(load_spec(side.path, side.overrides, side.root)))
        except CannotRunError as error:
            raise CannotRunError(side.displayed(str(error)), side.displayed(error.help)) from None
        except SpecError as error:
            for diagnostic in error.diagnostics:
                named = _named(diagnostic, side)
                findings.append(named)
                if diagnostic.span is not None and named.span is not None:
                    paths[named.span.file] = diagnostic.span.file
    if findings:
        print_diagnostics(findings, lines_of=lambda file: quotable_lines(paths[file]))
        raise typer.Exit(1)
    before, after = graphs
    return before, after


def _named(diagnostic: Diagnostic, side: _Side) -> Diagnostic:
    """Return a finding that tells its side, its files named as people know them."""
    span = diagnostic.span
    return replace(
        diagnostic,
        message=side.displayed(diagnostic.message),
        help=side.displayed(diagnostic.help),
        span=None if span is None else replace(span, file=side.displayed(span.file)),
        context=(*map(side.displayed, diagnostic.context), f"in the network {side.word} the change"),
    )


def _write(found: Diff, format: DiffFormat, output: Path | None, *, whole: bool) -> None:
    from netcalc.render.diff import diff_json, diff_markdown, diff_text

    match format:
        case DiffFormat.table:
            write_table(diff_text(found, whole=whole), lambda: _fitted(found, whole=whole), output)
        case DiffFormat.markdown:
            write_text(diff_markdown(found), output)
        case DiffFormat.json:
            write_text(diff_json(found), output)


def _fitted(found: Diff, *, whole: bool) -> RenderableType:
    from rich.text import Text

    from netcalc.render.diff import diff_text

    return Text(diff_text(found, console().width, whole=whole), end="")
