"""The project file: where it is found, what it may say, and at which line something wrong is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from netcalc.checks.files import Request, check_file
from netcalc.diagnostics import SpecError
from netcalc.spec.project import find_project, load_project

FULL = """\
# what all of us agreed to
[check]
select = ["NC3", "NC4"]
ignore = ["NC302"]
levels = { NC301 = "error" }
strict = true
object_size = 64

[check.per_file_ignore]
"old/*" = ["NC301"]

[[budgets]]
files = ["nets/*.yaml"]
params = "1M"

[[budgets]]
files = ["nets/big.yaml", "./other.yaml"]
memory = { device = "t4", batch = 8, max = "50%" }
[budgets.nodes."stage1.*"]
macs = 3
"""


def write(folder: Path, text: str, name: str = "netcalc.toml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_a_whole_file(tmp_path: Path) -> None:
    project = load_project(write(tmp_path, FULL))
    assert project.settings.strict
    assert project.settings.object_size == 64
    assert [number for number, _ in project.tables_for(tmp_path / "nets" / "big.yaml")] == [0, 1]
    assert [number for number, _ in project.tables_for(tmp_path / "nets" / "deep" / "x.yaml")] == [0]
    assert [number for number, _ in project.tables_for(tmp_path / "other.yaml")] == [1]
    assert project.tables_for(tmp_path.parent / "nets" / "big.yaml") == ()
    assert project.ignored_for(tmp_path / "old" / "a.yaml") == ("NC301",)
    assert project.ignored_for(tmp_path / "nets" / "a.yaml") == ()


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("budgets.0.params", 14), ("budgets.1.memory", 18), ("budgets.1.memory.max", 18),
        ("budgets.1.nodes.stage1.*.macs", 20), ("check.strict", 6), ("budgets.1", 16), ("check.per_file_ignore", 9),
    ],
)  # fmt: skip
def test_lines(tmp_path: Path, path: str, line: int) -> None:
    place = load_project(write(tmp_path, FULL)).place(path)
    assert place is not None
    assert place.line == line


def test_the_table_of_pyproject(tmp_path: Path) -> None:
    text = "[project]\nname = 'x'\n\n[tool.netcalc.check]\nstrict = true\n\n"
    text += "[[tool.netcalc.budgets]]\nfiles=['*']\nparams=1\n"
    project = load_project(write(tmp_path, text, "pyproject.toml"))
    assert project.settings.strict
    place = project.place("budgets.0.params")
    assert place is not None
    assert place.line == 9
    assert load_project(write(tmp_path, "[project]\n", "pyproject.toml")).budgets == ()


def test_the_own_file_comes_first_and_the_root_decides(tmp_path: Path) -> None:
    spec = tmp_path / "a" / "net.yaml"
    spec.parent.mkdir()
    assert find_project(spec, tmp_path) is None
    write(tmp_path, "", "pyproject.toml")
    assert find_project(spec) == tmp_path / "pyproject.toml"
    write(tmp_path, "")
    assert find_project(spec) == tmp_path / "netcalc.toml"
    write(spec.parent, "")
    assert find_project(spec) == spec.parent / "netcalc.toml"
    assert find_project(spec, tmp_path) == tmp_path / "netcalc.toml"


@pytest.mark.parametrize(
    ("text", "code", "line", "message"),
    [
        ("[check\n", "NC002", 1, "not valid TOML"),
        ("\n\na = = 1\n", "NC002", 3, "not valid TOML"),
        ("[chek]\n", "NC010", 1, "unknown field `chek`"),
        ("[check]\n\nstrct = true\n", "NC010", 3, "unknown field `strct`"),
        ("[check]\nstrict = 'yes'\n", "NC011", 2, "true or false"),
        ("[[budgets]]\nparams = 3\n", "NC012", 1, "`files`"),
        ("[[budgets]]\nfiles = ['*']\n\nparms = 3\n", "NC010", 4, "unknown field `parms`"),
        (
            "[[budgets]]\nfiles = ['*']\n[[budgets]]\nfiles = ['*']\nparams = 'few'\n",
            "NC011",
            5,
            "should be a count",
        ),
        ("[check.levels]\nNC301 = 'loud'\n", "NC011", 2, "'error', 'warn' or 'off'"),
        ("[check]\nstrict = 1979-05-27\n", "NC011", 2, "true or false"),
    ],
)
def test_what_is_wrong_is_told_at_its_line(tmp_path: Path, text: str, code: str, line: int, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        load_project(write(tmp_path, text))
    (told,) = caught.value.diagnostics
    assert told.span is not None
    assert (told.code, told.span.line) == (code, line)
    assert message in told.message


@pytest.mark.parametrize("name", ["netcalc.toml", "pyproject.toml"])
def test_a_link_out_of_the_root_is_refused_and_nothing_of_it_is_told(tmp_path: Path, name: str) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / name).symlink_to(write(tmp_path, "secret_key = 1\n[tool.netcalc]\nsecret_key = 1\n", "outside.toml"))
    (root / "net.yaml").write_text("input: [4]\nlayers: [relu]\n")
    found = check_file(root / "net.yaml", Request()).diagnostics
    assert [(d.code, d.span and d.span.file) for d in found] == [("NC019", str(root / name))]
    assert "secret" not in str(found)


def test_a_link_within_the_root_is_followed(tmp_path: Path) -> None:
    (tmp_path / "settings").mkdir()
    write(tmp_path / "settings", "[check]\nstrict = true\n", "of-all.toml")
    (tmp_path / "netcalc.toml").symlink_to("settings/of-all.toml")
    assert load_project(tmp_path / "netcalc.toml").settings.strict
