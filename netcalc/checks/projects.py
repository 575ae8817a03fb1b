"""Project files, each read once while it stays as it is."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

from netcalc.checks.selection import refuse_unknown_codes
from netcalc.diagnostics import CannotRunError, Diagnostic, Span, SpecError
from netcalc.spec.project import Project, find_project, load_project


def project_of(path: Path, root: Path | None) -> tuple[Project, tuple[Diagnostic, ...]]:
    """Return the project around a spec, empty where there is none, and what is wrong with its file."""
    found = find_project(path, root)
    if found is None:
        return Project(), ()
    try:
        state = found.stat()
    except OSError as error:
        place = Span(os.fspath(found), 1, 1, 1, 1)
        return Project(), (Diagnostic("NC001", f"the project file cannot be read: {error.strerror}", place),)
    return _loaded(found, (state.st_mtime_ns, state.st_size, state.st_ino))


@lru_cache(maxsize=64)
def _loaded(path: Path, state: tuple[int, ...]) -> tuple[Project, tuple[Diagnostic, ...]]:
    """Return what a file holds; it is read again once its state, as the disk tells it, is another."""
    try:
        project = load_project(path)
        refuse_unknown_codes(project)
    except SpecError as error:
        return Project(), error.diagnostics
    except CannotRunError as error:
        place = Span(os.fspath(path), 1, 1, 1, 1)
        return Project(), (Diagnostic("NC011", str(error), place, error.help),)
    return project, ()
