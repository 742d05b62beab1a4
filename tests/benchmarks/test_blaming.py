"""The proof of locating in a dump runs, and finds what it puts in."""

from __future__ import annotations

import sys

import pytest
from support.models import ROOT

sys.path.insert(0, str(ROOT / "benchmarks"))
import blaming

sys.path.remove(str(ROOT / "benchmarks"))


@pytest.mark.parametrize("net", blaming.NETS)
def test_a_few_positions_of_every_net(net: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert blaming.main(["--net", net, "--every", "16"]) == 0
    rows = [line.split("|") for line in capsys.readouterr().out.splitlines()[2:]]
    assert [row[3].strip() for row in rows] == [*blaming.KINDS, blaming.PAIRS]
    assert sum(int(row[4]) for row in rows) > 5
