"""Writing so that a crash, a kill or a full disk leaves what was there or what was meant, and nothing between."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from netcalc.diagnostics import CannotRunError

PARTIAL = ".partial"
"""How names of what is not complete end; they begin with a dot."""


def replace_file(path: Path, text: str) -> None:
    """Give a file this content in one atomic swap, on disk when this returns; raises OSError."""
    fresh = _partial(path)
    try:
        _write(fresh, text.encode())
        os.replace(fresh, path)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def write_directory(path: Path, files: Mapping[str, bytes]) -> None:
    """Make a directory with these files: filled under another name, flushed, then renamed; raises OSError.

    One that is there already is set aside first and removed last.
    """
    fresh, old = _partial(path), path.with_name(f".{path.name}.replaced{PARTIAL}")
    try:
        for leftover in (fresh, old):
            shutil.rmtree(leftover, ignore_errors=True)
        fresh.mkdir(parents=True)
        for name, data in files.items():
            _write(fresh / name, data)
        sync_directory(fresh)
        if path.exists():
            os.rename(path, old)
        os.rename(fresh, path)
        sync_directory(path.parent)
    except OSError:
        shutil.rmtree(fresh, ignore_errors=True)
        if old.exists() and not path.exists():
            os.rename(old, path)
        raise
    shutil.rmtree(old, ignore_errors=True)


def replace_link(path: Path, target: str) -> None:
    """Let a symbolic link name another target in one atomic swap; raises OSError."""
    fresh = _partial(path)
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(target, target_is_directory=True)
    os.replace(fresh, path)
    sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    """Let the names in a directory be on disk."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def told(path: Path, what: str, help: str = "") -> Iterator[None]:
    """Turn what a disk refuses into a CannotRunError."""
    try:
        yield
    except OSError as error:
        raise CannotRunError(f"{path}: {what} ({error.strerror or error})", help=help) from None


def _partial(path: Path) -> Path:
    return path.with_name(f".{path.name}{PARTIAL}")


def _write(path: Path, data: bytes) -> None:
    with open(path, "wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
