"""A full disk, a command that never stops talking, a candidate that spoils all it gives: none misleads a search."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from support.locating import NETS, search, session

from subcut.analysis.locate import Command, State
from subcut.analysis.locate.candidate import Job
from subcut.analysis.locate.judge import TIMEOUT, Outcome
from subcut.analysis.locate.tensors import write_npy
from subcut.compiler.errors import UserError


def job(folder: Path) -> Job:
    folder.mkdir()
    (folder / "dump.onnx").write_bytes(b"")
    return Job(folder, (folder / "dump.onnx",), {"x": np.zeros(2, np.float32)}, ("y",))


@pytest.mark.parametrize(
    "command",
    [
        "echo 'cannot save: No space left on device' >&2; exit 3 # {model}",
        "echo 'No space left on device'; : {model} {outputs}",
    ],
)
def test_a_full_disk_is_no_fault_of_the_models(command: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="the candidate has no room in") as caught:
        Command(command).run(job(tmp_path / "job"))
    assert caught.value.code == "cannot-write"


def test_a_disk_that_fills_up_leaves_no_half_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(file: Any, array: Any, **options: Any) -> None:
        file.write(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    state = State(tmp_path / "state")
    before = sorted(tmp_path.rglob("*"))
    monkeypatch.setattr(np, "save", full)
    with pytest.raises(UserError, match=r"x.npy` cannot be written: No space left on device"):
        write_npy(tmp_path / "x.npy", np.zeros(2))
    with pytest.raises(UserError, match="cannot be written"), state.workplace() as folder:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(folder))
    assert sorted(tmp_path.rglob("*")) == before


def test_of_an_endless_log_the_end_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("subcut.analysis.locate.command.LONGEST", 1000)
    text = "echo first {model}; yes no | head -c 100000; sleep 1; yes nonsense | head -c 900; sleep 30"
    answer = Command(text, 2).run(job(tmp_path / "job"))
    assert answer.kind == TIMEOUT
    log = (tmp_path / "job" / "log.txt").read_bytes()
    assert len(log) == 900
    assert log.startswith(b"nonsense")


def test_one_operator_is_enough_where_every_output_is_spoiled(tmp_path: Path) -> None:
    """The first wrong tensor in the prefix is one that the operator never touches: it is on another branch."""

    def run(path: Path, feeds: Mapping[str, Any]) -> Mapping[str, Any]:
        model = onnx.load(str(path))
        names = [output.name for output in model.graph.output]
        found = session(path.read_bytes()).run(names, dict(feeds))
        off = any(node.name == bad for node in model.graph.node)
        return {name: array + off for name, array in zip(names, found, strict=True)}

    model = NETS["inception"](tmp_path / "net.onnx")
    nodes = [node.name for node in onnx.load(str(model)).graph.node]
    for bad in nodes[4:12]:
        found = search(model, run, tmp_path / f"state-{nodes.index(bad)}", bad)
        assert found.operators == [bad]
        assert found.certificate is not None
        assert found.certificate.holds


def test_the_word_belongs_to_the_first_tensor() -> None:
    outcome = Outcome("numbers differ", ("a", "b", "c"), "by 1")
    assert outcome.led_by("a") is outcome
    assert outcome.led_by("z") is outcome
    assert outcome.led_by("b") == Outcome("numbers differ", ("b", "a", "c"))
