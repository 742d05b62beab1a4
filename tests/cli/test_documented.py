"""The documents know every command, and the help every option."""

from __future__ import annotations

import re

import pytest
from support.commands import subcut
from support.models import ROOT

from subcut.compiler.cli.main import COMMANDS


def test_the_readme_shows_every_command() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    assert not [name for name in COMMANDS if name != "cut" and f"`subcut {name}" not in readme]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_says_what_it_does(command: str) -> None:
    told = subcut(command, "--help").stdout
    assert re.search(r"(?m)^  -h, --help +\S", told)
    for entry in re.split(r"\n(?=  -)", told)[1:]:
        assert re.match(r"  -.*?(?:  |\n {10,})\S", entry, re.DOTALL), entry
