"""The help of every command: what its docstring says, with nothing swallowed as markup."""

from __future__ import annotations

import re

import pytest
import typer

from netcalc.cli.app import app
from tests.conftest import Cli

COMMANDS = {name: command.help or "" for name, command in typer.main.get_command(app).commands.items()}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_word_of_a_docstring_is_shown(here: Cli, name: str) -> None:
    shown = here(name, "--help").stdout
    words = COMMANDS[name].replace("\\[", "[").split()
    assert words
    assert [word for word in words if word not in shown] == []


def test_a_name_in_brackets_is_shown(here: Cli) -> None:
    assert "`[tool.netcalc]` in pyproject.toml" in re.sub(r"\s+", " ", here("check", "--help").stdout)
