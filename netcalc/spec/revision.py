"""The specs of a git revision, mirrored to a temporary folder: nothing is checked out and nothing of it is run."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile

from netcalc.diagnostics import CannotRunError, cut
from netcalc.spec.files import ROOT_MARKS, SUFFIXES
from netcalc.spec.source import MAX_BYTES

MAX_TOTAL_BYTES = 256 * 2**20
"""How much of one revision is mirrored."""
MAX_LINK_BYTES = 4096
"""The longest target of a symbolic link, as Linux has it."""

_LINK, _FOLDERS = b"120000", (b"040000", b"160000")
_KEPT = ("GIT_CONFIG", "GIT_CEILING_DIRECTORIES", "GIT_DISCOVERY_ACROSS_FILESYSTEM", "GIT_EXEC_PATH")
"""The variables of git that say what may be read; GIT_DIR and its like, which hooks get, name another place."""


@dataclass(frozen=True, slots=True)
class Revision:
    """The YAML and project files of one commit."""

    rev: str
    """The revision as it was asked for."""
    commit: str
    """The full hash."""
    folder: Path
    """Mirrors the repository's top folder."""
    top: Path
    """The top folder of the working tree."""

    def path_of(self, path: str | os.PathLike[str]) -> Path | None:
        """Return where a file of the working tree lies in the mirror; None if the revision has no such file.

        Renames are not followed.
        """
        mirrored = self.mirrored(path)
        return mirrored if mirrored is not None and mirrored.is_file() else None

    def mirrored(self, path: str | os.PathLike[str]) -> Path | None:
        """Return where a file of the working tree lies, or would lie, in the mirror; None for one outside.

        Links on the way are not followed: what a path names in the revision is asked, not what it leads to now.
        """
        inside = self._inside(path)
        return None if inside is None else self.folder / inside

    def speaks_for(self, path: str | os.PathLike[str]) -> bool:
        """Tell whether a file lies in the working tree of this repository, and not in another one inside of it."""
        inside = self._inside(path)
        if inside is None:
            return False
        between = [self.top.joinpath(*inside.parts[:count]) for count in range(1, len(inside.parts))]
        return not any(os.path.lexists(folder / ".git") for folder in between)

    def _inside(self, path: str | os.PathLike[str]) -> Path | None:
        named = Path(os.path.normpath(os.path.join(os.path.realpath(os.curdir), path)))
        if named.is_relative_to(self.top):
            return named.relative_to(self.top)
        parent, name = os.path.split(named)  # a path from the root may come through a link above the repository
        working = Path(os.path.realpath(parent), name)
        return working.relative_to(self.top) if working.is_relative_to(self.top) else None

    def working(self, path: str | os.PathLike[str]) -> str:
        """Return where a file of the mirror lies, or would lie, in the working tree; another path as it is."""
        inside = Path(path)
        return os.fspath(
            self.top / inside.relative_to(self.folder) if inside.is_relative_to(self.folder) else inside
        )

    def displayed(self, text: str) -> str:
        """Return a text in which each path of the mirror is written as git names it, `REV:path/in/repo`."""
        return text.replace(f"{self.folder}{os.sep}", f"{self.rev}:")


def is_in_repository(folder: Path) -> bool:
    """Tell whether a folder lies in the working tree of a git repository; raises CannotRunError without git."""
    return _git(_nearest_folder(folder), "rev-parse", "--show-toplevel").returncode == 0


@contextmanager
def at_revision(rev: str, near: Path) -> Iterator[Revision]:
    """Yield the YAML files, netcalc.toml and pyproject.toml of a revision of the repository around `near`.

    Symbolic links are kept where they stay inside, submodules are left out. Raises CannotRunError where git is
    missing, `near` is in no repository, or the repository does not have the revision.
    """
    folder = _nearest_folder(near)
    top = _top(folder)
    commit = _commit(rev, folder)
    with TemporaryDirectory(prefix="netcalc-") as mirror:
        target = os.fsencode(os.path.realpath(mirror))
        try:
            _mirror(_wanted(commit, folder), target, folder)
            # The root of the specs is the top of the repository here too.
            Path(mirror, ".git").touch()
        except OSError as error:
            raise CannotRunError(f"cannot write the files of {cut(rev)}: {error.strerror or error}") from None
        yield Revision(rev, commit, Path(os.fsdecode(target)), top)


@dataclass(frozen=True, slots=True)
class _Entry:
    """One file of a tree: its blob, and its path with forward slashes."""

    path: bytes
    blob: bytes
    size_bytes: int
    is_link: bool


def _nearest_folder(near: Path) -> Path:
    """Return the folder that a path is or lies in, or the nearest above that exists."""
    path = Path(os.path.abspath(near))
    return next((folder for folder in (path, *path.parents) if folder.is_dir()), path)


def _top(folder: Path) -> Path:
    done = _git(folder, "rev-parse", "--show-toplevel")
    if done.returncode:
        why = _first_line(done.stderr)
        if "not a git repository" in why:
            help = "--against needs a spec that lies in a clone of its repository"
            raise CannotRunError(f"{folder} is not in a git repository", help)
        raise CannotRunError(f"git cannot read the repository of {folder}: {why}", _advice(done.stderr))
    return Path(os.path.realpath(os.fsdecode(done.stdout.removesuffix(b"\n"))))


def _commit(rev: str, folder: Path) -> str:
    if rev.startswith("-") or "\0" in rev:
        raise CannotRunError(f"`{cut(rev)}` is no revision", "name a branch, a tag or a commit")
    done = _git(folder, "rev-parse", "--verify", "--quiet", f"{rev}^{{commit}}")
    commit = done.stdout.decode("ascii", "replace").strip()
    # A range or a negated revision is answered too, with other than one hash.
    if done.returncode == 0 and re.fullmatch("[0-9a-f]{40}|[0-9a-f]{64}", commit):
        return commit
    if _git(folder, "rev-parse", "--is-shallow-repository").stdout.strip() == b"true":
        help = "the clone is shallow: `git fetch --unshallow` gets the rest, `fetch-depth: 0` in actions/checkout"
    else:
        help = "name a branch, a tag or a commit that `git rev-parse` knows; `git fetch` gets those of the remote"
    raise CannotRunError(f"the repository of {folder} has no revision `{cut(rev)}`", help)


def _wanted(commit: str, folder: Path) -> list[_Entry]:
    """Return the files to mirror; raises CannotRunError where they are too many bytes together."""
    done = _git(folder, "ls-tree", "-r", "-z", "-l", "--full-tree", commit)
    if done.returncode:
        raise CannotRunError(f"git cannot list the files of {commit}: {_first_line(done.stderr)}", _PARTIAL)
    entries = []
    for line in done.stdout.split(b"\0")[:-1]:
        facts, _, path = line.partition(b"\t")
        mode, _, blob, size = facts.split()
        if mode not in _FOLDERS and _is_safe(path) and (mode == _LINK or _is_read(path)):
            entries.append(_Entry(path, blob, int(size), mode == _LINK))
    total_bytes = sum(entry.size_bytes for entry in entries if entry.size_bytes <= MAX_BYTES)
    if total_bytes > MAX_TOTAL_BYTES:
        have = f"have {total_bytes // 2**20:,} MiB; the limit is {MAX_TOTAL_BYTES // 2**20} MiB"
        raise CannotRunError(f"the YAML files of {commit} {have}")
    return entries


def _is_read(path: bytes) -> bool:
    name = os.fsdecode(path.rpartition(b"/")[2])
    return name.endswith(SUFFIXES) or name in ROOT_MARKS


def _is_safe(path: bytes) -> bool:
    """Tell whether a path stays below where it is put: a tree made by hand can hold any name."""
    return not any(part in (b"", b".", b"..") or part.lower() == b".git" for part in path.split(b"/"))


def _mirror(entries: list[_Entry], target: bytes, folder: Path) -> None:
    """Write the files, then the links, so that no file is written through a link."""
    for entry in entries:
        if not entry.is_link and entry.size_bytes > MAX_BYTES:
            _write(os.path.join(target, entry.path), b"", MAX_BYTES + 1)
    wanted = [e for e in entries if e.size_bytes <= (MAX_LINK_BYTES if e.is_link else MAX_BYTES)]
    wanted.sort(key=lambda entry: entry.is_link)
    links = []
    for entry, content in _contents(wanted, folder):
        path = os.path.join(target, entry.path)
        if not entry.is_link:
            _write(path, content, len(content))
        elif _link(path, content):
            links.append(path)
    for path in links:
        if not os.path.realpath(path).startswith(target + os.sep.encode()):
            os.unlink(path)


def _write(path: bytes, content: bytes, size_bytes: int) -> None:
    """Write a file; one of more bytes than are given is sparse, so that who reads it finds it too large."""
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "xb") as file:
            file.write(content)
            file.truncate(size_bytes)
    except (FileExistsError, NotADirectoryError):
        return  # a name that this file system or a tree made by hand has twice: the first stays


def _link(path: bytes, destination: bytes) -> bool:
    """Make a symbolic link where nothing stands yet, and tell whether it was made."""
    parent = os.path.dirname(path)
    if os.path.isabs(destination) or not destination or b"\0" in destination:
        return False
    try:
        os.makedirs(parent, exist_ok=True)
        if os.path.realpath(parent) != parent:
            return False  # below another link
        os.symlink(destination, path)
    except (FileExistsError, NotADirectoryError):
        return False
    return True


def _contents(entries: list[_Entry], folder: Path) -> Iterator[tuple[_Entry, bytes]]:
    """Yield the content of each entry, unfiltered, from one process of git."""
    with TemporaryFile() as names:
        names.write(b"".join(entry.blob + b"\n" for entry in entries))
        names.seek(0)
        with subprocess.Popen(
            _command(folder, "cat-file", "--batch"),
            stdin=names,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_environment(),
        ) as process:
            assert process.stdout is not None
            for entry in entries:
                header = process.stdout.readline().split()
                content = process.stdout.read(entry.size_bytes + 1)[:-1]
                if header[1:] != [b"blob", b"%d" % entry.size_bytes] or len(content) != entry.size_bytes:
                    process.kill()
                    name = os.fsdecode(entry.path)
                    raise CannotRunError(f"the repository does not have the content of {name!r}", _PARTIAL)
                yield entry, content


_PARTIAL = "a clone made with --filter has not all of it: clone without, or run `git fetch --refetch`"


def _git(folder: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            _command(folder, *arguments),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=_environment(),
            check=False,
        )
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        why = "git is not installed" if missing else f"git does not start: {error.strerror or error}"
        raise CannotRunError(why, "--against reads the spec of another revision with git") from None


def _command(folder: Path, *arguments: str) -> list[str]:
    safe = (
        "--no-pager",
        "--no-replace-objects",
        "-c",
        "core.fsmonitor=false",
        "-c",
        f"core.hooksPath={os.devnull}",
        # A change could bring files that look like a repository of its own, to be judged by that one.
        "-c",
        "safe.bareRepository=explicit",
    )
    return ["git", *safe, "-C", os.fspath(folder), *arguments]


def _environment() -> dict[str, str]:
    """Return the environment of git: it finds the repository by itself, speaks English and fetches nothing."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith("GIT_") or name.startswith(_KEPT)
    }
    # A partial clone would fetch what it lacks, with a command that the repository may name.
    return kept | {"LC_ALL": "C", "GIT_ALLOW_PROTOCOL": "", "GIT_NO_LAZY_FETCH": "1", "GIT_OPTIONAL_LOCKS": "0"}


def _first_line(text: bytes) -> str:
    return cut(next(iter(text.decode("utf-8", "replace").strip().splitlines()), "it ended without a word"), 300)


def _advice(text: bytes) -> str:
    """Return what git says to do about a repository of another owner."""
    lines = (line.strip() for line in text.decode("utf-8", "replace").splitlines())
    return next((f"trust it with: {line}" for line in lines if line.startswith("git config")), "")
