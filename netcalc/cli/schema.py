"""`netcalc schema`: the JSON Schema of specs."""

from __future__ import annotations

import json

from netcalc.cli.options import OutputOption
from netcalc.cli.output import write_text

EXAMPLE = "netcalc schema -o netcalc.schema.json"


def schema(output: OutputOption = None) -> None:
    """Print the JSON Schema of specs, for completion and checks in editors.

    An editor with the YAML language server reads it from a comment at the top of a spec:
    # yaml-language-server: $schema=netcalc.schema.json
    """
    from netcalc.spec.schema import spec_schema

    write_text(json.dumps(spec_schema(), indent=2, ensure_ascii=False) + "\n", output)
