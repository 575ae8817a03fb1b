"""`netcalc check`: schema, shapes, rules and budgets."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from netcalc.cli.options import OutputOption, RootOption, SetOption
from netcalc.cli.output import diagnostics_text, print_cannot_run, print_diagnostics, write_text
from netcalc.diagnostics import CannotRunError, SpecError

if TYPE_CHECKING:
    from netcalc.checks.outcome import Outcome
    from netcalc.render.checkout import Checkout
    from netcalc.spec.discover import Specs
    from netcalc.spec.revision import Revision

EXAMPLE = "netcalc check configs/ --strict"


class CheckFormat(StrEnum):
    """How findings are written."""

    full = "full"
    concise = "concise"
    json = "json"
    github = "github"
    sarif = "sarif"
    junit = "junit"


def check(
    specs: Annotated[
        list[Path], typer.Argument(metavar="PATH...", help="YAML files, folders of them, or quoted globs.")
    ],
    format: Annotated[
        CheckFormat | None,
        typer.Option("--format", "-f", help="How to write findings: full, or github in a GitHub workflow."),
    ] = None,
    output: OutputOption = None,
    strict: Annotated[bool, typer.Option("--strict", help="Let warnings fail the check too.")] = False,
    select: Annotated[
        list[str] | None,
        typer.Option(metavar="CODE,...", help="Report these rules only: codes, their beginnings, or names."),
    ] = None,
    ignore: Annotated[list[str] | None, typer.Option(metavar="CODE,...", help="Do not report these rules.")] = None,
    against: Annotated[
        str | None,
        typer.Option(
            metavar="REV",
            help="Hold to the budgets, settings and suppressions of this git revision; tell which are looser now.",
        ),
    ] = None,
    init: Annotated[
        bool, typer.Option("--init", help="Print budgets at what the networks take now and a tenth more.")
    ] = False,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Check again whenever a file changes.")] = False,
    set: SetOption = None,
    root: RootOption = None,
) -> None:
    r"""Check specs: schema, shapes, design rules and budgets, without JAX.

    A folder stands for the specs in it and below. Settings and budgets for many specs come from netcalc.toml, or
    `\[tool.netcalc]` in pyproject.toml, at their root. A finding in a file that several specs share is shown once.
    Exits with 1 if a spec has an error or misses a budget, with 2 if a file cannot be read; what the other files
    have is shown all the same.
    """
    if init:
        for option, given in (("--against", against is not None), ("--watch", watch)):
            if given:
                raise CannotRunError(f"--init does not go with {option}", "it proposes budgets and checks nothing")
        if code := _propose(specs, set or [], root, output):
            raise typer.Exit(code)
        return
    chosen = format or (CheckFormat.github if os.environ.get("GITHUB_ACTIONS") == "true" else CheckFormat.full)

    def run() -> int:
        outcome = _checked(specs, select or [], ignore or [], against, set or [], root)
        _write(outcome, chosen, output, strict or outcome.strict)
        return 2 if outcome.unread else int(outcome.fails(strict=strict))

    if watch:
        from netcalc.cli.watch import watch as watch_files

        watch_files(lambda: _watched(specs), run)
    if code := run():
        raise typer.Exit(code)


def _checked(
    paths: list[Path],
    select: list[str],
    ignore: list[str],
    against: str | None,
    overrides: list[str],
    root: Path | None,
) -> Outcome:
    """Return what is found in all specs that paths stand for, and, against a revision, which are gone."""
    from netcalc.checks.before import gone
    from netcalc.checks.files import Request
    from netcalc.checks.many import check_files
    from netcalc.checks.outcome import Checked, Outcome
    from netcalc.checks.selection import Selection, known_codes
    from netcalc.spec.discover import find_specs

    found = find_specs(paths)
    chosen, ignored = known_codes(_words(select)), known_codes(_words(ignore))
    with _revision(against, found.files[0]) as revision:
        files = check_files(found.files, Request(tuple(overrides), root, chosen, ignored, revision))
        if revision is not None:
            selection = Selection(chosen, ignored)
            strict = any(file.strict for file in files)
            files += tuple(
                Checked(file, diagnostics=selection.applied([finding]), strict=strict)
                for file, finding in gone(_were_there(paths, found, revision), revision, root)
            )
    return Outcome(files, tuple(map(os.fspath, found.skipped)))


@contextmanager
def _revision(rev: str | None, near: Path) -> Iterator[Revision | None]:
    """Yield the revision of the repository around the working folder: no spec brings its own to be judged by."""
    if rev is None:
        yield None
        return
    from netcalc.spec.revision import at_revision, is_in_repository

    here = Path(os.curdir)
    with at_revision(rev, here if is_in_repository(here) else near) as revision:
        yield revision


def _were_there(paths: list[Path], found: Specs, revision: Revision) -> Iterator[Path]:
    """Yield the specs that paths stood for in the revision and do not stand for now.

    A shell resolves a glob before netcalc sees it, so the folder of a file that is named counts as well.
    """
    from netcalc.spec.discover import find_specs

    here = {revision.mirrored(path) for path in found.files}
    asked = dict.fromkeys(revision.mirrored(path) for path in paths)
    beside = dict.fromkeys(revision.mirrored(path.parent / "*.y*ml") for path in paths if path.is_file())
    seen: set[Path] = set()
    for place in (*asked, *beside):
        try:
            then = () if place is None else find_specs([place]).files
        except CannotRunError:  # it had none
            continue
        for spec in then:
            is_there = spec in here or (place in beside and os.path.lexists(revision.working(spec)))
            if not is_there and spec.is_file() and spec not in seen:
                seen.add(spec)
                yield spec


def _words(values: list[str]) -> list[str]:
    return [word.strip() for value in values for word in value.split(",") if word.strip()]


def _watched(paths: list[Path]) -> Iterator[Path]:
    """Yield every file that the findings may depend on, once: specs, what they name, project files.

    Among them are the folders in which a spec may appear.
    """
    seen: dict[str, Path] = {}
    for path in _depended(paths):
        seen.setdefault(os.path.abspath(path), path)
    yield from seen.values()


def _depended(paths: list[Path]) -> Iterator[Path]:
    from netcalc.spec.discover import find_specs, searched_folders
    from netcalc.spec.files import find_root

    yield from searched_folders(paths)
    try:
        files = find_specs(paths).files
    except CannotRunError:  # a folder that is still empty
        return
    yield from files
    folders = {root for path in files for root in (find_root(path), Path(os.path.abspath(path)).parent)}
    for folder in folders:
        yield from (folder / "netcalc.toml", folder / "pyproject.toml")
        yield from folder.rglob("*.y*ml")


def _write(outcome: Outcome, format: CheckFormat, output: Path | None, strict: bool) -> None:
    found = outcome.diagnostics
    match format:
        case CheckFormat.full:
            if output is None:
                print_diagnostics(found, stderr=False)
            else:
                write_text(diagnostics_text(found), output)
        case CheckFormat.concise:
            from netcalc.render.diagnostics import concise

            write_text("".join(concise(d) + "\n" for d in found), output)
        case CheckFormat.json:
            from netcalc.render.check import outcome_json

            write_text(outcome_json(outcome), output)
        case CheckFormat.github:
            from netcalc.render.annotations import github_annotations

            write_text(github_annotations(outcome, _checkout()), output)
            _append_summary(outcome)
        case CheckFormat.sarif:
            from netcalc import __version__
            from netcalc.render.findings import rule_pages
            from netcalc.render.sarif import sarif

            write_text(sarif(outcome, rule_pages(), _checkout(), version=__version__), output)
        case CheckFormat.junit:
            from netcalc.render.findings import rule_pages
            from netcalc.render.junit import junit

            write_text(junit(outcome, rule_pages(), _checkout(), strict=strict), output)
    for file in outcome.unread:
        print_cannot_run(CannotRunError(file.unread, file.help))
    if format is CheckFormat.full and output is None and not found and not outcome.unread:
        write_text(f"{len(outcome.files)} checked, no findings\n", None)


def _append_summary(outcome: Outcome) -> None:
    """Append to the summary of the workflow's step, where there is one."""
    if path := os.environ.get("GITHUB_STEP_SUMMARY"):
        from netcalc.render.job_summary import summary_markdown

        try:
            with open(path, "a", encoding="utf-8", errors="replace") as stream:
                stream.write(summary_markdown(outcome, _checkout(), _source()))
        except OSError as error:
            raise CannotRunError(f"GITHUB_STEP_SUMMARY: {error.strerror or error}") from None


def _checkout() -> Checkout:
    """Return where the specs lie: below the checkout of a CI job, else below the folder that netcalc runs in."""
    from netcalc.render.checkout import Checkout

    top = os.environ.get("GITHUB_WORKSPACE") or os.environ.get("CI_PROJECT_DIR")
    return Checkout(os.path.realpath(os.curdir), "" if not top else os.path.realpath(top))


def _source() -> str:
    """Return the address under which the workflow's commit can be read, empty where it is not known."""
    server, repository, commit = (os.environ.get(f"GITHUB_{x}", "") for x in ("SERVER_URL", "REPOSITORY", "SHA"))
    return f"{server}/{repository}/blob/{commit}" if server and repository and commit else ""


def _propose(paths: list[Path], overrides: list[str], root: Path | None, output: Path | None) -> int:
    """Print budgets: a section for one spec, tables of the project file for several.

    Specs with errors are reported and left out. Returns the exit code: 2 if a file cannot be read, 1 for errors.
    """
    from netcalc.checks.propose import budgets_toml, budgets_yaml, propose
    from netcalc.graph import build_complete
    from netcalc.spec.discover import find_specs
    from netcalc.spec.files import find_root
    from netcalc.spec.load import load_spec
    from netcalc.spec.project import find_project

    files = find_specs(paths).files
    proposals = {}
    code = 0
    for path in files:
        try:
            proposals[path] = propose(build_complete(load_spec(path, overrides, root)))
        except SpecError as error:
            print_diagnostics(error.diagnostics)
            code = max(code, 1)
        except CannotRunError as error:
            print_cannot_run(error)
            code = 2
    if len(files) == 1:
        text = "".join(map(budgets_yaml, proposals.values()))
    else:
        tables = []
        for path, proposal in proposals.items():
            folder = root or find_root(path)
            project = find_project(path, root)
            prefix = "tool.netcalc." if project is not None and project.name == "pyproject.toml" else ""
            tables.append(budgets_toml(Path(os.path.relpath(path, folder)).as_posix(), proposal, prefix))
        text = "\n".join(tables)
    if proposals:
        write_text(text, output)
    return code
