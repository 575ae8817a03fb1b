"""One file under check: settings, suppressions, and what its project asks."""

from __future__ import annotations

from pathlib import Path

import pytest

from netcalc.checks.files import Request, check_file
from netcalc.checks.outcome import Checked
from netcalc.checks.selection import known_codes
from netcalc.diagnostics import CannotRunError

NET = """\
input: [8, 8, 1]
layers:
  - conv: {filters: 8, kernel: 3}
  - batch_norm
  - {max_pool: 4, name: pool}
  - {dense: 10, name: head}
budgets: {params: 100}
"""
ONLY = ("NC301", "NC302", "NC4")


def check(folder: Path, text: str = NET, project: str = "", **asked: tuple[str, ...]) -> Checked:
    (folder / "netcalc.toml").write_text(project)
    (folder / "net.yaml").write_text(text)
    return check_file(folder / "net.yaml", Request(**{"select": ONLY, **asked}))


def codes(checked: Checked) -> list[tuple[str, str, int]]:
    return [(d.code, d.severity, 0 if d.span is None else d.span.line) for d in checked.diagnostics]


ALL = [("NC301", "warning", 3), ("NC302", "warning", 5), ("NC401", "error", 7)]


def test_everything(tmp_path: Path) -> None:
    found = check(tmp_path)
    assert codes(found) == ALL
    assert found.totals == {"params": 80 + 16 + 90, "macs": 36 * 9 * 8 + 80}
    (use,) = found.budgets
    assert (use.figure, use.value, use.limit, use.met, use.used) == ("params", 186, "100", False, 1.86)


@pytest.mark.parametrize(
    ("asked", "left"),
    [
        ({"select": ("NC301",)}, ALL[:1]), ({"select": ("NC3",), "ignore": ("NC302",)}, ALL[:1]),
        ({"ignore": ("NC",)}, []), ({"ignore": ("NC4", "NC301")}, ALL[1:2]),
    ],
)  # fmt: skip
def test_codes_are_chosen(tmp_path: Path, asked: dict[str, tuple[str, ...]], left: object) -> None:
    assert codes(check(tmp_path, **asked)) == left


def test_errors_of_the_spec_cannot_be_deselected(tmp_path: Path) -> None:
    found = check(tmp_path, NET.replace("kernel: 3", "kernel: 30"), ignore=("NC3",), select=("NC301",))
    assert codes(found) == [("NC101", "error", 3)]


def test_words_for_codes() -> None:
    assert known_codes(["NC3", "NC301", "redundant-bias", "NC"]) == ("NC3", "NC301", "NC301", "NC")
    for word in ("NC9", "redundant-bia", "", "NC101", "NC1"):
        with pytest.raises(CannotRunError):
            known_codes([word])


def test_the_project_chooses_and_weighs(tmp_path: Path) -> None:
    project = "[check]\nselect=['NC3']\nignore=['NC302']\nlevels={NC301='error'}\n"
    assert codes(check(tmp_path, project=project, select=())) == [("NC301", "error", 3)]
    project = "[check.levels]\nNC301='off'\nNC302='warn'\n"
    assert codes(check(tmp_path, project=project)) == ALL[1:]
    project = "[check.per_file_ignore]\n'*.yaml'=['NC30']\n'no/*'=['NC4']\n"
    assert codes(check(tmp_path, project=project)) == ALL[2:]


@pytest.mark.parametrize(
    ("levels", "left"),
    [
        ("NC3='off'", ALL[2:]),
        ("NC4='warn'", [*ALL[:2], ("NC401", "warning", 7)]),
        ("NC='error'", [(code, "error", line) for code, _, line in ALL]),
        ("NC3='error', NC302='warn'", [("NC301", "error", 3), *ALL[1:]]),
        ("NC302='warn', NC3='off', NC='error'", ALL[1:]),
        ("NC3='off', redundant-bias='error'", [("NC301", "error", 3), *ALL[2:]]),
    ],
)
def test_levels_hold_for_all_codes_that_begin_so_and_the_longest_counts(
    tmp_path: Path, levels: str, left: list[tuple[str, str, int]]
) -> None:
    assert codes(check(tmp_path, project=f"[check]\nlevels={{{levels}}}\n")) == left


def test_levels_leave_errors_of_the_spec_alone(tmp_path: Path) -> None:
    found = check(tmp_path, NET.replace("kernel: 3", "kernel: 30"), project="[check]\nlevels={NC='warn'}\n")
    assert codes(found) == [("NC101", "error", 3)]


@pytest.mark.parametrize(
    ("project", "line"),
    [
        ("[check]\n\nselect=['NC3', 'NC999']\n", 3),
        ("[check]\nstrict=true\nignore=['NC101']\n", 3),
        ("[check.levels]\nNC3='off'\nNC1='warn'\n", 3),
        ("[check]\nlevels={NC0='off'}\n", 2),
        ("[check.per_file_ignore]\n'a.yaml'=['NC3']\n'none/*'=['NC3', 'NC2']\n", 3),
    ],
)
def test_codes_that_are_no_rules_are_told_at_their_line(tmp_path: Path, project: str, line: int) -> None:
    found = check(tmp_path, project=project)
    assert codes(found) == [("NC011", "error", line), *ALL]
    assert found.diagnostics[0].span is not None
    assert Path(found.diagnostics[0].span.file).name == "netcalc.toml"
    assert not found.unread


def test_budgets_of_the_project(tmp_path: Path) -> None:
    project = "[[budgets]]\nfiles=['n*.yaml']\nmacs=1\n[[budgets]]\nfiles=['x*']\nparams=1\n"
    found = check(tmp_path, NET.replace("budgets: {params: 100}\n", ""), project)
    (missed,) = [d for d in found.diagnostics if d.code == "NC401"]
    assert missed.span is not None
    assert (Path(missed.span.file).name, missed.span.line) == ("netcalc.toml", 3)
    assert missed.context[0].startswith("budget of ")
    assert {place.span.file for place in missed.related} == {str(tmp_path / "net.yaml")}


@pytest.mark.parametrize(
    "project", ["[check\n", "[check]\nselect=['NC999']\n", "[chek]\n", "[check.levels]\nX='off'\n"]
)
def test_a_wrong_project_file_is_an_error_beside_the_others(tmp_path: Path, project: str) -> None:
    found = codes(check(tmp_path, project=project))
    assert found[0][1] == "error"
    assert found[1:] == ALL


def test_suppressions(tmp_path: Path) -> None:
    text = NET.replace("kernel: 3}", "kernel: 3}  # netcalc: ignore[NC301] exported to hardware without norms")
    text = text.replace("  - {max_pool", "  # netcalc: ignore[NC302, NC301] as published\n  - {max_pool")
    found = check(tmp_path, text)
    assert codes(found) == [("NC401", "error", 8), ("NC410", "warning", 5)]
    assert [(quiet.diagnostic.code, quiet.reason) for quiet in found.suppressed] == [
        ("NC301", "exported to hardware without norms"), ("NC302", "as published"),
    ]  # fmt: skip
    assert "NC301" in found.diagnostics[1].message


def test_a_comment_in_the_project_file_keeps_no_budget_of_it_quiet(tmp_path: Path) -> None:
    table = "[[budgets]]\nfiles=['*']\nmacs=1  # netcalc: ignore[NC401] why\n"
    assert ("NC401", "error", 3) in codes(check(tmp_path, project=table))


def test_what_cannot_be_suppressed_is_told(tmp_path: Path) -> None:
    text = NET.replace("kernel: 3}", "kernel: 30}  # netcalc: ignore[NC101, NC777, NC302] no")
    found = check(tmp_path, text)
    assert codes(found) == [("NC101", "error", 3), ("NC411", "warning", 3), ("NC411", "warning", 3)]


def test_a_suppression_of_what_is_not_selected_is_not_called_unused(tmp_path: Path) -> None:
    text = NET.replace("  - batch_norm", "  - batch_norm  # netcalc: ignore[NC301] why")
    assert codes(check(tmp_path, text, ignore=("NC301",))) == ALL[1:]
    assert ("NC410", "warning", 4) in codes(check(tmp_path, text))


def test_a_suppression_in_a_file_of_blocks_holds_wherever_it_is_used(tmp_path: Path) -> None:
    block = "blocks:\n  b: {layers: [{conv: {filters: 8, kernel: 3}}, batch_norm]}  # netcalc: ignore[NC301] why\n"
    (tmp_path / "blocks.yaml").write_text(block)
    text = NET.replace("  - conv: {filters: 8, kernel: 3}\n  - batch_norm\n", "  - b\n")
    found = check(tmp_path, "imports: [blocks.yaml]\n" + text)
    assert [code for code, *_ in codes(found)] == ["NC302", "NC401"]
    assert len(found.suppressed) == 1


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    found = check_file(tmp_path / "none.yaml", Request())
    assert found.unread.endswith("none.yaml: no such file")
    (tmp_path / "bin.yaml").write_bytes(b"\xff\xfe")
    assert [d.code for d in check_file(tmp_path / "bin.yaml", Request()).diagnostics] == ["NC002"]
    (tmp_path / "dir.yaml").mkdir()
    assert check_file(tmp_path / "dir.yaml", Request()).unread
