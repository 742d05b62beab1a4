"""The page of figures: what failed, what was missed and what was reached are each told."""

from __future__ import annotations

import sys
from pathlib import Path

import onnx
import pytest
from support.models import ROOT

sys.path.insert(0, str(ROOT / "benchmarks"))
import goals
import locating
import measure
import models
import report
import run
import viewing

sys.path.remove(str(ROOT / "benchmarks"))

STARTS = {"python -c pass": 0.02, "import subcut": 0.05, "subcut --help": 0.5}


def result(name: str, seconds: float, failure: str = "") -> run.Contender:
    return run.Contender(
        name, lambda out: [str(out)], False, False, [seconds], measure.Memory(50 << 20, 30 << 20), failure
    )


def page(*results: run.Contender) -> str:
    case = models.select(["onnx-chain-100k"])[0]
    return report.document({case: list(results)}, STARTS, 5)


def test_goals_are_reached_or_missed() -> None:
    text = page(
        result("subcut", 1.0),
        result("subcut, first time", 1.1),
        result("subcut --link", 0.9),
        result("onnx.utils, no check", 0.4),
        result("sne4onnx", 0.0, "broke"),
        result("limit", 0.03),
    )
    assert "over onnx.utils without checks | 2 × | 2.5 × | **missed**" in text
    assert "`import subcut` | 60 ms | 50 ms | reached" in text
    assert "`subcut --help` | 120 ms | 500 ms | **missed**" in text
    assert "| 20.0 × |" in text
    assert "0.400 s, 0.4 ×, 31 / 52 MB | broke |" in text


def test_a_failure_of_ours_is_told() -> None:
    text = page(result("subcut", 0.0, "out of luck"), result("subcut, first time", 1.0), result("limit", 1.0))
    assert "out of luck" in text


def test_every_goal_names_cases_that_exist() -> None:
    names = {f"{case.name}/{tool}" for case in models.cases() for tool in ["subcut", "subcut --link", "limit"]}
    seen = dict.fromkeys([*names, "onnx-chain-100k/onnx.utils, no check", *STARTS], 1.0)
    seen |= {f"{name}/anonymous": 1.0 for name in names}
    assert goals.table(seen).count("reached") + goals.table(seen).count("missed") == len(goals.GOALS)


def test_a_section_counted_anew_leaves_the_rest_of_the_page() -> None:
    page = "# Benchmarks\n\n## Goals\n\nkept\n"
    first = report.locating("| old |\n", "polygraphy 1")
    assert report.section(page, report.LOCATING) == ""
    page = report.with_section(page, first)
    assert page.startswith("# Benchmarks\n\n## Goals\n\nkept\n\n## Locating a wrong operator\n")
    assert report.section(page, report.LOCATING) == first
    page += "\n## Later\n"
    again = report.with_section(page, report.locating("| new |\n", "polygraphy 2"))
    assert again == page.replace("old", "new").replace("polygraphy 1", "polygraphy 2")


def test_searches_are_counted() -> None:
    rows = locating.table(None, 40).splitlines()
    assert [row.split("|")[1].strip() for row in rows[2:]] == [
        "chain (32)",
        "residual (32)",
        "inception (39)",
        "towers (33)",
    ]
    assert all(row.endswith("| 1.0, 1 | 1 |") for row in rows[2:])


def test_memory_of_a_process_is_seen(tmp_path: Path) -> None:
    code = "import time; x = bytearray(50_000_000); x[::4096] = bytes(len(x[::4096])); time.sleep(0.2)"
    peak = measure.memory([sys.executable, "-c", code], {})
    assert 50_000_000 < peak.anonymous < 100_000_000
    assert peak.resident >= peak.anonymous
    with pytest.raises(measure.Failed, match="no such thing"):
        measure.memory([sys.executable, "-c", "raise SystemExit('no such thing')"], {})


def test_sections_stay_beside_each_other() -> None:
    page = report.with_section("# Page\n", report.locating("| found |\n", "polygraphy 1"))
    page = report.with_section(page, report.viewing("| seen |\n", 3, "other 1", 0.5))
    page = report.with_section(page, report.locating("| again |\n", "polygraphy 2"))
    assert [page.count(word) for word in ("| found |", "| again |", "| seen |", report.LOCATING, report.VIEWING)] == [
        *(0, 1, 1, 1, 1)
    ]
    assert page.index("| again |") < page.index(report.VIEWING)


def test_a_viewer_that_draws_nothing_is_told() -> None:
    row = viewing.Row("resnet", "10k", viewing.Seen(opened=1.234, memory=90_000_000, rate=59, frame=20, blank=17))
    row.others = {"Netron": viewing.Seen(failure="not drawn in 60 s"), "Model Explorer": viewing.Seen(5.04, 10**9, 31)}
    assert "| 10,000 | 1.23 s | 59 | 20, 17 ms |" in row.text()
    assert row.text().endswith("| not drawn in 60 s | 5.0 s, 31, 1,000 MB |")
    row = viewing.Row("resnet", "1k", viewing.Seen(failure="broke"))
    assert row.text().endswith("| broke | | | | | | not run | not run |")


def test_models_that_are_looked_at_have_their_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(viewing, "FOLDER", tmp_path)
    for kind in ("resnet", "transformer"):
        graph = onnx.load(str(viewing.build(kind, "1k")), load_external_data=False).graph
        assert 960 < len(graph.node) < 1040
        made = {name for node in graph.node for name in node.output} | {"data"} | {w.name for w in graph.initializer}
        assert all(name in made for node in graph.node for name in node.input)
