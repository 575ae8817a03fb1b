"""docs/data.md says what the sources take."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from netcalc.data.catalog import KNOWN
from netcalc.data.folders import SUFFIXES
from netcalc.data.mask_folder import MASK_SUFFIXES
from netcalc.data.splits import DEFAULT_SHARES
from netcalc.spec.data import SOURCES, DataSpec
from netcalc.units import format_shape

PAGE = (Path(__file__).parents[2] / "docs" / "data.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.partition("| source | samples |")[2].partition("\n\n")[0].splitlines()[2:]
]
FIELDS = {name: set(re.findall(r"`(\w+)`", row[-1])) for row in ROWS for name in re.findall(r"`(\w+)`", row[0])}


def test_every_source_is_in_the_table() -> None:
    assert FIELDS.keys() == SOURCES.keys()


@pytest.mark.parametrize("name", SOURCES)
def test_the_table_tells_the_fields_of_a_source(name: str) -> None:
    assert FIELDS[name] == SOURCES[name].model_fields.keys() - DataSpec.model_fields.keys()


def test_the_fields_that_all_sources_have() -> None:
    (line,) = re.findall(r"^All have (.*) besides", PAGE, flags=re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", line)) == DataSpec.model_fields.keys() - {"source"}


@pytest.mark.parametrize("name", KNOWN)
def test_the_figures_of_named_data_sets(name: str) -> None:
    known = KNOWN[name]
    (row,) = re.findall(rf"^\| `{name}` \| (.*) \|$", PAGE, flags=re.MULTILINE)
    images, classes, split = row.split(" | ")
    assert images.endswith(format_shape(known.shape))
    assert int(classes) == len(known.classes)
    assert split == f"{known.train_images:,} / {known.test_images:,}"


def test_the_endings_of_images_and_the_default_split() -> None:
    assert set(
        re.findall(r"(?<=[ ,])\.[a-z]+(?=[, ])", PAGE.partition("does not end in")[2].partition("passed")[0])
    ) == set(SUFFIXES)
    assert set(re.findall(r"\.[a-z]+", PAGE.partition("Masks end in")[2].partition(";")[0])) == set(MASK_SUFFIXES)
    assert f"{[int(s) if s in (0, 1) else s for s in DEFAULT_SHARES]} is the default" in PAGE
