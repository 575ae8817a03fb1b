"""The documentation says what the code does."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import get_args

import pytest

from netcalc.analysis.device_files import DeviceFields, known_devices, read_devices
from netcalc.analysis.devices import find_device
from netcalc.analysis.diff import ChangeWord, Delta, Diff, NodeDiff, Side
from netcalc.analysis.fit import DeviceFit, Fit
from netcalc.analysis.value_changes import ValueChange
from netcalc.diagnostics import CODES
from netcalc.layers.catalog import LAYERS
from netcalc.render.columns import COLUMNS
from netcalc.render.devices import devices_markdown
from netcalc.spec.load import parse_spec
from tests.configs.zoo import CONFIGS, load, totals
from tests.conftest import Cli

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


REPORTS, CHECK = ((ROOT / "docs" / name).read_text(encoding="utf-8") for name in ("reports.md", "check.md"))
SHOWN = [
    (command, output)
    for page in ((ROOT / "README.md").read_text(encoding="utf-8"), REPORTS, CHECK)
    for command, output in re.findall(
        r"```console\n\$ netcalc ((?:analyze|check) configs/[^\n]*)\n(.*?)```", page, flags=re.DOTALL
    )
]


@pytest.mark.parametrize(("command", "output"), SHOWN, ids=[command for command, _ in SHOWN])
def test_the_documentation_shows_what_commands_print(here: Cli, command: str, output: str) -> None:
    printed = here(*command.split()).stdout
    for part in output.split(" ...\n"):
        assert part in printed
        printed = printed.partition(part)[2]


def test_the_page_of_reports_lists_every_column(golden) -> None:
    before, head, after = REPORTS.partition(
        "| column | heading | heading in CSV | what it is |\n|---|---|---|---|\n"
    )
    lines = [f"| `{c.name}` | {c.heading} | {c.header} | {c.meaning} |\n" for c in COLUMNS]
    rest = after[after.index("\n\n") + 1 :]
    golden(ROOT / "docs" / "reports.md", "".join((before, head, *lines, rest)))


@pytest.mark.parametrize(("name", "least"), [("fit", 3), ("diff", 2)])
def test_pages_of_commands_show_what_they_print(here: Cli, golden, name: str, least: int) -> None:
    path = ROOT / "docs" / f"{name}.md"

    def printed(block: re.Match[str]) -> str:
        lines = here(*block["words"].split()).stdout.splitlines()
        # Of a list of all devices a few lines are enough.
        shown = [*lines[:8], "..."] if len(lines) > 40 else lines
        return "\n".join((f"```console\n$ netcalc {block['words']}", *shown, "```"))

    blocks = rf"```console\n\$ netcalc (?P<words>{name} [^\n]*)\n.*?```"
    page = path.read_text(encoding="utf-8")
    assert len(re.findall(blocks, page, flags=re.DOTALL)) >= least
    golden(path, re.sub(blocks, printed, page, flags=re.DOTALL))


def test_the_page_of_fit_lists_every_key() -> None:
    text = (ROOT / "docs" / "fit.md").read_text(encoding="utf-8")
    cells = re.findall(r"^\| (`[^|]*) \|", text, flags=re.MULTILINE)
    keys = {key for cell in cells for key in re.findall(r"`(\w+)", cell)}
    assert keys | {"format"} == {field.name for record in (Fit, DeviceFit) for field in fields(record)}


def test_the_page_of_diff_lists_every_key_and_word() -> None:
    text = (ROOT / "docs" / "diff.md").read_text(encoding="utf-8")
    cells = "".join(re.findall(r"^\| (`[^\n]*) \|$", text, flags=re.MULTILINE))
    keys = set(re.findall(r"`(\w+)", cells))
    assert keys >= {f.name for record in (Diff, NodeDiff, Delta, Side, ValueChange) for f in fields(record)} - {
        "format"
    }
    table = text.partition("| word |")[2].partition("\n\n")[0]
    words = re.findall(r"^\| ([a-z]+(?:, [a-z]+)*) \|", table, flags=re.MULTILINE)
    assert set(", ".join(words).split(", ")) == set(get_args(ChangeWord))


def test_codes_that_the_documentation_names_exist() -> None:
    for path in (ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md")):
        assert set(re.findall(r"NC\d{3}", path.read_text())) <= CODES.keys()


def test_the_page_of_codes_lists_them_all(golden) -> None:
    lines = [f"| {code} | {meaning} |" for code, meaning in CODES.items()]
    page = f"""# Diagnostic codes

A code is permanent: it is never given another meaning. NC0 codes are of the text and the spec, NC1 of shapes,
NC2 of training, NC3 of design rules, NC4 of budgets. `netcalc rule NC301` tells what a code means; the
[rules of design](rules.md) have a page each.

| code | meaning |
|---|---|
{chr(10).join(lines)}
"""
    golden(ROOT / "docs" / "diagnostics.md", page)


def test_the_page_of_rules_is_what_the_command_prints(here: Cli, golden) -> None:
    golden(ROOT / "docs" / "rules.md", here("rules", "--format", "markdown").stdout)


def test_the_page_of_devices_lists_them_all(golden) -> None:
    table = devices_markdown(tuple(known_devices().values()))
    page = ROOT / "docs" / "devices.md"
    golden(page, page.read_text(encoding="utf-8").partition("| device |")[0] + table)


def test_the_devices_of_the_documentation_can_be_read() -> None:
    text = (ROOT / "docs" / "devices.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```yaml\n(.*?)```", text, flags=re.DOTALL)
    found = read_devices(example, "docs.yaml", known_devices())
    assert find_device("h100", found).price_per_hour is not None
    fields = set(re.findall(r"^\| `(\w+)` \|", text, flags=re.MULTILINE))
    assert fields == set(DeviceFields.model_fields)


def test_the_page_of_the_zoo_has_its_figures(golden) -> None:
    lines = []
    for config in CONFIGS:
        found, graph = totals(config), load(config)
        shape = "×".join(str(side) for side in next(iter(graph.inputs.values())).shape)
        figures = f"{found.params.trainable:,} | {found.macs.forward:,} | {found.macs.training:,}"
        lines.append(f"| [{config}](../configs/{config}.yaml) | {shape} | {figures} |")
    page = f"""# The zoo

Networks of `configs/`, one file each. Figures are for one sample; [how they are counted](counting.md). The
comment at the head of each file names its paper, its parameters and how it differs from other forms of the same
network.

| network | input | parameters | forward MACs | training MACs |
|---|--:|--:|--:|--:|
{chr(10).join(lines)}
"""
    golden(ROOT / "docs" / "zoo.md", page)
