"""The files of one spec: bases and imports, each relative to the file that names it, none outside the root."""

from __future__ import annotations

import errno
import os
import re
import stat
from pathlib import Path
from typing import BinaryIO

from netcalc.choice import Fields, OneOf
from netcalc.diagnostics import CannotRunError, Diagnostic, Span, SpecError, cut, did_you_mean
from netcalc.spec.sections import MODELS
from netcalc.spec.source import MAX_BYTES, YamlDict, YamlScalar, YamlTree, parse_yaml
from netcalc.spec.validation import field_model

SUFFIXES = (".yaml", ".yml")
MAX_BASES = 16
"""How many files may extend each other in a row."""

_STREAM = re.compile(r"/dev/(?:stdin|fd/[0-9]+)")
"""What a person names to have a pipe read; a link to it, which may come from anyone, has another name."""

ROOT_MARKS = ("netcalc.toml", "pyproject.toml", ".git")


def find_root(path: Path) -> Path:
    """Return the nearest folder above a spec that holds netcalc.toml, pyproject.toml or .git, else its own."""
    folder = Path(os.path.abspath(path)).parent
    for candidate in (folder, *folder.parents):
        if any((candidate / mark).exists() for mark in ROOT_MARKS):
            return candidate
    return folder


def leads_out(path: str) -> bool:
    """Tell whether a file is a link to one outside its root."""
    try:
        resolved = Path(path).resolve()
        return resolved.is_file() and not resolved.is_relative_to(find_root(Path(path)).resolve())
    except (OSError, RuntimeError, ValueError):
        return False


class SpecFiles:
    """Reads the files that a spec names, as long as they lie below its root."""

    def __init__(self, spec: str, root: Path | None = None) -> None:
        self.root = (find_root(Path(spec)) if root is None else root).resolve()
        if leads_out(spec) and not Path(spec).resolve().is_relative_to(self.root):
            start = Span(spec, 1, 1, 1, 1)
            help = "copy it there, or widen the root with --root"
            raise _error("NC019", "the spec is a link to a file outside its root", start, help)
        self._trees: dict[Path, YamlTree] = {}

    def named(self, name: str, span: Span) -> YamlTree:
        """Return the tree of a file that the text at `span` names; raises SpecError where it may or can not."""
        path = os.path.normpath(os.path.join(os.path.dirname(span.file), name))
        try:
            resolved = Path(path).resolve()
        except (OSError, RuntimeError, ValueError):  # a link to itself, a null character
            raise _error("NC001", f"`{cut(name)}` names no file", span) from None
        if not resolved.is_relative_to(self.root):
            help = "keep specs together, or widen the root with --root"
            raise _error("NC019", f"`{name}` lies outside the root of the spec", span, help)
        if resolved.suffix not in SUFFIXES:
            raise _error("NC001", f"`{name}` is no YAML file", span, "specs end in .yaml or .yml")
        if resolved not in self._trees:
            try:
                self._trees[resolved] = parse_yaml(read_text(path), path)
            except CannotRunError as error:
                raise _error("NC001", str(error), span, error.help) from None
        return self._trees[resolved]

    def extended(self, tree: YamlTree) -> YamlTree:
        """Return the tree merged over the file that its `extends` names: mappings deeply, lists replaced."""
        chain = [tree]
        while (name := _extends(chain[-1])) is not None:
            if len(chain) > MAX_BASES:
                raise _error("NC018", f"more than {MAX_BASES} files extend each other", name.span)
            base = self.named(str(name.value), name.span)
            if any(base is other for other in chain):
                raise _error("NC018", "files extend each other in a circle", name.span)
            chain.append(base)
        merged = chain.pop()
        while chain:
            merged = _over(merged, chain.pop())
        if isinstance(merged, YamlDict) and "extends" in merged.entries:
            rest = {key: value for key, value in merged.entries.items() if key != "extends"}
            merged = YamlDict(rest, merged.keys, merged.span)
        return merged


def open_file(path: str | os.PathLike[str]) -> BinaryIO:
    """Return a file opened to be read as bytes.

    Raises OSError where that fails, and for a named pipe, a socket or a device: reading it may never end.
    """
    if _STREAM.fullmatch(os.fspath(path)):
        return open(path, "rb")
    stream = open(path, "rb", opener=_at_once)  # noqa: SIM115
    if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
        stream.close()
        raise OSError(errno.EINVAL, "not a regular file")
    return stream


def _at_once(path: str, flags: int) -> int:
    """Open without waiting for the other end of a pipe, and without a terminal becoming the process's own."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0))


def read_text(path: str | os.PathLike[str]) -> str:
    """Return the text of a spec file.

    Raises CannotRunError for a file that cannot be read and SpecError for one that is no text or too large.
    """
    file = os.fspath(path)
    try:
        with open_file(file) as stream:
            data = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise CannotRunError(f"{file}: no such file", help=_similar(Path(file))) from None
    except OSError as error:
        raise CannotRunError(f"{file}: {error.strerror or error}") from None
    except ValueError:
        raise CannotRunError(f"{file}: no name of a file") from None
    start = Span(file, 1, 1, 1, 1)
    if len(data) > MAX_BYTES:
        raise _error("NC005", f"the file is larger than {MAX_BYTES // 2**20} MiB", start)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise _error(
            "NC002", "the text is not UTF-8", Span(file, line, 1, line, 1), "save the file as UTF-8"
        ) from None


def _extends(tree: YamlTree) -> YamlScalar | None:
    found = tree.entries.get("extends") if isinstance(tree, YamlDict) else None
    if found is None:
        return None
    if isinstance(found, YamlScalar) and isinstance(found.value, str):
        return found
    raise _error("NC011", "`extends` should be the path of a YAML file", found.span)


def _over(base: YamlTree, over: YamlTree) -> YamlTree:
    """Return one spec laid over another, section by section."""
    if not isinstance(base, YamlDict) or not isinstance(over, YamlDict):
        return over
    entries = dict(base.entries)
    for key, value in over.entries.items():
        entries[key] = _merged(entries[key], value, MODELS.get(key)) if key in entries else value
    return YamlDict(entries, {**base.keys, **over.keys}, over.span)


def _merged(base: YamlTree, over: YamlTree, model: type[Fields] | None) -> YamlTree:
    """Return `over` laid on `base`; a choice of another alternative, such as the optimizer, replaces the first."""
    if not isinstance(base, YamlDict) or not isinstance(over, YamlDict):
        return over
    if model is not None and issubclass(model, OneOf) and over.entries.keys() != base.entries.keys():
        return over
    entries = dict(base.entries)
    for key, value in over.entries.items():
        field = model.model_fields.get(key) if model else None
        inner = field_model(field.annotation) if field else None
        entries[key] = _merged(entries[key], value, inner) if key in entries else value
    return YamlDict(entries, {**base.keys, **over.keys}, over.span)


def _similar(path: Path) -> str:
    try:
        names = [entry.name for entry in path.parent.iterdir() if entry.suffix in SUFFIXES]
    except OSError:
        return ""
    hint = did_you_mean(path.name, names)
    return hint if hint.startswith("did") else ""


def _error(code: str, message: str, span: Span, help: str = "") -> SpecError:
    return SpecError([Diagnostic(code, message, span, help)])
