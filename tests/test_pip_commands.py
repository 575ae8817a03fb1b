"""Every `pip install` that we tell people to type refers to something that exists.

The distribution is called netcalc-nn; the name netcalc on the package index is not ours.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from tests.conftest import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = set(PROJECT["optional-dependencies"])
SOURCES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "netcalc").rglob("*.py")),
    *sorted((ROOT / "configs").rglob("*.yaml")),
]

_COMMAND = re.compile(r"\b(?:pip[0-9.]*|pipx|uv tool) install\b([^\n`#;&|]*)")
_WORD = re.compile(r"""\s+(?:'([^'\n]*)'|"([^"\n]*)"|([^\s'"]+))""")
_TARGET = re.compile(r"(\.|netcalc-nn)(?:\[([A-Za-z0-9_,-]+)\])?(?:[=<>~!]=?[0-9.]+)?")


def commands(text: str) -> list[list[str]]:
    """Return the words after each `pip install` of a text, up to the end of the command."""
    found = []
    for match in _COMMAND.finditer(text):
        rest, words, position = match[1], [], 0
        while word := _WORD.match(rest, position):
            words.append(next(part for part in word.groups() if part is not None))
            position = word.end()
        found.append(words)
    return found


def objection(words: list[str]) -> str | None:
    """Return what is wrong with the words after `pip install`, None if nothing is."""
    targets = [word for word in words if not word.startswith("-")]
    if not targets:
        return "installs nothing"
    for target in targets:
        match = _TARGET.fullmatch(target)
        if match is None:
            return f"{target} is neither this folder nor {PROJECT['name']}"
        unknown = set(filter(None, (match[2] or "").split(","))) - EXTRAS
        if unknown:
            return f"there is no extra {', '.join(sorted(unknown))}"
    return None


def test_the_distribution_has_the_name_that_is_checked() -> None:
    assert PROJECT["name"] == "netcalc-nn"
    assert "dev" in EXTRAS


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: str(file.relative_to(ROOT)))
def test_what_people_are_told_to_install_exists(file: Path) -> None:
    for words in commands(file.read_text(encoding="utf-8")):
        assert objection(words) is None, f"pip install {' '.join(words)}: {objection(words)}"


@pytest.mark.parametrize(
    "text",
    [
        "Run `pip install netcalc-nn`.", "pip install -e '.[dev]'\n",
        "$ python -m pip install -e . --quiet  # here",
        'help="pip install netcalc-nn", code=2', "\"pip install '.[dev]'\"", "pip install netcalc-nn==0.1.0",
        "pip install 'netcalc-nn[dev]' && pytest", "uv pip install -U netcalc-nn",
    ],
)  # fmt: skip
def test_commands_that_are_right(text: str) -> None:
    (words,) = commands(text)
    assert objection(words) is None


@pytest.mark.parametrize(
    "text",
    [
        "pip install netcalc", "Run `pip install netcalc[dev]`.", "pip install -e '.[gpu-of-my-own]'",
        "pip install netcalc-nn[nothing]", "pip install jax", "pip install git+https://example.org/netcalc",
        "pip install", "pip3 install netcalc-nn jax", "pipx install netcalc", "pip install ..",
        'help="pip install netcalc", code=2', "uv pip install netcalc-nn-extra",
    ],
)  # fmt: skip
def test_commands_that_are_wrong(text: str) -> None:
    (words,) = commands(text)
    assert objection(words) is not None
