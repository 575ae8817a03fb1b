"""The project file: settings and budgets for the specs of a folder, in netcalc.toml or pyproject.toml."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from netcalc.choice import LIST_AS_TUPLE, Fields
from netcalc.diagnostics import Diagnostic, Span, SpecError
from netcalc.layers.base import Flag, PositiveInt
from netcalc.spec.budgets import Budgets, Level
from netcalc.spec.files import find_root, leads_out, read_text
from netcalc.spec.source import YamlDict, YamlList, YamlScalar, YamlTree
from netcalc.spec.validation import validate

OWN, SHARED = "netcalc.toml", "pyproject.toml"
"""The file of netcalc alone, and the one that holds `[tool.netcalc]`."""

Words = Annotated[tuple[str, ...], LIST_AS_TUPLE]


class CheckSettings(Fields):
    """How specs are checked."""

    select: Words = Field(default=(), description="codes or beginnings of codes to report, all by default")
    ignore: Words = Field(default=(), description="codes or beginnings of codes not to report")
    levels: Mapping[str, Level] = Field(
        default_factory=dict, description="level of a rule, or of codes that begin so: error, warn or off"
    )
    per_file_ignore: Mapping[str, Words] = Field(
        default_factory=dict, description="codes not to report for the specs of a glob"
    )
    strict: Flag = Field(default=False, description="whether warnings fail the check too")
    object_size: PositiveInt | None = Field(
        default=None, description="side in pixels of what the networks should see whole"
    )


class BudgetTable(Budgets):
    """Budgets for the specs of a glob; `*` stands for any part of a path, folders included."""

    files: Words = Field(description="globs of specs, relative to this file")


class ProjectFile(Fields):
    """What the file may hold."""

    check: CheckSettings = Field(default_factory=CheckSettings, description="how specs are checked")
    budgets: Annotated[tuple[BudgetTable, ...], LIST_AS_TUPLE] = Field(
        default=(), description="tables of budgets, each for some of the specs"
    )


@dataclass(frozen=True, slots=True)
class Project:
    """A project file, where it stands, and the lines of what it says by dotted path: `budgets.0.params`."""

    file: str = ""
    settings: CheckSettings = field(default_factory=CheckSettings)
    budgets: tuple[BudgetTable, ...] = ()
    lines: Mapping[str, int] = field(default_factory=dict)

    def tables_for(self, spec: str | os.PathLike[str]) -> tuple[tuple[int, BudgetTable], ...]:
        """Return the tables of budgets that apply to a spec, with their numbers."""
        return tuple((i, table) for i, table in enumerate(self.budgets) if self._matches(spec, table.files))

    def ignored_for(self, spec: str | os.PathLike[str]) -> tuple[str, ...]:
        """Return the codes that are not to be reported for a spec beyond those ignored everywhere."""
        per_file = self.settings.per_file_ignore.items()
        return tuple(code for glob, codes in per_file if self._matches(spec, (glob,)) for code in codes)

    def place(self, path: str) -> Span | None:
        """Return the line at which something of the file stands, or what is around it."""
        while path:
            if (line := self.lines.get(path)) is not None:
                return Span(self.file, line, 1, line, 1)
            path = path.rpartition(".")[0]
        return None

    def _matches(self, spec: str | os.PathLike[str], globs: tuple[str, ...]) -> bool:
        path = Path(os.path.abspath(spec))
        folder = Path(os.path.abspath(self.file)).parent
        if not path.is_relative_to(folder):
            return False
        return any(fnmatchcase(path.relative_to(folder).as_posix(), glob.removeprefix("./")) for glob in globs)


def find_project(spec: Path, root: Path | None = None) -> Path | None:
    """Return the project file of a spec: netcalc.toml, else pyproject.toml, of its root; None without one."""
    folder = find_root(spec) if root is None else root
    for name in (OWN, SHARED):
        if (folder / name).is_file() or (folder / name).is_symlink():
            return folder / name
    return None


def load_project(path: Path) -> Project:
    """Return what a project file says; of pyproject.toml its table `[tool.netcalc]`, which may be missing.

    Raises CannotRunError for a file that cannot be read and SpecError for one that is wrong, or is a link to a file
    outside its folder, of which nothing is told.
    """
    if leads_out(os.fspath(path)):
        start = Span(os.fspath(path), 1, 1, 1, 1)
        message = "the project file is a link to a file outside its root"
        raise SpecError([Diagnostic("NC019", message, start, "copy it there")])
    file, text = _shown(path), read_text(path)
    try:
        data: dict[str, Any] = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        line = int(found[1]) if (found := re.search(r"line (\d+)", str(error))) else 1
        raise SpecError([Diagnostic("NC002", f"not valid TOML: {error}", Span(file, line, 1, line, 1))]) from None
    prefix = ""
    if path.name == SHARED:
        tools = data.get("tool")
        data = tools.get("netcalc", {}) if isinstance(tools, dict) else {}
        prefix = "tool.netcalc."
    lines = {key.removeprefix(prefix): line for key, line in _lines(text).items() if key.startswith(prefix)}
    found_file = validate(ProjectFile, _tree(data, "", lines, file), "project")
    if isinstance(found_file, list):
        raise SpecError(found_file)
    return Project(file, found_file.check, found_file.budgets, lines)


def _shown(path: Path) -> str:
    """Return a path as messages name it: relative to where netcalc runs, if it is below."""
    try:
        return os.fspath(path.resolve().relative_to(Path.cwd()))
    except (OSError, ValueError):
        return os.fspath(path)


_HEADER = re.compile(r"\s*(\[\[?)([^\[\]#]+)\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"""\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*=""")
_PART = re.compile(r"""[A-Za-z0-9_-]+|"[^"]*"|'[^']*'""")


def _lines(text: str) -> dict[str, int]:
    """Return the line of each table and key by dotted path; tomllib does not tell. Keys of inline tables have none.

    An item of an array of tables has its number in the path.
    """
    lines: dict[str, int] = {}
    counts: dict[str, int] = {}
    table = ""
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            parts: list[str] = []
            for part in _parts(header[2]):
                parts.append(part)
                if ".".join(parts) in counts and len(parts) < len(_parts(header[2])):
                    parts.append(str(counts[".".join(parts)]))
            table = ".".join(parts)
            if header[1] == "[[":
                counts[table] = counts.get(table, -1) + 1
                table = f"{table}.{counts[table]}"
            lines.setdefault(table, number)
        elif key := _KEY.match(line):
            lines.setdefault(".".join(filter(None, (table, *_parts(key[1])))), number)
    return lines


def _parts(dotted: str) -> list[str]:
    return [part.strip("\"'") for part in _PART.findall(dotted)]


def _tree(value: Any, path: str, lines: Mapping[str, int], file: str, line: int = 1) -> YamlTree:
    """Return TOML data as a tree with places, so that it is validated as specs are."""
    line = lines.get(path, line)
    span = Span(file, line, 1, line, 1)
    if isinstance(value, dict):
        entries = {str(k): _tree(v, f"{path}.{k}".lstrip("."), lines, file, line) for k, v in value.items()}
        return YamlDict(entries, {k: tree.span for k, tree in entries.items()}, span)
    if isinstance(value, list):
        items = (_tree(item, f"{path}.{i}", lines, file, line) for i, item in enumerate(value))
        return YamlList(tuple(items), span)
    if value is None or isinstance(value, int | float | bool | str):
        return YamlScalar(value, span)
    return YamlScalar(str(value), span)  # a date or time, which no field takes
