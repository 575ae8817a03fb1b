"""`netcalc resolve`: the flat spec."""

from __future__ import annotations

from netcalc.cli.options import OutputOption, RootOption, SetOption, SpecArgument
from netcalc.cli.output import write_text

EXAMPLE = "netcalc resolve configs/lenet5.yaml -o flat.yaml"


def resolve(
    spec: SpecArgument, output: OutputOption = None, set: SetOption = None, root: RootOption = None
) -> None:
    """Print a spec flat: blocks expanded, every node named and wired, every default written out.

    The YAML that is printed loads to the same network.
    """
    from netcalc.spec.dump import dump_spec
    from netcalc.spec.load import load_spec

    write_text(dump_spec(load_spec(spec, set or (), root)), output)
