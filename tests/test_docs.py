"""The documentation says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from netcalc.diagnostics import CODES
from netcalc.layers.catalog import LAYERS
from netcalc.spec.load import parse_spec

ROOT = Path(__file__).parents[1]
LANGUAGE = (ROOT / "docs/spec-language.md").read_text()


def rows() -> dict[str, tuple[str, str]]:
    """Return the fields and the principal field that the table of layers tells, by layer."""
    found = {}
    for line in LANGUAGE.partition("## Layers")[2].partition("\n- ")[0].splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| `"):
            found.update(dict.fromkeys(re.findall(r"`(\w+)`", cells[0]), (cells[1], cells[2])))
    return found


def test_every_layer_is_in_the_table() -> None:
    assert rows().keys() == LAYERS.keys()


@pytest.mark.parametrize("kind", LAYERS)
def test_the_table_tells_fields_and_what_a_scalar_means(kind: str) -> None:
    fields, scalar = rows()[kind]
    principal = LAYERS[kind].principal
    assert scalar == ("–" if principal is None else f"`{principal}`")
    referred = re.match(r"(?:as|the same)\b(?: `(\w+)`)?", fields)
    if referred is None:
        assert set(re.findall(r"`(\w+)`", fields)) == set(LAYERS[kind].model_fields)
    else:
        assert set(re.findall(r"`(\w+)`", fields)) - set(LAYERS) <= {*LAYERS[kind].model_fields, "forget_bias"}


YAML = [
    (path.name, block)
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
    for block in re.findall(r"```yaml\n(.*?)```", path.read_text(), flags=re.DOTALL)
    if "\nlayers:" in block and "..." not in block
]


@pytest.mark.parametrize(("name", "block"), YAML, ids=[name for name, _ in YAML])
def test_networks_in_the_documentation_are_specs(name: str, block: str) -> None:
    text = block if "input" in block else f"input: [64, 64, 3]\n{block}"
    assert parse_spec(text, "docs.yaml").nodes


def test_codes_that_the_documentation_names_exist() -> None:
    for path in (ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md")):
        assert set(re.findall(r"NC\d{3}", path.read_text())) <= CODES.keys()
