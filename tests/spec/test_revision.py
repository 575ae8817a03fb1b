"""Specs of git revisions, from real repositories."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from netcalc.diagnostics import CannotRunError, SpecError
from netcalc.spec import revision
from netcalc.spec.files import find_root
from netcalc.spec.load import load_spec
from netcalc.spec.revision import at_revision
from netcalc.spec.source import MAX_BYTES

NET = "name: {name}\ninput: [8, 8, 3]\nlayers: [conv: {{filters: {filters}, kernel: 3}}]\n"


class Repository:
    """A repository in a folder, driven by the real git."""

    def __init__(self, top: Path) -> None:
        self.top = top
        top.mkdir(parents=True, exist_ok=True)
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments: str, input: bytes = b"") -> str:
        who = {f"GIT_{role}_{what}": "x@y.z" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        clean = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
        env = clean | who | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        command = ["git", "-C", str(self.top), "-c", "protocol.file.allow=always", *arguments]
        done = subprocess.run(command, input=input, capture_output=True, check=True, env=env)
        return done.stdout.decode("utf-8", "surrogateescape").strip()

    def write(self, name: str, text: str) -> Path:
        path = self.top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def commit(self) -> str:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "change")
        return self.git("rev-parse", "HEAD")

    def commit_tree(self, entries: list[tuple[str, str]]) -> str:
        """Commit a tree of (`mode`, hash) by names such as git itself refuses to add."""
        raw = b"".join(f"{head}\0".encode() + bytes.fromhex(hash) for head, hash in entries)
        tree = self.git("hash-object", "-t", "tree", "-w", "--literally", "--stdin", input=raw)
        return self.git("commit-tree", "-m", "by hand", tree)

    def blob(self, text: str) -> str:
        return self.git("hash-object", "-w", "--stdin", input=text.encode())


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repo")


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()} - {".git"}


def test_specs_are_those_of_the_revision(repository: Repository) -> None:
    path = repository.write("nets/net.yaml", NET.format(name="old", filters=4))
    first = repository.commit()
    repository.git("tag", "--annotate", "v1", "--message", "one")
    repository.write("nets/net.yaml", NET.format(name="new", filters=5))
    repository.commit()
    repository.write("nets/net.yaml", NET.format(name="unsaved", filters=6))
    for rev in ("v1", "HEAD~1", first[:10]):
        with at_revision(rev, path) as then:
            assert (then.rev, then.commit, then.top) == (rev, first, repository.top.resolve())
            mirrored = then.path_of(path)
            assert mirrored is not None
            assert load_spec(mirrored).name == "old"
    with at_revision("main", repository.top) as then:
        assert load_spec(then.path_of(path) or "").name == "new"
    assert not then.folder.exists()


def test_only_specs_and_project_files_are_mirrored(repository: Repository) -> None:
    kept = {"a.yaml", "b/c.yml", "netcalc.toml", "b/pyproject.toml"}
    for name in (*kept, "b/code.py", "a.yaml.txt", "yaml", ".gitattributes"):
        repository.write(name, "")
    repository.commit()
    with at_revision("HEAD", repository.top) as then:
        assert names(then.folder) == kept


def test_files_of_the_working_tree_that_the_revision_lacks(repository: Repository, tmp_path: Path) -> None:
    repository.write("old.yaml", "")
    repository.commit()
    fresh = repository.write("fresh.yaml", "")
    with at_revision("HEAD", fresh) as then:
        assert then.path_of(fresh) is None
        assert then.path_of(repository.top / "never.yaml") is None
        assert then.path_of(tmp_path / "outside.yaml") is None
        assert then.path_of(repository.top) is None


def test_a_path_may_lead_through_a_link_or_be_relative(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.write("nets/net.yaml", "name: x")
    repository.commit()
    (tmp_path / "link").symlink_to(repository.top / "nets")
    with at_revision("HEAD", tmp_path / "link" / "net.yaml") as then:
        assert then.path_of(tmp_path / "link" / "net.yaml") == then.folder / "nets/net.yaml"
        monkeypatch.chdir(repository.top / "nets")
        assert then.path_of("../nets/net.yaml") == then.folder / "nets/net.yaml"


@pytest.mark.parametrize(
    "name", ["with space.yaml", "new\nline.yaml", "tab\t.yaml", 'qu"ote.yaml', "-x.yaml", "ü.yaml"]
)
def test_any_name_of_a_file(repository: Repository, name: str) -> None:
    path = repository.write(name, NET.format(name="odd", filters=1))
    repository.commit()
    with at_revision("HEAD", path) as then:
        assert load_spec(then.path_of(path) or "").name == "odd"


def test_a_name_that_is_not_utf_8(repository: Repository) -> None:
    try:
        path = repository.write(os.fsdecode(b"\xff.yaml"), NET.format(name="odd", filters=1))
    except OSError:
        pytest.skip("the file system takes only UTF-8")
    repository.commit()
    with at_revision("HEAD", path) as then:
        assert load_spec(then.path_of(path) or "").name == "odd"


def test_imports_are_read_from_the_revision_and_no_further_than_its_top(
    repository: Repository, tmp_path: Path
) -> None:
    (tmp_path / "netcalc.toml").touch()
    (tmp_path / "outside.yaml").write_text("blocks: {unit: {layers: [relu]}}\n")
    repository.write("blocks/unit.yaml", "blocks: {unit: {layers: [tanh]}}\n")
    text = "imports: [{}]\ninput: [4]\nlayers: [unit]\n"
    good = repository.write("nets/good.yaml", text.format("../blocks/unit.yaml"))
    bad = repository.write("nets/bad.yaml", text.format("../../outside.yaml"))
    repository.commit()
    repository.write("blocks/unit.yaml", "blocks: {unit: {layers: [relu]}}\n")
    with at_revision("HEAD", good) as then:
        mirrored = then.path_of(good)
        assert mirrored is not None
        assert find_root(mirrored) == then.folder
        assert [node.name for node in load_spec(mirrored).nodes] == ["unit1.tanh1"]
        with pytest.raises(SpecError) as error:
            load_spec(then.path_of(bad) or "")
        assert [d.code for d in error.value.diagnostics] == ["NC019"]
        span = error.value.diagnostics[0].span
        assert span is not None
        assert then.displayed(str(span)) == "HEAD:nets/bad.yaml:1:11"


def test_links_are_kept_where_they_stay_inside(repository: Repository, tmp_path: Path) -> None:
    secret = tmp_path / "secret.yaml"
    secret.write_text("name: secret\n")
    repository.write("nets/net.yaml", NET.format(name="real", filters=2))
    links = {
        "inside.yaml": "nets/net.yaml",
        "folder": "nets",
        "absolute.yaml": str(repository.top / "nets/net.yaml"),
        "up.yaml": "../secret.yaml",
        "chain.yaml": "up.yaml",
        "loop.yaml": "loop.yaml",
        "away": "../..",
    }
    for name, destination in links.items():
        (repository.top / name).symlink_to(destination)
    repository.commit()
    with at_revision("HEAD", repository.top) as then:
        assert load_spec(then.folder / "inside.yaml").name == "real"
        assert load_spec(then.folder / "folder/net.yaml").name == "real"
        gone = ("absolute.yaml", "up.yaml", "chain.yaml", "loop.yaml")
        assert [then.path_of(repository.top / name) for name in gone] == [None] * 4
        assert not os.path.lexists(then.folder / "away")
        assert not os.path.lexists(then.folder / "up.yaml")


def test_submodules_are_left_out(repository: Repository, tmp_path: Path) -> None:
    other = Repository(tmp_path / "other")
    other.write("theirs.yaml", "")
    other.commit()
    repository.write("ours.yaml", "")
    repository.git("submodule", "--quiet", "add", str(other.top), "sub")
    repository.commit()
    with at_revision("HEAD", repository.top) as then:
        assert names(then.folder) == {"ours.yaml"}
    with at_revision("HEAD", repository.top / "sub/theirs.yaml") as then:
        assert then.path_of(repository.top / "sub/theirs.yaml") == then.folder / "theirs.yaml"


def test_a_tree_made_by_hand_writes_nothing_outside(repository: Repository, tmp_path: Path) -> None:
    blob, outside = repository.blob("name: x\n"), repository.blob(str(tmp_path))
    up = repository.blob("..")
    entries = [
        ("100644 ../escaped.yaml", blob),
        (f"100644 {tmp_path}/escaped.yaml", blob),
        ("100644 .git/config.yaml", blob),
        ("120000 a", outside),
        ("100644 a/escaped.yaml", blob),
        ("120000 b", up),
        ("120000 b/escaped.yaml", up),
        ("100644 c.yaml", blob),
        ("100644 c.yaml/d.yaml", blob),
        ("100644 c.yaml", repository.blob("name: second\n")),
    ]
    commit = repository.commit_tree(entries)
    with at_revision(commit, repository.top) as then:
        assert names(then.folder) == {"a/escaped.yaml", "c.yaml"}
        assert (then.folder / "c.yaml").read_text() == "name: x\n"
        assert not (then.folder / "a").is_symlink()
        assert not (then.folder.parent / "escaped.yaml").exists()
    assert not (tmp_path / "escaped.yaml").exists()


def test_a_file_beyond_the_limit_of_specs_is_found_too_large(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = repository.write("large.yaml", "#" * (MAX_BYTES + 1))
    repository.write("small.yaml", "#" * 100)
    repository.commit()
    with at_revision("HEAD", path) as then, pytest.raises(SpecError, match="larger than 4 MiB"):
        load_spec(then.path_of(path) or "")
    monkeypatch.setattr(revision, "MAX_TOTAL_BYTES", 100)
    with at_revision("HEAD", path):
        pass
    monkeypatch.setattr(revision, "MAX_TOTAL_BYTES", 99)
    with pytest.raises(CannotRunError, match="the limit is"), at_revision("HEAD", path):
        pass


@pytest.mark.parametrize(
    "rev", ["nothing", "-x", "--help", "", "^HEAD", "HEAD..HEAD", "HEAD:net.yaml", "a\0b", "a\nb"]
)
def test_what_is_no_revision(repository: Repository, rev: str) -> None:
    repository.write("net.yaml", "")
    repository.commit()
    with pytest.raises(CannotRunError) as error, at_revision(rev, repository.top):
        pass
    assert "a branch, a tag or a commit" in error.value.help


def test_a_shallow_clone_says_how_to_get_the_rest(repository: Repository, tmp_path: Path) -> None:
    repository.write("net.yaml", "a: 1")
    first = repository.commit()
    repository.write("net.yaml", "a: 2")
    repository.commit()
    repository.git("clone", "--quiet", "--depth=1", f"file://{repository.top}", str(tmp_path / "shallow"))
    with pytest.raises(CannotRunError) as error, at_revision(first, tmp_path / "shallow/net.yaml"):
        pass
    assert "fetch-depth: 0" in error.value.help


def test_a_partial_clone_fetches_nothing(repository: Repository, tmp_path: Path) -> None:
    repository.write("net.yaml", "a: 1")
    repository.commit()
    repository.git("config", "uploadpack.allowFilter", "true")
    where = (f"file://{repository.top}", str(tmp_path / "partial"))
    repository.git("clone", "--quiet", "--no-checkout", "--filter=blob:none", *where)
    with pytest.raises(CannotRunError) as error, at_revision("HEAD", tmp_path / "partial/net.yaml"):
        pass
    assert "--filter" in error.value.help


def test_no_repository(tmp_path: Path) -> None:
    with pytest.raises(CannotRunError, match="not in a git repository"), at_revision("HEAD", tmp_path / "a/b.yaml"):
        pass


def test_git_is_missing(repository: Repository, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CannotRunError, match="git is not installed"), at_revision("HEAD", repository.top):
        pass


def test_the_repository_is_that_of_the_file_whatever_a_hook_sets(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = repository.write("net.yaml", "")
    commit = repository.commit()
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_WORK_TREE", str(tmp_path))
    with at_revision("HEAD", path) as then:
        assert (then.commit, then.top) == (commit, repository.top.resolve())


def test_filters_of_the_repository_do_not_run(repository: Repository, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    repository.write(".gitattributes", "*.yaml filter=evil diff=evil\n")
    path = repository.write("net.yaml", "name: x\n")
    repository.commit()
    for key in (
        "filter.evil.smudge",
        "filter.evil.clean",
        "diff.evil.textconv",
        "core.fsmonitor",
        "core.sshCommand",
    ):
        repository.git("config", key, f"touch {ran}; cat")
    with at_revision("HEAD", path) as then:
        assert (then.path_of(path) or path).read_text() == "name: x\n"
    assert not ran.exists()
