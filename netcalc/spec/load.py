"""Specs from files: the only place of the spec layer that reads the disk."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from netcalc.diagnostics import CannotRunError, Diagnostic, Span, SpecError, did_you_mean
from netcalc.spec.assemble import assemble
from netcalc.spec.network import NetworkSpec
from netcalc.spec.overrides import SECTIONS, override
from netcalc.spec.source import MAX_BYTES, parse_yaml

SUFFIXES = (".yaml", ".yml")


def load_spec(path: str | os.PathLike[str], overrides: Sequence[str] = ()) -> NetworkSpec:
    """Return the network that a YAML file describes.

    `overrides` are assignments such as `train.epochs=3`. Raises CannotRunError for a file that cannot be read
    and SpecError, with every finding, for one that is not a valid spec.
    """
    return parse_spec(read_text(path), os.fspath(path), overrides)


def parse_spec(text: str, file: str = "<text>", overrides: Sequence[str] = ()) -> NetworkSpec:
    """Return the network that YAML text describes; `file` names it in messages. Raises SpecError."""
    tree = parse_yaml(text, file)
    for assignment in overrides:
        tree = override(tree, assignment)
    return assemble(tree, file)


def read_text(path: str | os.PathLike[str]) -> str:
    """Return the text of a spec file; raises CannotRunError or SpecError as `load_spec` does."""
    file = os.fspath(path)
    try:
        with open(file, "rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise CannotRunError(f"{file}: no such file", help=_similar(Path(file))) from None
    except OSError as error:
        raise CannotRunError(f"{file}: {error.strerror or error}") from None
    start = Span(file, 1, 1, 1, 1)
    if len(data) > MAX_BYTES:
        raise SpecError([Diagnostic("NC005", f"the file is larger than {MAX_BYTES // 2**20} MiB", start)])
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise SpecError(
            [Diagnostic("NC002", "the text is not UTF-8", Span(file, line, 1, line, 1), "save the file as UTF-8")]
        ) from None


def quotable_lines(file: str) -> list[str]:
    """Return the lines of a file that messages may quote: YAML with a section of the spec language, else none."""
    path = Path(file)
    if path.suffix not in SUFFIXES:
        return []
    try:
        lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    except OSError:
        return []
    known = any(line.startswith(tuple(f"{section}:" for section in SECTIONS)) for line in lines)
    return lines if known else []


def _similar(path: Path) -> str:
    try:
        names = [entry.name for entry in path.parent.iterdir() if entry.suffix in SUFFIXES]
    except OSError:
        return ""
    hint = did_you_mean(path.name, names)
    return hint if hint.startswith("did") else ""
