"""The benchmark of layouts runs, checks what it measures, and prints a row for each case."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from support.models import ROOT

sys.path.insert(0, str(ROOT / "benchmarks"))
import layouts

sys.path.remove(str(ROOT / "benchmarks"))


def test_a_small_case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(layouts, "CASES", [layouts.Case("NC1HWC0", "NCHW", (1, 3, 8, 8))])
    monkeypatch.setattr(layouts, "FOLDER", tmp_path)
    monkeypatch.setattr(layouts, "TOOL", tmp_path / "nothing")
    monkeypatch.setattr(sys, "argv", ["layouts.py", "--runs", "1"])
    assert layouts.main() == 0
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| NC1HWC0 to NCHW 1x3x8x8")]
    assert len(rows) == 1
    assert rows[0].count("%") == 2
    assert not list(tmp_path.iterdir())
