"""CI runs the README's two commands, found in it by their words."""

from __future__ import annotations

import subprocess

import pytest
from support.models import ROOT


@pytest.mark.parametrize("word", ["verify", "make check"])
def test_ci_finds_each_command_of_the_readme(word: str) -> None:
    script = (ROOT / ".ci" / "run").read_text()
    function = script[script.index("command_with()") : script.index("# A fresh environment")]
    assert word in script.partition("fresh() {")[2]
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", f"{function}\ncommand_with '{word}'"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert len(done.stdout.splitlines()) == 1
    assert done.stdout.startswith("python3 -m venv .venv && ")
