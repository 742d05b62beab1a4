"""A wrong operator is found wherever it stands, and so are two that are only wrong together."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import pytest
from support.locating import NETS, search, steps, wrong_anywhere, wrong_onnx
from support.models import DIGITS

from subcut.analysis.locate import InProcess, Source, State, locate
from subcut.analysis.locate.search import worst_case
from subcut.compiler.formats import ReadOptions


@pytest.mark.parametrize("net", NETS)
def test_every_position_is_found(net: str, tmp_path: Path) -> None:
    model = NETS[net](tmp_path / "net.onnx")
    names = steps(model)
    for bad in names:
        found = search(model, wrong_onnx(bad), tmp_path / "state", bad)
        assert found.operators == [bad]
        assert found.certificate is not None
        assert found.certificate.holds
        assert found.certificate.agrees
        assert found.count == len(names)
        assert found.runs <= found.bound == worst_case(len(names), 2)


def test_the_prefix_takes_as_many_runs_as_halving(tmp_path: Path) -> None:
    model = NETS["inception"](tmp_path / "net.onnx")
    names = steps(model)
    for bad in names[::5]:
        told: list[str] = []
        backend = InProcess(wrong_onnx(bad), bad)
        source, state = Source(model, ReadOptions()), State(tmp_path / bad)
        locate(source, backend, state, progress=lambda what, done, left: told.append(what))  # noqa: B023
        prefixes = {what for what in told if what == "all of it" or what.startswith("the first")}
        assert len(prefixes) <= math.ceil(math.log2(len(names))) + 1


@pytest.mark.parametrize("net", NETS)
def test_two_that_are_wrong_only_together(net: str, tmp_path: Path) -> None:
    model = NETS[net](tmp_path / "net.onnx")
    names = steps(model)
    pairs = list(itertools.combinations(names, 2))
    for first, last in pairs[:: max(len(pairs) // 12, 1)]:
        found = search(model, wrong_onnx(first, last), tmp_path / "state", f"{first} {last}")
        assert {first, last} <= set(found.operators)
        assert found.operators[-1] == last
        assert found.certificate is not None
        assert found.certificate.holds
        assert found.runs <= found.bound


def test_between_two_that_are_wrong_together_only_what_links_them_stays(tmp_path: Path) -> None:
    model = NETS["inception"](tmp_path / "net.onnx")
    found = search(model, wrong_onnx("m1_b1", "m1_b2"), tmp_path / "state")
    assert found.operators == ["m1_b1", "m1_b1t", "m1_b2"]
    apart = search(model, wrong_onnx("m1_b1", "m1_d2"), tmp_path / "state", "apart")
    assert apart.operators[0] == "m1_b1"
    assert apart.operators[-1] == "m1_d2"


@pytest.mark.parametrize(("file", "bad"), [("digits.pb", "res2a"), ("digits.prototxt", "bn2a_branch1")])
def test_other_formats_are_cut_in_their_own(file: str, bad: str, tmp_path: Path) -> None:
    found = search(DIGITS / file, wrong_anywhere(bad), tmp_path / "state")
    assert found.operators == [bad]
    assert found.certificate is not None
    assert found.certificate.holds
