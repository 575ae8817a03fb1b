"""The networks of configs/, loaded once."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import netcalc
from netcalc.analysis.report import Totals
from netcalc.graph import Graph
from tests.conftest import ROOT

FOLDER = ROOT / "configs"
BLOCKS = sorted((FOLDER / "blocks").glob("*.yaml"))
CONFIGS = sorted(
    str(path.relative_to(FOLDER).with_suffix("")) for path in set(FOLDER.rglob("*.yaml")) - set(BLOCKS)
)
REFERENCE = json.loads((Path(__file__).parent / "published_counts.json").read_text(encoding="utf-8"))


@cache
def load(config: str, *overrides: str) -> Graph:
    """Return a network of the zoo."""
    return netcalc.load(FOLDER / f"{config}.yaml", overrides)


@cache
def totals(config: str, *overrides: str) -> Totals:
    """Return the totals of a network of the zoo."""
    return netcalc.analyze(load(config, *overrides)).totals


def label(entry: dict) -> str:
    """Return what tests call an entry of the reference."""
    return " ".join((entry["config"], *entry.get("set", ())))
