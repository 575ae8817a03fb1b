"""Specs from files or text, with their bases, imports and overrides."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from netcalc.spec.assemble import assemble
from netcalc.spec.files import SUFFIXES, SpecFiles, leads_out, open_file, read_text
from netcalc.spec.network import NetworkSpec
from netcalc.spec.overrides import override
from netcalc.spec.sections import SECTIONS
from netcalc.spec.source import MAX_BYTES, parse_yaml


def load_spec(path: str | os.PathLike[str], overrides: Sequence[str] = (), root: Path | None = None) -> NetworkSpec:
    """Return the network that a YAML file describes.

    `overrides` are assignments such as `train.epochs=3`. Files that the spec extends or imports must lie below
    `root`, by default the nearest folder above it with netcalc.toml, pyproject.toml or .git, else its own folder.
    Raises CannotRunError for a file that cannot be read and SpecError, with every finding, for one that is not a
    valid spec.
    """
    return parse_spec(read_text(path), os.fspath(path), overrides, root)


def parse_spec(
    text: str, file: str = "<text>", overrides: Sequence[str] = (), root: Path | None = None
) -> NetworkSpec:
    """Return the network that YAML text describes; `file` names it in messages and is where its paths begin.

    Bases come first, then overrides, then expansion. Raises SpecError.
    """
    files = SpecFiles(file, root)
    tree = files.extended(parse_yaml(text, file))
    for assignment in overrides:
        tree = override(tree, assignment)
    return assemble(tree, file, files.named)


def quotable_lines(file: str) -> list[str]:
    """Return the lines of a file that messages may quote: YAML of a spec or of devices, else none."""
    try:
        path = Path(file).resolve()
        if path.suffix not in SUFFIXES or leads_out(file):
            return []
        with open_file(path) as stream:
            lines = stream.read(MAX_BYTES).decode("utf-8-sig", errors="replace").splitlines()
    except (OSError, RuntimeError, ValueError):
        return []
    known = any(line.startswith(tuple(f"{section}:" for section in (*SECTIONS, "devices"))) for line in lines)
    return lines if known else []
