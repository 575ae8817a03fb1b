"""Which files a command is about: paths, folders and globs, resolved to specs."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from netcalc.diagnostics import CannotRunError, SpecError
from netcalc.spec.files import SUFFIXES, open_file
from netcalc.spec.source import MAX_BYTES, YamlDict, parse_yaml

_SECTIONS = ("layers", "extends")
"""What tells a network from other YAML files: one of these keys at top level."""

# Most files need not be parsed to be told: these have the key in plain sight, or no word that could be it. A
# backslash can stand for any letter of a quoted key.
_PLAIN = re.compile(r"""^["']?(?:layers|extends)["']?[ \t]*:(?=\s|$)""", re.MULTILINE)
_MARK = re.compile(r"layers|extends|\\")
_MEANT = re.compile(r"\blayers\b|^\{", re.MULTILINE)
"""What a file that cannot be parsed was meant to be a network by."""


@dataclass(frozen=True, slots=True)
class Specs:
    """Specs in order, each once, and YAML files that were met and are no networks."""

    files: tuple[Path, ...]
    skipped: tuple[Path, ...]


def find_specs(paths: Iterable[Path]) -> Specs:
    """Return the specs that paths stand for.

    A file stands for itself. A folder stands for the YAML files in it and below, but those in hidden folders and
    those that describe no network: files of blocks, of data, of other tools. So does a glob, in which `**` stands
    for any folders. Symbolic links to folders are not followed. Raises CannotRunError for a glob or a folder that
    holds no spec; a file that does not exist is left to the reader.
    """
    found: dict[Path, None] = {}
    skipped: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            candidates = list(_below(path))
        elif glob.has_magic(os.fspath(path)) and not path.exists():
            matches = (Path(name) for name in sorted(glob.glob(os.fspath(path), recursive=True)))
            candidates = [match for match in matches if match.suffix in SUFFIXES and match.is_file()]
        else:
            found[path] = None
            continue
        specs = [candidate for candidate in candidates if _is_spec(candidate)]
        if not specs:
            raise CannotRunError(f"{path}: no spec there", "specs are .yaml or .yml files with `layers:`")
        found |= dict.fromkeys(specs)
        skipped |= dict.fromkeys(candidate for candidate in candidates if candidate not in found)
    return Specs(tuple(found), tuple(path for path in skipped if path not in found))


def searched_folders(paths: Iterable[Path]) -> Iterator[Path]:
    """Yield the folders in which find_specs looks: those named, those that a glob begins in, and all below them."""
    for path in paths:
        folder = path
        if not path.exists():
            while glob.has_magic(os.fspath(folder)):
                folder = folder.parent
        if folder.is_dir():
            yield from (Path(parent) for parent, _ in _walk(folder))


def _below(folder: Path) -> Iterator[Path]:
    for parent, names in _walk(folder):
        for name in sorted(names):
            if name.endswith(SUFFIXES) and not name.startswith("."):
                yield Path(parent, name)


def _walk(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield a folder and all below it that are not hidden, with the names of their files."""
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield parent, names


def _is_spec(path: Path) -> bool:
    """Tell whether a YAML file has `layers:` or `extends:` at top level.

    One that cannot be read may be a spec, as may one with errors in it that has the word.
    """
    try:
        with open_file(path) as stream:
            text = stream.read(MAX_BYTES + 1).decode("utf-8-sig", errors="replace")
    except OSError:
        return True
    if _PLAIN.search(text):
        return True
    if not _MARK.search(text):
        return False
    try:
        tree = parse_yaml(text, os.fspath(path))
    except SpecError:
        return _MEANT.search(text) is not None
    return isinstance(tree, YamlDict) and not tree.entries.keys().isdisjoint(_SECTIONS)
